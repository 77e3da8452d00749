"""Values that the libraries take, and that end in the middle of a run, or in no run at all."""

import math
from typing import Any

from transformers import IntervalStrategy
from transformers.trainer_utils import SaveStrategy

from emollms.errors import UsageError
from emollms.training.recipe import Recipe

_COUNTS = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "max_length",
    "processes", "train_limit", "selection_rows", "early_stopping_patience", "lora_r", "lora_alpha",
    "save_total_limit",
)  # fmt: skip
_ABOVE_ZERO = (
    "num_train_epochs", "learning_rate", "eval_steps", "save_steps", "logging_steps", "neftune_noise_alpha", "minutes",
    "selection_share",
)  # fmt: skip
_FROM_ZERO = ("weight_decay", "max_grad_norm", "eval_delay", "objective_weight", "seed")
_MOST_SEED = 2**32 - 1


def check_size(key: str, value: Any) -> None:
    """Refuse numbers that libraries take, and that end in the middle of a run, or in no run at all."""
    if key in _COUNTS and value is not None and value < 1:
        raise ValueError(f"give 1 or more, not {value}")
    if key == "max_steps" and value != -1 and value < 1:
        raise ValueError(f"give 1 or more, or -1 to go by num_train_epochs, not {value}")
    if key in _ABOVE_ZERO and value is not None and not 0 < value < math.inf:
        raise ValueError(f"give a number above 0, not {value}")
    if key in _FROM_ZERO and not value >= 0:
        raise ValueError(f"give 0 or more, not {value}")
    if key == "seed" and value > _MOST_SEED:
        raise ValueError(f"give at most {_MOST_SEED}, not {value}")
    if key == "task_weights" and not all(0 <= weight < math.inf for weight in value.values()):
        raise ValueError(f"give weights of 0 or more, not {value}")


def check_steps(recipe: Recipe, training: Any) -> None:
    """Make sure that the best checkpoint, which an evaluation chooses, is one that is saved.

    The trainer looks only where `load_best_model_at_end` is set, which here follows from the data, later.
    """
    evaluated, saved = IntervalStrategy(training.eval_strategy).value, SaveStrategy(training.save_strategy).value
    if saved == "best" and evaluated == "no":
        raise UsageError(f"{recipe.where('save_strategy')}: save_strategy best has no effect without eval_strategy")
    if evaluated == "no" or saved in ("no", "best"):
        return
    if evaluated != saved:
        raise UsageError(
            f"{recipe.where('save_strategy')}: save_strategy is {saved} and eval_strategy {evaluated}, so that "
            "the best step may not be saved; let them be the same, or save_strategy be best or no"
        )
    every, at = training.eval_steps, training.save_steps
    if evaluated != "steps" or every is None:
        return
    if (every < 1) != (at < 1) or abs(at / every - round(at / every)) > 1e-6:
        raise UsageError(
            f"{recipe.where('save_steps')}: save_steps is {at} and eval_steps {every}, so that the best step may not "
            "be saved; let save_steps be eval_steps, or a multiple of it"
        )
