"""How many steps fit into so many minutes, by a trial on this machine.

The run loads everything anew after the trial, as it would with `max_steps`, and is the same to the last bit.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from accelerate.utils import broadcast_object_list

from emollms.dataset.reader import Dataset
from emollms.training.data import TrainingRows
from emollms.training.recipe import Recipe
from emollms.training.recipe_args import Parsed
from emollms.training.schedule import Schedule, validation_limit
from emollms.training.trial import Costs, steps_of, tokens_of, try_steps

MOST_EPOCHS = 3


@dataclass(frozen=True)
class Trial:
    """What a trial gives.

    Args:
        max_steps: how many steps fit.
        rows: the rows of the first epoch, which the run would draw as well.
    """

    max_steps: int
    rows: TrainingRows


def time_steps(
    recipe: Recipe, parsed: Parsed, data: Dataset, out: Path, begun: float, note: Callable[[str], None]
) -> Trial:
    """Find out how many steps fit into the `minutes` of a recipe.

    Every process takes part, and what the first one finds counts for all.

    Args:
        recipe: the recipe.
        parsed: its settings, with `minutes`.
        data: the data set.
        out: the folder of the run, for the speed of its disk.
        begun: `time.monotonic()` when the minutes began.
        note: is told what was found.
    """
    seconds = 60 * float(parsed.tuning.minutes or 0)
    costs, rows = try_steps(recipe, parsed, data, out, seconds)
    costs = replace(costs, fixed=costs.fixed + time.monotonic() - begun)
    steps = steps_of(parsed, rows)
    found = [
        fitting_steps(parsed, [tokens_of(rows, parsed, step) for step in steps], len(rows.draws[0]), costs, seconds)
    ]
    broadcast_object_list(found)
    max_steps, needed = found[0]
    note(_told(max_steps, needed, seconds, MOST_EPOCHS * len(steps)))
    return Trial(max_steps, rows)


def fitting_steps(parsed: Parsed, tokens: Sequence[int], rows: int, costs: Costs, seconds: float) -> tuple[int, float]:
    """The most steps that fit, at least one and up to three epochs, and the seconds that they take.

    Args:
        parsed: the settings of the run.
        tokens: of each step of an epoch, padding included.
        rows: rows of an epoch.
        costs: what a run takes.
        seconds: the time there is.
    """
    training = np.cumsum(np.tile(np.asarray(tokens, dtype=np.float64), MOST_EPOCHS)) * costs.token
    needed = 0.0
    for steps in range(len(training), 0, -1):
        needed = costs.fixed + float(training[steps - 1]) + _further(parsed, rows, steps, costs)
        if needed <= seconds:
            return steps, needed
    return 1, needed


def _further(parsed: Parsed, rows: int, steps: int, costs: Costs) -> float:
    """Seconds of a run of some steps for all but its steps."""
    tuning = parsed.tuning
    schedule = Schedule(parsed.training, rows, planned=steps)
    limit = validation_limit(schedule, tuning.selection_rows, tuning.selection_share, costs.tasks)
    evaluations = schedule.evaluations(steps) * (costs.evaluation + costs.row * limit)
    redrawn = schedule.epochs * costs.epoch if schedule.epochs > 1 else 0.0
    return evaluations + schedule.checkpoints(steps) * costs.checkpoint + redrawn


def _told(steps: int, needed: float, seconds: float, most: int) -> str:
    asked = f"{seconds / 60:g} minute{'s' if seconds != 60 else ''}"
    if needed > seconds:
        return f"{asked} are too few: loading, one step and its evaluation take about {needed / 60:.1f}"
    fit = "1 step fits" if steps == 1 else f"{steps:,} steps fit"
    return f"{fit} into {asked}" + (f", as {MOST_EPOCHS} epochs need no more" if steps == most else "")
