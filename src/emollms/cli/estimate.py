"""`emollms estimate` and `emollms sample`: conclusions from annotations, and which rows people should label."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from emollms.cli.base import TableCommand
from emollms.cli.output import examples, print_note, print_result
from emollms.cli.table_options import Delimiter, Encoding, NoQuotes

app = typer.Typer()

Annotated_ = Annotated[Path, typer.Argument(metavar="ANNOTATED", help="A table that `emollms annotate` wrote.")]
Id = Annotated[str | None, typer.Option(metavar="COLUMN", help="The ids; by default `id`, or what both tables have.")]
GoldColumn = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN,…", help="People's labels, one column a rater; by default named as the question."),
]

_EXAMPLES = examples(
    "emollms estimate reviews.parquet --gold gold.csv",
    "emollms estimate reviews.parquet --gold gold.csv --of valence --by group --html estimate.html",
    "emollms estimate reviews.parquet --gold export.json --of emotions --fraction joy,anger",
    "emollms estimate reviews.parquet --gold gold.csv --of anger --fraction '>=0.5'",
    "emollms estimate reviews.parquet --gold gold.csv --of valence --quantile 0.5 --quantile 0.9",
    "emollms estimate reviews.parquet --gold gold.csv --formula 'valence ~ group + length'",
    "emollms sample reviews.parquet --budget 200 --out to-label.csv   # draws the rows to label",
)


@app.command(epilog=_EXAMPLES, cls=TableCommand)
def estimate(
    annotated: Annotated_,
    gold: Annotated[
        Path, typer.Option(metavar="FILE", help="Ids and people's labels; a table, or an export of Label Studio.")
    ],
    of: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,…", help="Questions to estimate; by default all that gold has labels of."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Groups: an estimate for each, and their differences.")
    ] = None,
    fraction: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS,…", help="Fractions of classes or labels, or of a score: '>=0.5'."),
    ] = None,
    quantile: Annotated[list[float] | None, typer.Option(metavar="Q", help="A quantile: 0.5 is the median.")] = None,
    correlation: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN,…", help="Correlations with other columns or questions.")
    ] = None,
    formula: Annotated[
        str | None, typer.Option(metavar="FORMULA", help="A regression: 'valence ~ group + length'.")
    ] = None,
    logistic: Annotated[bool, typer.Option("--logistic", help="The regression is logistic.")] = False,
    id: Id = None,
    gold_column: GoldColumn = None,
    rater: Annotated[str | None, typer.Option(metavar="COLUMN", help="Of gold: who labelled a row.")] = None,
    probability: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="With which probability rows were drawn; by default sampling_probability."),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Sampling weights, 1 / probability up to a factor.")
    ] = None,
    population: Annotated[
        Literal["table", "larger"],
        typer.Option(help="What is asked about: the rows of the table, or what they are a sample of."),
    ] = "table",
    level: Annotated[float, typer.Option(metavar="P", help="Of the intervals.")] = 0.95,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The estimates as a table: .csv, .tsv, .jsonl or .parquet.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A page: method, assumptions, figures, text for a paper.")
    ] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Estimate means, differences, fractions and more from annotations, without the model's bias.

    The model's answers to all rows are rectified by people's labels of some (prediction-powered inference): at least
    30, drawn at random. Beside each estimate stands what people's labels alone and the naive average say.
    """
    import emollms

    found = emollms.estimate(
        annotated, gold, of=of or (), by=by, fraction=fraction or (), quantile=quantile or (),
        correlation=correlation or (), formula=formula, logistic=logistic, id=id, gold_column=gold_column or (),
        rater=rater, probability=probability, weight=weight, population=population, level=level, out=out, html=html,
        delimiter=delimiter, encoding=encoding, no_quotes=no_quotes, warn=print_note,
    )  # fmt: skip
    print_result(found)


_SAMPLE_EXAMPLES = examples(
    "emollms sample reviews.parquet --budget 200 --out to-label.csv",
    "emollms sample reviews.parquet --budget 200 --of valence --by group --out to-label.csv",
    "emollms sample reviews.parquet --budget 200 --format label-studio --out tasks.json   # and tasks.xml",
    "emollms sample reviews.parquet --budget 100 --gold gold.csv --out more.csv   # 100 more; says what they will give",
)


@app.command(epilog=_SAMPLE_EXAMPLES, cls=TableCommand)
def sample(
    annotated: Annotated_,
    budget: Annotated[int, typer.Option(metavar="N", help="Rows to draw.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The table to fill in, .csv, .tsv, .jsonl or .parquet; or tasks, .json."),
    ] = None,
    of: Annotated[list[str] | None, typer.Option(metavar="NAME,…", help="Questions to label; by default all.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Groups, each of which gets as many labels as the others.")
    ] = None,
    gold: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labels that are there; these rows are not drawn again.")
    ] = None,
    id: Id = None,
    gold_column: GoldColumn = None,
    text_column: Annotated[str, typer.Option(metavar="NAME", help="The column of the texts.")] = "text",
    format: Annotated[
        Literal["label-studio"] | None, typer.Option(help="Write tasks for Label Studio in place of a table.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw.")] = 0,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
    no_quotes: NoQuotes = False,
) -> None:
    """Draw the rows that people should label next, the uncertain ones more often.

    Each row comes with the probability with which it was drawn, by which `emollms estimate` stays without bias. Without
    --out it only says how wide an interval so many labels are expected to give.
    """
    import emollms

    found = emollms.sample(
        annotated, budget, out=out, of=of or (), by=by, gold=gold, id=id, gold_column=gold_column or (),
        text_column=text_column, format=format, seed=seed, delimiter=delimiter, encoding=encoding,
        no_quotes=no_quotes, warn=print_note,
    )  # fmt: skip
    print_result(found, [asdict(one) for one in found.widths])
    if out is not None:
        print_note(f"{out}: fill in {found.question}, then give it to emollms estimate --gold")
