"""Other columns and questions that an outcome is related to, by a correlation or a formula."""

from dataclasses import replace

import numpy as np
import pandas as pd

from emollms.annotation.estimands import LabelledOutcome
from emollms.annotation.gold_tables import GoldAndAnnotated, read_gold
from emollms.annotation.table_frames import TableLike
from emollms.errors import UsageError, unknown
from emollms.evaluation.metrics import Floats, Integers
from emollms.tables.files import Dialect


def with_covariates(
    annotated: TableLike, gold: TableLike, read: GoldAndAnnotated, id: str | None, rater: str | None, dialect: Dialect
) -> GoldAndAnnotated:
    """Answers and labels with what people said of other questions, which may be regressors.

    Args:
        annotated: the annotated table.
        gold: the gold table.
        read: what was read of the outcome.
        id: the column of ids.
        rater: the column of gold that names the rater.
        dialect: how text files are written.
    """
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


def column_outcome(read: GoldAndAnnotated, name: str) -> LabelledOutcome:
    """Another column as an outcome of the same labelled rows: what people say of it where they do, else itself.

    Args:
        read: answers and labels.
        name: the column, or a question.

    Raises:
        UsageError: there is no such column, or it is none of numbers.
    """
    if name in read.questions and read.questions[name].asked.kind != "labels":
        gold = read.questions[name].gold
        if not np.isnan(gold).any():
            return LabelledOutcome(_filled(read.questions[name].asked.predicted), gold, read.labelled)
    values = _known_number(read, name)
    return LabelledOutcome(values, values[read.labelled], read.labelled)


def frames_of_formula(read: GoldAndAnnotated, labelled: Integers) -> tuple[pd.DataFrame, pd.DataFrame]:
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
