"""Errors of the libraries about a setting, as one line with its key and its place.

TRL, PEFT, transformers and torch raise errors of all classes, from deep inside, that rarely name the setting. The key
is found by what the message names, else by the file that raised it, else by a value that the message quotes.
"""

import json
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from emollms.errors import EmollmsError, UsageError, shorten
from emollms.training.recipe import Recipe

_OPTIMIZER = (
    "optim_args", "optim_target_modules", "optim", "adam_beta1", "adam_beta2", "adam_epsilon", "weight_decay",
    "learning_rate",
)  # fmt: skip
_ADAPTER = (
    "lora_target_modules", "lora_target_parameters", "lora_modules_to_save", "lora_r", "lora_alpha", "lora_dropout",
    "use_rslora", "use_dora", "load_in_4bit", "load_in_8bit",
)  # fmt: skip
_PARTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("/transformers/trainer_optimizer.py", "/torch/optim/optimizer.py", "/torch/optim/adamw.py"), _OPTIMIZER),
    (
        ("/transformers/optimization.py", "/torch/optim/lr_scheduler.py"),
        ("lr_scheduler_kwargs", "lr_scheduler_type", "warmup_steps"),
    ),
    (("/transformers/integrations/integration_utils.py",), ("report_to",)),
    (
        ("/torch/utils/data/dataloader.py", "/torch/multiprocessing/", "/multiprocessing/"),
        (
            "dataloader_multiprocessing_context", "dataloader_prefetch_factor", "dataloader_persistent_workers",
            "dataloader_num_workers",
        ),
    ),
    (("/torch/_dynamo/", "/torch/_inductor/"), ("torch_compile_backend", "torch_compile_mode", "torch_compile")),
    (("/transformers/quantizers/", "/bitsandbytes/"), ("load_in_4bit", "load_in_8bit")),
    (("/deepspeed/", "/integrations/deepspeed.py"), ("deepspeed", "accelerate")),
    (("/peft/",), _ADAPTER),
    (
        ("/torch/utils/checkpoint.py",),
        (
            "activation_checkpointing_kwargs", "gradient_checkpointing_kwargs", "activation_checkpointing",
            "gradient_checkpointing",
        ),
    ),
    (("/transformers/integrations/neftune.py",), ("neftune_noise_alpha",)),
)  # fmt: skip
"""Parts of paths of the libraries, and the keys that an error raised there can be about, the likeliest first."""
_WORDS = (
    (r"[Tt]arget modules?\b", "lora_target_modules"),
    (r"target_parameters", "lora_target_parameters"),
    (r"`r`|\brank\b", "lora_r"),
    (r"[Dd]ropout", "lora_dropout"),
    (r"modules_to_save", "lora_modules_to_save"),
    (r"beta parameter at index 0|\bbeta1\b", "adam_beta1"),
    (r"beta parameter at index 1|\bbeta2\b", "adam_beta2"),
    (r"epsilon value", "adam_epsilon"),
    (r"weight_decay value", "weight_decay"),
    (r"learning rate", "learning_rate"),
    (r"\battention implementation\b|attn_implementation|[Ff]l(?:ash|ex)[_ ]?[Aa]ttention", "attn_implementation"),
    (r"\boptimizers?\b", "optim"),
    (r"\bfsdp\b", "fsdp"),
)
"""How messages of the libraries name the subject of a key."""
_PLAIN = (ValueError, TypeError, ImportError, OSError, RuntimeError, NotImplementedError)
"""Errors whose message is clear without the name of their class."""


@contextmanager
def settings_errors(recipe: Recipe, is_running: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Turn errors of the libraries about settings into one line that names the key.

    Args:
        recipe: the recipe whose settings are used in the block.
        is_running: whether the run has made a step: an error after that is not about a setting, and stays as it is.

    Raises:
        UsageError: a library refused something.
        EmollmsError: out of memory.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(_placed(recipe, error)) from error.__cause__
    except EmollmsError:
        raise
    except Exception as error:  # the libraries raise errors of all classes for a wrong setting
        if _is_memory(error):
            raise EmollmsError(
                "out of memory; lower per_device_train_batch_size (and raise gradient_accumulation_steps by the same "
                "factor), or set gradient_checkpointing=true"
            ) from error
        if is_running():
            raise
        raise UsageError(blamed(recipe, error)) from error


def blamed(recipe: Recipe, error: Exception) -> str:
    """One line about an error of a library: the place of the key that it is about, the key, and the message."""
    said = " ".join(str(error).split()) or type(error).__name__
    said = said if isinstance(error, _PLAIN) else f"{type(error).__name__}: {said}"
    reason = shorten(said, 400)
    key = _key(recipe, error, said)
    if key is None:
        return f"{recipe.path}: {reason}"
    return f"{recipe.where(key)}: {reason}" if key in reason else f"{recipe.where(key)}: {key}: {reason}"


def _placed(recipe: Recipe, error: UsageError) -> str:
    """The message of an error of this package, prefixed with the place of its key, if it lacks one."""
    said, cause = str(error), error.__cause__
    if said.startswith(("--set ", str(recipe.path))):
        return said
    key = _key(recipe, cause if isinstance(cause, Exception) else error, said)
    return said if key is None else f"{recipe.where(key)}: {said}"


def _key(recipe: Recipe, error: Exception, said: str) -> str | None:
    """The key that an error is about; the newest override wins, since it is the likeliest mistake."""
    given = [override.partition("=")[0].strip() for override in reversed(recipe.overrides)]
    keys = list(dict.fromkeys([*given, *recipe.values]))
    named = [key for key in keys if re.search(rf"(?<!\w){'' if '_' in key else '--'}{key}(?!\w)", said)]
    meant = [key for pattern, key in _WORDS if key in keys and re.search(pattern, said)]
    files = [frame.filename for frame in reversed(traceback.extract_tb(error.__traceback__))]
    of_part = [
        key for file in files for parts, family in _PARTS if any(part in file for part in parts)
        for key in family if key in keys
    ]  # fmt: skip
    quoted = {text.lower() for text in re.findall(r"'([^']{3,})'", said)}
    document = error.doc if isinstance(error, json.JSONDecodeError) else None
    by_value = [
        key for key, value in recipe.values.items()
        if isinstance(value, str) and (value.lower() in quoted or value == document)
    ]  # fmt: skip
    return next(iter([*named, *meant, *of_part, *by_value]), None)


def _is_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
