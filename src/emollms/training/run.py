"""A training run: from a recipe and a data set to a checkpoint. The same command goes on where a run was stopped.

A folder of a run holds `settings.json` (what must be the same to go on, written first), `checkpoints/`, `model/` (what
came out) and `run.json` with its picture `curves.png` (written last).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from transformers.trainer import TRAINING_ARGS_NAME

from emollms.dataset.reader import Dataset
from emollms.evaluation.run_folder import claimed
from emollms.prompts.framing import framing_chat_template
from emollms.storage import commit
from emollms.training.blame import settings_errors
from emollms.training.callbacks import callbacks_for
from emollms.training.checkpoints import newest_checkpoint, remove_broken
from emollms.training.curves import draw_curves
from emollms.training.data import TrainingRows
from emollms.training.disk import check_space, checkpoint_size, model_size
from emollms.training.folder import (
    SETTINGS,
    begin,
    clear_draft,
    draft_of,
    is_finished,
    kept_resolved,
    write_settings,
)
from emollms.training.manifest import CHECKPOINTS, CURVES, MODEL, RunManifest, read_run
from emollms.training.pace import time_steps
from emollms.training.prepare import Prepared, prepare
from emollms.training.recipe import Recipe
from emollms.training.recipe_args import KEEP, Parsed, parse
from emollms.training.record import make_manifest, settings_of
from emollms.training.resources import MeasureUsage, Usage, read_usage
from emollms.training.stop import StopOnSignal

Tell = Callable[[str, int, int], None]
"""Is told what is done, how many steps are, and how many there will be."""


@dataclass(frozen=True)
class Finished:
    """A run that is done.

    Args:
        run: what it was.
        already: whether it was done before.
    """

    run: RunManifest
    already: bool


def train(
    recipe: Recipe,
    data: Dataset,
    out: Path,
    *,
    resume: bool = False,
    command: Sequence[str] = (),
    begun: float | None = None,
    tell: Tell = lambda what, done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> Finished:
    """Train what a recipe says, or go on with it.

    Args:
        recipe: the recipe; see `load_recipe` for one that trains so many minutes.
        data: a data set with training and validation rows.
        out: the folder of the run.
        resume: whether there must be a run to go on with.
        command: the command line, for the record.
        begun: `time.monotonic()` when the `minutes` of the recipe began; None for now.
        tell: is told of progress.
        note: is told, once, what should be known.

    Raises:
        UsageError: recipe, model and data do not fit together, or `out` holds something else.
        Interrupted: the run was asked to stop; the same call goes on.
        DivergedError: its loss, gradient or weights stopped being finite.
    """
    begun = time.monotonic() if begun is None else begun
    settings = cache(lambda: settings_of(recipe, data))
    parsed = parse(recipe, out / CHECKPOINTS, kept=lambda: kept_resolved(out, settings()))
    parsed = _as_the_first(recipe, out, parsed)
    first = parsed.training.process_index == 0
    with claimed(out, SETTINGS) if first else nullcontext():
        if is_finished(out):
            begin(out, settings(), parsed.resolved, resume)
            return Finished(read_run(out), already=True)
        if first:
            begin(out, settings(), parsed.resolved, resume)
        return Finished(_Run(recipe, data, out, parsed, settings, tuple(command), begun, tell, note).train(), False)


def _as_the_first(recipe: Recipe, out: Path, parsed: Parsed) -> Parsed:
    """The settings as the first process has them: others may have measured another speed, or read another folder."""
    shared = [parsed.resolved]
    broadcast_object_list(shared)
    if shared[0] == parsed.resolved:
        return parsed
    return parse(recipe, out / CHECKPOINTS, kept=lambda: shared[0])


@dataclass
class _Run:
    recipe: Recipe
    data: Dataset
    out: Path
    parsed: Parsed
    settings: Callable[[], dict[str, object]]
    command: tuple[str, ...]
    begun: float
    tell: Tell
    note: Callable[[str], None]

    def train(self) -> RunManifest:
        with settings_errors(self.recipe):
            drawn = self._fix_steps() if self.parsed.tuning.minutes and not self.parsed.resolved.max_steps else None
        checkpoints = self.out / CHECKPOINTS
        with settings_errors(self.recipe):
            ready = prepare(self.parsed, self.data, self.note, drawn)
        newest = self._newest(checkpoints)
        usage = MeasureUsage(self._usage(newest))
        stop = StopOnSignal()
        self._check_disk(ready.trainer)
        for callback in callbacks_for(self.parsed, ready.trainer, usage, stop, self.tell, self.note):
            ready.trainer.add_callback(callback)
        begun = int(newest.name.rpartition("-")[2]) if newest else 0
        try:
            with settings_errors(self.recipe, lambda: ready.trainer.state.global_step > begun):
                ready.trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        finally:
            stop.restore()
        stop.raise_if_stopped()
        ready.trainer.check_weights()
        return self._finish(ready, usage.so_far())

    def _fix_steps(self) -> TrainingRows:
        """Time a few steps, and write down how many fit into the minutes; gives the rows that were drawn for it."""
        trial = time_steps(self.recipe, self.parsed, self.data, self.out, self.begun, self.note)
        resolved = self.parsed.resolved.model_copy(update={"max_steps": trial.max_steps})
        if self.parsed.training.process_index == 0:
            write_settings(self.out, self.settings(), resolved)
        self.parsed = parse(self.recipe, self.out / CHECKPOINTS, kept=lambda: resolved)
        return trial.rows

    def _check_disk(self, trainer: Any) -> None:
        """Tell at once if what the run is going to write does not fit."""
        if trainer.args.should_save:
            # The oldest goes when the next is whole.
            saves = 0 if trainer.args.save_strategy == "no" else (self.parsed.keep or KEEP) + 1
            check_space(self.out, saves * checkpoint_size(trainer.model) + model_size(trainer.model))

    def _newest(self, checkpoints: Path) -> Path | None:
        """The checkpoint to go on from; those that were not written to their end are passed over, and removed."""
        training = self.parsed.training
        if training.process_index == 0:
            for broken in remove_broken(checkpoints):
                self.note(f"{broken.name} was not written to its end, and is passed over")
        training.distributed_state.wait_for_everyone()
        newest = newest_checkpoint(checkpoints)
        if newest:
            self.note(f"going on from {newest.name}")
        return newest

    def _usage(self, newest: Path | None) -> Usage:
        if newest is None:
            return Usage(started=datetime.now(UTC).isoformat(timespec="seconds"))
        before = read_usage(newest)
        return before.model_copy(update={"resumed": before.resumed + 1})

    def _finish(self, ready: Prepared, usage: Usage) -> RunManifest:
        """Write what came out; every process takes part, since weights may be spread over all of them."""
        loaded, codec, trainer = ready.loaded, ready.codec, ready.trainer
        run = make_manifest(
            self.recipe, self.parsed, self.data, loaded, trainer, ready.rows, ready.validation, usage, codec.template,
            self.command, self.out.resolve().name,
        )  # fmt: skip
        draft = draft_of(self.out / MODEL)
        if trainer.args.should_save:
            clear_draft(self.out / MODEL)
        trainer.args.distributed_state.wait_for_everyone()
        trainer.save_model(str(draft))
        if trainer.args.should_save:
            (draft / TRAINING_ARGS_NAME).unlink(missing_ok=True)  # a pickle; run.json says it in words
            if codec.template == "frame" and not codec.seq2seq:
                loaded.tokenizer.chat_template = framing_chat_template(loaded.tokenizer)
            loaded.tokenizer.save_pretrained(draft)
            loaded.model.generation_config.save_pretrained(draft)
            run.write(draft)
            commit(draft, self.out / MODEL)
            draw_curves(run, self.out / CURVES)
            run.write(self.out)
        trainer.end()
        return run
