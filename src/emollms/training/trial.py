"""How a budget of minutes becomes a number of steps: a few steps are timed on this machine, and discarded.

The number of steps is fixed once and recorded, so that a run of so many minutes is, to the last bit, the run with
`max_steps`: a run that watched the clock instead could neither be resumed nor repeated. The trial has a model, an
optimizer and a trainer of its own, the run loads everything anew, and random states are restored in between.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from accelerate.utils.memory import clear_device_cache
from numpy.typing import NDArray
from torch.utils.data import Sampler
from transformers import IntervalStrategy, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from emollms.dataset.reader import Dataset
from emollms.hardware import default_device
from emollms.progress import OnProgress, Warn, silent
from emollms.training.callbacks import any_process
from emollms.training.checkpoints import checkpoint_size
from emollms.training.prepare import prepare
from emollms.training.prepared import Prepared, Rows, sampler_for
from emollms.training.recipe import Recipe
from emollms.training.recipe_args import ParsedRecipe, parse
from emollms.training.schedule import LEAST_ROWS, Costs, Schedule, fitting_steps
from emollms.training.soft_targets import SoftTargets

_WARM_UP = 2
"""Most steps before the timed ones: kernels are compiled, memory is allocated. Where steps are long, one is enough."""
_LEAST, _MOST = 3, 16
"""Least and most steps that are timed."""
_ENOUGH, _TOO_MUCH = 0.04, 0.12
"""Fractions of the budget: after the first no more steps than the least are timed, after the second none."""
_WRITTEN = 64 * 2**20
"""Bytes that are written to measure the disk."""
_END = 3.0
"""Seconds for hashes, the plot and the end of the process."""
RowNumbers = NDArray[np.int64]


def time_steps(
    recipe: Recipe,
    parsed: ParsedRecipe,
    data: Dataset | None,
    out: Path,
    begun: float,
    warn: Warn,
    soft: SoftTargets | None = None,
    on_progress: OnProgress = silent,
) -> tuple[int, Rows]:
    """Find out how many steps fit into the `minutes` of a recipe.

    Args:
        recipe: the recipe.
        parsed: its settings, with `minutes`.
        data: the data set.
        out: the folder of the run, whose disk is measured.
        begun: `time.monotonic()` when the minutes began.
        warn: is called with the result.
        soft: what a teacher says.
        on_progress: see `emollms.training.prepare.prepare`.

    Returns:
        The steps, and the rows of the first epoch, which the run would draw as well.
    """
    seconds = 60 * float(parsed.tuning.minutes or 0)
    with _random_state_kept():
        costs, rows = _try(recipe, parsed, data, out, seconds, soft, on_progress)
    clear_device_cache(garbage_collection=True)  # the run must find the memory that the trial had
    costs = replace(costs, fixed=costs.fixed + time.monotonic() - begun)
    steps = _steps_of(parsed, rows)
    found = [
        fitting_steps(parsed, [_tokens_of(rows, parsed, step) for step in steps], len(rows.draws[0]), costs, seconds)
    ]
    broadcast_object_list(found)  # clocks differ: what the first process measured counts for all
    max_steps, needed = found[0]
    epochs = parsed.tuning.most_epochs
    warn(_report(max_steps, needed, seconds, epochs, epochs * len(steps)))
    return max_steps, rows


def _report(steps: int, needed: float, seconds: float, epochs: int, most: int) -> str:
    budget = f"{seconds / 60:g} minute{'s' if seconds != 60 else ''}"
    if needed > seconds:
        return f"{budget} are too few: loading, one step and its evaluation take about {needed / 60:.1f}"
    fit = "1 step fits" if steps == 1 else f"{steps:,} steps fit"
    return f"{fit} into {budget}" + (f", as {epochs} epochs need no more" if steps == most else "")


def _try(
    recipe: Recipe,
    parsed: ParsedRecipe,
    data: Dataset | None,
    out: Path,
    seconds: float,
    soft: SoftTargets | None,
    on_progress: OnProgress,
) -> tuple[Costs, Rows]:
    """Train a few steps, evaluate a few rows, and write a file; `fixed` is without what came before the trial."""
    start = time.monotonic()
    trial = _trial_settings(recipe, parsed)
    ready = prepare(
        trial, data, lambda text: None, order=lambda rows: _Order(_sampled(trial, rows)), soft=soft,
        on_progress=on_progress,
    )  # fmt: skip
    loading = time.monotonic() - start - ready.draw_seconds
    steps, trainer = _sampled(trial, ready.rows), ready.trainer
    timer = _TimerCallback(seconds)
    trainer.add_callback(timer)
    trainer.args.max_steps, trainer.args.eval_strategy = len(steps), IntervalStrategy.NO
    trainer.train()
    tokens = sum(_tokens_of(ready.rows, trial, step) for step in steps[timer.first : timer.first + timer.timed])
    size = checkpoint_size(trainer.model)
    checkpoint = size / _bytes_a_second(out) if trainer.args.process_index == 0 else inf
    evaluation, row = _evaluation_seconds(ready)
    costs = Costs(
        token=timer.seconds / tokens,
        evaluation=evaluation,
        row=row,
        checkpoint=checkpoint,
        epoch=ready.draw_seconds,
        tasks=len(ready.validation),
        fixed=loading + checkpoint + _END,  # the model at the end takes about as long as a checkpoint
    )
    return costs, ready.rows


def _trial_settings(recipe: Recipe, parsed: ParsedRecipe) -> ParsedRecipe:
    """Settings with which nothing is written, logged or sent, and few rows are evaluated."""
    resolved = parsed.resolved.model_copy(update={"max_steps": 1})
    trial = parse(recipe, Path(str(parsed.training.output_dir)), kept=lambda: resolved)
    trial.training.save_strategy, trial.training.logging_strategy = SaveStrategy.NO, IntervalStrategy.NO
    trial.training.report_to = []
    rows = min(LEAST_ROWS, parsed.tuning.selection_rows)
    return replace(trial, tuning=replace(trial.tuning, selection_rows=rows, selection_share=None))


class _TimerCallback(TrainerCallback):
    """Times steps after the warm-up, and stops when enough of them are timed.

    Args:
        budget: seconds of the whole run.

    `seconds` are those of the `timed` steps, from step `first` on, counted from 0.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.seconds, self.timed, self.first, self._begin = 0.0, 0, _WARM_UP, 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock."""
        self._begin = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Read the clock."""
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()  # kernels are queued: the CPU is here before they are done
        now = time.monotonic()
        if state.global_step == 1 and any_process(now - self._begin >= _ENOUGH * self.budget, args.device):
            self.first = 1
        if state.global_step <= self.first:
            self._begin = now
            return
        self.seconds, self.timed = now - self._begin, state.global_step - self.first
        enough = self.timed >= _LEAST and self.seconds >= _ENOUGH * self.budget
        if any_process(enough or self.seconds >= _TOO_MUCH * self.budget, args.device):
            control.should_training_stop = True


