"""A training run: from a recipe and a data set to a checkpoint. The same command goes on where a run was stopped.

A folder of a run holds `settings.json` (what must be the same to go on, written first), `checkpoints/`, `model/` (what
came out) and `run.json` with its picture `curves.png` (written last).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformers import PrinterCallback
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.training_args import OptimizerNames

from emollms.evaluation.data import EvaluationData, Row
from emollms.evaluation.manifest import locked
from emollms.inference.tokens import Codec
from emollms.prompts.framing import framing_chat_template
from emollms.training.blame import settings_errors
from emollms.training.callbacks import callbacks_for
from emollms.training.checkpoints import newest_checkpoint, remove_broken
from emollms.training.collate import CausalCollator, Seq2SeqCollator
from emollms.training.curves import draw_curves
from emollms.training.data import TrainingRows, training_rows, validation_rows, validation_tokens
from emollms.training.disk import check_space, checkpoint_size, model_size, needed_for
from emollms.training.folder import SETTINGS, begin, clear_draft, draft_of, is_finished, move_in
from emollms.training.manifest import CHECKPOINTS, CURVES, MODEL, RunManifest, read_run
from emollms.training.model import Loaded, load_model, use_liger
from emollms.training.parsing import KEEP, Parsed, parse
from emollms.training.recipe import Recipe
from emollms.training.record import make_manifest, settings_of
from emollms.training.sampler import EpochSampler
from emollms.training.selection import look
from emollms.training.stop import StopOnSignal
from emollms.training.trainers import make_trainer
from emollms.training.usage import MeasureUsage, Usage, read_usage

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
    data: EvaluationData,
    out: Path,
    *,
    resume: bool = False,
    command: Sequence[str] = (),
    tell: Tell = lambda what, done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> Finished:
    """Train what a recipe says, or go on with it.

    Args:
        recipe: the recipe.
        data: a data set with training and validation rows.
        out: the folder of the run.
        resume: whether there must be a run to go on with.
        command: the command line, for the record.
        tell: is told of progress.
        note: is told, once, what should be known.

    Raises:
        UsageError: recipe, model and data do not fit together, or `out` holds something else.
        Interrupted: the run was asked to stop; the same call goes on.
        DivergedError: its loss, gradient or weights stopped being finite.
    """
    parsed = parse(recipe, out / CHECKPOINTS)
    first = parsed.training.process_index == 0
    with locked(out, SETTINGS) if first else nullcontext():
        if is_finished(out):
            _check_settings(recipe, data, parsed, out, resume)
            return Finished(read_run(out), already=True)
        if first:
            _check_settings(recipe, data, parsed, out, resume)
        return Finished(_Run(recipe, data, out, parsed, tuple(command), tell, note).train(), already=False)


def _check_settings(recipe: Recipe, data: EvaluationData, parsed: Parsed, out: Path, resume: bool) -> None:
    begin(out, settings_of(recipe, data, parsed), resume)


@dataclass
class _Run:
    recipe: Recipe
    data: EvaluationData
    out: Path
    parsed: Parsed
    command: tuple[str, ...]
    tell: Tell
    note: Callable[[str], None]

    def train(self) -> RunManifest:
        checkpoints = self.out / CHECKPOINTS
        with settings_errors(self.recipe):
            loaded = load_model(self.parsed)
        codec = Codec(loaded.tokenizer, loaded.model, self.parsed.tuning.template)
        rows, validation = self._rows(codec)
        newest = self._newest(checkpoints)
        usage = MeasureUsage(self._usage(newest))
        stop = StopOnSignal()
        with settings_errors(self.recipe):
            trainer = self._trainer(loaded, codec, rows, validation)
        trainer.remove_callback(PrinterCallback)
        self._check_disk(trainer)
        for callback in callbacks_for(self.parsed, trainer, usage, stop, self.tell, self.note):
            trainer.add_callback(callback)
        begun = int(newest.name.rpartition("-")[2]) if newest else 0
        try:
            with settings_errors(self.recipe, lambda: trainer.state.global_step > begun):
                trainer.train(resume_from_checkpoint=str(newest) if newest else None)
        finally:
            stop.restore()
        stop.raise_if_stopped()
        trainer.check_weights()
        return self._finish(loaded, codec, trainer, rows, validation, usage.so_far())

    def _rows(self, codec: Codec) -> tuple[TrainingRows, Mapping[str, Sequence[Row]]]:
        training, tuning = self.parsed.training, self.parsed.tuning
        limit = getattr(training, "max_length", None) or codec.tokenizer.model_max_length
        with training.main_process_first(local=True, desc="reading the data"):
            rows = training_rows(
                self.data,
                codec,
                tuning,
                epochs=self._epochs,
                max_length=limit,
                seed=training.seed,
            )
        for name, count in rows.counts.items():
            for number, why in ((count.cut_off, f"longer than {limit} tokens"), (count.shared, "stand in validation")):
                if number:
                    self.note(f"{name}: {number:,} of {number + count.train:,} training texts are left out: {why}")
        return rows, validation_rows(self.data, tuning, training.seed)

    def _epochs(self, rows: int) -> float:
        """Passes over the data, when one has so many rows; `max_steps` has the last word, as it has for the trainer."""
        training = self.parsed.training
        if training.max_steps > 0:
            return training.max_steps * training.gradient_accumulation_steps * self._batch / rows + 1
        return float(training.num_train_epochs)

    @property
    def _batch(self) -> int:
        """Rows that go through together, over all processes."""
        return int(self.parsed.training.train_batch_size * self.parsed.training.world_size)

    def _trainer(
        self, loaded: Loaded, codec: Codec, rows: TrainingRows, validation: Mapping[str, Sequence[Row]]
    ) -> Any:
        training, tuning = self.parsed.training, self.parsed.tuning
        evaluates = training.eval_strategy != "no" and bool(validation)
        use_liger(training, training.device)
        sampler = EpochSampler(
            rows.draws,
            rows.lengths,
            batch=self._batch,
            group=training.train_sampling_strategy == "group_by_length",
            seed=training.seed,
        )
        by_metric = evaluates and tuning.selection == "metric"
        looked_at = validation_tokens(self.data, codec, validation, rows.trees) if evaluates else None
        return make_trainer(
            self.parsed,
            model=loaded.model,
            tokenizer=loaded.tokenizer,
            collator=Seq2SeqCollator(codec.pad, codec.decoder_start[0]) if codec.seq2seq else CausalCollator(codec.pad),
            rows=rows.tokens,
            validation=looked_at,
            sampler=sampler,
            table=rows.trees.table(),
            look=look(validation, loaded.tokenizer, tuning.template) if by_metric else None,
        )

    def _check_disk(self, trainer: Any) -> None:
        """Tell at once if what the run is going to write does not fit."""
        if trainer.args.should_save:
            one, keep = checkpoint_size(trainer.model, OptimizerNames(trainer.args.optim).value), self.parsed.keep
            saves = 0 if trainer.args.save_strategy == "no" else (keep or KEEP) + 1
            check_space(self.out, needed_for(self.out / CHECKPOINTS, one, model_size(trainer.model), keep, saves))

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

    def _finish(
        self,
        loaded: Loaded,
        codec: Codec,
        trainer: Any,
        rows: TrainingRows,
        validation: Mapping[str, Sequence[Row]],
        usage: Usage,
    ) -> RunManifest:
        """Write what came out; every process takes part, since weights may be spread over all of them."""
        run = make_manifest(
            self.recipe, self.parsed, self.data, loaded, trainer, rows, validation, usage, codec.template, self.command,
            self.out.resolve().name,
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
            move_in(draft, self.out / MODEL)
            draw_curves(run, self.out / CURVES)
            run.write(self.out)
        trainer.end()
        return run
