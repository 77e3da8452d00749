"""Tables that `emollms annotate` wrote, or any other table of predictions, with the questions that they answer."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from emollms.annotation.columns import PREFIX, Annotations
from emollms.annotation.frames import as_table
from emollms.annotation.questions import KNOWN, WORDING, Kind
from emollms.errors import UsageError, shorten, unknown
from emollms.tables.files import Dialect, Warn, no_warning, table_file
from emollms.tables.read import read_table
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task

Floats: TypeAlias = npt.NDArray[np.float64]
TableLike: TypeAlias = str | Path | pa.Table | pd.DataFrame | Annotations | Any
"""A file by its name, or a table of Arrow, pandas, polars or `datasets`."""

_NOTHING = {"", "none", "none of these", "neutral or no emotion", "no emotion"}
_FURTHER = re.compile(rf"(.+){WORDING}(\d+)")
"""The name of a question in a further wording."""
_KINDS: dict[type[Task], Kind] = {RegressionTask: "score", OrdinalTask: "class", MultiLabelTask: "labels"}


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question that a table answers.

    Args:
        name: what it is called.
        column: the column of its values: the name, or `emollms_NAME` where the input had such a column.
        kind: whether its answer is a score, one of several classes, or any number of labels.
        task: which task of the package asks it; None for questions of one's own.
        emotion: the emotion or dimension that is asked for, where the task has them.
        options: the numbers of the classes of an ordered task, else its classes or labels; empty for a score.
        predicted: what the model says: scores, on 0..1 where there is a task; numbers of classes, or for own classes
            their places in `options`, of shape (rows,); for labels 0 or 1 of shape (rows, labels). NaN: no answer.
        probabilities: of each class or label, of shape (rows, options), NaN where there are none; None without columns.
        confidence: the probability that each answer is right, NaN where there is none; None without a column.
        low: the lower end of the interval of each score or class, as `confidence`.
        high: the upper end.
    """

    name: str
    column: str
    kind: Kind
    task: Task | None
    emotion: str | None
    options: tuple[str, ...]
    predicted: Floats = field(repr=False)
    probabilities: Floats | None = field(default=None, repr=False)
    confidence: Floats | None = field(default=None, repr=False)
    low: Floats | None = field(default=None, repr=False)
    high: Floats | None = field(default=None, repr=False)

    def as_task(self) -> Task:
        """The task that asks it; one of its own where the package has none."""
        if self.task is not None:
            return self.task
        if self.kind == "score":
            return RegressionTask(name="own-score", about=self.name, low=0.0, high=1.0)
        if self.kind == "class":
            return OrdinalTask(name="own-class", about=self.name, classes=dict(enumerate(self.options)))
        return MultiLabelTask(name="own-labels", about=self.name, labels=self.options)

    def read(self, values: Sequence[Any], place: str, scale: str = "auto", warn: Warn = no_warning) -> Floats:
        """Values of this question, as people or models give them, as numbers in the form of `predicted`.

        Args:
            values: scores; classes by number or words; labels as a list, JSON, or `a, b`. None, NaN and "": no value.
            place: what errors call them.
            scale: of scores: `unit`, `native`, or `auto` for native where one is off 0..1 but on the task's range.
            warn: is told where native scores were converted.

        Raises:
            UsageError: one is no answer to the question.
        """
        if self.kind == "score":
            return _scores(values, self.task, place, scale, warn)
        if self.kind == "class":
            return np.array([_class(value, self, place) for value in values], np.float64)
        return np.array([_labels(value, self.options, place) for value in values], np.float64).reshape(
            len(values), len(self.options)
        )


@dataclass(frozen=True)
class AnnotatedTable:
    """A table with the answers of a model.

    Args:
        frame: all of its columns; those of text that hold numbers alone are numbers.
        questions: what it answers, by name.
        name: what errors call it.
        record: what `annotate` wrote beside the file; empty where there is none.
        wordings: the questions that were asked in several wordings, by name, in all of them, the first one too.
    """

    frame: pd.DataFrame = field(repr=False)
    questions: dict[str, AnsweredQuestion]
    name: str
    record: dict[str, Any] = field(default_factory=dict, repr=False)
    wordings: dict[str, tuple[AnsweredQuestion, ...]] = field(default_factory=dict, repr=False)

    def question(self, name: str) -> AnsweredQuestion:
        """The question of a name, or a column of numbers, texts or lists as one: predictions made elsewhere.

        Raises:
            UsageError: there is none; the message suggests near names.
        """
        if name in self.questions:
            return self.questions[name]
        if name not in self.frame:
            raise unknown(f"question of {self.name}", name, [*self.questions, *map(str, self.frame.columns)])
        return _question(self.frame, name, name, self.record)


