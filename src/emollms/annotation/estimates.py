"""Conclusions from annotations that hold: `emollms estimate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emollms.annotation.covariates import with_covariates
from emollms.annotation.estimate_results import Estimates, Population
from emollms.annotation.estimate_run import Estimation, WantedEstimates
from emollms.annotation.gold_tables import read_gold
from emollms.annotation.rectify import LEVEL
from emollms.annotation.regression import read_formula
from emollms.annotation.study_page import check_page, write_study
from emollms.annotation.table_frames import TableLike
from emollms.annotation.writer import format_of, table_bytes
from emollms.dataset.specs import as_names
from emollms.errors import UsageError, unknown
from emollms.storage import write_whole
from emollms.tables.files import Dialect, Warn, no_warning


def estimate(
    annotated: TableLike,
    gold: TableLike,
    *,
    of: str | Sequence[str] = (),
    by: str | None = None,
    fraction: str | Sequence[str] = (),
    quantile: float | Sequence[float] = (),
    correlation: str | Sequence[str] = (),
    formula: str | None = None,
    logistic: bool = False,
    id: str | None = None,
    gold_column: str | Sequence[str] = (),
    rater: str | None = None,
    probability: str | None = None,
    weight: str | None = None,
    population: Population = "table",
    level: float = LEVEL,
    out: str | Path | None = None,
    html: str | Path | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    warn: Warn = no_warning,
) -> Estimates:
    """Estimate from a model's answers to all texts and people's labels of some, without the model's bias.

    The parameters are the options of `emollms estimate`. Methods: `emollms.annotation.rectify` and `docs/estimate.md`.

    Args:
        annotated: what `annotate` wrote, or a table with answers and ids, as a file or in memory.
        gold: a table with ids and people's labels, or an export of Label Studio; see `gold_tables.read_gold`.
        of: questions; empty for all that gold has labels of.
        by: a column of groups: estimates for each, and the differences from the first of them.
        fraction: classes or labels whose fraction is estimated, or a condition on a score such as `>=0.5`.
        quantile: quantiles to estimate, above 0 and below 1.
        correlation: columns, or questions, whose correlation with the outcome is estimated.
        formula: a regression, such as `valence ~ group + length`, in place of all of these. `length` is that of the
            `text` in characters where the table has no such column.
        logistic: whether the regression is logistic: of a label, a condition (with `fraction`) or a score on 0..1.
        id: the column of ids; None for `id`, or the one that both tables have.
        gold_column: the column of people's labels, or one for each rater; None for the name of the question.
        rater: the column of gold that names the rater.
        probability: the column of the probabilities with which rows were drawn for labelling; None for
            `sampling_probability`, which `sample` writes, where there is one.
        weight: the column of sampling weights in its place.
        population: `table`: the estimates are about its rows. `larger`: about what these are a sample of.
        level: of the intervals, above 0 and below 1.
        out: a file for the table of estimates: .csv, .tsv, .jsonl or .parquet.
        html: a file for a page with method, assumptions, figures and a paragraph for a paper.
        delimiter: of text files; None for a comma in .csv and a tab in .tsv.
        encoding: of text files.
        no_quotes: whether double quotes are plain characters in CSV and TSV.
        warn: called with a line that the user should see.

    Raises:
        UsageError: the call is wrong, ids do not meet, there are fewer than 30 labels, or only one group has any.
        SourceError: a row of a file is broken.
    """
    asked = WantedEstimates(
        as_names(of), by, as_names(fraction), _numbers(quantile), as_names(correlation), formula, logistic, level
    )
    _check(asked, population, out)
    if html is not None:
        check_page(Path(html))
    notes: list[str] = []

    def told(line: str) -> None:
        if line not in notes:
            notes.append(line)
            warn(line)

    side = read_formula(formula)[0] if formula else None
    names = [*asked.of, *([side] if side else [])]
    read = read_gold(
        annotated, gold, id=id, of=names, gold_column=as_names(gold_column), rater=rater, probability=probability,
        weight=weight, dialect=Dialect(delimiter, encoding, not no_quotes), warn=told,
    )  # fmt: skip
    if formula or asked.correlation:
        read = with_covariates(annotated, gold, read, id, rater, Dialect(delimiter, encoding, not no_quotes))
    run = Estimation(read, asked, population == "larger", told)
    estimates = tuple(run.regression() if formula else run.statistics())
    gold_name = str(gold) if isinstance(gold, str | Path) else "the gold table"
    found = Estimates(
        estimates, read.annotated.name, gold_name, len(read.labelled),
        read.rows, "evenly" if read.weights is None else "with known probabilities", population,
        tuple(notes), _models(read.annotated.record),
    )  # fmt: skip
    if out is not None:
        import pyarrow as pa

        table = pa.Table.from_pandas(found.to_pandas(), preserve_index=False)
        write_whole(Path(out), table_bytes(table, *format_of(Path(out))))
    if html is not None:
        from emollms.annotation.estimates_page import study_of

        write_study(study_of(found), Path(html))
    return found


def _numbers(values: float | Sequence[float]) -> tuple[float, ...]:
    return (float(values),) if isinstance(values, int | float) else tuple(map(float, values))


def _check(asked: WantedEstimates, population: str, out: str | Path | None) -> None:
    if asked.formula and (asked.by or asked.quantile or asked.correlation or asked.of):
        raise UsageError("--formula names its outcome and groups; leave out --of, --by, --quantile and --correlation")
    if asked.logistic and not asked.formula:
        raise UsageError("--logistic is a kind of regression; give its --formula")
    for q in asked.quantile:
        if not 0 < q < 1:
            raise UsageError(f"--quantile {q:g} is none; give a number above 0 and below 1, such as 0.5 for the median")
    if not 0.5 <= asked.level < 1:
        raise UsageError(f"--level {asked.level:g} is no level of an interval; give a number such as 0.95")
    if population not in ("table", "larger"):
        raise unknown("population", population, ("table", "larger"))
    if out is not None:
        format_of(Path(out))


def _models(record: dict[str, Any]) -> tuple[str, ...]:
    """The names of who annotated, in the record beside a table."""
    found = record.get("predictors") or []
    names = [one.get("model") or one.get("name") or one.get("baseline") for one in found if isinstance(one, dict)]
    return tuple(str(name) for name in names if name)
