"""All that a run needs before its first step: the model, the rows in their order, and the trainer."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import Sampler
from transformers import PrinterCallback

from emollms.dataset.reader import Dataset, Row
from emollms.inference.encoding import PromptEncoder
from emollms.training.collate import CausalCollator, Seq2SeqCollator
from emollms.training.data import TrainingRows, training_rows, validation_rows, validation_tokens
from emollms.training.model import Loaded, load_model, use_liger
from emollms.training.recipe_args import Parsed
from emollms.training.sampler import EpochSampler
from emollms.training.schedule import Schedule, validation_limit
from emollms.training.trainer import make_trainer
from emollms.training.validation_metric import look

Note = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A run before its first step.

    Args:
        loaded: the base model and its tokenizer.
        codec: prompts and answers as tokens.
        rows: the training rows.
        validation: the validation rows that are evaluated, by name of the task.
        trainer: the trainer.
        draw_seconds: how long it took to draw the rows, and to make them tokens.
    """

    loaded: Loaded
    codec: PromptEncoder
    rows: TrainingRows
    validation: Mapping[str, Sequence[Row]]
    trainer: Any
    draw_seconds: float


def prepare(
    parsed: Parsed,
    data: Dataset,
    note: Note,
    drawn: TrainingRows | None = None,
    order: Callable[[TrainingRows], Sampler[int]] | None = None,
) -> Prepared:
    """Load the model, draw the rows, and make the trainer.

    Args:
        parsed: the settings of the run.
        data: a data set with training and validation rows.
        note: is told, once, which rows are left out.
        drawn: rows that were drawn for the same recipe; they are taken where this run would draw the same ones.
        order: gives another order of rows than the run's own, for a trial.

    Raises:
        UsageError: recipe, model and data do not fit together.
    """
    training, tuning = parsed.training, parsed.tuning
    loaded = load_model(parsed)
    codec = PromptEncoder(loaded.tokenizer, loaded.model, tuning.template)
    start = time.monotonic()
    rows = _draw(parsed, data, codec, note, drawn)
    draw_seconds = time.monotonic() - start
    every = validation_rows(data, tuning, training.seed)
    schedule = Schedule(training, len(rows.draws[0]))
    limit = validation_limit(schedule, tuning.selection_rows, tuning.selection_share, len(every))
    validation = validation_rows(data, replace(tuning, selection_rows=limit), training.seed)
    sampler = order(rows) if order else sampler_for(parsed, rows)
    # the validation rows of a trial add nodes to the number trees, which the run must not have
    trees = rows.trees.copy() if order else rows.trees
    trainer = _trainer(parsed, data, loaded, codec, replace(rows, trees=trees), validation, sampler)
    return Prepared(loaded, codec, rows, validation, trainer, draw_seconds)


def sampler_for(parsed: Parsed, rows: TrainingRows) -> EpochSampler:
    """The order of the rows of a run."""
    training = parsed.training
    return EpochSampler(
        rows.draws,
        rows.lengths,
        batch=Schedule(training, len(rows.draws[0])).batch,
        group=training.train_sampling_strategy == "group_by_length",
        seed=training.seed,
    )


def _draw(parsed: Parsed, data: Dataset, codec: PromptEncoder, note: Note, drawn: TrainingRows | None) -> TrainingRows:
    """Rows for as many epochs as the run begins: each that is drawn needs tokens of its own, and time to make them."""
    training = parsed.training
    limit = getattr(training, "max_length", None) or codec.tokenizer.model_max_length

    def draw(least: int) -> TrainingRows:
        def epochs(rows: int) -> int:
            return max(least, Schedule(training, rows).epochs)

        with training.main_process_first(local=True, desc="reading the data"):
            return training_rows(data, codec, parsed.tuning, epochs=epochs, max_length=limit, seed=training.seed)

    if drawn is None or Schedule(training, len(drawn.draws[0])).epochs != 1:
        drawn = draw(1)
    needed = Schedule(training, len(drawn.draws[0])).epochs
    if needed > len(drawn.draws):  # rows that are too long were left out, and the same steps are more epochs
        drawn = draw(needed)
    for name, count in drawn.counts.items():
        for number, why in ((count.cut_off, f"longer than {limit} tokens"), (count.shared, "stand in validation")):
            if number:
                note(f"{name}: {number:,} of {number + count.train:,} training texts are left out: {why}")
    return drawn


def _trainer(
    parsed: Parsed,
    data: Dataset,
    loaded: Loaded,
    codec: PromptEncoder,
    rows: TrainingRows,
    validation: Mapping[str, Sequence[Row]],
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
        collator=Seq2SeqCollator(codec.pad, codec.decoder_start[0]) if codec.seq2seq else CausalCollator(codec.pad),
        rows=rows.tokens,
        validation=validation_tokens(data, codec, validation, rows.trees) if evaluates else None,
        sampler=sampler,
        table=rows.trees.table(),
        look=look(validation, loaded.tokenizer, tuning.template) if by_metric else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
