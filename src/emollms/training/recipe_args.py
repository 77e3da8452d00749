"""A recipe as settings of TRL, transformers and PEFT, by TRL's own parser; each error names file, line and key."""

import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args, get_type_hints

import torch
from peft import LoraConfig
from transformers import IntervalStrategy, Seq2SeqTrainingArguments
from transformers.trainer_utils import SaveStrategy
from trl.scripts.utils import TrlParser
from trl.trainer.model_config import ModelConfig
from trl.trainer.sft_config import SFTConfig
from trl.trainer.utils import get_peft_config

from emollms.errors import UsageError, unknown
from emollms.hardware import default_device, slow_bfloat16
from emollms.training.arguments import TuningArguments, architecture
from emollms.training.blame import settings_errors
from emollms.training.fields import as_type, family_of, unknown_key
from emollms.training.manifest import Method
from emollms.training.precision import Resolved, applied, resolve
from emollms.training.recipe import Recipe
from emollms.training.refused import REFUSED, check_key, check_model, check_optimizer, check_uploads

_COUNTS = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "max_length",
    "processes", "train_limit", "selection_rows", "early_stopping_patience", "lora_r", "lora_alpha",
    "save_total_limit", "most_epochs",
)  # fmt: skip
_ABOVE_ZERO = (
    "num_train_epochs", "learning_rate", "eval_steps", "save_steps", "logging_steps", "neftune_noise_alpha", "minutes",
    "selection_share", "head_learning_rate",
)  # fmt: skip
_FROM_ZERO = (
    "weight_decay", "max_grad_norm", "eval_delay", "objective_weight", "seed", "data_seed", "freeze_layers",
)  # fmt: skip
_MOST_SEED = 2**32 - 1


def check_size(key: str, value: Any) -> None:
    """Refuse numbers that the libraries accept, but that fail in the middle of a run, or train nothing."""
    if key in _COUNTS and value is not None and value < 1:
        raise ValueError(f"give 1 or more, not {value}")
    if key == "max_steps" and value != -1 and value < 1:
        raise ValueError(f"give 1 or more, or -1 for num_train_epochs, not {value}")
    if key in _ABOVE_ZERO and value is not None and not 0 < value < math.inf:
        raise ValueError(f"give a number above 0, not {value}")
    if key == "validation_fraction" and not 0 < value <= 1:
        raise ValueError(f"give a fraction above 0, at most 1, not {value}")
    if key in _FROM_ZERO and value is not None and not value >= 0:
        raise ValueError(f"give 0 or more, not {value}")
    if key in ("seed", "data_seed") and value is not None and value > _MOST_SEED:
        raise ValueError(f"give at most {_MOST_SEED}, not {value}")
    if key == "task_weights" and not all(0 <= weight < math.inf for weight in value.values()):
        raise ValueError(f"give weights of 0 or more, not {value}")


def check_steps(recipe: Recipe, training: Any) -> None:
    """Check that the best step, which an evaluation chooses, is one that is saved.

    transformers checks it only with `load_best_model_at_end`, which is set here later, once the data are known.
    """
    evaluated, saved = IntervalStrategy(training.eval_strategy).value, SaveStrategy(training.save_strategy).value
    if saved == "best" and evaluated == "no":
        raise UsageError(f"{recipe.where('save_strategy')}: save_strategy best has no effect without eval_strategy")
    if evaluated == "no" or saved in ("no", "best"):
        return
    if evaluated != saved:
        raise UsageError(
            f"{recipe.where('save_strategy')}: save_strategy is {saved} and eval_strategy {evaluated}, so "
            "the best step may not be saved; make them equal, or set save_strategy to best or no"
        )
    every, at = training.eval_steps, training.save_steps
    if evaluated != "steps" or every is None:
        return
    if (every < 1) != (at < 1) or abs(at / every - round(at / every)) > 1e-6:
        raise UsageError(
            f"{recipe.where('save_steps')}: save_steps is {at} and eval_steps {every}, so the best step may not "
            "be saved; set save_steps to eval_steps, or to a multiple of it"
        )


Device = Literal["auto", "cpu"]

KEEP = 2
"""Checkpoints that are kept without `save_total_limit`: the newest, and the best if it is another."""


