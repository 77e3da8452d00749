"""From what models said to what is told of a text: a value, its label, how sure it is, and its interval."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from emollms.annotation.questions import Question
from emollms.evaluation.calibration import TaskCalibration
from emollms.inference.decoding import likely_labels
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import parse_answer
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask

Scale = Literal["unit", "native"]
Value = float | int | str | tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What is told of one text, for one question.

    Args:
        question: the question.
        value: the score, on 0..1 or on the native scale; the number of the class, or its words where the classes are
            own labels; or the labels. None where `note` says why there is none.
        label: the words of the class; None for scores and labels.
        confidence: the probability that the answer is right, 0..1; see `docs/annotate.md` for what counts as right. It
            is calibrated where the model came with a calibration of the task, and else what the model says of itself.
        low, high: the interval that holds the truth with the probability that calibration was fitted for: scores,
            class numbers, or the labels that certainly and that possibly apply. None without a calibration.
        probabilities: of each class by number, or of each label; None where the model gives none.
        abstained: whether the confidence is below the least that was asked for; then there is no value.
        note: why there is no value, or what was done to the text.
    """

    question: Question = field(repr=False)
    value: Value | None = None
    label: str | None = None
    confidence: float | None = None
    low: Value | None = None
    high: Value | None = None
    probabilities: Mapping[str, float] | None = field(default=None, repr=False)
    abstained: bool = False
    note: str | None = None


class Affect(Mapping[str, Answer]):
    """What is told of one text: its answers by the name of the question. `affect.joy` is the value of `affect["joy"]`.

    Args:
        answers: an answer to each question, in order.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = {one.question.name: one for one in answers}

    def __getitem__(self, name: str) -> Answer:
        return self._answers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __getattr__(self, name: str) -> Value | None:
        try:
            return self.__dict__["_answers"][name].value  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"no question {name!r} was asked; asked were {', '.join(self._answers)}") from None

    def __repr__(self) -> str:
        shown = (
            f"{name}={list(one.value) if isinstance(one.value, tuple) else one.value!r}"
            for name, one in self._answers.items()
        )
        return f"Affect({', '.join(shown)})"


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


def belief(question: Question, prediction: Prediction) -> Belief | str:
    """What a prediction says; a text tells why it says nothing."""
    task, shares = question.task, prediction.probabilities
    if isinstance(task, RegressionTask):
        parsed = parse_answer(task, prediction.answer, question.emotion)
        if not isinstance(parsed.value, float):
            return f"invalid answer: {parsed.reason}"
        return Belief(parsed.value, shares, shares is not None)
    if shares is not None:
        return Belief(None, shares, True)
    parsed = parse_answer(task, prediction.answer, question.emotion, parse="lenient")
    if parsed.value is None:
        return f"invalid answer: {parsed.reason}"
    said = set(parsed.value) if isinstance(parsed.value, tuple) else {str(parsed.value)}
    return Belief(None, {name: float(name in said) for name in question.options}, False)


def combined(question: Question, beliefs: Sequence[Belief], weights: Sequence[float]) -> Belief:
    """The mean of beliefs: of several models, or of the parts of a long text by their length.

    A label of a long text is as probable as in the part where it is most probable, since one part can hold an emotion
    that the others lack; between models it is the mean, too. Parts come with unequal weights, models with equal ones.
    """
    if len(beliefs) == 1:
        return beliefs[0]
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


def strongest(beliefs: Sequence[Belief]) -> Belief:
    """For labels of a long text: each label as probable as in the part where it is most probable."""
    tables = [one.probabilities or {} for one in beliefs]
    shares = {name: max(table.get(name, 0.0) for table in tables) for name in tables[0]}
    return Belief(None, shares, all(one.surely for one in beliefs))


def told(
    question: Question,
    found: Belief,
    fitted: TaskCalibration | None,
    draw: float,
    scale: Scale = "unit",
    min_confidence: float | None = None,
) -> Answer:
    """The answer that is told of a text.

    Args:
        question: the question.
        found: what the models make of the text.
        fitted: the calibration of the task; None where there is none.
        draw: a number on 0..1 that the text decides, which breaks ties of discrete intervals.
        scale: whether scores are on 0..1 or on the native scale.
        min_confidence: below it there is no value.
    """
    task = question.task
    shares, confidence, low, high = found.probabilities, None, None, None
    if fitted is not None:
        shares, confidence, low, high = fitted.apply(task, found.score, shares, draw)
    elif shares is not None and found.surely and not isinstance(task, RegressionTask):
        confidence = _own_confidence(task, shares)
    if isinstance(task, RegressionTask):
        convert = task.from_unit if scale == "native" else float
        ends = [None if end is None else round(convert(float(end)), 3) for end in (low, high)]
        value: Value | None = round(convert(found.score or 0.0), 3)
        answer = Answer(question, value, None, _rounded(confidence), ends[0], ends[1], _table(shares))
    elif isinstance(task, OrdinalTask):
        number = int(max(shares or {}, key=lambda name: (shares or {})[name]))
        words = task.class_name(number, question.emotion)
        is_own = task.name == "own-class"
        answer = Answer(question, words if is_own else number, words, _rounded(confidence), low, high, _table(shares))
        if is_own:  # own classes have no order, so that no interval of numbers means anything
            answer = replace(answer, low=None, high=None)
    else:
        assert isinstance(task, MultiLabelTask)
        thresholds = fitted.thresholds if fitted else None
        labels = tuple(likely_labels(task, shares or {}, thresholds))
        answer = Answer(question, labels, None, _rounded(confidence), low, high, _table(shares))
    if min_confidence is not None and answer.confidence is not None and answer.confidence < min_confidence:
        return replace(answer, value=None, label=None, abstained=True)
    return answer


def _own_confidence(task: OrdinalTask | MultiLabelTask | object, shares: Mapping[str, float]) -> float:
    """What the model says of itself: the probability of its class, or that every label is as told, if independent."""
    if isinstance(task, OrdinalTask):
        return max(shares.values()) / math.fsum(shares.values())
    return math.prod(max(share, 1 - share) for share in shares.values())


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 3)


def _table(shares: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if shares is None else {name: round(share, 4) for name, share in shares.items()}
