"""`emollms publish`: to the Hub, all or nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note, print_table

if TYPE_CHECKING:
    from emollms.hub.plan import Plan

_EXAMPLES = examples(
    "emollms publish dataset out/aeb --repo me/aeb            # shows what would be done",
    "emollms publish dataset out/aeb --repo me/aeb --yes",
    "emollms publish model out/merged --repo me/model --scores out/scores/merged --yes",
    "emollms space me/model@v1.0.0 --out out/demo && emollms publish space out/demo --repo me/demo --yes",
)
_DATASET = examples(
    "emollms publish dataset out/aeb --repo me/aeb            # shows what would be done",
    "emollms publish dataset out/aeb --repo me/aeb --yes --gated auto --public",
    "emollms publish dataset out/aaid --ids-only --repo me/aaid-ids --yes",
)
_MODEL = examples(
    "emollms publish model out/merged --repo me/model                  # shows what would be done",
    "emollms publish model out/merged --repo me/model --scores out/scores/merged --data-repo me/aaid --yes",
    "emollms publish model out/merged --repo me/model --scores out/scores/merged --benchmark-repo me/aeb --yes",
    "emollms publish model out/run --repo me/adapter --license apache-2.0 --yes",
    "emollms publish model out/merged --repo me/model --gguf q8_0 --yes",
)
_SPACE = examples(
    "emollms publish space out/demo --repo me/demo             # shows what would be done",
    "emollms publish space out/demo --repo me/demo --yes --public",
)
_ANSWERS = examples(
    "emollms publish answers out/scores/my-model --repo me/answers             # shows what would be done",
    "emollms publish answers out/scores/my-model --repo me/answers --yes --public",
    "emollms evaluate --predictions me/answers --data me/aeb --out out/scores/again",
)

app = typer.Typer(
    name="publish",
    no_args_is_help=True,
    epilog=_EXAMPLES,
    help="Publish to the Hub, all or nothing: in one commit that is verified, loaded back, and tagged.",
)


Repo = Annotated[
    str | None, typer.Option(metavar="OWNER/NAME", help="The repo; it is created, private, if it does not exist.")
]
Version = Annotated[str | None, typer.Option(metavar="X.Y.Z", help="The version; it is tagged vX.Y.Z.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this, the plan is shown.")]
ExpectHead = Annotated[str | None, typer.Option(metavar="SHA", help="Do nothing unless the repo is at this commit.")]
Delete = Annotated[bool, typer.Option("--delete", help="Delete files of the repo that are not of this version.")]
Public = Annotated[bool, typer.Option("--public", help="Show the repo to everybody, as the last step.")]
AllowOlder = Annotated[
    bool, typer.Option("--allow-older", help="Let the repo go back to a version that is older than the one it holds.")
]
Gated = Annotated[Literal["auto", "manual"] | None, typer.Option(help="Others must ask for access.")]


@app.command(epilog=_DATASET, cls=TableCommand)
def dataset(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A built data set, or the id-only form of one.")],
    repo: Repo = None,
    version: Version = None,
    yes: Yes = False,
    expect_head: ExpectHead = None,
    delete: Delete = False,
    public: Public = False,
    gated: Gated = None,
    allow_older: AllowOlder = False,
    ids_only: Annotated[
        bool, typer.Option("--ids-only", help="Ids and hashes of the rows, not the rows: see `emollms hydrate`.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --ids-only: keep what is made there; --repo is not needed.")
    ] = None,
) -> None:
    """Publish a data set; --version must be the one that it was built as.

    What may not be passed on, holds secrets, or is incomplete is refused. The token is that of `hf auth login`, or
    HF_TOKEN.
    """
    if ids_only and out and not repo:
        _write_ids(folder, out, version)
        return
    plan = _publish("dataset", folder, repo, version, yes, expect_head=expect_head, delete=delete, public=public,
                    gated=gated, allow_older=allow_older, ids_only=ids_only, out=out)  # fmt: skip
    if yes:
        tag = plan.release.tag
        print_note(f'load it: datasets.load_dataset("{repo}", revision="{tag}")')
        if "original.json" in plan.release.files:
            print_note(f"with the corpora: emollms hydrate {repo}@{tag} --from CORPORA --out DIR")


@app.command("model", epilog=_MODEL, cls=TableCommand)
def model(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `emollms merge` wrote; or a run, whose adapter is published.")
    ],
    repo: Repo = None,
    version: Version = None,
    scores: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A folder of `emollms evaluate`; can be given again.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of `emollms calibrate`; by default that in the model's folder.")
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The licence, as the Hub names it, where it does not follow from the parts."),
    ] = None,
    data_repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="The data that it was tuned on, on the Hub.")
    ] = None,
    benchmark_repo: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME[@REV]",
            help="The benchmark on the Hub that scores of a folder are of.",
        ),
    ] = None,
    gguf: Annotated[
        Literal["f32", "f16", "bf16", "q8_0"] | None,
        typer.Option(help="Add the model as GGUF, in numbers of this type."),
    ] = None,
    converter: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --gguf: convert_hf_to_gguf.py of a llama.cpp checkout.")
    ] = None,
    yes: Yes = False,
    expect_head: ExpectHead = None,
    delete: Delete = False,
    public: Public = False,
    gated: Gated = None,
    allow_older: AllowOlder = False,
) -> None:
    """Publish a tuned model: weights or adapter, tokenizer, templates, the record of its run, and its card.

    Pickles, code, secrets, missing shards and a tokenizer that is not all there are refused, and so is a model that
    does not load here or gives no numbers: nothing is sent before it was tried. Without --version, what is published
    already keeps its version, and the first is 1.0.0; a changed card raises the last number, anything else the one
    before. The token is that of `hf auth login`, or HF_TOKEN.
    """
    plan = _publish("model", folder, repo, version, yes, expect_head=expect_head, delete=delete, public=public,
                    gated=gated, allow_older=allow_older, scores=scores or (), calibration=calibration,
                    license=license, data_repo=data_repo, benchmark_repo=benchmark_repo, gguf=gguf,
                    converter=converter)  # fmt: skip
    if yes:
        print_note(f"try it: emollms evaluate --model {repo}@{plan.release.tag} --data DIR --out DIR")


@app.command("space", epilog=_SPACE, cls=TableCommand)
def space(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `emollms space`, or `emollms leaderboard-page`, wrote.")
    ],
    repo: Repo = None,
    version: Version = None,
    yes: Yes = False,
    expect_head: ExpectHead = None,
    delete: Delete = False,
    public: Public = False,
    allow_older: AllowOlder = False,
) -> None:
    """Publish a demo of a published model, or a leaderboard of published answers, as a Space.

    Without --version, what is published already keeps its version, and the first is 1.0.0. The token is that of
    `hf auth login`, or HF_TOKEN.
    """
    _publish("space", folder, repo, version, yes, expect_head=expect_head, delete=delete, public=public,
             allow_older=allow_older)  # fmt: skip


@app.command("answers", epilog=_ANSWERS, cls=TableCommand)
def answers(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of `emollms evaluate`.")],
    repo: Repo = None,
    version: Version = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR|REPO[@REV]", help="The benchmark, if it is not where the run found it."),
    ] = None,
    yes: Yes = False,
    expect_head: ExpectHead = None,
    delete: Delete = False,
    public: Public = False,
    gated: Gated = None,
    allow_older: AllowOlder = False,
) -> None:
    """Publish the answers of an evaluation as a data set: ids, answers and hashes, and no text of the benchmark.

    Where texts may not be passed on, quotations of them are taken out of answers. That the answers give the scores of
    the run, to the last digit, is checked before anything is sent. Without --version, what is published already keeps
    its version, and the first is 1.0.0. The token is that of `hf auth login`, or HF_TOKEN.
    """
    plan = _publish("answers", folder, repo, version, yes, expect_head=expect_head, delete=delete, public=public,
                    gated=gated, allow_older=allow_older, data=data)  # fmt: skip
    if yes:
        tag = plan.release.tag
        print_note(f"score them again: emollms evaluate --predictions {repo}@{tag} --data DIR --out DIR")


def _write_ids(folder: Path, out: Path, version: str | None) -> None:
    """Write the id-only form of a data set, without publishing it."""
    from emollms.hub.dataset import dataset_release
    from emollms.hub.ids import write_ids
    from emollms.locations import check_folder

    check_folder(folder)
    write_ids(folder, out)
    release = dataset_release(out, version)
    print_note(f"wrote ids and hashes of {release.name} {release.version} to {out}")


def _publish(kind: Any, folder: Path, repo: str | None, version: str | None, yes: bool, **options: Any) -> "Plan":
    """Show the plan, and carry it out where that is wanted."""
    from emollms.hub.publish import publish

    return shown(
        lambda on_plan: publish(
            kind, folder, repo, version=version, yes=yes, progress=True, on_step=print_note, on_plan=on_plan, **options
        ),
        yes,
        options["public"],
    )


def shown(publish: Callable[[Callable[["Plan"], None]], "Plan"], yes: bool, public: bool) -> "Plan":
    """Publish, and show the plan and what came of it.

    Args:
        publish: does it; is given what prints the plan.
        yes: whether it does more than plan.
        public: whether the repo is made public.
    """
    try:
        plan = publish(lambda plan: _print_plan(plan, public))
    except KeyboardInterrupt as error:
        print_note(str(error) or "interrupted (nothing was changed)")
        raise
    if not yes:
        print_note("nothing was changed; add --yes to do it")
        return plan
    state = "published" if plan.steps else "was published already, unchanged:"
    print_note(f"{state} {plan.release.name} {plan.release.tag} in {plan.repo}, commit {plan.commit}")
    return plan


def _print_plan(plan: "Plan", public: bool) -> None:
    kinds = (("add", plan.add), ("change", plan.change), ("delete", plan.delete), ("leave", plan.left))
    sizes = {path: file.size for path, file in plan.release.files.items()}
    print_table(
        ("what", "file", "bytes"), [(kind, path, sizes.get(path, "")) for kind, paths in kinds for path in paths]
    )
    release, state = plan.release, plan.state
    if state is None:
        print_note(f"{plan.repo} does not exist: it will be created, private")
    else:
        seen = "private" if state.private else "public"
        print_note(f"{plan.repo} is {seen}, at commit {state.head}")
    tagged = "exists already, with this content" if plan.published else "will be made"
    print_note(f"{release.name} {release.version}: tag {release.tag} {tagged}")
    if public and (state is None or state.private):
        print_note("it will be made public, as the last step")
    for note in release.notes:
        print_note(f"note: {note}")
