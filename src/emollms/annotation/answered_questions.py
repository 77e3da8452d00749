"""Questions that a table answers, and their answers as numbers."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emollms.annotation.questions import Kind
from emollms.annotation.table_frames import text_of
from emollms.errors import UsageError, shorten
from emollms.evaluation.metrics import Floats
from emollms.tables.files import Warn, no_warning
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

_NOTHING = {"", "none", "none of these", "neutral or no emotion", "no emotion"}


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
