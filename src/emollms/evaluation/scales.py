"""The scale that answers to a regression task are on: 0..1, or the native range of the task."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from emollms.errors import unknown
from emollms.prompts.answers import ParsedAnswer, parse_answer
from emollms.tasks import RegressionTask, Task

Scale = Literal["unit", "native", "auto"]
"""`unit` is 0..1, `native` the range of the task (-4..4, 1..5); `auto` takes the one that a task's answers are on."""
UNIT = (0.0, 1.0)
NATIVE_FRACTION = 0.05
"""Answers look native from this fraction outside 0..1 on. Of the native answers of two released models, 7 to 99 % are
outside, task by task; models that answer on 0..1 leave it in up to 2 %."""
FEWEST = 3
"""Fewer answers outside 0..1 are outliers, unless they are half of all."""


@dataclass(frozen=True)
class ScaleChoice:
    """The scale that the answers to a task were read on.

    Args:
        name: which it is.
        low: its lowest score.
        high: its highest score.
        outside: answers outside 0..1, on the native range; 0 unless `auto` counted them.
        numbers: answers with a number on either scale; 0 unless `auto` counted them.
        asked: what was asked for.
    """

    name: Literal["unit", "native"]
    low: float
    high: float
    outside: int = 0
    numbers: int = 0
    asked: Scale = "unit"

    def to_unit(self, answer: ParsedAnswer) -> ParsedAnswer:
        """An answer on this scale as one on 0..1."""
        if self.name == "unit" or not isinstance(answer.value, float):
            return answer
        return ParsedAnswer((answer.value - self.low) / (self.high - self.low), None)


def choose_scale(task: Task, answers: Iterable[tuple[str, str | None]], asked: Scale = "auto") -> ScaleChoice | None:
    """The scale that the answers to `task` are read on, one for all of them; None where it has no scores.

    Args:
        task: the task.
        answers: all answers, each with the emotion asked for.
        asked: `auto` decides by the answers: native where at least 5 % of them, and 3 or half, are outside 0..1 but
            on the native range.

    Raises:
        UsageError: there is no such scale.
    """
    if asked not in get_args(Scale):
        raise unknown("scale", asked, get_args(Scale))
    if not isinstance(task, RegressionTask):
        return None
    native = (task.low, task.high)
    if native == UNIT or asked == "unit":
        return ScaleChoice("unit", *UNIT, asked=asked)
    if asked == "native":
        return ScaleChoice("native", *native, asked=asked)
    either = (min(native[0], 0.0), max(native[1], 1.0))
    read = (parse_answer(task, answer, emotion, either, "lenient").value for answer, emotion in answers)
    numbers = [value for value in read if isinstance(value, float)]
    outside = sum(not 0 <= number <= 1 and native[0] <= number <= native[1] for number in numbers)
    clearly = outside >= max(FEWEST, NATIVE_FRACTION * len(numbers)) or 0 < len(numbers) <= 2 * outside
    name, ends = ("native", native) if clearly else ("unit", UNIT)
    return ScaleChoice(name, *ends, outside=outside, numbers=len(numbers), asked=asked)  # type: ignore[arg-type]
