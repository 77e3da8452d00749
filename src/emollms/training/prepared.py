"""A run before its first step, whatever it trains: what `run` and `trial` need to know of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emollms.dataset.reader import Row
from emollms.training.data import TrainingRows
from emollms.training.head_rows import HeadRows
from emollms.training.model import LoadedModel
from emollms.training.recipe_args import ParsedRecipe
from emollms.training.sampler import EpochSampler
from emollms.training.schedule import Schedule
from emollms.training.trainer import Scorer

Rows = TrainingRows | HeadRows
ValidationRows = Mapping[str, Sequence[Row]]
"""Validation rows by name of the task."""


@dataclass(frozen=True)
class Prepared:
    """A run before its first step.

    Args:
        loaded: the base model and its tokenizer.
        template: how prompts are framed; `text` where the model reads the text alone.
        rows: the training rows.
        validation: the validation rows of each evaluation.
        trainer: the trainer.
        draw_seconds: the time it took to draw the rows and tokenize them.
        validation_set: from validation rows to what the trainer evaluates, and what scores them.
        finish: called in every process once the weights are those that are kept, before they are written.
        write_companions: writes what belongs to the model beside its weights, such as its tokenizer, into a folder.
    """

    loaded: LoadedModel
    template: Literal["frame", "chat", "text"]
    rows: Rows
    validation: ValidationRows
    trainer: Any
    draw_seconds: float
    validation_set: Callable[[ValidationRows], tuple[Any, Scorer | None]]
    finish: Callable[[], None]
    write_companions: Callable[[Path], None]


def sampler_for(parsed: ParsedRecipe, rows: Rows) -> EpochSampler:
    """The order of the rows of a run."""
    training = parsed.training
    return EpochSampler(
        rows.draws,
        rows.lengths,
        batch=Schedule(training, len(rows.draws[0])).batch,
        group=training.train_sampling_strategy == "group_by_length",
        seed=training.seed if training.data_seed is None else training.data_seed,
    )
