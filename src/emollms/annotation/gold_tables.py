"""What a model said and what people said of the same rows, joined by id: for agreement and for estimates."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from emollms.annotation.annotated_tables import AnnotatedTable, read_annotated
from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.annotation.gold_labels import columns_of_question, questions_of_gold, read_labels
from emollms.annotation.labeling import corrections
from emollms.annotation.row_ids import check_met, places_of_ids, shared_id_column
from emollms.annotation.table_frames import TableLike, read_frame, text_of
from emollms.errors import UsageError, unknown
from emollms.evaluation.metrics import Floats, Integers
from emollms.tables.files import Dialect, Warn, no_warning

PROBABILITY = "sampling_probability"
"""The column in which `emollms sample` writes with which probability it drew a row."""
RATERS = ("annotator", "rater", "coder", "worker", "annotator_id", "rater_id", "coder_id", "worker_id")
"""Columns that name who labelled a row."""


@dataclass(frozen=True)
class GoldQuestion:
    """What a model and people said to one question.

    Args:
        asked: the question, with what the model said of all rows of the annotated table.
        ratings: what people said of the rows that they labelled, as numbers in the form of `asked.predicted`: of shape
            (labelled, raters), for labels (labelled, raters, labels). NaN: this rater said nothing.
        columns: the columns of gold that they are from.
    """

    asked: AnsweredQuestion
    ratings: Floats = field(repr=False)
    columns: tuple[str, ...] = ()

    @property
    def gold(self) -> Floats:
        """The mean over the raters of a row: of shape (labelled,), for labels (labelled, labels); NaN where none is."""
        given = ~np.isnan(self.ratings)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(given, self.ratings, 0).sum(axis=1) / given.sum(axis=1))


@dataclass(frozen=True)
class GoldAndAnnotated:
    """An annotated table and the people's labels of some of its rows.

    Args:
        annotated: the table.
        ids: the id of each of its rows.
        labelled: the rows that have gold, by their places in the table, in ascending order.
        questions: what both answered, by name.
        raters: who said it; one name for labels without raters.
        weights: how many rows of the table each labelled row stands for; None where they were drawn evenly. They sum
            to the rows of the table.
        gold_frame: the columns of the gold table, a row for each of `labelled`; where it has several, the first.
        unmatched: ids of gold that the annotated table lacks.
    """

    annotated: AnnotatedTable
    ids: npt.NDArray[np.object_] = field(repr=False)
    labelled: Integers = field(repr=False)
    questions: dict[str, GoldQuestion]
    raters: tuple[str, ...]
    weights: Floats | None = field(default=None, repr=False)
    gold_frame: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    unmatched: int = 0

    @property
    def rows(self) -> int:
        """Rows of the annotated table."""
        return len(self.annotated.frame)


def read_gold(
    annotated: TableLike,
    gold: TableLike,
    *,
    id: str | None = None,
    of: Sequence[str] = (),
    gold_column: Sequence[str] = (),
    gold_range: tuple[float, float] | None = None,
    rater: str | None = None,
    probability: str | None = None,
    weight: str | None = None,
    dialect: Dialect | None = None,
    warn: Warn = no_warning,
) -> GoldAndAnnotated:
    """Read an annotated table and gold, and join them.

    Args:
        annotated: what `emollms annotate` wrote, or another table with predictions.
        gold: a table with ids and labels, what `annotate --corrections` wrote, or the export of Label Studio that it
            read. People's labels of a question are in the column of its name, or `NAME_gold`, or one for each rater
            (`NAME_1`, `NAME_2`); labels may also be columns of 0 and 1. An id may have several rows, one a rater.
        id: the column of ids; None for `id`, or the one that both have.
        of: names of questions; empty for all that gold has labels of.
        gold_column: the column of gold with people's labels, or one for each rater; with one question.
        gold_range: the lowest and the highest score of gold, which is then taken to 0..1; None where scores are on 0..1
            or on the scale of their task.
        rater: the column of gold that names who labelled a row; None for `annotator`, `rater` and the like.
        probability: the column, in either table, of the probabilities with which rows were drawn for labelling; None
            for `sampling_probability` where there is one.
        weight: the column of sampling weights instead, up to a factor; 1 / probability.
        dialect: how text files are written.
        warn: is told what was taken for what.

    Raises:
        UsageError: a column is missing, ids do not meet, are missing or doubled, or a value is no answer.
        SourceError: a row of a file is broken.
    """
    table = read_annotated(annotated, dialect)
    gold_frame, gold_name = _gold_frame(gold, dialect)
    id = shared_id_column(table, gold_frame, gold_name, id, warn)
    ids = np.array([text_of(value) for value in table.frame[id]], dtype=object)
    place = places_of_ids(ids, table.name, id)
    rows = np.array([place.get(text_of(value) or "", -1) for value in gold_frame[id]], dtype=np.int64)
    unmatched = check_met(rows, table, gold_frame, gold_name, id, warn)
    gold_frame, rows = gold_frame[rows >= 0].reset_index(drop=True), rows[rows >= 0]
    raters, rater_of = _raters(gold_frame, rows, rater)
    questions: dict[str, GoldQuestion] = {}
    labelled = np.unique(rows)
    at = np.searchsorted(labelled, rows)
    for asked in questions_of_gold(table, gold_frame, of, gold_column, gold_name):
        columns = columns_of_question(asked, gold_frame, gold_column, gold_name, len(table.questions))
        asked, said = read_labels(asked, gold_frame, columns, gold_name, table, warn, gold_range)
        ratings = np.full((len(labelled), len(raters) * said.shape[1], *said.shape[2:]), np.nan)
        for one in range(said.shape[1]):
            ratings[at, rater_of * said.shape[1] + one] = said[:, one]
        questions[asked.name] = GoldQuestion(asked, ratings, tuple(columns))
    has_any = np.any(
        [~np.isnan(one.ratings).all(axis=tuple(range(1, one.ratings.ndim))) for one in questions.values()], 0
    )
    if not has_any.any():
        raise UsageError(f"{gold_name} has no label of {' or '.join(questions)}; every cell is empty")
    first = pd.Series(np.arange(len(rows))).groupby(at).first().to_numpy()[has_any]
    own = gold_frame.iloc[first].reset_index(drop=True)
    weights = _weights(table, own, labelled[has_any], probability, weight, gold_name, warn)
    kept = {name: replace(one, ratings=one.ratings[has_any]) for name, one in questions.items()}
    names = raters if len({one.ratings.shape[1] for one in kept.values()} | {len(raters)}) == 1 else ()
    widest = max(one.ratings.shape[1] for one in kept.values())
    return GoldAndAnnotated(
        table, ids, labelled[has_any], kept, names or tuple(map(str, range(1, widest + 1))), weights, own, unmatched
    )


def _gold_frame(gold: TableLike, dialect: Dialect | None) -> tuple[pd.DataFrame, str]:
    if isinstance(gold, str | Path) and str(gold).endswith(".json") and _is_export(Path(gold)):
        return read_frame(corrections(Path(gold)), str(gold))[0], str(gold)
    return read_frame(gold, "the gold table", dialect)


def _is_export(path: Path) -> bool:
    """Whether a file is an export of Label Studio, and not a table in JSON."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(tasks, list) and bool(tasks) and isinstance(tasks[0], dict) and "annotations" in tasks[0]


