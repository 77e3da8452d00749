"""`emollms corpora`: which corpora there are, which are here, and how to get the others."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli import complete, contribute
from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import (
    Cell,
    examples,
    goes_into_a_file,
    print_error,
    print_fields,
    print_note,
    print_table,
    print_warning,
)
from emollms.errors import UsageError
from emollms.progress import show_progress

if TYPE_CHECKING:
    from emollms.corpora.base import Corpus
    from emollms.corpora.download import LocalFolder
    from emollms.corpora.fetch import Outcome
    from emollms.corpora.metadata import CorpusMetadata

_LIST = examples("emollms corpora", "EMOLLMS_CORPORA=~/corpora emollms corpora", "emollms corpora | cut -f 1,7")
_SHOW = examples("emollms corpora show vader")
_FETCH = examples(
    "emollms corpora fetch vader goemotions",
    "emollms corpora fetch semeval2018_task1 --accept-terms",
    "emollms corpora fetch sst --from ~/Downloads",
    "emollms corpora fetch --to /data/corpora && EMOLLMS_CORPORA=/data/corpora emollms corpora",
)
_PIN = examples(
    "emollms corpora pin my_corpus --from ~/corpora --out builders/files/my_corpus.csv",
    "emollms corpora pin my_corpus --from ~/corpora --out builders/files/my_corpus.csv --count-rows",
)


app = typer.Typer(
    name="corpora",
    cls=NounGroup,
    epilog=_LIST,
    help="List the corpora, show what is known of one, fetch their files, and pin those of a new one.",
)


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the corpora: what they hold, what may be done with them, where they are on this machine."""
    from emollms.corpora import registry

    columns = ("name", "languages", "tasks", "rows", "license", "redistribution", "where")
    print_table(columns, [_listed(corpus) for corpus in registry.corpora().values()])
    for one in registry.broken():
        print_warning(f"warning: {one}")


@app.command(epilog=_SHOW, cls=TableCommand)
def show(
    name: Annotated[str, typer.Argument(help="Name of a corpus.", metavar="NAME", autocompletion=complete.corpus)],
) -> None:
    """Show all that is known of a corpus, and the state of its files: ok, missing, or differs from the pinned one."""
    from emollms.corpora import registry
    from emollms.corpora.fetch import state_of

    corpus = registry.get_corpus(name)
    folder = registry.folder(corpus)
    columns = ("file", "state", "bytes", "rows", "sha256", "address")
    rows = [
        (file.path, state_of(file, folder), file.bytes, file.rows or 0, file.sha256, file.address or "by hand")
        for file in corpus.meta.files
    ]
    print_fields({**_fields(corpus.meta), "folder": folder}, {"files": (columns, rows)})


@app.command(epilog=_FETCH, cls=TableCommand)
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of corpora; all that can be fetched by default.",
            metavar="NAME",
            autocompletion=complete.corpus,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Take the files, or the archives, from a folder, not the network."),
    ] = None,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Accept the terms that the distributors set; they are still shown.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder for all corpora, in place of EMOLLMS_CORPORA or the cache."),
    ] = None,
) -> None:
    """Get corpora from their official addresses, or from a folder; every file is checked against its SHA-256.

    What is here already is not fetched again, and an interrupted download resumes.
    """
    from emollms.corpora.download import LocalFolder

    local = LocalFolder(source) if source else None
    chosen = _chosen(names, local)
    outcomes = _fetch_all(_agreed(chosen, to, accept_terms), local, to)
    columns = ("name", "fetched", "kept", "failed", "folder")
    counts = [(len(outcome.fetched), len(outcome.kept), len(outcome.failed)) for outcome in outcomes]
    names_and_counts = zip(outcomes, counts, strict=True)
    print_table(columns, [(outcome.corpus, *count, outcome.folder) for outcome, count in names_and_counts])
    for outcome in outcomes:
        if outcome.replaced:
            print_note(f"{outcome.corpus}: replaced, as they were not the pinned ones: {', '.join(outcome.replaced)}")
        if outcome.errors:
            print_error(outcome.summary)
    if len(outcomes) < len(chosen) or any(outcome.errors for outcome in outcomes):
        raise typer.Exit(1)


