"""A training run: from a recipe and a data set to a checkpoint. The same call resumes a run that was stopped.

A folder of a run holds `settings.json` (what must not change between resumptions, written first), `checkpoints/`,
`model/` (the trained model) and `run.json` with its plot `curves.png` (written last).
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
from emollms.progress import OnProgress, Warn, silent
from emollms.storage import commit
from emollms.training.blame import settings_errors
from emollms.training.callbacks import StopCallback, Usage, UsageCallback, callbacks_for, read_usage
from emollms.training.checkpoints import check_space, checkpoint_size, model_size, newest_checkpoint, remove_broken
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
from emollms.training.prepare import prepare
from emollms.training.prepared import Prepared, Rows
from emollms.training.recipe import Recipe
from emollms.training.recipe_args import KEEP, ParsedRecipe, parse
from emollms.training.record import draw_curves, make_manifest, settings_of
from emollms.training.result import TrainingRun
from emollms.training.soft_targets import SoftTargets, TargetSource
from emollms.training.trial import time_steps


def run_training(
    recipe: Recipe,
    data: Dataset | None,
    out: Path,
    *,
    teacher: TargetSource | None = None,
    resume: bool = False,
    command: Sequence[str] = (),
    begun: float | None = None,
    on_progress: OnProgress = silent,
    warn: Warn = lambda text: None,
) -> TrainingRun:
    """Train a recipe in this process, or resume it; `emollms.train` checks and launches before it calls this.

    Args:
        recipe: the recipe; see `load_recipe` for one that trains for some minutes.
        data: a data set with training and validation rows; None where a teacher gives all targets.
        out: the folder of the run.
        teacher: labels other texts, for recipes with `objective: heads`; `minutes` begin when it is done.
        resume: whether there must be a run to resume.
        command: the command line, for the record.
        begun: `time.monotonic()` when the `minutes` of the recipe began; None if they begin with this call.
        on_progress: is called with the newest loss, the steps done and the steps in all.
        warn: is called with each line that the user should see: rows left out, evaluations, what was resumed.

    Raises:
        UsageError: recipe, model and data do not fit together, or `out` holds something else.
        Interrupted: the run was asked to stop; the same call resumes.
        DivergedError: its loss, gradient or weights stopped being finite.
    """
    begun = time.monotonic() if begun is None else begun
    settings = cache(lambda: settings_of(recipe, data) | ({"teacher": teacher.settings()} if teacher else {}))
    parsed = parse(recipe, out / CHECKPOINTS, kept=lambda: kept_resolved(out, settings()))
    parsed = _as_first_process(recipe, out, parsed)
    first = parsed.training.process_index == 0
    with claimed(out, SETTINGS) if first else nullcontext():
        if is_finished(out):
            begin(out, settings(), parsed.resolved, resume)
            return TrainingRun(out, read_run(out), already=True)
        if first:
            begin(out, settings(), parsed.resolved, resume)
            for note in parsed.notes:
                warn(note)
        run = _Run(recipe, data, teacher, out, parsed, settings, tuple(command), begun, on_progress, warn)
        return TrainingRun(out, run.train())


def _as_first_process(recipe: Recipe, out: Path, parsed: ParsedRecipe) -> ParsedRecipe:
    """The settings of the first process: others may have measured another speed, or read another folder."""
    shared = [parsed.resolved]
    broadcast_object_list(shared)
    if shared[0] == parsed.resolved:
        return parsed
    return parse(recipe, out / CHECKPOINTS, kept=lambda: shared[0])


@dataclass
class _Run:
    recipe: Recipe
    data: Dataset | None
    teacher: TargetSource | None
    out: Path
    parsed: ParsedRecipe
    settings: Callable[[], dict[str, object]]
    command: tuple[str, ...]
    begun: float
    on_progress: OnProgress
    warn: Warn

    def train(self) -> RunManifest:
        soft = self._taught()
        with settings_errors(self.recipe):
            drawn = self._fix_steps(soft) if self.parsed.tuning.minutes and not self.parsed.resolved.max_steps else None
        checkpoints = self.out / CHECKPOINTS
        with settings_errors(self.recipe):
            ready = prepare(self.parsed, self.data, self.warn, drawn, soft=soft, on_progress=self.on_progress)
        newest = self._newest(checkpoints)
        usage = UsageCallback(self._usage(newest))
        stop = StopCallback()
        self._check_disk(ready.trainer)
        for callback in callbacks_for(self.parsed, ready.trainer, usage, stop, self.on_progress, self.warn):
            ready.trainer.add_callback(callback)
        begun = int(newest.name.rpartition("-")[2]) if newest else 0
        try:
            with settings_errors(self.recipe, lambda: ready.trainer.state.global_step > begun):
                ready.trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        finally:
            stop.restore()
        stop.raise_if_stopped()
        ready.trainer.check_weights()
        return self._finish(ready, usage.so_far(), soft)

    def _taught(self) -> SoftTargets | None:
        """What the teacher says; the time that it takes is none of the `minutes` of training."""
        if self.teacher is None:
            return None
        start = time.monotonic()
        soft = self.teacher.targets(self.on_progress)
        self.begun += time.monotonic() - start
        return soft

    def _fix_steps(self, soft: SoftTargets | None) -> Rows:
        """Time a few steps, and record how many fit into the minutes; returns the rows that were drawn for it."""
        max_steps, rows = time_steps(
            self.recipe, self.parsed, self.data, self.out, self.begun, self.warn, soft, self.on_progress
        )
        resolved = self.parsed.resolved.model_copy(update={"max_steps": max_steps})
        if self.parsed.training.process_index == 0:
            write_settings(self.out, self.settings(), resolved)
        self.parsed = parse(self.recipe, self.out / CHECKPOINTS, kept=lambda: resolved)
        return rows

    def _check_disk(self, trainer: Any) -> None:
        """Fail at once if the disk has no room for what the run will write."""
        if trainer.args.should_save:
            # One more than are kept: the oldest is removed once the next is sealed.
            saves = 0 if trainer.args.save_strategy == "no" else (self.parsed.keep or KEEP) + 1
            check_space(self.out, saves * checkpoint_size(trainer.model) + model_size(trainer.model))

    def _newest(self, checkpoints: Path) -> Path | None:
        """The checkpoint to resume from; incomplete ones are removed."""
        training = self.parsed.training
        if training.process_index == 0:
            for broken in remove_broken(checkpoints):
                self.warn(f"{broken.name} is incomplete or damaged, and was removed")
        training.distributed_state.wait_for_everyone()
        newest = newest_checkpoint(checkpoints)
        if newest:
            self.warn(f"resuming from {newest.name}")
        return newest

    def _usage(self, newest: Path | None) -> Usage:
        if newest is None:
            return Usage(started=datetime.now(UTC).isoformat(timespec="seconds"))
        before = read_usage(newest)
        return before.model_copy(update={"resumed": before.resumed + 1})

    def _finish(self, ready: Prepared, usage: Usage, soft: SoftTargets | None) -> RunManifest:
        """Write the model and the record; every process takes part, since weights may be sharded over all of them."""
        trainer = ready.trainer
        ready.finish()
        run = make_manifest(
            self.recipe, self.parsed, self.data, ready.loaded, trainer, ready.rows, ready.validation, usage,
            ready.template, self.command, self.out.resolve().name, soft.record if soft else None,
        )  # fmt: skip
        draft = draft_of(self.out / MODEL)
        if trainer.args.should_save:
            clear_draft(self.out / MODEL)
        trainer.args.distributed_state.wait_for_everyone()  # a late process must not clear what another has written
        trainer.save_model(str(draft))
        if trainer.args.should_save:
            (draft / TRAINING_ARGS_NAME).unlink(
                missing_ok=True
            )  # a pickle, which is unsafe to load; run.json has it all
            ready.write_companions(draft)
            run.write(draft)
            commit(draft, self.out / MODEL)
            draw_curves(run, self.out / CURVES)
            run.write(self.out)  # last: a folder with run.json counts as finished
        trainer.end()
        return run
