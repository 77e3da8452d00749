"""`emollms publish`: to the Hub, all or nothing. The commands of models and Spaces stand in modules of their own."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli.output import examples, print_note, print_table
from emollms.errors import UsageError
from emollms.progress import show_progress

if TYPE_CHECKING:
    from emollms.hub.plan import Options, Plan
    from emollms.hub.release import Kind, Release
    from emollms.hub.repo import Remote

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

app = typer.Typer(
    name="publish",
    no_args_is_help=True,
    epilog=_EXAMPLES,
    help="Publish to the Hub, all or nothing: in one commit that is verified, loaded back, and tagged.",
)


class Gate(StrEnum):
    """How access is given to those who ask."""

    auto = "auto"
    manual = "manual"


Repo = Annotated[
    str | None, typer.Option(metavar="OWNER/NAME", help="The repo; it is created, private, if it is not there.")
]
Version = Annotated[str | None, typer.Option(metavar="X.Y.Z", help="The version; it is tagged vX.Y.Z.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this, the plan is shown.")]
ExpectHead = Annotated[str | None, typer.Option(metavar="SHA", help="Do nothing unless the repo is at this commit.")]
Delete = Annotated[bool, typer.Option("--delete", help="Delete files of the repo that are not of this version.")]
Public = Annotated[bool, typer.Option("--public", help="Show the repo to everybody, as the last step.")]
AllowOlder = Annotated[
    bool, typer.Option("--allow-older", help="Let the repo go back to a version that is older than the one it holds.")
]
Gated = Annotated[Gate | None, typer.Option(help="Others must ask for access.")]


@app.command(epilog=_DATASET)
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
    from emollms.hub.dataset import dataset_release
    from emollms.hub.ids import is_id_only, write_ids
    from emollms.locations import check_folder

    if out and not ids_only:
        raise UsageError("--out goes with --ids-only")
    if not out:
        check_repo(repo)
    check_folder(folder)
    with ExitStack() as stack:
        if ids_only:
            made = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emollms-"))) / "ids"
            write_ids(folder, made)
            folder = made
        release = dataset_release(folder, version)
        if not repo:
            print_note(f"wrote ids and hashes of {release.name} {release.version} to {folder}")
            return
        options = make_options(expect_head, delete, public, gated, allow_older)
        push(repo, "dataset", lambda remote: release, options, yes)
        if yes:
            print_note(f'load it: datasets.load_dataset("{repo}", revision="{release.tag}")')
            if is_id_only(folder):
                print_note(f"with the corpora: emollms hydrate {repo}@{release.tag} --from CORPORA --out DIR")


def check_repo(repo: str | None) -> str:
    """The name of the repo.

    Raises:
        UsageError: there is none, or it is no name.
    """
    from emollms.hub.repo import Remote

    if not repo:
        raise UsageError("--repo is missing: the repo to publish to, OWNER/NAME")
    return Remote(repo).repo


def make_options(
    expect_head: str | None, delete: bool, public: bool, gated: Gate | None, allow_older: bool
) -> "Options":
    """What was allowed on the command line."""
    from emollms.hub.plan import Options

    return Options(expect_head, delete, public, gated.value if gated else None, allow_older)


def push(repo: str, kind: "Kind", make: "Callable[[Remote], Release]", options: "Options", yes: bool) -> "Release":
    """Show the plan of a release, and carry it out where that is wanted.

    Args:
        repo: the repo.
        kind: what it holds.
        make: makes the release, once the repo is known.
        options: what is allowed.
        yes: whether to do it.
    """
    from emollms.hub.plan import make_plan
    from emollms.hub.publish import publish
    from emollms.hub.repo import Remote
    from emollms.network import require_hub

    remote = Remote(repo, kind)
    require_hub()
    with show_progress("steps", "looking at the files and the repo"):
        release = make(remote)
        plan = make_plan(release, remote, options)
    _print_plan(plan, options.public)
    if not yes:
        print_note("nothing was changed; add --yes to do it")
        return release
    with show_progress("steps", "sending files") as on_progress:
        steps: list[str] = []

        def did(step: str) -> None:
            print_note(step)
            steps.append(step)
            on_progress(f"publishing; the last step: {step}", len(steps), None)

        done = publish(plan, remote, options, did)
    state = "published" if done.steps else "was there already, unchanged:"
    print_note(f"{state} {release.name} {release.tag} in {repo}, commit {done.commit}")
    return release


def _print_plan(plan: "Plan", public: bool) -> None:
    kinds = (("add", plan.add), ("change", plan.change), ("delete", plan.delete), ("leave", plan.left))
    sizes = {path: file.size for path, file in plan.release.files.items()}
    print_table(
        ("what", "file", "bytes"), [(kind, path, sizes.get(path, "")) for kind, paths in kinds for path in paths]
    )
    release, state = plan.release, plan.state
    if state is None:
        print_note(f"{plan.repo} is not there: it will be created, private")
    else:
        seen = "private" if state.private else "public"
        print_note(f"{plan.repo} is {seen}, at commit {state.head}")
    tagged = "is there already, with this content" if plan.published else "will be made"
    print_note(f"{release.name} {release.version}: tag {release.tag} {tagged}")
    if public and (state is None or state.private):
        print_note("it will be made public, as the last step")
    for note in release.notes:
        print_note(f"note: {note}")
