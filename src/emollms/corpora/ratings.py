"""Scores on a corpus's own range, and what several raters said of a text."""

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from statistics import pstdev
from typing import TYPE_CHECKING

from emollms.corpora.record import CellError
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask

if TYPE_CHECKING:
    from emollms.corpora.base import Example

Value = float | int | tuple[str, ...]
Ends = tuple[float, float]
CLIPPED = "score outside the range of its corpus by a hair, clipped"
HAIR = 0.05
"""The fraction of a range by which a value may be outside: raters' means that were corrected or extrapolated are."""
IN_ROWS = "correct what rows() gives"


def on_task_scale(example: "Example", ends: Ends) -> tuple[float, bool]:
    """The value of an example on its task's scale, and whether it had to be clipped.

    Args:
        example: an example of a regression task.
        ends: the values of the corpus that mean the task's lowest and its highest.

    Raises:
        CellError: it is no number, or is outside by more than a hair.
    """
    task = TASKS[example.task]
    assert isinstance(task, RegressionTask)
    given, (low, high) = example.value, ends
    if isinstance(given, bool) or not isinstance(given, Real):
        raise CellError(f"{task.name} takes a number from {low:g} to {high:g}", f"{given!r}", IN_ROWS)
    share = (float(given) - low) / (high - low)
    if not (math.isfinite(share) and -HAIR <= share <= 1 + HAIR):
        problem = f"{task.name} goes from {min(ends):g} to {max(ends):g} in this corpus, and this is outside"
        raise CellError(problem, str(given))
    return task.from_unit(min(max(share, 0.0), 1.0)), not 0 <= share <= 1


def rated(example: "Example", ends: Ends | None) -> "Example":
    """The example with number and spread of its raters, the spread on 0..1; votes are kept as they are.

    The spread is the population standard deviation. Labels have none.

    Args:
        example: an example.
        ends: the range of its scores in the corpus, where that is another than the task's.

    Raises:
        CellError: votes, spread or number are none that the task can have.
    """
    if not example.votes and example.spread is None and example.raters is None:
        return example
    task = TASKS[example.task]
    raters, spread = example.raters, example.spread
    if raters is None and example.votes:
        raters = len(example.votes)
    if raters is not None and (isinstance(raters, bool) or not isinstance(raters, Integral) or raters < 1):
        raise CellError("raters is no number of people", repr(raters), IN_ROWS)
    if isinstance(task, MultiLabelTask):
        _check_labels(task, example)
    elif example.votes:
        numbers = _numbers(task, example.votes)
        spread = pstdev(numbers) if spread is None else spread
    if spread is None:
        return replace(example, raters=raters)
    width = _width(task, ends)
    if isinstance(spread, bool) or not isinstance(spread, Real) or not 0 <= spread <= width:
        raise CellError(f"spread is no standard deviation of values that lie within {width:g}", repr(spread), IN_ROWS)
    return replace(example, raters=raters, spread=float(spread) / width)


def _width(task: object, ends: Ends | None) -> float:
    if isinstance(task, OrdinalTask):
        return float(max(task.classes) - min(task.classes))
    assert isinstance(task, RegressionTask)
    low, high = ends or (task.low, task.high)
    return abs(high - low)


def _numbers(task: object, votes: Sequence[Value]) -> list[float]:
    for vote in votes:
        if isinstance(vote, bool) or not isinstance(vote, Real) or not math.isfinite(vote):
            raise CellError("a vote is no number", repr(vote), IN_ROWS)
        if isinstance(task, OrdinalTask) and vote not in task.classes:
            raise CellError(f"a vote is no class of {task.name}", repr(vote), IN_ROWS)
    return [float(vote) for vote in votes if not isinstance(vote, tuple)]


def _check_labels(task: MultiLabelTask, example: "Example") -> None:
    if example.spread is not None:
        raise CellError("labels have no spread; leave it out", repr(example.spread), IN_ROWS)
    for vote in example.votes:
        if not isinstance(vote, tuple) or not set(vote) <= set(task.labels):
            raise CellError(f"a vote is no tuple of labels of {task.name}", repr(vote), IN_ROWS)
