"""`emollms dedup` and `emollms overlap`: near-duplicates in any data set."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note, print_table
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes
from emollms.locations import check_free, check_there
from emollms.progress import show_progress

app = typer.Typer()

_DEDUP = examples(
    "emollms dedup tweets.jsonl --out out/tweets",
    "emollms dedup out/aaid --against out/aeb --out out/aaid-clean --policy drop",
    "emollms dedup someone/their-data@main --against out/aeb --out out/theirs --text-column tweet",
    "emollms dedup monday.jsonl --out out/monday --index out/seen",
    "emollms dedup tuesday.jsonl --out out/tuesday --index redis://localhost:6379/0",
    "emollms dedup reviews.csv.gz --out out/reviews --delimiter semicolon --encoding cp1252",
)
_OVERLAP = examples(
    "emollms overlap my-training-data.parquet out/aeb", "emollms overlap out/aaid out/aeb --threshold 0.8"
)

_Policy = Literal["flag", "drop"]
_Engine = Literal["numba", "dask", "spark"]
Threshold = Annotated[float, typer.Option(min=0.1, max=1.0, help="Least Jaccard similarity of character 4-grams.")]
TextColumn = Annotated[str, typer.Option(metavar="NAME", help="The column of texts.")]


@app.command(epilog=_DEDUP, cls=TableCommand)
def dedup(
    data: Annotated[
        str, typer.Argument(metavar="IN", help="A file (CSV, TSV, JSON Lines, …), a folder or a Hub repo.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder; it appears when all is done.")],
    against: Annotated[
        str | None, typer.Option(metavar="REF", help="A data set whose texts must not be in training or validation.")
    ] = None,
    threshold: Threshold = 0.7,
    policy: Annotated[
        _Policy, typer.Option(help="flag near-duplicates inside training, or drop all but one.")
    ] = "flag",
    text_column: TextColumn = "text",
    memory: Annotated[int | None, typer.Option(metavar="MB", help="Go to disk past this much of search keys.")] = None,
    index: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A folder or redis://HOST:PORT/DB: drop what earlier runs had, add the rest."),
    ] = None,
    engine: Annotated[_Engine, typer.Option(help="What finds the pairs; dask and spark need their extra.")] = "numba",
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Find near-duplicates; flag them inside splits, drop them between splits and against a benchmark."""
    check_there(data)
    check_there(against)
    check_free(out)
    from emollms.dedup.standalone import find_duplicates  # takes a second: kernels of numba

    found = find_duplicates(
        data, out, against, threshold, policy, text_column, memory, index, engine, delimiter, encoding,
        no_quotes, progress=True, warn=print_note,
    )  # fmt: skip
    done = found.counts
    print_table(("split", "rows", "kept"), [(split, rows, done.kept[split]) for split, rows in done.rows.items()])
    for name, free in done.renamed.items():
        print_note(f"the data has a column {name!r} of its own, which stays as it is; ours is called {free!r}")
    for reason, count in done.reasons.items():
        print_note(f"dropped {count:,} rows: {reason}")
    pairs = ", ".join(f"{count:,} {kind}" for kind, count in done.pairs.items()) or "none"
    print_note(f"pairs: {pairs}; clusters inside splits: {done.clusters:,}; all of them are listed in {out}")


@app.command(epilog=_OVERLAP, cls=TableCommand)
def overlap(
    one: Annotated[str, typer.Argument(metavar="A", help="A data set.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another, such as a benchmark.")],
    threshold: Threshold = 0.7,
    text_column: TextColumn = "text",
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Count the texts of A that appear in B, equal or nearly, split by split."""
    check_there(one)
    check_there(other)
    from emollms.dedup.search import Search
    from emollms.dedup.standalone import overlap as compare
    from emollms.tables.files import Dialect

    dialect = Dialect(delimiter, encoding, not no_quotes)
    columns = ("split of A", "split of B", "texts of A", "equal in B", "near in B", "texts of B hit")
    with show_progress("texts", "comparing texts"):
        found = compare(one, other, Search(threshold), text_column, dialect, print_note)
    print_table(columns, [(row.split, row.other, row.texts, row.equal, row.near, row.hit) for row in found])
