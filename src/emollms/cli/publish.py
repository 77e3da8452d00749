"""`emollms publish`, `emollms hydrate` and `emollms status`: to the Hub, and back."""

import tempfile
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli.output import examples, print_note, print_table
from emollms.errors import UsageError

if TYPE_CHECKING:
    from emollms.publishing.plan import Plan

app = typer.Typer()

_PUBLISH = examples(
    "emollms publish dataset out/aeb --repo me/aeb            # shows what would be done",
    "emollms publish dataset out/aeb --repo me/aeb --yes",
    "emollms publish dataset out/aeb --repo me/aeb --yes --gated auto --public",
    "emollms publish dataset out/aaid --ids-only --repo me/aaid-ids --yes",
)
_HYDRATE = examples(
    "emollms hydrate me/aaid-ids --from ~/corpora --out out/aaid",
    "emollms hydrate me/aaid-ids@v1.0.0 --out out/aaid",
    "emollms hydrate out/aaid-ids --out out/aaid",
)
_STATUS = examples("emollms status me/aeb --data out/aeb")


class Published(StrEnum):
    """What can be published."""

    dataset = "dataset"


class Gate(StrEnum):
    """How access is given to those who ask."""

    auto = "auto"
    manual = "manual"


@app.command(epilog=_PUBLISH)
def publish(
    what: Annotated[Published, typer.Argument(help="What it is.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its folder.")],
    repo: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="The repo; it is created, private, if it is not there.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(metavar="X.Y.Z", help="The version that it must be; it is tagged vX.Y.Z.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, the plan is shown.")] = False,
    expect_head: Annotated[
        str | None, typer.Option(metavar="SHA", help="Do nothing unless the repo is at this commit.")
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete files of the repo that are not of this version.")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="Show the repo to everybody, as the last step.")] = False,
    gated: Annotated[Gate | None, typer.Option(help="Others must ask for access.")] = None,
    ids_only: Annotated[
        bool, typer.Option("--ids-only", help="Ids and hashes of the rows, not the rows: see `emollms hydrate`.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --ids-only: keep what is made there; --repo is not needed.")
    ] = None,
) -> None:
    """Publish to the Hub, all or nothing: in one commit that is verified, tagged, and loaded back.

    What may not be passed on, holds secrets, or is incomplete is refused. The token is that of `hf auth login`, or
    HF_TOKEN.
    """
    from emollms.publishing.datasets import dataset_release
    from emollms.publishing.idonly import write_ids
    from emollms.publishing.plan import Options, make_plan
    from emollms.publishing.publish import publish as run
    from emollms.publishing.remote import Remote

    if out and not ids_only:
        raise UsageError("--out goes with --ids-only")
    if not repo and not out:
        raise UsageError("--repo is missing: the repo to publish to, OWNER/NAME")
    with ExitStack() as stack:
        if ids_only:
            made = out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emollms-"))) / "ids"
            write_ids(folder, made)
            folder = made
        release = dataset_release(folder, version)
        if not repo:
            print_note(f"wrote ids and hashes of {release.name} {release.version} to {folder}")
            return
        options = Options(expect_head, delete, public, gated.value if gated else None)
        remote = Remote(repo)
        plan = make_plan(release, remote, options)
        _print_plan(plan, options.public)
        if not yes:
            print_note("nothing was changed; add --yes to do it")
            return
        done = run(plan, remote, options, print_note)
        state = "published" if done.steps else "was there already, unchanged:"
        print_note(f"{state} {release.name} {release.tag} in {repo}, commit {done.commit}")
        print_note(f'load it: datasets.load_dataset("{repo}", revision="{release.tag}")')


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


@app.command(epilog=_HYDRATE)
def hydrate(
    source: Annotated[
        str, typer.Argument(metavar="REPO|DIR", help="OWNER/NAME, with @REVISION or without; or a folder.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the data set; it appears when all is done.")],
    corpora: Annotated[
        Path | None,
        typer.Option("--from", metavar="CORPORA", help="The folder of the corpora, in place of EMOLLMS_CORPORA."),
    ] = None,
) -> None:
    """Build a data set from its ids and your own copy of the corpora; the hash of every row is checked."""
    from emollms.publishing.hydrate import hydrate as run
    from emollms.publishing.remote import Remote

    with tempfile.TemporaryDirectory(prefix="emollms-") as cache:
        if Path(source).is_dir():
            ids = Path(source)
        else:
            repo, _, revision = source.partition("@")
            ids = Remote(repo).download(revision or "main", Path(cache))
        done = run(ids, out, corpora)
    print_note(f"built {done.manifest.data_set} {done.manifest.version} in {out}: {done.rows:,} rows, as published")
    if done.differing:
        print_note(f"another version of emollms wrote these files otherwise: {', '.join(done.differing)}")


@app.command(epilog=_STATUS)
def status(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the data set.")],
) -> None:
    """Tell whether what is on the Hub is what is here; the exit code is 1 if it is not.

    The tag of the version that is here is looked at, or `main` if there is none.
    """
    from emollms.publishing.datasets import local_release_files
    from emollms.publishing.status import compare

    version, files = local_release_files(data)
    found = compare(repo, version, files)
    print_table(("what", "file"), [(kind, path) for kind, paths in found.differing.items() for path in paths])
    print_note(found.summary)
    if not found.is_same:
        raise typer.Exit(1)
