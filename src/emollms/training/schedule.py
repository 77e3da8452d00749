"""How many steps, evaluations and checkpoints a run makes: what the trainer will do, known before it begins."""

from dataclasses import dataclass
from math import ceil
from typing import Any

LEAST_ROWS = 4
"""Validation rows of a task that are evaluated each time, whatever `selection_share` says."""


@dataclass(frozen=True)
class Schedule:
    """The events of a run.

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
        """Rows that go through together, over all processes."""
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
        """How many checkpoints are written in so many steps: one at the end too, where they are counted in steps."""
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
    """The most validation rows of a task that are evaluated each time; it follows from the settings of a run alone.

    Args:
        schedule: of the run.
        rows: as many as are asked for.
        share: the most that are evaluated in the whole run, as a fraction of the rows that are trained; None for all.
        tasks: how many tasks are evaluated.
    """
    if share is None:
        return rows
    times = max(1, schedule.evaluations(schedule.steps))
    return min(rows, max(LEAST_ROWS, int(share * schedule.steps * schedule.step_rows / (times * max(1, tasks)))))