@dataclass
class Seq2SeqConfig(Seq2SeqTrainingArguments):
    """transformers' settings for an encoder-decoder, with `max_length`, which for decoders comes from TRL.

    Args:
        max_length: the most tokens of a prompt; None for no limit.
    """

    max_length: int | None = field(default=1024, metadata={"help": "The most tokens of a prompt."})


@dataclass(frozen=True)
class ParsedRecipe:
    """The settings of a run.

    Args:
        tuning: this project's own.
        training: those of the trainer: TRL's for decoders, transformers' for encoder-decoders.
        model: those of the model.
        peft: those of the adapter; None to train all weights.
        keep: how many checkpoints are kept, always with the newest and the best; None for all.
        resolved: what was decided on this machine, or on the one on which the run started.
        notes: what was changed for a machine without an accelerator, and what is slow on this one, one line each.
    """

    tuning: TuningArguments
    training: SFTConfig | Seq2SeqConfig
    model: ModelConfig
    peft: LoraConfig | None
    resolved: Resolved
    keep: int | None = KEEP
    notes: tuple[str, ...] = ()

    @property
    def method(self) -> Method:
        """`full` for all weights, `lora` for an adapter, `qlora` for one of a quantised model."""
        if self.peft is None:
            return "full"
        return "qlora" if self.model.load_in_4bit or self.model.load_in_8bit else "lora"


