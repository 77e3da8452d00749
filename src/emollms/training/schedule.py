"""How many steps, evaluations and checkpoints a run makes, and how many steps fit into a time budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

LEAST_ROWS = 4
"""Validation rows of a task that are evaluated each time, whatever `selection_share` says."""


@dataclass(frozen=True)
class Schedule:
    """The events of a run, as the trainer will count them.

    Args:
        training: the settings of the trainer.
        rows: rows of an epoch.
        planned: optimizer steps of the run, where they are not yet in the settings.
    """

    training: Any
    rows: int
    planned: int | None = None

    @property
    def batch(self) -> int:
        """Rows of one forward pass, over all processes."""
        return int(self.training.train_batch_size * self.training.world_size)

    @property
    def step_rows(self) -> int:
        """Rows of an optimizer step."""
        return self.batch * int(self.training.gradient_accumulation_steps)

    @property
    def epoch_steps(self) -> int:
        """Optimizer steps of an epoch; the last one may be short."""
        return ceil(self.rows / self.step_rows)

    @property
    def steps(self) -> int:
        """Optimizer steps of the run; `max_steps` overrides `num_train_epochs`, as it does for the trainer."""
        if self.planned:
            return self.planned
        if self.training.max_steps > 0:
            return int(self.training.max_steps)
        return ceil(float(self.training.num_train_epochs) * self.epoch_steps)

    @property
    def epochs(self) -> int:
        """Passes over the data that are begun."""
        return ceil(self.steps / self.epoch_steps)

    def evaluations(self, steps: int) -> int:
        """How often validation rows are evaluated in so many steps."""
        first = int(bool(self.training.eval_on_start))
        return first + self._events(str(self.training.eval_strategy.value), self.training.eval_steps, steps)

    def checkpoints(self, steps: int) -> int:
        """How many checkpoints are written in so many steps; `save_strategy: steps` writes one at the end too."""
        strategy = str(self.training.save_strategy.value)
        if strategy == "best":
            return self.evaluations(steps)
        return self._events(strategy, self.training.save_steps, steps, at_end=True)

    def _events(self, strategy: str, every: float, steps: int, at_end: bool = False) -> int:
        if strategy == "no":
            return 0
        if strategy == "epoch":
            return ceil(steps / self.epoch_steps)
        interval = ceil(every * steps) if every < 1 else int(every)  # below 1 it is a fraction of all steps
        return steps // interval + int(at_end and steps % interval > 0)


def validation_limit(schedule: Schedule, rows: int, share: float | None, tasks: int) -> int:
    """The most validation rows of a task in one evaluation; it depends on the settings of a run alone.

    Args:
        schedule: of the run.
        rows: as many as are asked for.
        share: the most that are evaluated in the whole run, as a fraction of the training rows; None for no limit.
        tasks: how many tasks are evaluated.
    """
    if share is None:
        return rows
    times = max(1, schedule.evaluations(schedule.steps))
    return min(rows, max(LEAST_ROWS, int(share * schedule.steps * schedule.step_rows / (times * max(1, tasks)))))


@dataclass(frozen=True)
class Costs:
    """What the parts of a run cost, in seconds.

    Args:
        token: a token of a training step, padding included.
        evaluation: an evaluation, however few rows it has.
        row: one more validation row of each task in an evaluation.
        checkpoint: a checkpoint.
        epoch: the rows of an epoch, where more than the first are needed.
        tasks: no seconds, but how many tasks are evaluated.
        fixed: before the first step, since the minutes began, and after the last.
    """

    token: float
    evaluation: float
    row: float
    checkpoint: float
    epoch: float
    tasks: int
    fixed: float


def fitting_steps(parsed: Any, tokens: Sequence[int], rows: int, costs: Costs, seconds: float) -> tuple[int, float]:
    """The most steps that fit, at least one and at most `most_epochs`, and the seconds that they take.

    Args:
        parsed: the settings of the run (`recipe_args.ParsedRecipe`).
        tokens: of each step of an epoch, padding included.
        rows: rows of an epoch.
        costs: what the parts of a run cost.
        seconds: the time budget.
    """
    training = np.cumsum(np.tile(np.asarray(tokens, dtype=np.float64), parsed.tuning.most_epochs)) * costs.token
    needed = 0.0
    # Counted down, not bisected: the time is not monotonic in the steps. With `eval_steps: 0.25` one step more can
    # mean one evaluation less, and an epoch begun means rows to draw.
    for steps in range(len(training), 0, -1):
        needed = costs.fixed + float(training[steps - 1]) + _besides_steps(parsed, rows, steps, costs)
        if needed <= seconds:
            return steps, needed
    return 1, needed


def _besides_steps(parsed: Any, rows: int, steps: int, costs: Costs) -> float:
    """Seconds for evaluations, checkpoints and further epochs in a run of so many steps."""
    tuning = parsed.tuning
    schedule = Schedule(parsed.training, rows, planned=steps)
    limit = validation_limit(schedule, tuning.selection_rows, tuning.selection_share, costs.tasks)
    evaluations = schedule.evaluations(steps) * (costs.evaluation + costs.row * limit)
    # The trial drew one epoch, which the run reuses only if it needs no second: see `prepare`.
    redrawn = schedule.epochs * costs.epoch if schedule.epochs > 1 else 0.0
    return evaluations + schedule.checkpoints(steps) * costs.checkpoint + redrawn
