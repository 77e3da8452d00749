"""From a model to answers: greedily, by sampling, or as the expected value over all legal answers."""

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import compress

import numpy as np

from emollms.errors import unknown
from emollms.inference.engine import NO_NUMBERS, RELEASE, Engine, EngineError, EngineResult, Sampling
from emollms.inference.label_sets import best_label_sets
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import answer
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task


def label_continuations(task: MultiLabelTask, labels: Sequence[str]) -> list[str]:
    """What is scored: each label, the words for none (if any), then each two labels in order.

    Args:
        task: the task.
        labels: those of its labels that are asked for.
    """
    nothing = [task.nothing] if task.nothing else []
    pairs = [f"{first}, {second}" for number, first in enumerate(labels) for second in labels[number + 1 :]]
    return [*labels, *nothing, *pairs]


def label_probabilities(task: MultiLabelTask, labels: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """The probability that each label is named.

    Args:
        task: the task.
        labels: those of its labels that are asked for.
        scores: log-probabilities of the `label_continuations`.
    """
    singles = len(labels) + (1 if task.nothing else 0)
    most = max(scores[:singles])
    total = math.fsum(math.exp(score - most) for score in scores[:singles])
    reached = [math.exp(score - most) / total for score in scores[: len(labels)]]
    pair = singles
    for number in range(len(labels)):
        count = len(labels) - number - 1
        # Rounding may make the steps from a label a little more than certain.
        steps = [math.exp(min(0.0, score - scores[number])) for score in scores[pair : pair + count]]
        certain = max(1.0, math.fsum(steps))
        for offset, step in enumerate(steps, number + 1):
            reached[offset] += reached[number] * step / certain
        pair += count
    return {label: min(1.0, fraction) for label, fraction in zip(labels, reached, strict=True)}


def likely_labels(
    task: MultiLabelTask, probabilities: Mapping[str, float], thresholds: Mapping[str, float] | None = None
) -> list[str]:
    """The labels to answer with; where one is needed, at least the likeliest.

    Args:
        task: the task.
        probabilities: of each label.
        thresholds: fitted ones of labels, .5 for those that have none, by which the best set is found (see
            `best_label_sets`); None for the labels more probable than not.
    """
    labels = list(probabilities)
    if thresholds:
        limits = np.array([thresholds.get(label, 0.5) for label in labels])
        (named,) = best_label_sets(np.array([[*probabilities.values()]]), limits, at_least_one=task.nothing is None)
        return list(compress(labels, named))
    chosen = [label for label in labels if probabilities[label] >= 0.5]
    if not chosen and task.nothing is None:
        return [max(labels, key=lambda label: probabilities[label])]
    return chosen


class Decode(StrEnum):
    """How answers are taken from a model.

    Attributes:
        greedy: the likeliest token each time.
        sample: as the original release did, see `engine.RELEASE`.
        expected_value: the likeliest class, the expected score, the labels more probable than not, from the scores of
            all legal answers; each has probabilities, and none is invalid.
    """

    greedy = "greedy"
    sample = "sample"
    expected_value = "expected_value"

    @classmethod
    def _missing_(cls, value: object) -> "Decode | None":
        # what runs and scores of earlier versions say
        return cls.expected_value if value == "expectation" else None


Row = Mapping[str, object]

TOLERANCE = 0.002
"""How coarse expected values may be: scores that begin with the same digits are told apart where (their probability) ·
(the part of 0..1 that they span) is more than this. Tenths of a probability above .02 are opened, hundredths above .2.
On SmolLM2, untuned, .005 was within .012 of the exact value on six rows; a model tuned on such answers is surer."""
LABEL_TOLERANCE = 1e-4
"""The same for labels; here the part is that of all continuations (see `label_continuations`)."""
SCORES = tuple(f"{number / 1000:.3f}" for number in range(1001))
"""All legal answers of a regression task."""
_BINS = tuple(f"{number / 10:.1f}" for number in range(11))


def decode(
    engine: Engine,
    task: Task,
    rows: Sequence[Row],
    mode: Decode | str = Decode.expected_value,
    *,
    seed: int = 0,
    tolerance: float | None = None,
    known: Container[str] = (),
) -> Iterator[Prediction]:
    """The predictions for `rows`, as they come, in an order that `rows` alone decide.

    Args:
        engine: the model.
        task: the task of all rows.
        rows: rows with `id`, `prompt`, and, where there are some, `emotion` and `unannotated`.
        mode: how answers are taken from the model.
        seed: decides what is sampled.
        tolerance: instead of `TOLERANCE` or `LABEL_TOLERANCE`; 0 is exact, and slower.
        known: ids of rows whose predictions are not wanted; the others get the same ones as without it, to the bit.

    Raises:
        UsageError: there is no such mode.
        EngineError: the engine cannot do it.
    """
    try:
        mode = Decode(mode)
    except ValueError:
        raise unknown("decoding mode", mode, Decode) from None
    skip = {number for number, row in enumerate(rows) if row["id"] in known}
    if mode == Decode.expected_value:
        yield from _expected_values(engine, task, rows, tolerance, skip)
        return
    sampling = replace(RELEASE, seed=seed) if mode == Decode.sample else Sampling(max_new_tokens=answer_limit(task))
    for number, said, seconds in engine.generate([str(row["prompt"]) for row in rows], sampling, skip):
        yield Prediction(str(rows[number]["id"]), said, None, seconds)


def answer_limit(task: Task) -> int:
    """The most tokens that an answer to `task` needs, with room for tokenizers that cut finely."""
    if isinstance(task, RegressionTask):
        return 8
    if isinstance(task, OrdinalTask):
        return 24
    return 4 + 4 * len(task.labels) if isinstance(task, MultiLabelTask) else 64


def expected_class(probabilities: Mapping[str, float]) -> float:
    """The expected class number of a prediction of an ordinal task."""
    total = sum(probabilities.values())
    return sum(int(number) * probability for number, probability in probabilities.items()) / total


def _expected_values(
    engine: Engine, task: Task, rows: Sequence[Row], tolerance: float | None, skip: Container[int]
) -> Iterator[Prediction]:
    prompts = [str(row["prompt"]) for row in rows]
    asked = {key: tuple(_continuations(task, *key)) for key in {_legal_key(task, row) for row in rows}}
    coarse = tolerance if tolerance is not None else _tolerance(task)
    for result in engine.score(prompts, [asked[_legal_key(task, row)] for row in rows], coarse, skip):
        if any(map(math.isnan, result.value)):
            raise EngineError(f"{NO_NUMBERS} (NaN probabilities for the row {rows[result.row]['id']}); tune it again")
        yield _prediction(task, rows[result.row], result)


def _legal_key(task: Task, row: Row) -> tuple[str | None, tuple[str, ...]]:
    """What, besides the task, decides which answers are legal: the emotion, and the labels that are asked for."""
    emotion = row.get("emotion")
    labels = task.labels_asked(row) if isinstance(task, MultiLabelTask) else ()
    return (None if emotion is None else str(emotion), labels)


def _tolerance(task: Task) -> float:
    if isinstance(task, RegressionTask):
        return TOLERANCE
    return LABEL_TOLERANCE if isinstance(task, MultiLabelTask) else 0.0


def _continuations(task: Task, emotion: str | None, labels: Sequence[str]) -> Sequence[str]:
    if isinstance(task, RegressionTask):
        return SCORES
    if isinstance(task, OrdinalTask):
        return [answer(task, number, emotion) for number in task.classes]
    if isinstance(task, MultiLabelTask):
        return label_continuations(task, labels)
    raise TypeError(f"no answers are known for a {type(task).__name__}")


def _prediction(task: Task, row: Row, result: EngineResult[list[float]]) -> Prediction:
    emotion, labels = _legal_key(task, row)
    if isinstance(task, MultiLabelTask):
        by_label = label_probabilities(task, labels, result.value)
        said = answer(task, likely_labels(task, by_label))
        return Prediction(str(row["id"]), said, by_label, result.seconds)
    fractions = softmax(result.value)
    if isinstance(task, OrdinalTask):
        by_class = dict(zip(map(str, task.classes), fractions, strict=True))
        said = answer(task, int(max(by_class, key=lambda number: by_class[number])), emotion)
        return Prediction(str(row["id"]), said, by_class, result.seconds)
    expected = sum(number / 1000 * fraction for number, fraction in enumerate(fractions))
    tenths = {name: math.fsum(fractions[100 * number : 100 * number + 100]) for number, name in enumerate(_BINS)}
    return Prediction(str(row["id"]), answer(task, min(expected, 1.0)), tenths, result.seconds)


def softmax(scores: Sequence[float]) -> list[float]:
    """Log-probabilities of alternatives as probabilities that sum to 1."""
    most = max(scores)
    weights = [math.exp(score - most) for score in scores]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
