"""What a run needs before its first step: the model, the rows in their order, and the trainer."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch.utils.data import Sampler
from transformers import PrinterCallback

from emollms.dataset.reader import Dataset
from emollms.inference.encoding import PromptEncoder
from emollms.progress import OnProgress, Warn, silent
from emollms.prompts.framing import framing_chat_template
from emollms.training.data import TrainingRows, training_rows, validation_rows, validation_tokens
from emollms.training.heads import prepare_heads
from emollms.training.model import LoadedModel, load_model, use_liger
from emollms.training.prepared import Prepared, Rows, ValidationRows, sampler_for
from emollms.training.recipe_args import ParsedRecipe
from emollms.training.schedule import Schedule, validation_limit
from emollms.training.soft_targets import SoftTargets
from emollms.training.tokenize import CausalCollator, Seq2SeqCollator
from emollms.training.trainer import Scorer, make_trainer
from emollms.training.validation_metric import validation_scorer

Order = Callable[[Any], Sampler[int]]
"""Makes an order of rows."""


def prepare(
    parsed: ParsedRecipe,
    data: Dataset | None,
    warn: Warn,
    drawn: Rows | None = None,
    order: Order | None = None,
    soft: SoftTargets | None = None,
    on_progress: OnProgress = silent,
) -> Prepared:
    """Load the model, draw the rows, and make the trainer.

    Args:
        parsed: the settings of the run.
        data: a data set with training and validation rows; None where a teacher gave all targets.
        warn: is called with a line on the rows that are left out.
        drawn: rows that a trial drew for the same recipe; reused if this run would draw the same ones.
        order: makes another order of rows than that of the run, for a trial.
        soft: what a teacher says, for one-pass classifiers.
        on_progress: is called with the texts whose frozen layers are computed, and all.

    Raises:
        UsageError: recipe, model and data do not fit together.
    """
    if parsed.tuning.objective == "heads":
        return prepare_heads(parsed, data, warn, cast(Any, drawn), order, soft, on_progress)
    assert data is not None
    training, tuning = parsed.training, parsed.tuning
    loaded = load_model(parsed)
    encoder = PromptEncoder(loaded.tokenizer, loaded.model, tuning.template)
    start = time.monotonic()
    rows = _draw(parsed, data, encoder, warn, cast(TrainingRows | None, drawn))
    draw_seconds = time.monotonic() - start
    # Twice: how many rows an evaluation has depends on how many tasks have any.
    every = validation_rows(data, tuning, training.seed)
    schedule = Schedule(training, len(rows.draws[0]))
    limit = validation_limit(schedule, tuning.selection_rows, tuning.selection_share, len(every))
    validation = validation_rows(data, replace(tuning, selection_rows=limit), training.seed)
    sampler = order(rows) if order else sampler_for(parsed, rows)
    # The run reuses the rows of a trial: its trees must not hold the nodes of the trial's few validation rows.
    trees = rows.trees.copy() if order else rows.trees

    def validation_set(chosen: ValidationRows) -> tuple[Any, Scorer | None]:
        by_metric = tuning.selection == "metric"
        scorer = validation_scorer(chosen, loaded.tokenizer, tuning.template) if by_metric else None
        return validation_tokens(data, encoder, chosen, trees.copy()), scorer

    trainer = _trainer(parsed, data, loaded, encoder, replace(rows, trees=trees), validation, sampler)
    return Prepared(
        loaded, encoder.template, rows, validation, trainer, draw_seconds, validation_set, lambda: None,
        partial(_write_companions, loaded, encoder),
    )  # fmt: skip


def _write_companions(loaded: LoadedModel, encoder: PromptEncoder, folder: Path) -> None:
    if encoder.template == "frame" and not encoder.seq2seq:
        loaded.tokenizer.chat_template = framing_chat_template(loaded.tokenizer)
    loaded.tokenizer.save_pretrained(folder)
    loaded.model.generation_config.save_pretrained(folder)


def _draw(
    parsed: ParsedRecipe,
    data: Dataset,
    encoder: PromptEncoder,
    warn: Warn,
    drawn: TrainingRows | None,
) -> TrainingRows:
    """Rows for as many epochs as the run begins: each epoch draws other wordings, which take time to tokenize."""
    training = parsed.training
    limit = getattr(training, "max_length", None) or encoder.tokenizer.model_max_length

    def draw(least: int) -> TrainingRows:
        def epochs(rows: int) -> int:
            return max(least, Schedule(training, rows).epochs)

        with training.main_process_first(local=True, desc="reading the data"):
            return training_rows(data, encoder, parsed.tuning, epochs=epochs, max_length=limit, seed=training.seed)

    if drawn is None or Schedule(training, len(drawn.draws[0])).epochs != 1:
        drawn = draw(1)
    needed = Schedule(training, len(drawn.draws[0])).epochs
    if needed > len(drawn.draws):  # rows that are too long were left out, so the same steps take more epochs
        drawn = draw(needed)
    for name, count in drawn.counts.items():
        for number, why in ((count.cut_off, f"longer than {limit} tokens"), (count.shared, "also in validation")):
            if number:
                warn(f"{name}: {number:,} of {number + count.train:,} training texts are left out ({why})")
    return drawn


def _trainer(
    parsed: ParsedRecipe,
    data: Dataset,
    loaded: LoadedModel,
    encoder: PromptEncoder,
    rows: TrainingRows,
    validation: ValidationRows,
    sampler: Sampler[int],
) -> Any:
    training, tuning = parsed.training, parsed.tuning
    evaluates = training.eval_strategy != "no" and bool(validation)
    use_liger(training, training.device)
    by_metric = evaluates and tuning.selection == "metric"
    trainer = make_trainer(
        parsed,
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        collator=Seq2SeqCollator(encoder.pad, encoder.decoder_start[0])
        if encoder.seq2seq
        else CausalCollator(encoder.pad),
        rows=rows.tokens,
        validation=validation_tokens(data, encoder, validation, rows.trees) if evaluates else None,
        sampler=sampler,
        table=rows.trees.table(),
        scorer=validation_scorer(validation, loaded.tokenizer, tuning.template) if by_metric else None,
    )
    trainer.remove_callback(PrinterCallback)  # it prints logs as dictionaries where the progress bar of tqdm is off
    return trainer
