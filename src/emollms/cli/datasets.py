"""`emollms build`, `emollms diff` and `emollms datasets`: data sets, and what changed between two versions of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emollms.cli import complete
from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_note, print_table

if TYPE_CHECKING:
    from emollms.dataset.build import Build

app = typer.Typer()

_BUILD = examples(
    "emollms build aeb --corpora sample --out out/aeb",
    "emollms build aaid --out out/aaid",
    "emollms build aaid-plus --out out/aaid-plus",
    "emollms build aaid --out out/aaid-multilingual --languages en,ar,es --version 1.1.0",
    "emollms build aaid --out out/aaid --index out/seen",
    "emollms build aeb-multilingual --out out/aeb-multilingual --instructions native",
    "EMOLLMS_CORPORA=~/corpora emollms build aeb --profile paper --out out/aeb-paper",
)
_DIFF = examples("emollms diff out/aaid out/aaid-multilingual")
_LIST = examples("emollms datasets", "emollms datasets list --json")
_VERSIONS = examples(
    "emollms datasets versions out", "emollms datasets versions owner/aeb", "emollms datasets versions out/aeb --json"
)

lists = typer.Typer(
    name="datasets", cls=NounGroup, epilog=_LIST,
    help="List the data sets that can be built, and the versions of them that there are.",
)  # fmt: skip
app.add_typer(lists)

_TWICE = "Given more than once, or with commas."
Corpora = Annotated[list[str] | None, typer.Option(metavar="NAME,…", help=_TWICE, autocompletion=complete.corpora)]
Tasks = Annotated[list[str] | None, typer.Option(metavar="NAME,…", help=_TWICE, autocompletion=complete.tasks)]


@app.command(epilog=_BUILD, cls=TableCommand)
def build(
    data_set: Annotated[
        Literal["aaid", "aaid-plus", "aeb", "aeb-multilingual"],
        typer.Argument(
            metavar="DATA_SET", help="aaid and aaid-plus train models, aeb and aeb-multilingual evaluate them."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the data set; it appears when all is done.")],
    profile: Annotated[
        Literal["release", "paper"],
        typer.Option(help="release repairs; paper gives the published texts and gold labels."),
    ] = "release",
    corpora: Corpora = None,
    tasks: Tasks = None,
    languages: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE,…",
            help="Languages, or all (aeb-multilingual); English by default.",
            autocompletion=complete.languages,
        ),
    ] = None,
    instructions: Annotated[
        str,
        typer.Option(
            metavar="CODE|native",
            help="Language of the instructions; native is that of each text, where there is one.",
        ),
    ] = "en",
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="The folder of the corpora, in place of EMOLLMS_CORPORA."),
    ] = None,
    version: Annotated[
        str, typer.Option(metavar="X.Y.Z", help="Semantic version; one version never changes.")
    ] = "1.0.0",
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Leave broken source rows out and count them, instead of stopping.")
    ] = False,
    mask: Annotated[
        bool, typer.Option("--mask", help="Put placeholders in place of user names, links, addresses and secrets.")
    ] = False,
    index: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A folder or redis://HOST:PORT/DB: drop what earlier runs had, add the rest."),
    ] = None,
) -> None:
    """Build a data set from raw corpora, ready for `load_dataset`."""
    from emollms.dataset.build import build as run

    done = run(
        data_set,
        out,
        profile=profile,
        corpora=corpora or (),
        tasks=tasks or (),
        languages=languages or (),
        instructions=instructions,
        from_=from_,
        version=version,
        quarantine=quarantine,
        mask=mask,
        index=index,
        progress=True,
    )
    _print_build(done, out)


def _print_build(done: "Build", out: Path) -> None:
    table = done.to_pandas()
    print_table(list(table.columns), table.values.tolist())
    for count in done.manifest.counts:
        if not count.rows:
            print_note(f"no text of {count.task}, {count.split}, is left: the data set has no such rows")
    if left_out := done.manifest.left_out():
        print_note(f"left out, the most serious first; {out / 'rejected.parquet'} has each of them:")
        for one in left_out:
            print_note(f"  {one}")
    times = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in done.seconds.items())
    state = "built" if done.changed else "was there already, unchanged:"
    print_note(f"{state} {done.manifest.data_set} {done.manifest.version} in {out} ({times})")
    print_note(f'load it: datasets.load_dataset("{out}")')


@app.command(epilog=_DIFF, cls=TableCommand)
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The folder of one version.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The folder of the other.")],
    ids: Annotated[bool, typer.Option("--ids", help="List the rows, not only their numbers.")] = False,
) -> None:
    """Show the rows added, removed and changed, and the version step that the change asks for."""
    from emollms.dataset.diff import diff as compare
    from emollms.locations import check_folder

    check_folder(old)
    check_folder(new)
    found = compare(old, new)
    if ids:
        kinds = ("added", "removed", "changed")
        print_table(
            ("change", "id"),
            [(kind, name) for change in found.changes for kind in kinds for name in getattr(change, kind)],
        )
    else:
        print_table(
            ("task", "split", "added", "removed", "changed", "columns"),
            [
                (c.task, c.split, len(c.added), len(c.removed), len(c.changed), ", ".join(c.columns))
                for c in found.changes
            ],
        )
    old_one, new_one = (f"{one.version} ({one.settings.get('profile', 'unknown')})" for one in (found.old, found.new))
    print_note(f"{found.new.data_set}: {old_one} → {new_one}; the change asks for this step: {found.step}")


@lists.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the data sets that `emollms build` makes: their corpora, tasks and splits."""
    from emollms.dataset.specs import DATA_SETS

    columns = ("name", "title", "corpora", "tasks", "splits", "published", "about")
    rows = [
        (
            one.name, one.title, *(Cell(names, " ".join(names)) for names in (one.corpora, one.tasks, one.splits)),
            Cell(one.published, "yes" if one.published else "no"), one.about,
        )
        for one in DATA_SETS.values()
    ]  # fmt: skip
    print_table(columns, rows)


@lists.command(epilog=_VERSIONS, cls=TableCommand)
def versions(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR|REPO", help="Folders, or repos on the Hub; by default `out`, or this folder."),
    ] = None,
) -> None:
    """List the versions of data sets: those that were built into a folder, and those that a repo has tags of."""
    from emollms.cli.runs import default_place
    from emollms.dataset.versions import find_versions
    from emollms.hub.repo import published_versions
    from emollms.locations import hub_repo, is_local

    rows: list[tuple[object, ...]] = []
    for place in places or [str(default_place())]:
        if is_local(place):
            rows += [
                (one.name, one.version, one.profile, one.rows, one.redistribution, one.folder)
                for one in find_versions(Path(place))
            ]
        else:
            repo = hub_repo(place).repo
            rows += [(repo, version, *_UNKNOWN, f"{repo}@v{version}") for version in published_versions(repo)]
    print_table(("name", "version", "profile", "rows", "redistribution", "where"), rows)


_UNKNOWN = (Cell(None, ""),) * 3
"""Of a version on the Hub its tag alone is read."""
