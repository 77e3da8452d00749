"""What a model said and what people said of the same rows, joined by id: for agreement and for estimates."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from emollms.annotation.annotated_tables import (
    AnnotatedTable,
    AnsweredQuestion,
    Floats,
    TableLike,
    read_annotated,
    read_frame,
    split_labels,
    text_of,
)
from emollms.annotation.columns import PREFIX
from emollms.annotation.labeling import corrections
from emollms.errors import UsageError, shorten, unknown
from emollms.tables.files import Dialect, Warn, no_warning

Integers = npt.NDArray[np.int64]
PROBABILITY = "sampling_probability"
"""The column in which `emollms sample` writes with which probability it drew a row."""
RATERS = ("annotator", "rater", "coder", "worker", "annotator_id", "rater_id", "coder_id", "worker_id")
"""Columns that name who labelled a row."""
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


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
    id = _id_column(table, gold_frame, gold_name, id, warn)
    ids = np.array([text_of(value) for value in table.frame[id]], dtype=object)
    place = _places(ids, table.name, id)
    rows = np.array([place.get(text_of(value) or "", -1) for value in gold_frame[id]], dtype=np.int64)
    unmatched = _check_met(rows, table, gold_frame, gold_name, id, warn)
    gold_frame, rows = gold_frame[rows >= 0].reset_index(drop=True), rows[rows >= 0]
    raters, rater_of = _raters(gold_frame, rows, rater)
    questions: dict[str, GoldQuestion] = {}
    labelled = np.unique(rows)
    at = np.searchsorted(labelled, rows)
    for asked in _wanted(table, gold_frame, of, gold_column, gold_name):
        columns = _gold_columns(asked, gold_frame, gold_column, gold_name, len(table.questions))
        asked, said = _read_labels(asked, gold_frame, columns, gold_name, table, warn, gold_range)
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


def _id_column(table: AnnotatedTable, gold: pd.DataFrame, gold_name: str, id: str | None, warn: Warn) -> str:
    """The column by which rows meet."""
    if id is not None:
        for frame, name in ((table.frame, table.name), (gold, gold_name)):
            if id not in frame:
                raise UsageError(f"--id {id}: {name} has no such column; it has {', '.join(map(str, frame.columns))}")
        return id
    own = {one.column for one in table.questions.values()}
    shared = [str(name) for name in table.frame.columns if name in gold and name not in own]
    if "id" in shared:
        return "id"
    unique = [name for name in shared if _is_key(table.frame[name])]
    named = [name for name in unique if re.search(r"(^|_)id$|^id_|(^|_)(key|uuid)$", name.casefold())] or unique
    if len(named) != 1:
        both = ", ".join(shared) or "none"
        raise UsageError(
            f"{table.name} and {gold_name} have no column 'id'; name the one of the ids with --id (both have: {both})"
        )
    warn(f"rows are joined by their {named[0]!r}")
    return named[0]


def _is_key(column: pd.Series) -> bool:
    values = [text_of(value) for value in column]
    return None not in values and len(set(values)) == len(values)


def _places(ids: npt.NDArray[np.object_], name: str, column: str) -> dict[str, int]:
    """The row of each id."""
    found: dict[str, int] = {}
    for row, one in enumerate(ids):
        if one is None:
            raise UsageError(f"{name}: row {row + 1} has no {column!r}; give every row an id of its own")
        if one in found:
            raise UsageError(
                f"{name}: {column} {shorten(one)!r} is there twice, in rows {found[one] + 1} and {row + 1}"
            )
        found[one] = row
    return found


def _check_met(rows: Integers, table: AnnotatedTable, gold: pd.DataFrame, gold_name: str, id: str, warn: Warn) -> int:
    """Make sure that ids of gold are in the table; tells and gives how many are not."""
    alien = [text for value in gold[id][rows < 0] if (text := text_of(value)) is not None]
    if not (rows >= 0).any():
        mine, theirs = shorten(str(table.frame[id].iloc[0]), 40), shorten(next(iter(alien), ""), 40)
        raise UsageError(
            f"no {id} of {gold_name} (the first is {theirs!r}) is in {table.name} (the first is {mine!r}); "
            "name another column with --id"
        )
    if unmatched := len(set(alien)):
        warn(f"{unmatched:,} ids of {gold_name} are not in {table.name}, such as {shorten(alien[0], 40)!r}; left out")
    return unmatched


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


def _wanted(
    table: AnnotatedTable, gold: pd.DataFrame, of: Sequence[str], gold_column: Sequence[str], gold_name: str
) -> list[AnsweredQuestion]:
    """The questions to read."""
    if of:
        found = [table.question(name) for name in of]
    else:
        every = list(table.questions.values())
        found = [one for one in every if len(every) == 1 or _columns(one, gold, len(every))]
        if gold_column and len(every) > 1:
            found = every if len(every) == 1 else []
    if gold_column and len(found) != 1:
        raise UsageError("--gold-column is of one question; name it with --of")
    if not found:
        asked = ", ".join(table.questions) or "nothing that has a column NAME_confidence"
        raise UsageError(
            f"{gold_name} has no column of {table.name}'s questions ({asked}); name the question with --of and the "
            "column of people's labels with --gold-column"
        )
    return found


def _columns(asked: AnsweredQuestion, gold: pd.DataFrame, questions: int) -> list[str]:
    """The columns of gold with labels of a question, by their names; empty where there are none."""
    for name in (f"{asked.name}_gold", f"gold_{asked.name}", PREFIX + asked.name, asked.name, f"{asked.name}_label"):
        if name in gold and not (name == asked.name and f"{name}_confidence" in gold):
            return [name]
    pattern = re.compile(rf"{re.escape(asked.name)}[_. -]?(rater|annotator|coder|r)?[_. -]?\d+", re.IGNORECASE)
    if numbered := [str(name) for name in gold.columns if pattern.fullmatch(str(name))]:
        return numbered
    if questions == 1:
        return [name for name in ("gold", "label", "labels", "score") if name in gold][:1]
    return []


def _flags(asked: AnsweredQuestion, gold: pd.DataFrame) -> list[str] | None:
    """The columns of 0 and 1 for the labels of a question; None where one has none."""
    for pattern in (f"{asked.name}_{{}}", "{}"):
        names = [pattern.format(option) for option in asked.options]
        if asked.kind == "labels" and names and all(name in gold for name in names):
            return names
    return None


def _gold_columns(
    asked: AnsweredQuestion, gold: pd.DataFrame, given: Sequence[str], gold_name: str, questions: int
) -> list[str]:
    for name in given:
        if name not in gold:
            raise unknown("column of gold", name, map(str, gold.columns))
    found = list(given) or _columns(asked, gold, questions)
    if not found and _flags(asked, gold) is None:
        raise UsageError(
            f"{gold_name} has no labels of {asked.name} by people: no column {asked.name} or {asked.name}_gold"
            + (" but the model's own" if f"{asked.name}_confidence" in gold else "")
            + "; name it with --gold-column"
        )
    return found


def _read_labels(
    asked: AnsweredQuestion,
    gold: pd.DataFrame,
    columns: Sequence[str],
    gold_name: str,
    table: AnnotatedTable,
    warn: Warn,
    gold_range: tuple[float, float] | None,
) -> tuple[AnsweredQuestion, Floats]:
    """The question, with the classes that only people name, and what each row of gold says, a column for each rater."""
    if not columns:
        flags = [[_flag(value, f"{gold_name}, {name}") for value in gold[name]] for name in _flags(asked, gold) or ()]
        return asked, np.array(flags, np.float64).T[:, None, :]
    values = {name: gold[name].tolist() for name in columns}
    if asked.task is None and asked.kind != "score":
        single = asked.kind == "class"
        said = [text for own in values.values() for one in own for text in _named(one, single)]
        known = {option.casefold() for option in asked.options}
        own = tuple(dict.fromkeys(text for text in said if text.casefold() not in known))
        asked = replace(asked, options=(*asked.options, *own))
        predicted = table.frame[asked.column].tolist()
        asked = replace(
            asked, predicted=asked.read(predicted, table.name), probabilities=None if own else asked.probabilities
        )
    if asked.kind == "labels":  # who corrected a row and chose no label said that none applies
        chose = {name: f"{name}_changed" in gold for name in columns}
        values = {
            name: [() if chose[name] and _is_nothing(one) else one for one in own] for name, own in values.items()
        }
    if gold_range is not None and asked.kind == "score":
        scores = [asked.read(own, f"{gold_name}, column {name!r}", "unit") for name, own in values.items()]
        return asked, _to_unit(np.stack(scores, axis=1), gold_range, gold_name)
    read = [asked.read(own, f"{gold_name}, column {name!r}", warn=warn) for name, own in values.items()]
    return asked, np.stack(read, axis=1)


def _is_nothing(value: object) -> bool:
    return not isinstance(value, list | np.ndarray) and text_of(value) is None


def _to_unit(scores: Floats, gold_range: tuple[float, float], gold_name: str) -> Floats:
    """Scores on a range as scores on 0..1."""
    low, high = gold_range
    if not low < high:
        raise UsageError(f"--gold-range {low:g} {high:g}: the first number must be below the second")
    if (off := (scores < low) | (scores > high)).any():
        raise UsageError(f"{gold_name}: {scores[off][0]:g} is not on {low:g} to {high:g}; see --gold-range")
    return (scores - low) / (high - low)


def _named(value: object, single: bool) -> list[str]:
    text = text_of(value) if single else None
    return ([] if text is None else [text]) if single else split_labels(value) or []


def _flag(value: object, place: str) -> float:
    text = (text_of(value) or "").casefold()
    if text not in (*_TRUE, *_FALSE, ""):
        raise UsageError(f"{place}: {shorten(text)!r} does not say whether the label applies; give 0 or 1")
    return np.nan if not text else float(text in _TRUE)


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
