"""A trial of a run: a few steps that are timed, and discarded with all that they changed.

It has a model, an optimizer and a trainer of its own, and draws no random number that the run would have drawn.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import torch
from accelerate.utils.memory import clear_device_cache
from numpy.typing import NDArray
from torch.utils.data import Sampler
from transformers import IntervalStrategy, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from emollms.dataset.reader import Dataset
from emollms.hardware import default_device
from emollms.training.data import TrainingRows, validation_tokens
from emollms.training.disk import checkpoint_size
from emollms.training.prepare import Prepared, prepare, sampler_for
from emollms.training.recipe import Recipe
from emollms.training.recipe_args import Parsed, parse
from emollms.training.schedule import LEAST_ROWS, Schedule
from emollms.training.stop import any_process
from emollms.training.validation_metric import look

_WARM_UP = 2
"""The most steps that are not timed: kernels are compiled, and memory is taken. One is enough where it takes long."""
_LEAST, _MOST = 3, 16
"""At least and at most so many steps are timed."""
_ENOUGH, _TOO_MUCH = 0.04, 0.12
"""Fractions of the minutes: after the first no more steps are timed than the least, after the second none."""
_WRITTEN = 64 * 2**20
"""Bytes that are written to see how fast the disk is."""
_END = 3.0
"""Seconds for hashes, the picture and the end of the process."""
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Costs:
    """Seconds that a run takes.

    Args:
        token: for a token of a training step, padding included.
        evaluation: for an evaluation, however few rows it has.
        row: for one validation row more of each task in it.
        checkpoint: for a checkpoint.
        epoch: for the rows of an epoch, where more than the first are needed.
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


def try_steps(recipe: Recipe, parsed: Parsed, data: Dataset, out: Path, seconds: float) -> tuple[Costs, TrainingRows]:
    """Train a few steps, evaluate a few rows, and write a file.

    Args:
        recipe: the recipe.
        parsed: its settings.
        data: the data set.
        out: the folder of the run.
        seconds: the time there is for the whole run.

    Returns:
        What all that takes, `fixed` without what came before the trial; and the rows of the first epoch, which the run
        would draw as well.
    """
    with _random_state_kept():
        found = _try(recipe, parsed, data, out, seconds)
    clear_device_cache(garbage_collection=True)
    return found


def _try(recipe: Recipe, parsed: Parsed, data: Dataset, out: Path, seconds: float) -> tuple[Costs, TrainingRows]:
    start = time.monotonic()
    trial = _trial_settings(recipe, parsed)
    ready = prepare(trial, data, lambda text: None, order=lambda rows: _Order(_sampled(trial, rows)))
    loading = time.monotonic() - start - ready.draw_seconds
    steps, trainer = _sampled(trial, ready.rows), ready.trainer
    pace = _Pace(seconds)
    trainer.add_callback(pace)
    trainer.args.max_steps, trainer.args.eval_strategy = len(steps), IntervalStrategy.NO
    trainer.train()
    tokens = sum(tokens_of(ready.rows, trial, step) for step in steps[pace.first : pace.first + pace.timed])
    size = checkpoint_size(trainer.model)
    checkpoint = size / _bytes_a_second(out) if trainer.args.process_index == 0 else inf
    evaluation, row = _evaluation_seconds(ready, data)
    costs = Costs(
        token=pace.seconds / tokens,
        evaluation=evaluation,
        row=row,
        checkpoint=checkpoint,
        epoch=ready.draw_seconds,
        tasks=len(ready.validation),
        fixed=loading + checkpoint + _END,  # the model at the end takes about as long as a checkpoint
    )
    return costs, ready.rows


def _trial_settings(recipe: Recipe, parsed: Parsed) -> Parsed:
    """Settings with which nothing is written, logged or sent, and few rows are evaluated."""
    resolved = parsed.resolved.model_copy(update={"max_steps": 1})
    trial = parse(recipe, Path(str(parsed.training.output_dir)), kept=lambda: resolved)
    trial.training.save_strategy, trial.training.logging_strategy = SaveStrategy.NO, IntervalStrategy.NO
    trial.training.report_to = []
    rows = min(LEAST_ROWS, parsed.tuning.selection_rows)
    return replace(trial, tuning=replace(trial.tuning, selection_rows=rows, selection_share=None))