class _Order(Sampler[int]):
    """Rows in a given order.

    Args:
        steps: the rows of each step.
    """

    def __init__(self, steps: Sequence[RowNumbers]) -> None:
        self.rows = np.concatenate(steps).tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)


def _steps_of(parsed: ParsedRecipe, rows: Rows) -> list[RowNumbers]:
    """The rows of each step of the first epoch."""
    order = np.fromiter(sampler_for(parsed, rows), dtype=np.int64)
    size = Schedule(parsed.training, len(order)).step_rows
    return [order[first : first + size] for first in range(0, len(order), size)]


def _sampled(parsed: ParsedRecipe, rows: Rows) -> list[RowNumbers]:
    """Steps for the trial: the longest and a middle one to warm up, then a sample of which any beginning is fair.

    Rows are grouped by length, so that steps differ by a factor of three, and how many can be timed is unknown before.
    So steps sorted by length are taken at 1/2, 1/4, 3/4, 1/8, … (van der Corput's sequence): however early the trial
    stops, short and long steps were timed alike.
    """
    steps = _steps_of(parsed, rows)
    whole = [step for step in steps if len(step) == len(steps[0])]
    ordered = sorted(whole, key=lambda step: _tokens_of(rows, parsed, step))
    fractions = [_halving(number) for number in range(1, _MOST + 1)]
    size = Schedule(parsed.training, len(rows.draws[0])).step_rows
    # The longest comes first: memory that does not suffice shows at once.
    chosen = [ordered[-1], ordered[len(ordered) // 2], *(ordered[int(one * len(ordered))] for one in fractions)]
    return [np.resize(step, size) for step in chosen]  # data of less than a step is repeated


def _halving(number: int) -> float:
    """Member of van der Corput's sequence: 1/2, 1/4, 3/4, 1/8, 5/8, ... for 1, 2, 3, 4, 5, ..."""
    return int(f"{number:b}"[::-1], 2) / (1 << number.bit_length())


def _tokens_of(rows: Rows, parsed: ParsedRecipe, step: RowNumbers) -> int:
    """Tokens of a step, padding included: each batch is as long as its longest row."""
    size = Schedule(parsed.training, len(rows.draws[0])).batch
    batches = [rows.lengths[step[first : first + size]] for first in range(0, len(step), size)]
    return sum(len(batch) * int(batch.max()) for batch in batches)


def _evaluation_seconds(ready: Prepared) -> tuple[float, float]:
    """Seconds for an evaluation, and for one more row of each task in it; 0 where nothing is evaluated."""
    if ready.trainer.eval_dataset is None:
        return 0.0, 0.0
    rows = max(map(len, ready.validation.values()))
    few, many = (_evaluate(ready, count) for count in (1, rows))
    row = max(0.0, many - few) / max(1, rows - 1)
    return max(0.0, few - row), row


def _evaluate(ready: Prepared, count: int) -> float:
    """Seconds for an evaluation of so many rows of each task."""
    rows = {name: some[:count] for name, some in ready.validation.items()}
    tokens, scorer = ready.validation_set(rows)
    if ready.trainer.scorer is not None:
        ready.trainer.scorer = scorer
    begin = time.monotonic()
    ready.trainer.evaluate(tokens)
    return time.monotonic() - begin


def _bytes_a_second(folder: Path) -> float:
    """How fast the disk of a folder is; without fsync it would be the speed of memory."""
    with TemporaryFile(dir=folder) as stream:
        begin = time.monotonic()
        stream.write(bytes(_WRITTEN))
        stream.flush()
        os.fsync(stream.fileno())
        return _WRITTEN / (time.monotonic() - begin)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the random states of Python, NumPy and torch."""
    python, numpy = random.getstate(), np.random.get_state()
    device = default_device()
    devices = [] if device.type == "cpu" else list(range(torch.accelerator.device_count()))
    try:
        with torch.random.fork_rng(devices, device_type="cuda" if device.type == "cpu" else device.type):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