class _Parser(TrlParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse(
    recipe: Recipe, output_dir: Path, device: Device = "auto", kept: Callable[[], Resolved | None] = lambda: None
) -> ParsedRecipe:
    """Turn a recipe into settings.

    Without an accelerator a recipe is adapted to the CPU: TF32, fused kernels, flash attention, offloading and 8-bit
    optimizers are dropped, which changes only speed and memory, and float16 becomes `auto`. The `notes` list it.

    Args:
        recipe: the recipe.
        output_dir: the folder of checkpoints.
        device: `auto` for the accelerator, if there is one, or `cpu`.
        kept: returns what was decided where the run started, or None for a new run; called once the values of the
            recipe are checked.

    Raises:
        UsageError: a key is unknown, a value is invalid, or settings contradict each other.
    """
    kind = Seq2SeqConfig if architecture(family_of(recipe)) == "seq2seq" else SFTConfig
    types: tuple[type[Any], ...] = (TuningArguments, kind, ModelConfig)
    values = _checked(recipe, types)
    values, notes = _fitted(values, device)
    place = torch.device("cpu") if values.get("use_cpu") else default_device()
    resolved = kept() or resolve(recipe, values, place)
    values = applied(values, resolved)
    _tell_accelerate(resolved.precision if values["bf16"] or values["fp16"] else "float32")
    parser = _Parser(cast(Any, types))
    parser.set_defaults_with_config(**values, output_dir=str(output_dir))
    with settings_errors(recipe), _without_old_names():
        tuning, training, model = parser.parse_args_into_dataclasses(args=[], look_for_args_file=False)
        if (model.load_in_4bit or model.load_in_8bit) and not model.use_peft:
            raise ValueError("load_in_4bit and load_in_8bit train adapters only; add `use_peft: true`")
        if architecture(tuning.family) == "seq2seq":
            model = replace(model, lora_task_type="SEQ_2_SEQ_LM")
        _check_heads(tuning, model)
        if tuning.objective == "heads":
            model = replace(model, lora_task_type="SEQ_CLS")
        peft = _adapter(model)
    check_steps(recipe, training)
    slow = slow_bfloat16(resolved.precision, place)
    notes = (*notes, f"precision: {slow}") if slow else notes
    keep = cast(int | None, values.get("save_total_limit", KEEP))
    return ParsedRecipe(tuning, training, model, peft, resolved, keep, notes)


def _check_heads(tuning: TuningArguments, model: ModelConfig) -> None:
    """Refuse settings of one-pass classifiers that contradict each other, or are of other models."""
    kind = architecture(tuning.family)
    if tuning.objective != "heads":
        if kind == "encoder":
            raise ValueError(f"{tuning.family} models are encoders, which write no answers; set `objective: heads`")
        for key, value in (("features", tuning.features == "frozen"), ("freeze_layers", tuning.freeze_layers),
                           ("head_learning_rate", tuning.head_learning_rate), ("cue", tuning.cue),
                           ("spell_out", tuning.spell_out)):  # fmt: skip
            if value:
                raise ValueError(f"{key} goes with `objective: heads` alone; leave it out")
        return
    if kind == "seq2seq":
        raise ValueError(f"{tuning.family} models are encoder-decoders; `objective: heads` takes decoders and encoders")
    if tuning.cue and kind == "encoder":
        raise ValueError("cue is for decoders; an encoder is read out where its tokenizer begins a text; leave it out")
    if tuning.features == "frozen" and model.use_peft:
        raise ValueError("use_peft adapts layers that features: frozen leaves as they are; keep one")


def _adapter(model: ModelConfig) -> LoraConfig | None:
    """The settings of the adapter; TRL makes a single module name a regular expression, which matches no module."""
    peft = cast(LoraConfig | None, get_peft_config(model))
    if peft is not None and isinstance(peft.target_modules, str) and re.fullmatch(r"[\w.]+", peft.target_modules):
        cast(Any, peft).target_modules = {peft.target_modules}  # a set, as PEFT keeps names
    return peft


def _tell_accelerate(precision: str) -> None:
    """Override the precision of accelerate's settings: a variable, which counts where bf16 and fp16 are unset."""
    if "ACCELERATE_MIXED_PRECISION" in os.environ:
        os.environ["ACCELERATE_MIXED_PRECISION"] = {"bfloat16": "bf16", "float16": "fp16"}.get(precision, "no")


def _checked(recipe: Recipe, types: tuple[type[Any], ...]) -> dict[str, Any]:
    """The values, each as the type of its field."""
    hints = {
        name: hint for one in types for name, hint in get_type_hints(one).items() if name in one.__dataclass_fields__
    }
    check_uploads(recipe)
    check_model(recipe)
    check_optimizer(recipe)
    metadata = {name: one.__dataclass_fields__[name].metadata for one in types for name in one.__dataclass_fields__}
    checked = {}
    for key, value in recipe.values.items():
        if key not in hints:
            kinds = {"causal": SFTConfig.__dataclass_fields__, "seq2seq": Seq2SeqConfig.__dataclass_fields__}
            problem = unknown_key(key, hints, kinds, str(recipe.values["family"]))
            raise UsageError(f"{recipe.where(key)}: {problem}")
        check_key(recipe, key, value)
        if key in REFUSED:
            continue  # `check_key` let it pass: it is the value that is set anyway
        try:
            _check_choice(value, hints[key], metadata[key].get("choices"))
            checked[key] = as_type(value, hints[key])
            check_size(key, checked[key])
        except (ValueError, UsageError) as error:
            raise UsageError(f"{recipe.where(key)}: {key}: {error}") from None
    return checked


def _check_choice(value: object, hint: Any, choices: list[str] | None) -> None:
    """Refuse a value that is not among the choices of its field, with the near ones."""
    enums = [one for one in get_args(hint) or (hint,) if isinstance(one, type) and issubclass(one, Enum)]
    allowed = choices or [member.value for enum in enums for member in enum]
    if allowed and value is not None and value not in allowed:
        raise unknown("value", str(value), map(str, allowed))


def _fitted(values: Mapping[str, Any], device: Device) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values adapted to this machine, and notes on the changes."""
    has_accelerator = torch.accelerator.is_available() and device == "auto" and not values.get("use_cpu")
    if has_accelerator:
        return {"use_liger_kernel": True, **values}, ()  # if it is installed: see `model.use_liger`
    changes: dict[str, Any] = {}
    if values.get("tf32"):
        changes["tf32"] = None
    if str(values.get("attn_implementation") or "").startswith(("flash", "kernels")):
        changes["attn_implementation"] = None
    for key in ("use_liger_kernel", "activation_offloading"):
        if values.get(key):
            changes[key] = False
    if any(word in str(values.get("optim", "")) for word in ("8bit", "4bit", "paged", "bnb", "apex")):
        changes["optim"] = "adamw_torch_fused"
    if values.get("fp16"):
        changes["fp16"] = None
    for key in ("precision", "dtype"):
        if values.get(key) == "float16":
            changes[key] = "auto"
    notes = tuple(f"{key}: {_shown(values.get(key))} → {_shown(new)}, without a GPU" for key, new in changes.items())
    return {**values, **changes, "use_cpu": True}, notes


def _shown(value: object) -> str:
    return "default" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def _without_old_names() -> Iterator[None]:
    """Silence transformers' warning of the old name of a setting, which TRL still uses for its default."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`gradient_checkpointing", category=FutureWarning)
        yield