def _raters(gold: pd.DataFrame, rows: Integers, rater: str | None) -> tuple[tuple[str, ...], Integers]:
    """The names of the raters, and who labelled each row of gold."""
    if rater is not None and rater not in gold:
        raise unknown("column of gold", rater, map(str, gold.columns))
    repeated = len(np.unique(rows)) < len(rows)
    column = rater or (next((name for name in RATERS if name in gold), None) if repeated else None)
    if column is None:
        turn = pd.Series(rows).groupby(rows).cumcount().to_numpy()
        return tuple(str(number + 1) for number in range(int(turn.max()) + 1)), turn.astype(np.int64)
    names = [text_of(value) or "" for value in gold[column]]
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    who = np.array([known[name] for name in names], dtype=np.int64)
    pairs = pd.Series(list(zip(rows.tolist(), who.tolist(), strict=True)))
    if pairs.duplicated().any():
        row = int(np.flatnonzero(pairs.duplicated())[0])
        raise UsageError(f"{column} {names[row]!r} labelled one row twice; keep one of its rows in gold")
    return tuple(known), who


def _weights(
    table: AnnotatedTable,
    gold: pd.DataFrame,
    labelled: Integers,
    probability: str | None,
    weight: str | None,
    gold_name: str,
    warn: Warn,
) -> Floats | None:
    """How many rows each labelled row stands for; None where all stand for the same number."""
    if probability and weight:
        raise UsageError("--probability and --weight say the same; give one of them")
    name = probability or weight or (PROBABILITY if PROBABILITY in gold or PROBABILITY in table.frame else None)
    if name is None:
        return None
    if name not in gold and name not in table.frame:
        raise unknown(
            "column of the annotated table or of gold", name, [*map(str, table.frame.columns), *map(str, gold.columns)]
        )
    if not (probability or weight):
        warn(f"rows were drawn with the probabilities in {name!r}")
    column = gold[name] if name in gold else table.frame[name].iloc[labelled]
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    high = np.inf if weight else 1.0
    if (wrong := ~((values > 0) & (values <= high))).any():
        row = int(np.flatnonzero(wrong)[0])
        remedy = "a weight is above 0" if weight else "a probability is above 0, and at most 1"
        raise UsageError(f"{gold_name}: {name} of row {row + 1} is {text_of(column.iloc[row])}; {remedy}")
    weights = values if weight else 1 / values
    return np.asarray(weights * len(table.frame) / weights.sum())
