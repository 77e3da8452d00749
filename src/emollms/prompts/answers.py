"""Label → answer, and answer → label: its exact inverse, which also reads what models really say.

By the strict rule an answer that could be meant in two ways is invalid, with the reason. By the lenient rule it is what
its author most likely meant. See docs/answers.md.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from numbers import Integral
from typing import Literal, get_args

from emollms.errors import EmollmsError, unknown
from emollms.prompts.class_words import compact, exactly, labels_of
from emollms.prompts.cleaning import SEPARATORS, cut_surroundings
from emollms.prompts.lenient import lenient_class, lenient_labels, lenient_score
from emollms.prompts.numerals import one_number, plain
from emollms.prompts.reasons import (
    CONTRADICTION,
    EMPTY,
    NO_CLASS,
    NO_NUMBER,
    NOTHING_AND_LABELS,
    OFF_SCALE,
    OTHER_EMOTION,
    UNKNOWN_CLASS,
    UNKNOWN_LABEL,
    InvalidAnswer,
)
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

Value = float | int | Collection[str]
Parse = Literal["strict", "lenient"]
"""How answers are read: `strict`, what can be meant in one way only; `lenient`, what was most likely meant."""

_EDGES = " \t\n\r\"'“”‘’«»`*_[](){}."
_WORD = re.compile(r"[^\W\d_]+")


class AnswerError(EmollmsError, ValueError):
    """A value that is no answer to the task."""


@dataclass(frozen=True)
class ParsedAnswer:
    """What an answer says.

    Args:
        value: the score, the class number or the labels in canonical order (none: an empty tuple); None if invalid.
        reason: why the answer is invalid, one of the constants of this module and of `numerals`, then, after `: `, the
            offending part; None if it is valid.
    """

    value: float | int | tuple[str, ...] | None
    reason: str | None


def answer(task: Task, value: Value, emotion: str | None = None) -> str:
    """The answer that a model is to give.

    Args:
        task: the task.
        value: the score on 0..1, the class number, or the labels in any order.
        emotion: the emotion asked for, where the task has them.

    Raises:
        AnswerError: the task has no such score, class or label.
        UsageError: the task has no such emotion.
    """
    _check_emotion(task, emotion)
    if isinstance(task, RegressionTask):
        return _score_answer(task, value)
    if isinstance(task, OrdinalTask):
        if not isinstance(value, Integral) or value not in task.classes:
            raise AnswerError(f"{task.name} has no class {value!r}; give one of {_listed(task.classes)}")
        return task.class_label(int(value), emotion)
    if isinstance(task, MultiLabelTask):
        return _labels_answer(task, value)
    raise TypeError(f"no answers are known for a {type(task).__name__}")


def parse_answer(
    task: Task,
    answer: str,
    emotion: str | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    parse: Parse = "strict",
) -> ParsedAnswer:
    """What `answer` says; never raises, whatever the answer.

    Args:
        task: the task.
        answer: what the model said.
        emotion: the emotion asked for, where the task has them.
        scale: lowest and highest score, for answers on a corpus's native scale; others are invalid, never clipped.
        parse: the rule. The lenient one reads all that the strict one reads, in the same way, and more.

    Raises:
        UsageError: the task has no such emotion, or there is no such rule.
    """
    _check_emotion(task, emotion)
    if parse not in get_args(Parse):
        raise unknown("rule for reading answers", parse, get_args(Parse))
    text = cut_surroundings(answer, task, emotion)
    try:
        return ParsedAnswer(_read(task, text, emotion, scale), None)
    except InvalidAnswer as invalid:
        if parse == "strict":
            return ParsedAnswer(None, str(invalid))
    try:
        return ParsedAnswer(_read_leniently(task, text, emotion, scale), None)
    except InvalidAnswer as invalid:
        return ParsedAnswer(None, str(invalid))


def _check_emotion(task: Task, emotion: str | None) -> None:
    if emotion or isinstance(task, OrdinalTask):
        task.check_emotion(emotion)


def _score_answer(task: Task, value: Value) -> str:
    if isinstance(value, Collection) or not 0 <= value <= 1:
        raise AnswerError(f"{task.name} has no score {value!r}; give a number on 0..1 (see RegressionTask.to_unit)")
    return f"{float(value) + 0.0:.3f}"  # + 0.0 makes -0.0 a 0


def _labels_answer(task: MultiLabelTask, value: Value) -> str:
    if isinstance(value, str) or not isinstance(value, Collection):
        raise AnswerError(f"{task.name} takes a collection of labels, not {value!r}")
    if alien := sorted(set(value) - set(task.labels)):
        raise AnswerError(f"{task.name} has no label {alien[0]!r}; give some of {_listed(task.labels)}")
    text = ", ".join(label for label in task.labels if label in value) or task.nothing
    if text is None:
        raise AnswerError(f"{task.name} has no answer without a label; give some of {_listed(task.labels)}")
    return text


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


def _read(task: Task, text: str, emotion: str | None, scale: tuple[float, float]) -> float | int | tuple[str, ...]:
    if not text.strip(_EDGES):
        raise InvalidAnswer(EMPTY)
    if isinstance(task, MultiLabelTask):
        return _read_labels(task, text)
    text = plain(text)
    named = set(_WORD.findall(text.casefold())).intersection(task.emotions)
    if emotion and named and emotion not in named:
        raise InvalidAnswer(OTHER_EMOTION, min(named))
    return (
        _read_class(task, text, emotion) if isinstance(task, OrdinalTask) else _read_score(task, text, emotion, scale)
    )


def _read_leniently(
    task: Task, text: str, emotion: str | None, scale: tuple[float, float]
) -> float | int | tuple[str, ...]:
    if not text.strip(_EDGES):
        raise InvalidAnswer(EMPTY)
    if isinstance(task, MultiLabelTask):
        return lenient_labels(task, text)
    if isinstance(task, OrdinalTask):
        return lenient_class(task, text, emotion)
    return lenient_score(task, text, emotion, scale)


def _read_score(task: Task, text: str, emotion: str | None, scale: tuple[float, float]) -> float:
    number = one_number(text, decimals=True)
    if number is None:
        raise InvalidAnswer(NO_NUMBER, text)
    low, high = scale
    if not low <= number <= high:
        raise InvalidAnswer(OFF_SCALE, f"{number:g}")
    poles = task.poles.get(emotion or "") if isinstance(task, RegressionTask) else None
    if poles:
        at_low, at_high = (bool(_pole(pole.replace("E", emotion or "E")).search(text)) for pole in poles)
        if at_low != at_high and (number >= (low + high) / 2 if at_low else number <= (low + high) / 2):
            raise InvalidAnswer(CONTRADICTION, text)
    return number + 0.0


@cache
def _pole(pole: str) -> re.Pattern[str]:
    """The words for one end of a scale, as models vary them."""
    head = pole.removeprefix("very ")
    varied = rf"(?:very|most|extreme|extremely|highly) {head}" if head != pole else head
    return re.compile(rf"\b{varied}\b", re.IGNORECASE)


def _read_class(task: OrdinalTask, text: str, emotion: str | None) -> int:
    names = {number: task.class_name(number, emotion) for number in task.classes}
    for number, name in names.items():
        if compact(text) == compact(name):
            return number
    given = one_number(text, decimals=False)
    if given is None:
        raise InvalidAnswer(NO_CLASS, text)
    if given not in names:
        raise InvalidAnswer(UNKNOWN_CLASS, f"{given:g}")
    pattern, meant = exactly(tuple(names.items()), emotion or "")
    for phrase in pattern.findall(text.casefold()):
        if given not in meant[phrase.replace(" ", "")]:
            raise InvalidAnswer(CONTRADICTION, text)
    return int(given)


def _read_labels(task: MultiLabelTask, text: str) -> tuple[str, ...]:
    known = labels_of(task)
    parts = [part for part in SEPARATORS.split(text) if part.strip(_EDGES)]
    for part in parts:
        if compact(part) not in known:
            raise InvalidAnswer(UNKNOWN_LABEL, part.strip())
    found = {known[compact(part)] for part in parts}
    if not found:
        raise InvalidAnswer(EMPTY)
    if task.nothing in found and len(found) > 1:
        raise InvalidAnswer(NOTHING_AND_LABELS, text)
    return tuple(label for label in task.labels if label in found)
