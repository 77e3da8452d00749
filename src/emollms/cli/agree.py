"""`emollms agree`: how well annotations agree with people."""

from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note, print_result
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes

app = typer.Typer()

_EXAMPLES = examples(
    "emollms agree reviews.annotated.csv --gold gold.csv",
    "emollms agree reviews.annotated.csv --gold gold.csv --by shop --html agreement.html",
    "emollms agree posts.parquet --gold export.json --of valence --epsilon 0.2    # votes from Label Studio",
    "emollms agree posts.parquet --gold reader.csv --of arousal --gold-column A --gold-range 1 5 --spread stdA N",
)


@app.command(epilog=_EXAMPLES, cls=TableCommand)
def agree(
    annotated: Annotated[
        str, typer.Argument(metavar="ANNOTATED", help="What `emollms annotate` wrote, or a table with predictions.")
    ],
    gold: Annotated[
        str, typer.Option(metavar="GOLD", help="A table with ids and people's labels, or an export of Label Studio.")
    ],
    id: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of the ids; by default id.")] = None,
    of: Annotated[
        list[str] | None, typer.Option(metavar="NAME,…", help="The questions; by default all that gold has labels of.")
    ] = None,
    gold_column: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN,…", help="The column of gold with the labels, or one for each rater."),
    ] = None,
    gold_range: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="What gold scores are on, if not 0 to 1 or the scale of their task."),
    ] = None,
    rater: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Who labelled a row; by default annotator, rater and the like.")
    ] = None,
    probability: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With which probability a row was drawn for labelling.")
    ] = None,
    weight: Annotated[str | None, typer.Option(metavar="COLUMN", help="Sampling weights instead.")] = None,
    by: Annotated[list[str] | None, typer.Option(metavar="COLUMN,…", help="Groups that the bias is told of.")] = None,
    text_column: Annotated[str, typer.Option(metavar="NAME", help="The texts, for the bias by length.")] = "text",
    spread: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="SD N", help="Columns of gold: standard deviation (divided by N) and number of raters."),
    ] = None,
    epsilon: Annotated[
        float,
        typer.Option(
            metavar="0..1",
            help="How much worse than a rater the model may be in the alternative annotator test: "
            ".2 for experts, .15 for trained annotators, .1 for crowds.",
        ),
    ] = 0.1,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Every figure as a table: .csv, .tsv, .jsonl or .parquet.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page for a paper's readers.")] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Compare annotations with people's labels: agreement with intervals, bias, raters, ceiling and wordings."""
    from emollms.annotation.agree import agree as compare

    found = compare(
        annotated, gold, id=id, of=of, gold_column=gold_column, gold_range=gold_range, rater=rater,
        probability=probability, weight=weight, by=by, text_column=text_column, spread=spread, epsilon=epsilon,
        out=out, html=html, delimiter=delimiter, encoding=encoding, no_quotes=no_quotes, warn=print_note,
    )  # fmt: skip
    print_result(found)
    for written in filter(None, (out, html)):
        print_note(f"wrote {written}")
