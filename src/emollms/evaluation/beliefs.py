"""What one or several models make of a text, before calibration: fitted by `calibrate`, told by `annotation`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emollms.inference.predictions import Prediction
from emollms.prompts.answers import parse_answer
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task


@dataclass(frozen=True)
class Belief:
    """What one or several models make of a text, before calibration.

    Args:
        score: the expected score on 0..1; None for classes and labels.
        probabilities: of each class, each label, or each tenth that scores begin with.
        surely: whether probabilities come from a model that gives them, and not from an answer alone.
    """

    score: float | None
    probabilities: Mapping[str, float] | None
    surely: bool


def options_of(task: Task) -> tuple[str, ...]:
    """The classes of a task by number, or its labels; empty for a score."""
    if isinstance(task, OrdinalTask):
        return tuple(map(str, task.classes))
    return task.labels if isinstance(task, MultiLabelTask) else ()


def belief(task: Task, emotion: str | None, prediction: Prediction) -> Belief | str:
    """What a prediction says; a text tells why it says nothing."""
    shares = prediction.probabilities
    if isinstance(task, RegressionTask):
        parsed = parse_answer(task, prediction.answer, emotion)
        if not isinstance(parsed.value, float):
            return f"invalid answer: {parsed.reason}"
        return Belief(parsed.value, shares, shares is not None)
    if shares is not None:
        return Belief(None, shares, True)
    parsed = parse_answer(task, prediction.answer, emotion, parse="lenient")
    if parsed.value is None:
        return f"invalid answer: {parsed.reason}"
    said = set(parsed.value) if isinstance(parsed.value, tuple) else {str(parsed.value)}
    return Belief(None, {name: float(name in said) for name in options_of(task)}, False)


def combined(beliefs: Sequence[Belief], weights: Sequence[float] = ()) -> Belief:
    """The mean of beliefs: of several models, or of the parts of a long text by their length.

    Args:
        beliefs: one or more.
        weights: of each; equal where there are none.
    """
    if len(beliefs) == 1:
        return beliefs[0]
    weights = weights or [1.0] * len(beliefs)
    total = math.fsum(weights)
    score = None
    if beliefs[0].score is not None:
        score = math.fsum(weight * (one.score or 0.0) for one, weight in zip(beliefs, weights, strict=True)) / total
    tables = [one.probabilities for one in beliefs]
    names = next((table for table in tables if table is not None), None)
    if names is None or None in tables:
        return Belief(score, None, False)
    shares = {
        name: math.fsum(w * (table or {}).get(name, 0.0) for table, w in zip(tables, weights, strict=True)) / total
        for name in names
    }
    return Belief(score, shares, all(one.surely for one in beliefs))


def combined_thresholds(some: Sequence[Mapping[str, float] | None]) -> dict[str, float] | None:
    """The thresholds of labels for the mean of beliefs: the mean of those of the models, .5 for one that has none.

    Args:
        some: the thresholds of each model, by label; one or more.
    """
    labels = dict.fromkeys(label for one in some for label in one or {})
    return {label: math.fsum((one or {}).get(label, 0.5) for one in some) / len(some) for label in labels} or None
