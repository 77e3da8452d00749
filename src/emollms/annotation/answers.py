"""From what models said to what is told of a text: a value, its label, how sure it is, and its interval."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from emollms.annotation.questions import Question
from emollms.evaluation.beliefs import Belief
from emollms.evaluation.calibration import TaskCalibration
from emollms.inference.decoding import likely_labels
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


def strongest(beliefs: Sequence[Belief]) -> Belief:
    """For labels of a long text: each as probable as in the part where it is most probable; the others may lack it."""
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
    thresholds: Mapping[str, float] | None = None,
) -> Answer:
    """The answer that is told of a text.

    Args:
        question: the question.
        found: what the models make of the text.
        fitted: the calibration of the task; None where there is none.
        draw: a number on 0..1 that the text decides, which breaks ties of discrete intervals.
        scale: whether scores are on 0..1 or on the native scale.
        min_confidence: below it there is no value.
        thresholds: by which labels are told, where no calibration has thresholds, see `likely_labels`.
    """
    task = question.task
    shares, confidence, low, high = found.probabilities, None, None, None
    if fitted is not None:
        shares, confidence, low, high = fitted.apply(task, found.score, shares, draw)
    if confidence is None and shares is not None and found.surely and not isinstance(task, RegressionTask):
        confidence = _own_confidence(task, shares)
    if isinstance(task, RegressionTask):
        convert = task.from_unit if scale == "native" else float
        # Rounded outwards: a gold score at the very end of the interval stays in it.
        ends = (
            _floor(convert(low)) if isinstance(low, float) else None,
            _ceiling(convert(high)) if isinstance(high, float) else None,
        )
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
        limits = (fitted.thresholds if fitted else None) or thresholds
        # Thresholds are of what the models say, as in an evaluation, and not of the calibrated probabilities.
        labels = tuple(likely_labels(task, found.probabilities or {}, limits))
        answer = Answer(question, labels, None, _rounded(confidence), low, high, _table(shares))
    if min_confidence is not None and answer.confidence is not None and answer.confidence < min_confidence:
        return replace(answer, value=None, label=None, abstained=True)
    return answer


def _own_confidence(task: OrdinalTask | MultiLabelTask | object, shares: Mapping[str, float]) -> float:
    """What the model says of itself: the probability of its class, or that every label is as told, if independent."""
    if isinstance(task, OrdinalTask):
        return max(shares.values()) / math.fsum(shares.values())
    return math.prod(max(share, 1 - share) for share in shares.values())


def _floor(value: float) -> float:
    return math.floor(value * 1000 + 1e-6) / 1000


def _ceiling(value: float) -> float:
    return math.ceil(value * 1000 - 1e-6) / 1000


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 3)


def _table(shares: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if shares is None else {name: round(share, 4) for name, share in shares.items()}