def read_frame(table: TableLike, what: str, dialect: Dialect | None = None) -> tuple[pd.DataFrame, str]:
    """A table as a frame, and what errors call it; structs of `annotate --nested` become flat columns.

    Args:
        table: the table.
        what: what it is, such as `the annotated table`, for one without a file.
        dialect: how a text file is written.

    Raises:
        UsageError: there is no such file, it is no table, or it has no row.
        SourceError: a row of it is broken.
    """
    if isinstance(table, str | Path):
        found, name = read_table(table_file(Path(table), dialect)), str(table)
    elif isinstance(table, Annotations):
        found, name = table.to_arrow(), what
    else:
        names = table.column_names if hasattr(table, "column_names") else getattr(table, "columns", ())
        found, name = as_table(table, next(iter(map(str, names)), "text")), what
    if not found.num_rows:
        raise UsageError(f"{name} has no row")
    flat = _flat(found)
    return pd.DataFrame({column: _typed(flat[column].to_pylist()) for column in flat.column_names}), name


def read_annotated(table: TableLike, dialect: Dialect | None = None) -> AnnotatedTable:
    """A table of annotations; see `read_frame`."""
    frame, name = read_frame(table, "the annotated table", dialect)
    record = _record(Path(table)) if isinstance(table, str | Path) else {}
    names = [str(column) for column in frame.columns if f"{column}_confidence" in frame.columns]
    asked = {column.removeprefix(PREFIX): column for column in names}
    further = {one: found for one in asked if (found := _FURTHER.fullmatch(one)) and found[1] in asked}
    questions = {name: _question(frame, name, column, record) for name, column in asked.items() if name not in further}
    wordings: dict[str, tuple[AnsweredQuestion, ...]] = {}
    for one, found in sorted(further.items(), key=lambda pair: int(pair[1][2])):
        base = found[1]
        wordings[base] = (*wordings.get(base, (questions[base],)), _question(frame, base, asked[one], record))
    return AnnotatedTable(frame, questions, name, record, wordings)


