"""Conclusions from annotations that hold: `emollms estimate`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emollms.annotation.annotated_tables import Floats, TableLike, text_of
from emollms.annotation.correlations import correlation
from emollms.annotation.estimands import LabelledOutcome, ThreeWays, difference, fraction, mean
from emollms.annotation.estimate_results import Estimates, OneEstimate, Population
from emollms.annotation.gold_tables import GoldAndAnnotated, Integers, read_gold
from emollms.annotation.outcomes import Statistic, outcomes
from emollms.annotation.quantiles import quantile
from emollms.annotation.rectify import LEVEL
from emollms.annotation.regression import read_formula, regression, regressors
from emollms.annotation.study_page import check_page, write_study
from emollms.annotation.writer import format_of, table_bytes
from emollms.dataset.specs import as_names
from emollms.errors import UsageError, unknown
from emollms.storage import write_whole
from emollms.tables.files import Dialect, Warn, no_warning

FEWEST, FEWEST_OF_GROUP = 30, 10
"""Labels below which an interval does not hold what it promises: of all, and of a group."""


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
    asked = _Wanted(
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
        read = _with_covariates(annotated, gold, read, id, rater, Dialect(delimiter, encoding, not no_quotes))
    run = _Estimation(read, asked, population == "larger", told)
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


@dataclass(frozen=True)
class _Wanted:
    """What is to be estimated."""

    of: tuple[str, ...]
    by: str | None
    fraction: tuple[str, ...]
    quantile: tuple[float, ...]
    correlation: tuple[str, ...]
    formula: str | None
    logistic: bool
    level: float


def _numbers(values: float | Sequence[float]) -> tuple[float, ...]:
    return (float(values),) if isinstance(values, int | float) else tuple(map(float, values))


def _check(asked: _Wanted, population: str, out: str | Path | None) -> None:
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


def _with_covariates(
    annotated: TableLike, gold: TableLike, read: GoldAndAnnotated, id: str | None, rater: str | None, dialect: Dialect
) -> GoldAndAnnotated:
    """With what people said of other questions, which may be regressors."""
    others = [name for name in read.annotated.questions if name not in read.questions and name in read.gold_frame]
    if not others:
        return read
    more = read_gold(annotated, gold, id=id, of=others, rater=rater, dialect=dialect)
    both = np.intersect1d(more.labelled, read.labelled)
    if len(both) < len(read.labelled):
        return read
    at = np.searchsorted(more.labelled, read.labelled)
    added = {name: replace(one, ratings=one.ratings[at]) for name, one in more.questions.items()}
    return replace(read, questions={**read.questions, **added})


@dataclass(frozen=True)
class _Estimation:
    """The estimates of one call."""

    read: GoldAndAnnotated
    asked: _Wanted
    larger: bool
    warn: Warn

    def statistics(self) -> Iterator[OneEstimate]:
        names = self.asked.of or list(self.read.questions)
        for name in names:
            for one in outcomes(
                self.read, name, self.asked.fraction, bool(self.asked.quantile), self.larger, self.warn
            ):
                self._check_labels(one.name, one.outcome)
                yield from self._of_statistic(one)

    def _of_statistic(self, one: Statistic) -> Iterator[OneEstimate]:
        everyone = np.arange(self.read.rows)
        if self.asked.by is None:
            yield from self._of_rows(one, everyone, "")
            return
        groups = self._groups(one)
        for name, rows in groups.items():
            yield from self._of_rows(one, rows, name)
        if self.asked.quantile or self.asked.correlation:
            return
        first, *others = groups
        for name in others:
            rows = np.sort(np.concatenate([groups[first], groups[name]]))
            own = one.outcome.of(rows)
            found = difference(own, np.isin(rows, groups[name]).astype(np.int64), self.asked.level)
            yield self._estimate(one, one.statistic, f"{name} − {first}", found, own)

    def _of_rows(self, one: Statistic, rows: Integers, group: str) -> Iterator[OneEstimate]:
        own, level = one.outcome.of(rows), self.asked.level
        for q in self.asked.quantile:
            yield self._estimate(one, f"quantile {q:g}", group, quantile(own, q, level), own)
        for column in self.asked.correlation:
            other = replace(self._column(column), weights=None).of(rows)
            yield self._estimate(one, f"correlation with {column}", group, correlation(own, other, level), own)
        if not (self.asked.quantile or self.asked.correlation):
            found = fraction(own, level) if one.is_fraction else mean(own, level)
            yield self._estimate(one, one.statistic, group, found, own)

    def _estimate(
        self, one: Statistic, statistic: str, group: str, found: ThreeWays, own: LabelledOutcome
    ) -> OneEstimate:
        return OneEstimate(
            one.name, statistic, group, found.rectified, found.people, found.naive, len(own.gold), len(own.predicted),
            _saved(found, own), found.lam, self.asked.level,
        )  # fmt: skip

    def _check_labels(self, name: str, outcome: LabelledOutcome) -> None:
        if len(outcome.gold) < FEWEST:
            labelled = f"{len(outcome.gold)} rows of {self.read.annotated.name} have labels of {name} by people"
            raise UsageError(f"{labelled}, and an interval needs {FEWEST}; label more (emollms sample draws them)")

    def _groups(self, one: Statistic) -> dict[str, Integers]:
        """The rows of each group that has enough labels, by its name."""
        by, frame = str(self.asked.by), self.read.annotated.frame
        if by not in frame:
            raise unknown(f"column of {self.read.annotated.name}", by, map(str, frame.columns))
        names = np.array([text_of(value) or "" for value in frame[by]], dtype=object)
        found: dict[str, Integers] = {}
        counts = {name: int((names[one.outcome.labelled] == name).sum()) for name in sorted(set(names)) if name}
        for name, count in counts.items():
            if count >= FEWEST_OF_GROUP:
                found[name] = np.flatnonzero(names == name)
        few = [f"{name!r} ({count})" for name, count in counts.items() if name not in found]
        labelled = [name for name, count in counts.items() if count]
        if len(labelled) < 2:
            missing = [name for name in counts if name not in labelled]
            raise UsageError(
                f"gold covers one group of {by} only, {next(iter(labelled), 'none')!r}; label rows of "
                f"{', '.join(map(repr, missing[:5])) or 'another group'} too"
            )
        if len(found) < 2:
            short = ", ".join(few[:5])
            raise UsageError(
                f"--by {by}: a group needs {FEWEST_OF_GROUP} labels, and fewer have {short}; label more of them"
            )
        if few:
            self.warn(f"groups of {by} with fewer than {FEWEST_OF_GROUP} labels are left out: {', '.join(few[:10])}")
        return found

    def _column(self, name: str) -> LabelledOutcome:
        """Another column as an outcome of the same labelled rows: what people say of it where they do, else itself."""
        read = self.read
        if name in read.questions and read.questions[name].asked.kind != "labels":
            gold = read.questions[name].gold
            if not np.isnan(gold).any():
                return LabelledOutcome(_filled(read.questions[name].asked.predicted), gold, read.labelled)
        values = _known_number(read, name)
        return LabelledOutcome(values, values[read.labelled], read.labelled)

    def regression(self) -> Iterator[OneEstimate]:
        """The coefficients of the formula."""
        formula, logistic = str(self.asked.formula), self.asked.logistic
        left, right = read_formula(formula)
        some = outcomes(self.read, left, self.asked.fraction, True, self.larger, self.warn)
        one = next(iter(some))
        if len(some) > 1:
            raise UsageError(f"--formula: {left} has several labels; name one with --fraction")
        self._check_labels(left, one.outcome)
        if logistic and (one.outcome.gold.min() < 0 or one.outcome.gold.max() > 1):
            raise UsageError(f"--logistic: {left} is not on 0 to 1; name a class with --fraction")
        outcome = replace(one.outcome, predicted=np.clip(one.outcome.predicted, 0, 1)) if logistic else one.outcome
        every, labelled = _frames(self.read, one.outcome.labelled)
        terms = regressors(right, every, labelled)
        if len(outcome.gold) < FEWEST + 5 * (len(terms.names) - 2):
            few = f"{len(outcome.gold)} labels are too few for {len(terms.names)} coefficients"
            raise UsageError(f"--formula: {few}; label more rows, or leave terms out")
        for name, found in regression(outcome, terms, logistic, self.asked.level).items():
            shown = f"coefficient of {name}" + (" (log odds)" if logistic else "")
            yield OneEstimate(
                formula, shown, "", found.rectified, found.people, found.naive, len(outcome.gold), self.read.rows,
                _saved(found, outcome), found.lam, self.asked.level,
            )  # fmt: skip


def _frames(read: GoldAndAnnotated, labelled: Integers) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a formula may name: of every row, and of the labelled ones with what people said of other questions."""
    every = read.annotated.frame.copy()
    if "length" not in every and "text" in every:
        every["length"] = [len(str(text)) for text in every["text"]]
    own = every.iloc[labelled].reset_index(drop=True)
    at = np.searchsorted(read.labelled, labelled)
    for name, one in read.questions.items():
        if one.asked.kind == "score" and not np.isnan(one.gold[at]).any():
            every[name], own[name] = _filled(one.asked.predicted), one.gold[at]
    return every, own


def _filled(predicted: Floats) -> Floats:
    return np.where(np.isnan(predicted), np.nanmean(predicted), predicted)


def _known_number(read: GoldAndAnnotated, name: str) -> Floats:
    frame = read.annotated.frame
    if name == "length" and name not in frame and "text" in frame:
        return np.array([float(len(str(text))) for text in frame["text"]])
    if name not in frame:
        raise unknown(f"column of {read.annotated.name}", name, map(str, frame.columns))
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    if np.isnan(values).any():
        raise UsageError(
            f"--correlation {name}: row {int(np.flatnonzero(np.isnan(values))[0]) + 1} has no number there"
        )
    return np.asarray(values)


def _saved(found: ThreeWays, own: LabelledOutcome) -> float:
    """The fraction of labels that people alone would need for as narrow an interval, and that are spared."""
    if not found.people.width:
        return 0.0
    ratio = (found.rectified.width / found.people.width) ** 2
    left = 1.0 if own.larger else 1 - len(own.gold) / len(own.predicted)
    return float(max(0.0, (1 - ratio) * left))