@app.command(epilog=_PIN)
def pin(
    name: Annotated[str, typer.Argument(help="Name of the corpus; it need not exist yet.", metavar="NAME")],
    source: Annotated[
        Path,
        typer.Option("--from", metavar="DIR", help="The folder that holds NAME/ with the files, as in `build --from`."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The table, which is written whole or not at all; printed by default."),
    ] = None,
    count_rows: Annotated[
        bool, typer.Option("--count-rows", help="Fill in the rows of each file, as the builder of NAME reads them.")
    ] = False,
) -> None:
    """Make the table of a corpus's files with their SHA-256 and size, for `builders/files/NAME.csv`.

    What the table there says of rows, split, language, task, emotion, address and more is kept when it is made again.
    """
    from emollms.corpora import registry
    from emollms.corpora.pin import pin as make_table
    from emollms.storage import write_whole

    if out is None and goes_into_a_file(sys.stdout):
        table = f"builders/files/{name}.csv"
        raise UsageError(f"a redirection empties the table before it is read; give --out FILE, such as {table}")
    pinned = make_table(name, source, out=out, builder=registry.get_corpus(name) if count_rows else None)
    if out:
        write_whole(out, pinned.table)
    else:
        print(pinned.table, end="")
    for what, paths in (("new", pinned.new), ("changed", pinned.changed), ("gone", pinned.gone)):
        if paths:
            print_note(f"{what}: {', '.join(paths)}")


app.command(epilog=contribute.NEW, cls=TableCommand)(contribute.new)
app.command(epilog=contribute.CHECK)(contribute.check)


def _listed(corpus: "type[Corpus]") -> tuple[object, ...]:
    from emollms.corpora import registry

    meta, folder = corpus.meta, registry.folder(corpus)
    few = " ".join(meta.languages) if len(meta.languages) <= 4 else f"{len(meta.languages)} languages"
    languages, tasks = Cell(meta.languages, few), Cell(meta.tasks, " ".join(meta.tasks))
    here = sum((folder / file.path).is_file() for file in meta.files)
    where = f"{folder}" if here else "not here"
    if 0 < here < len(meta.files):
        where += f" ({here} of {len(meta.files)} files)"
    place = Cell(str(folder) if here else None, where)
    return meta.name, languages, tasks, meta.rows, meta.license, meta.redistribution, place


def _fields(meta: "CorpusMetadata") -> dict[str, object]:
    known = meta.model_dump(exclude={"files", "unannotated", "ranges", "drawn"})
    fields = {name: value for name, value in known.items() if value is not None}
    fields = {
        name: Cell(value, " ".join(value)) if isinstance(value, tuple) else value for name, value in fields.items()
    }
    if meta.unannotated:
        told = list(map(str, meta.unannotated))
        fields["unannotated"] = Cell(told, "\n".join(told))
    if meta.ranges:
        ranges = "\n".join(f"{task} {low:g} to {high:g}" for task, (low, high) in meta.ranges.items())
        fields["ranges"] = Cell({task: list(ends) for task, ends in meta.ranges.items()}, ranges)
    if meta.drawn:
        fields["splits drawn"] = str(meta.drawn)
    bundled = Cell(meta.bundled, "yes" if meta.bundled else "no")
    return {**fields, "bundled": bundled, "rows": meta.rows, "number of files": len(meta.files)}


def _chosen(names: Sequence[str] | None, local: "LocalFolder | None") -> "list[type[Corpus]]":
    from emollms.corpora import registry

    if names:
        return [registry.get_corpus(name) for name in dict.fromkeys(names)]
    others = [corpus for corpus in registry.corpora().values() if not corpus.meta.bundled]
    if local is None:
        return [corpus for corpus in others if any(file.address for file in corpus.meta.files)]
    found = [corpus for corpus in others if local.has_any(corpus.meta)]
    if not found:
        raise UsageError(f"{local.root} holds no file of any corpus; `emollms corpora show NAME` lists their files")
    return found


def _agreed(corpora: "Sequence[type[Corpus]]", to: Path | None, accept: bool) -> "list[type[Corpus]]":
    """Those corpora whose terms are accepted, or that have none, or of which nothing is to be fetched."""
    from emollms.corpora import registry
    from emollms.corpora.fetch import is_complete

    with_terms = [
        corpus
        for corpus in corpora
        if corpus.meta.terms and not corpus.meta.bundled and not is_complete(corpus.meta, registry.folder(corpus, to))
    ]
    for corpus in with_terms:
        print_warning(f"Terms of {corpus.meta.title} ({corpus.meta.homepage}):\n  {corpus.meta.terms}")
    if accept or not with_terms:
        return list(corpora)
    if not sys.stdin.isatty():
        names = ", ".join(corpus.meta.name for corpus in with_terms)
        raise UsageError(f"the terms of {names} must be accepted: read them above, and add --accept-terms")
    refused = [corpus for corpus in with_terms if not _says_yes(corpus.meta.name)]
    for corpus in refused:
        print_error(f"{corpus.meta.name}: not fetched, as its terms were not accepted")
    return [corpus for corpus in corpora if corpus not in refused]


def _says_yes(name: str) -> bool:
    print(f"Do you accept the terms of {name}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _fetch_all(corpora: "Sequence[type[Corpus]]", local: "LocalFolder | None", to: Path | None) -> "list[Outcome]":
    from emollms.corpora import registry
    from emollms.corpora.download import Network
    from emollms.corpora.fetch import fetch as fetch_corpus

    with show_progress("bytes", "looking at what is here") as on_progress:
        supplier = local or Network(on_progress=on_progress)
        return [
            fetch_corpus(corpus.meta, registry.folder(corpus, None if corpus.meta.bundled else to), supplier)
            for corpus in corpora
        ]