def text_of(value: Any) -> str | None:
    """A value as it is compared with others, such as an id: `7`, 7 and 7.0 are the same; None for nothing."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip() or None


def _flat(table: pa.Table) -> pa.Table:
    for place, one in reversed(list(enumerate(table.schema))):
        if pa.types.is_struct(one.type) and {"value", "confidence"} <= {part.name for part in one.type}:
            column = table.column(place).combine_chunks()
            table = table.remove_column(place)
            for offset, part in enumerate(one.type):
                name = one.name if part.name == "value" else f"{one.name}_{part.name}"
                table = table.add_column(place + offset, name, pa.chunked_array([column.field(offset)]))
    return table


def _typed(values: list[Any]) -> Any:
    """A column: of texts that are all numbers, the numbers."""
    if any(isinstance(value, list | dict) for value in values):
        return pd.Series(values, dtype=object)
    texts = [value.strip() if isinstance(value, str) else value for value in values]
    if any(isinstance(value, str) and value for value in texts):
        try:
            # Not "nan" and "inf": pandas would take these for numbers, too.
            numbers = [np.nan if text in (None, "") else _number(text) for text in texts]
            whole = all(re.fullmatch(r"[+-]?\d{1,15}", str(text)) for text in texts)
            return pd.Series(numbers, dtype=np.int64 if whole else np.float64)
        except (ValueError, TypeError):
            return pd.Series([None if text in (None, "") else str(text) for text in texts], dtype=object)
    return pd.Series([None if value == "" else value for value in values]).infer_objects()


def _number(text: Any) -> float:
    number = float(text)
    if not np.isfinite(number) or re.match(r"[+-]?0\d", str(text)):  # 007 is a name
        raise ValueError(text)
    return number


def _record(table: Path) -> dict[str, Any]:
    try:
        found = json.loads(table.with_name(f"{table.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _question(frame: pd.DataFrame, name: str, column: str, record: dict[str, Any]) -> AnsweredQuestion:
    values = frame[column].tolist()
    if f"{column}_label" in frame:
        kind: Kind = "class"
    elif pd.api.types.is_numeric_dtype(frame[column]) or all(text_of(value) is None for value in values):
        kind = "score"
    else:
        asked = f"{column}_confidence" in frame or any(isinstance(value, list | np.ndarray) for value in values)
        kind = "labels" if asked else "class"
    task, emotion = _task(name, kind, record)
    options = _options(frame, column, kind, task)
    empty = AnsweredQuestion(name, column, kind, task, emotion, options, np.empty(0))
    scale = {"native": "native", "unit": "unit"}.get(str(record.get("scale")), "auto")
    predicted = empty.read(values, f"column {column!r} of the annotated table", scale)
    if kind == "score" and task is not None:
        predicted = np.clip(predicted, 0.0, 1.0)
    sure = _numbers(frame, f"{column}_confidence")
    if kind == "labels" and sure is not None:  # an empty list and no answer are both empty cells of CSV
        predicted[np.isnan(predicted).any(axis=1) & ~np.isnan(sure)] = 0.0
    numbers = {part: _numbers(frame, f"{column}_{part}") for part in ("confidence", "low", "high")}
    if kind == "score":
        for end in ("low", "high"):
            found = numbers[end]
            numbers[end] = None if found is None else empty.read(list(found), f"column {column}_{end!r}", scale)
    shares = [f"{column}_{option}" for option in options]
    has_shares = shares and all(one in frame and pd.api.types.is_numeric_dtype(frame[one]) for one in shares)
    probabilities = frame[shares].to_numpy(np.float64) if has_shares else None
    confidence, low, high = numbers.values()
    return replace(empty, predicted=predicted, probabilities=probabilities, confidence=confidence, low=low, high=high)


def _numbers(frame: pd.DataFrame, column: str) -> Floats | None:
    if column not in frame or not pd.api.types.is_numeric_dtype(frame[column]):
        return None
    return np.asarray(frame[column].to_numpy(np.float64))


def _task(name: str, kind: Kind, record: dict[str, Any]) -> tuple[Task | None, str | None]:
    """The task that a question asks, and its emotion: by the record, else by the name."""
    asked = (record.get("questions") or {}).get(name)
    if isinstance(asked, list) and len(asked) >= 3:
        task_name, emotion = asked[1], asked[2]
    else:
        task_name, emotion = KNOWN.get(name) or next(
            ((one.name, part or None) for one in TASKS.values() for part in ("", *one.emotions)
             if name in (f"{one.name}_{part}" if part else one.name, f"{one.name}/{part}")), ("", None)
        )  # fmt: skip
    task = TASKS.get(task_name)
    return (task, emotion) if task is not None and _KINDS[type(task)] == kind else (None, None)


def _options(frame: pd.DataFrame, column: str, kind: Kind, task: Task | None) -> tuple[str, ...]:
    if isinstance(task, OrdinalTask):
        return tuple(map(str, task.classes))
    if isinstance(task, MultiLabelTask):
        return task.labels
    if kind == "class":
        return tuple(dict.fromkeys(text for value in frame[column] if (text := text_of(value)) is not None))
    if kind == "score":
        return ()
    own = [str(name).removeprefix(f"{column}_") for name in frame.columns if str(name).startswith(f"{column}_")]
    named = [name for name in own if name not in ("confidence", "low", "high", "label", "gold", "changed")]
    return tuple(named or dict.fromkeys(label for value in frame[column] for label in split_labels(value) or ()))


def split_labels(value: Any) -> list[str] | None:
    """The labels that a cell names: of a list, JSON, or `a, b`; None where it is empty."""
    if isinstance(value, list | tuple | np.ndarray):
        return [str(one) for one in value]
    text = text_of(value)
    if text is None:
        return None
    if text.startswith("["):
        try:
            return [str(one) for one in json.loads(text)]
        except (ValueError, TypeError):
            pass
    return [] if text.casefold() in _NOTHING else [part.strip() for part in re.split("[,;|]", text) if part.strip()]


def _scores(values: Sequence[Any], task: Task | None, place: str, scale: str, warn: Warn) -> Floats:
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        text = text_of(value)
        if text is not None:
            try:
                found[row] = float(text if isinstance(value, str) else value)
            except (TypeError, ValueError):
                raise UsageError(f"{place}: {shorten(text)!r} is no score; give a number") from None
    if not isinstance(task, RegressionTask) or scale == "unit" or (task.low, task.high) == (0.0, 1.0):
        return found
    off = (found < 0) | (found > 1)
    if scale == "auto":
        if not off.any():
            return found
        if outside := [one for one in found[off] if not task.low <= one <= task.high]:
            scales = f"0 to 1 nor on {task.low:g} to {task.high:g}, the scale of {task.name}"
            raise UsageError(f"{place}: {outside[0]:g} is neither on {scales}")
        warn(f"{place} is on {task.low:g} to {task.high:g}, the scale of {task.name}, and is taken to 0..1")
    return (found - task.low) / (task.high - task.low)


def _class(value: Any, question: AnsweredQuestion, place: str) -> float:
    text = text_of(value)
    if text is None:
        return np.nan
    task, wanted = question.task, " ".join(text.casefold().split())
    if isinstance(task, OrdinalTask):
        for number in task.classes:
            names = (str(number), task.class_name(number, question.emotion), task.class_label(number, question.emotion))
            if wanted in map(str.casefold, names):
                return float(number)
    else:
        for option, name in enumerate(question.options):
            if wanted == name.casefold():
                return float(option)
    shown = ", ".join(question.options[:12])
    raise UsageError(f"{place}: {shorten(text)!r} is no class of {question.name}; there are {shown}")


def _labels(value: Any, options: Sequence[str], place: str) -> list[float]:
    named = split_labels(value)
    if named is None:
        return [np.nan] * len(options)
    wanted = {" ".join(name.casefold().split()) for name in named} - _NOTHING
    if alien := wanted - {option.casefold() for option in options}:
        raise UsageError(f"{place}: {min(alien)!r} is no label; there are {', '.join(options[:30])}")
    return [float(option.casefold() in wanted) for option in options]
