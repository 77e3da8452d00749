"""Tables that `emollms annotate` wrote, or any other table of predictions, with the questions that they answer."""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emollms.annotation.answered_questions import AnsweredQuestion, split_labels
from emollms.annotation.columns import PREFIX
from emollms.annotation.questions import KNOWN, WORDING, Kind
from emollms.annotation.table_frames import TableLike, read_frame, text_of
from emollms.errors import unknown
from emollms.evaluation.metrics import Floats
from emollms.tables.files import Dialect
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task

_FURTHER = re.compile(rf"(.+){WORDING}(\d+)")
"""The name of a question in a further wording."""
_KINDS: dict[type[Task], Kind] = {RegressionTask: "score", OrdinalTask: "class", MultiLabelTask: "labels"}


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
