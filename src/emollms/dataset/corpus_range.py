"""The range of the scores of a new corpus."""

import re
from dataclasses import replace

from emollms.corpora.gold_columns import assumed_range, numbers_of
from emollms.corpora.ratings import HAIR
from emollms.corpora.roles import Roles
from emollms.dataset.corpus_answers import Planner
from emollms.errors import UsageError
from emollms.tasks import TASKS, RegressionTask


def plan_ends(planner: Planner, roles: Roles, task: RegressionTask) -> tuple[float, float] | None:
    """The range of scores; None where it is the task's own and no value is outside."""
    low, high = (float(value) for value in roles.values[:2]) if roles.kind == "score" else _class_ends(roles)
    is_known = task.name in TASKS
    if told := planner.answers.range:
        ends = parse_range(told)
    elif (
        is_known
        and task.low - HAIR * (task.high - task.low) <= low
        and high <= task.high + HAIR * (task.high - task.low)
    ):
        ends = (task.low, task.high)
        planner.seen.append(f"values {low:g} to {high:g}, within {task.low:g} to {task.high:g} of {task.name}")
    else:
        guess = assumed_range(low, high)
        shown = f"{guess[0]:g}..{guess[1]:g}" if guess else ""
        if guess and planner.ask is None:
            ends = guess
            planner.assumed.append(f"the range is {shown}, whose ends the values reach; else say --range LOW..HIGH")
        else:
            hint = "LOW..HIGH, such as 1..9"
            ends = parse_range(
                planner.need("--range", f"which range have values from {low:g} to {high:g}", hint, shown)
            )
    if outside := count_outside(planner, roles, ends):
        planner.seen.append(f"{outside} values outside {ends[0]:g} to {ends[1]:g} by a hair are clipped")
    return None if is_known and ends == (task.low, task.high) and not outside else ends


def _class_ends(roles: Roles) -> tuple[float, float]:
    numbers = [float(value.replace(", ", ".")) for value in roles.values]
    return min(numbers), max(numbers)


def parse_range(told: str) -> tuple[float, float]:
    """A range as `--range` gives it, `1..9`; `5..1` where the least value means most.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*([+-]?[\d.]*\d)\s*(?:\.\.|:|–| to )\s*([+-]?[\d.]*\d)\s*", told)
    if not found or found[1] == found[2]:
        raise UsageError(f"--range {told!r} is no range; write LOW..HIGH, such as 1..9")
    return float(found[1]), float(found[2])


def count_outside(planner: Planner, roles: Roles, ends: tuple[float, float]) -> int:
    """How many values are outside a range.

    Raises:
        UsageError: one is outside by more than a hair.
    """
    least, most = min(ends), max(ends)
    hair = HAIR * (most - least)
    numbers = numbers_of(planner.columns, roles.gold_columns)
    if far := [number for number in numbers if not least - hair <= number <= most + hair]:
        raise UsageError(
            f"{len(far)} values are outside {least:g} to {most:g}, such as {far[0]:g}; see --range and --gold"
        )
    return sum(not least <= number <= most for number in numbers)


def with_range(task: RegressionTask, ends: tuple[float, float]) -> RegressionTask:
    """A task with the range of a corpus."""
    return replace(task, low=min(ends), high=max(ends))