class _Pace(TrainerCallback):
    """Times steps after the warm-up, and stops when enough of them are timed.

    Args:
        available: seconds of the whole run.

    `seconds` are of the `timed` steps, the `first` of which has that place among all, from 0.
    """

    def __init__(self, available: float) -> None:
        self.available = available
        self.seconds, self.timed, self.first, self._begin = 0.0, 0, _WARM_UP, 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin."""
        self._begin = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Look at the clock; an accelerator still works when the CPU comes here."""
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        now = time.monotonic()
        if state.global_step == 1 and any_process(now - self._begin >= _ENOUGH * self.available, args.device):
            self.first = 1
        if state.global_step <= self.first:
            self._begin = now
            return
        self.seconds, self.timed = now - self._begin, state.global_step - self.first
        enough = self.timed >= _LEAST and self.seconds >= _ENOUGH * self.available
        if any_process(enough or self.seconds >= _TOO_MUCH * self.available, args.device):
            control.should_training_stop = True


class _Order(Sampler[int]):
    """Rows in a given order.

    Args:
        steps: the rows of each step.
    """

    def __init__(self, steps: Sequence[Rows]) -> None:
        self.rows = np.concatenate(steps).tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)


def steps_of(parsed: Parsed, rows: TrainingRows) -> list[Rows]:
    """The rows of each step of the first epoch."""
    order = np.fromiter(sampler_for(parsed, rows), dtype=np.int64)
    size = Schedule(parsed.training, len(order)).step_rows
    return [order[first : first + size] for first in range(0, len(order), size)]


def _sampled(parsed: Parsed, rows: TrainingRows) -> list[Rows]:
    """Steps for the trial: the longest and a middle one to warm up, then such that the first few stand for all.

    Rows of like length come together, so that steps differ by a factor of three; these are taken at places that halve,
    quarter, ... the steps sorted by length (van der Corput's sequence).
    """
    steps = steps_of(parsed, rows)
    whole = [step for step in steps if len(step) == len(steps[0])]
    ordered = sorted(whole, key=lambda step: tokens_of(rows, parsed, step))
    places = [_halving(number) for number in range(1, _MOST + 1)]
    size = Schedule(parsed.training, len(rows.draws[0])).step_rows
    chosen = [ordered[-1], ordered[len(ordered) // 2], *(ordered[int(place * len(ordered))] for place in places)]
    return [np.resize(step, size) for step in chosen]  # data of less than a step


def _halving(number: int) -> float:
    """Member of van der Corput's sequence: 1/2, 1/4, 3/4, 1/8, 5/8, ... for 1, 2, 3, 4, 5, ..."""
    return int(f"{number:b}"[::-1], 2) / (1 << number.bit_length())


def tokens_of(rows: TrainingRows, parsed: Parsed, step: Rows) -> int:
    """Tokens of a step, padding included: each batch is as long as its longest row."""
    size = Schedule(parsed.training, len(rows.draws[0])).batch
    batches = [rows.lengths[step[first : first + size]] for first in range(0, len(step), size)]
    return sum(len(batch) * int(batch.max()) for batch in batches)


def _evaluation_seconds(ready: Prepared, data: Dataset) -> tuple[float, float]:
    """Seconds for an evaluation, and for one more row of each task in it; 0 where nothing is evaluated."""
    if ready.trainer.eval_dataset is None:
        return 0.0, 0.0
    rows = max(map(len, ready.validation.values()))
    few, many = (_evaluate(ready, data, count) for count in (1, rows))
    row = max(0.0, many - few) / max(1, rows - 1)
    return max(0.0, few - row), row


def _evaluate(ready: Prepared, data: Dataset, count: int) -> float:
    """Seconds for an evaluation of so many rows of each task."""
    rows = {name: some[:count] for name, some in ready.validation.items()}
    tokens = validation_tokens(data, ready.codec, rows, ready.rows.trees.copy())
    if ready.trainer.look is not None:
        ready.trainer.look = look(rows, ready.loaded.tokenizer, ready.codec.template)
    begin = time.monotonic()
    ready.trainer.evaluate(tokens)
    return time.monotonic() - begin


def _bytes_a_second(folder: Path) -> float:
    """How fast the disk of a folder is."""
    with TemporaryFile(dir=folder) as stream:
        begin = time.monotonic()
        stream.write(bytes(_WRITTEN))
        stream.flush()
        os.fsync(stream.fileno())
        return _WRITTEN / (time.monotonic() - begin)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Give random numbers back as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    device = default_device()
    devices = [] if device.type == "cpu" else list(range(torch.accelerator.device_count()))
    try:
        with torch.random.fork_rng(devices, device_type="cuda" if device.type == "cpu" else device.type):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
