"""`emollms.agree`: how well what a model said of texts agrees with what people said of some of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from emollms.annotation.agreement import Agreement, QuestionAgreement
from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.annotation.compared import (
    Compared,
    Groups,
    alpha_of_raters,
    alternative_of,
    biases,
    ceiling_of_gold,
    each_rater,
    missing,
    wordings_of,
)
from emollms.annotation.gold_tables import RATERS, GoldAndAnnotated, GoldQuestion, read_gold
from emollms.annotation.open import listed
from emollms.annotation.study_page import check_page, write_study
from emollms.annotation.table_frames import TableLike, text_of
from emollms.annotation.writer import format_of, table_bytes
from emollms.errors import UsageError, unknown
from emollms.evaluation.agreement import Level, consensus, measures_of, take
from emollms.evaluation.alternative_annotator import EPSILONS, FEW_TEXTS
from emollms.evaluation.ceiling import noise_of_mean
from emollms.evaluation.metrics import Flags, Floats
from emollms.evaluation.scoring import RESAMPLES
from emollms.storage import write_whole
from emollms.tables.files import Dialect, Warn, no_warning
from emollms.tasks import OrdinalTask

LENGTH = "length"
FEWEST_BOTH = 3
_MOST_GROUPS = 30
_PARTS = 4
"""Groups of numbers, such as lengths: quarters of the texts."""


def agree(
    annotated: TableLike,
    gold: TableLike,
    *,
    id: str | None = None,
    of: str | Sequence[str] | None = None,
    gold_column: str | Sequence[str] | None = None,
    gold_range: tuple[float, float] | None = None,
    rater: str | None = None,
    probability: str | None = None,
    weight: str | None = None,
    by: str | Sequence[str] | None = None,
    text_column: str = "text",
    spread: tuple[str, str] | None = None,
    epsilon: float = EPSILONS["crowd"],
    out: str | Path | None = None,
    html: str | Path | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    no_quotes: bool = False,
    warn: Warn = no_warning,
) -> Agreement:
    """Compare what a model said with what people said, each figure with a 95 % interval.

    Args:
        annotated: what `emollms annotate` wrote, or another table with ids and predictions.
        gold: a table with ids and people's labels, of one rater or several; see `gold_tables.read_gold`.
        id: the column of ids; None for `id`, or the one that both have.
        of: the questions, or columns of predictions; None for all that gold has labels of.
        gold_column: the column of gold with the labels, or one for each rater.
        gold_range: the lowest and the highest score of gold, where these are neither 0 and 1 nor those of the task.
        rater: the column of gold that names who labelled a row; None for `annotator`, `rater` and the like.
        probability: the column of the probabilities with which rows were drawn for labelling.
        weight: the column of sampling weights instead.
        by: columns, of either table, whose groups of texts the bias is told of.
        text_column: the column of the texts, for the bias by length.
        spread: two columns of gold: the standard deviation of the raters of each text, divided by their number, and
            that number. With one question; its gold is then their mean.
        epsilon: of the alternative annotator test, 0..1: how much worse than a rater the model may be, for what it
            saves. The paper advises .2 for experts, .15 for trained annotators, .1 for crowds.
        out: a file to write every figure to, as a table: .csv, .tsv, .jsonl or .parquet; see `Agreement.to_pandas`.
        html: a file to write a page to: method, assumptions, figures, and words for a paper.
        delimiter: what separates the cells of text files.
        encoding: of text files.
        no_quotes: double quotes are plain characters in CSV and TSV.
        warn: is told what was taken for what.

    Raises:
        UsageError: a column is missing, ids do not meet, or fewer than three texts have both.
        SourceError: a row of a file is broken.
    """
    if not 0 <= epsilon <= 1:
        raise UsageError(f"--epsilon {epsilon:g} is no difference of two fractions; give a number from 0 to 1")
    if html is not None:
        check_page(Path(html))
    form = None if out is None else format_of(Path(out))
    data = read_gold(
        annotated, gold, id=id, of=listed(of), gold_column=listed(gold_column), gold_range=gold_range, rater=rater,
        probability=probability, weight=weight, dialect=Dialect(delimiter, encoding, not no_quotes), warn=warn,
    )  # fmt: skip
    if spread and len(data.questions) > 1:
        raise UsageError("--spread is of one question; name it with --of")
    has_raters = rater is not None or any(name in data.gold_frame for name in RATERS)
    groups = {name: _groups(data, name) for name in listed(by)}
    if (lengths := _lengths(data, text_column)) is not None:
        groups[LENGTH] = lengths
    else:
        warn(f"no column {text_column!r}, so there is no bias by length; name the texts with --text-column")
    found = {
        name: _agreement(data, one, groups, spread, epsilon, has_raters or len(one.columns) > 1)
        for name, one in data.questions.items()
    }
    shown = str(gold) if isinstance(gold, str | Path) else "the gold table"
    models = _models(data.annotated.record)
    result = Agreement(data.annotated.name, shown, data.rows, found, data.weights is not None, RESAMPLES, models)
    if out is not None and form is not None:
        write_whole(Path(out), table_bytes(pa.Table.from_pandas(result.to_pandas(), preserve_index=False), *form))
    if html is not None:
        from emollms.annotation.agree_page import study_of

        write_study(study_of(result), Path(html))
    return result


def _models(record: Mapping[str, Any]) -> list[str]:
    """The models that a record of annotations names; weights here are named by their hash alone."""
    found = []
    for one in record.get("predictors") or []:
        name = one.get("baseline") or one.get("model") or f"weights {str(one.get('revision'))[:19]}"
        found.append(str(name))
    return found


def level_of(asked: AnsweredQuestion) -> Level:
    """What a question measures."""
    if asked.kind == "score":
        return "interval"
    if asked.kind == "labels":
        return "set"
    return "ordinal" if isinstance(asked.task, OrdinalTask) else "nominal"


def _agreement(
    data: GoldAndAnnotated,
    one: GoldQuestion,
    groups: Groups,
    spread: tuple[str, str] | None,
    epsilon: float,
    has_raters: bool,
) -> QuestionAgreement:
    asked, level = one.asked, level_of(one.asked)
    every = Compared(
        level, asked.options, consensus(level, one.ratings), asked.predicted[data.labelled], one.ratings, data.weights
    )
    if every.both.sum() < FEWEST_BOTH:
        raise UsageError(
            f"{asked.name}: {int(every.both.sum())} texts have both an answer of the model and gold; "
            f"agreement needs {FEWEST_BOTH} or more"
        )
    both = every.on(every.both)
    # Where most raters do not agree on a class there is no gold, but their votes count where raters are compared.
    votes = every.on(~missing(level, every.predicted))
    most = int((~missing(level, votes.ratings)).sum(axis=1).max())
    raters = one.columns if len(one.columns) == votes.ratings.shape[1] > 1 else data.raters
    named = most > 1 and has_raters
    return QuestionAgreement(
        name=asked.name,
        level=level,
        n=len(both.gold),
        raters=most,
        unit={"interval": "on 0 to 1" if asked.task else "", "ordinal": "in classes"}.get(level, ""),
        measures=take(measures_of(level, both.gold, both.predicted, asked.options), both.weights),
        bias=biases(every, {"": [("", every.both)], **groups}),
        people=alpha_of_raters(votes) if most > 1 else (),
        ceiling=ceiling_of_gold(both, _noise(data, one, every, spread)),
        each_rater=each_rater(votes, raters) if named else (),
        alternative=alternative_of(votes, raters, epsilon) if named else None,
        wordings=wordings_of(every, data.annotated.wordings.get(asked.name, ()), data.labelled),
        cautions=_cautions(every, asked.task is not None, most > 1 and not has_raters),
        gold=both.gold,
        predicted=both.predicted,
    )


def _noise(
    data: GoldAndAnnotated, one: GoldQuestion, every: Compared, spread: tuple[str, str] | None
) -> tuple[Floats, Floats] | None:
    """Gold as it is in its column, with its noise, of the texts that both answered."""
    if spread is None:
        return None
    if every.level != "interval" or len(one.columns) != 1:
        raise UsageError(f"--spread is for one column of mean scores; {one.asked.name} has none")
    columns = []
    for name in (*one.columns, *spread):
        if name not in data.gold_frame:
            raise unknown("column of gold", name, map(str, data.gold_frame.columns))
        columns.append(pd.to_numeric(data.gold_frame[name], errors="coerce").to_numpy(np.float64)[every.both])
    return columns[0], noise_of_mean(columns[1], columns[2])


def _cautions(every: Compared, has_task: bool, unnamed: bool) -> list[str]:
    found, n = [], int(every.both.sum())
    if n < FEW_TEXTS:
        found.append(f"{n} texts are few: bootstrap intervals of fewer than {FEW_TEXTS} are too narrow")
    if silent := int(missing(every.level, every.predicted).sum()):
        found.append(f"texts with gold that the model has no answer to, left out: {silent:,}")
    if undecided := int(missing(every.level, every.gold).sum()):
        found.append(f"texts without gold, or with no class that most raters give, left out: {undecided:,}")
    if every.level == "interval" and has_task and float(np.nanmax(np.abs(every.gold - 0.5), initial=0.0)) > 0.5:
        found.append("gold is not on 0 to 1 as the model's scores are: only r means something; see --gold-range")
    if unnamed:
        found.append("nothing names the raters, so that they cannot be told apart; name their column with --rater")
    return found


def _groups(data: GoldAndAnnotated, name: str) -> list[tuple[str, Flags]]:
    """The groups of a column: its values, or quarters of many numbers."""
    if name in data.annotated.frame:
        column = data.annotated.frame[name].iloc[data.labelled]
    elif name in data.gold_frame:
        column = data.gold_frame[name]
    else:
        columns = [*map(str, data.annotated.frame.columns), *map(str, data.gold_frame.columns)]
        raise unknown("column to group by", name, columns)
    values = [text_of(value) for value in column]
    distinct = sorted({value for value in values if value is not None})
    if len(distinct) > _MOST_GROUPS:
        if pd.api.types.is_numeric_dtype(column):
            return _quarters(column.to_numpy(np.float64), "")
        raise UsageError(f"--by {name}: {len(distinct):,} values are no groups; give a column with few, or numbers")
    return [(value, np.array([one == value for one in values], dtype=np.bool_)) for value in distinct]


def _lengths(data: GoldAndAnnotated, text_column: str) -> list[tuple[str, Flags]] | None:
    """The texts by their length in characters."""
    if text_column not in data.annotated.frame:
        return None
    texts = data.annotated.frame[text_column].iloc[data.labelled]
    return _quarters(np.array([len(text_of(text) or "") for text in texts], dtype=np.float64), " characters")


def _quarters(values: Floats, unit: str) -> list[tuple[str, Flags]]:
    """Quarters of numbers, or fewer groups where many are equal."""
    known = values[~np.isnan(values)]
    ends = np.unique(np.quantile(known, np.arange(1, _PARTS) / _PARTS)) if len(known) else np.array([])
    places = np.searchsorted(ends, values)  # a value at an end belongs below it
    found = []
    for place in range(len(ends) + 1):
        rows = (places == place) & ~np.isnan(values)
        if rows.any():
            found.append((f"{values[rows].min():g} to {values[rows].max():g}{unit}", rows))
    return found
