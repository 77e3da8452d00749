"""The settings of the libraries that a recipe may not have, and why: those without effect here, and those that upload.

A setting that is accepted and ignored misleads: the run is not what its recipe says. So every field of the libraries'
classes either has an effect, or is in `REFUSED` with the reason. A test compares the two with the installed classes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emollms.errors import UsageError, unknown
from emollms.pii.mask import find_sensitive
from emollms.training.recipe import PUBLISHING, Recipe


@dataclass(frozen=True)
class _Refusal:
    """Why a key is refused, and the values that it has anyway, which are allowed."""

    reason: str
    allowed: tuple[object, ...]


def _refuse(reason: str, *keys: str, allowed: tuple[object, ...] = (None, False)) -> dict[str, _Refusal]:
    return dict.fromkeys(keys, _Refusal(reason, allowed))


_TRUE, _NULL = (None, True), (None,)
_ROWS = "rows are prepared by this package: completion-only loss, no packing, one template for training and inference"
_LOSS = "the loss is that of `objective`"
_BEST = "the best checkpoint is chosen by `selection`, whenever there are evaluations"
_ORDER = "the order of rows depends on `seed` and `data_seed` alone, and each epoch has all of them"
_BATCHES = "the batch size is that of per_device_train_batch_size, gradient_accumulation_steps and `processes`"
_LOGITS = "evaluations keep only the loss, and score the model with the decoding of emollms"
_PUBLISH = "publish with emollms publish model"
_SPACE = "it would upload the run to the Hub; publish with emollms publish model"
_COMMAND = "the command decides what is done"
_RESUMED = "a resumed run must give the same weights as one that was never stopped"

REFUSED: Mapping[str, _Refusal] = {
    **_refuse("the folder of a run is given by --out", "output_dir"),
    **_refuse("a run is resumed with --resume, from its own folder", "resume_from_checkpoint"),
    **_refuse("code in a model's repository is never run", "trust_remote_code"),
    **_refuse(_LOSS, "label_smoothing_factor", allowed=(None, False, 0)),
    **_refuse(_LOSS, "loss_type", allowed=(None, "nll")),
    **_refuse(_LOSS, "router_aux_loss_coef", allowed=_NULL),
    **_refuse(
        _ROWS,
        "packing", "packing_strategy", "padding_free", "eval_packing", "assistant_only_loss", "dataset_text_field",
        "dataset_kwargs", "dataset_num_proc", "chat_template_path", "eos_token", "pad_token", "truncation_mode",
        "pad_to_multiple_of", "label_names", "length_column_name",
    ),
    **_refuse(_ROWS, "completion_only_loss", "remove_unused_columns", allowed=_TRUE),
    **_refuse(_BEST, "metric_for_best_model", "greater_is_better", allowed=_NULL),
    **_refuse(_BEST, "load_best_model_at_end", allowed=_TRUE),
    **_refuse(_ORDER, "shuffle_dataset", "sortish_sampler", "dataloader_drop_last"),
    **_refuse(_BATCHES, "auto_find_batch_size", "accelerator_config"),
    **_refuse("give a file of accelerate's settings as `accelerate`", "parallelism_config", allowed=_NULL),
    **_refuse(
        _LOGITS,
        "eval_use_gather_object", "eval_accumulation_steps", "include_for_metrics", "batch_eval_metrics",
        "predict_with_generate", "generation_max_length", "generation_num_beams", "generation_config",
    ),
    **_refuse(_LOGITS, "prediction_loss_only", "eval_do_concat_batches", allowed=_TRUE),
    **_refuse("evaluations have the precision of the training", "bf16_full_eval", "fp16_full_eval"),
    **_refuse("training needs no key-value cache", "use_cache"),
    **_refuse("a loss that is not finite ends the run", "logging_nan_inf_filter"),
    **_refuse("a run saves and stops on SIGTERM anyway", "enable_jit_checkpoint"),
    **_refuse(_RESUMED, "save_only_model", "ignore_data_skip"),
    **_refuse(_RESUMED, "restore_callback_states_from_checkpoint", allowed=_TRUE),
    **_refuse("the command has a progress bar of its own", "disable_tqdm", allowed=_TRUE),
    **_refuse("the heads stay those of the model, since their logits are needed", "liger_kernel_config"),
    **_refuse("use model_revision, dtype and attn_implementation", "model_init_kwargs"),
    **_refuse("it depends on `family`", "lora_task_type", allowed=_NULL),
    **_refuse("the launcher sets it; use `processes` and `accelerate`", "local_rank", allowed=_NULL),
    **_refuse(_COMMAND, "do_eval", "do_predict"),
    **_refuse(_COMMAND, "do_train", allowed=_TRUE),
    **_refuse(_PUBLISH, "push_to_hub"),
    **_refuse(
        _PUBLISH,
        "hub_model_id", "hub_token", "hub_private_repo", "hub_strategy", "hub_always_push", "hub_revision",
        allowed=_NULL,
    ),
    **_refuse(_SPACE, "trackio_space_id", "trackio_bucket_id", allowed=_NULL),
    **_refuse(_SPACE, "trackio_static_space_id"),
}  # fmt: skip

_VALUES: Mapping[str, tuple[str, ...]] = {"train_sampling_strategy": ("random", "group_by_length")}
"""The supported values of settings whose other values would be silently treated as one of these."""

_BETAS = ("adam", "lion", "ademamix")
"""Parts of the names of optimizers that use adam_beta1 and adam_beta2."""
_TAKE_ARGS = (
    "ademamix", "paged_ademamix", "rmsprop", "sgd", "galore", "apollo", "grokadamw", "adamw_torch_4bit",
    "adamw_torch_8bit", "schedule_free", "stable_adamw", "adamw_anyprecision",
)  # fmt: skip
"""Prefixes of the names of optimizers that use optim_args."""


@dataclass(frozen=True)
class _Switch:
    """A key that others depend on: with a value in `off` they have no effect."""

    key: str
    default: object
    off: tuple[object, ...]
    advice: str

    def is_off(self, values: Mapping[str, object]) -> bool:
        value = values.get(self.key)
        return (self.default if value is None else value) in self.off


_PEFT = _Switch("use_peft", False, (False,), "use_peft: true")
_FOUR_BITS = _Switch("load_in_4bit", False, (False,), "load_in_4bit: true")
_EVALUATED = _Switch("eval_strategy", "no", ("no",), "eval_strategy: steps, or epoch")
_NEEDS: Mapping[str, _Switch] = {
    **dict.fromkeys(
        (
            "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_target_parameters",
            "lora_modules_to_save", "use_rslora", "use_dora",
        ),
        _PEFT,
    ),
    **dict.fromkeys(("bnb_4bit_quant_type", "use_bnb_nested_quant", "bnb_4bit_quant_storage"), _FOUR_BITS),
    **dict.fromkeys(
        ("eval_delay", "eval_on_start", "per_device_eval_batch_size", "early_stopping_patience", "selection_rows"),
        _EVALUATED,
    ),
    "eval_steps": _Switch("eval_strategy", "no", ("no", "epoch"), "eval_strategy: steps"),
    "save_steps": _Switch("save_strategy", "steps", ("no", "epoch", "best"), "save_strategy: steps"),
    "logging_steps": _Switch("logging_strategy", "steps", ("no", "epoch"), "logging_strategy: steps"),
    "objective_weight": _Switch("objective", "cross_entropy", ("cross_entropy",), "objective: expected_value"),
    "dataloader_prefetch_factor": _Switch("dataloader_num_workers", 0, (0,), "dataloader_num_workers"),
    "dataloader_persistent_workers": _Switch("dataloader_num_workers", 0, (0,), "dataloader_num_workers"),
    "dataloader_multiprocessing_context": _Switch("dataloader_num_workers", 0, (0,), "dataloader_num_workers"),
    "gradient_checkpointing_kwargs": _Switch(
        "gradient_checkpointing", False, (False,), "gradient_checkpointing: true"
    ),
    "activation_checkpointing_kwargs": _Switch(
        "activation_checkpointing", False, (False,), "activation_checkpointing: true"
    ),
    **dict.fromkeys(("run_name", "project"), _Switch("report_to", "none", ("none",), "report_to")),
    "warmup_steps": _Switch("lr_scheduler_type", "linear", ("constant",), "a scheduler that warms up"),
    "fsdp_config": _Switch("fsdp", None, (None, "", False), "fsdp"),
}  # fmt: skip
"""The keys on which others depend. A key whose switch is off is refused if the recipe lacks the switch, or if the key
was given by --set. It is allowed if the recipe names both, so that `--set use_peft=false` alone turns off an adapter,
without a --set for each of its settings."""

_UPLOADS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "wandb": ("WANDB_LOG_MODEL", "false", ("", "false", "0")),
    "mlflow": ("HF_MLFLOW_LOG_ARTIFACTS", "FALSE", ("", "false", "0")),
    "dagshub": ("HF_DAGSHUB_LOG_ARTIFACTS", "FALSE", ("", "false", "0")),
    "comet_ml": ("COMET_LOG_ASSETS", "FALSE", ("", "false", "0")),
    "clearml": ("CLEARML_LOG_MODEL", "TRUE", ("false", "0")),
    "dvclive": ("HF_DVCLIVE_LOG_MODEL", "FALSE", ("", "false", "0")),
    "swanlab": ("SWANLAB_LOG_MODEL", "", ("", "false", "0")),
    "trackio": ("TRACKIO_SPACE_ID", "", ("",)),
}
"""What makes a tracker upload checkpoints or the run: the variable, its default, and harmless values."""


def check_key(recipe: Recipe, key: str, value: object) -> None:
    """Refuse a key that is not allowed in a recipe, or has no effect.

    Raises:
        UsageError: it is such a key; the message says where it is and why.
    """
    refusal = REFUSED.get(key)
    if refusal and not _is_among(value, refusal.allowed):
        raise UsageError(f"{recipe.where(key)}: {key} cannot be set in a recipe: {refusal.reason}")
    switch = _NEEDS.get(key)
    if switch and not _is_among(value, (None, False, 0)) and switch.is_off(recipe.values):
        given = any(override.partition("=")[0].strip() == key for override in recipe.overrides)
        if given or switch.key not in recipe.values:
            raise UsageError(f"{recipe.where(key)}: {key} has no effect without {switch.advice}; add that, or drop it")
    if key in _VALUES and value is not None and value not in _VALUES[key]:
        raise UsageError(f"{recipe.where(key)}: {key}: {unknown('value', str(value), _VALUES[key])}")


def check_recipe(recipe: Recipe) -> None:
    """Refuse what is not allowed in a recipe; light, so that it can come before any heavy import.

    Raises:
        UsageError: there is such a setting; the message says where it is and why.
    """
    check_uploads(recipe)
    check_model(recipe)
    check_optimizer(recipe)
    for key, value in recipe.values.items():
        check_key(recipe, key, value)


def check_uploads(recipe: Recipe) -> None:
    """Refuse keys that upload, and secrets, since all values of a recipe are recorded.

    Raises:
        UsageError: there is one; the message names the key, and never the value of a secret.
    """
    for key, value in recipe.values.items():
        refusal = REFUSED.get(key, _Refusal(_PUBLISH, _NULL))
        if key.startswith(PUBLISHING) and not _is_among(value, refusal.allowed):
            raise UsageError(f"{recipe.where(key)}: {key} cannot be set in a recipe: {_PUBLISH}")
    for key, value in recipe.values.items():
        if any(match.kind == "secret" for text in _texts(key, value) for match in find_sensitive(text)):
            raise UsageError(
                f"{recipe.where(key)}: {key} holds a token, key or password, and recipes are recorded; remove it "
                "(tokens come from `hf auth login`, or from the environment)"
            )


def check_model(recipe: Recipe) -> None:
    """Refuse a revision of a model that is not on the Hub.

    Raises:
        UsageError: it is a folder, or comes with a package.
    """
    name, revision = str(recipe.values.get("model_name_or_path")), recipe.values.get("model_revision")
    if revision not in (None, "main") and (Path(name).is_dir() or name.startswith("pypi:")):
        raise UsageError(f"{recipe.where('model_revision')}: model_revision has no effect on {name}, which is not "
                         "a repository; drop it")  # fmt: skip


def check_optimizer(recipe: Recipe) -> None:
    """Refuse settings of optimizers that the chosen one does not use.

    Raises:
        UsageError: there is one.
    """
    optimizer = str(recipe.values.get("optim") or "adamw_torch_fused")
    has_betas = any(name in optimizer for name in _BETAS)
    taken = {
        "optim_args": optimizer.startswith(_TAKE_ARGS),
        "optim_target_modules": optimizer.startswith(("galore", "apollo")),
        "adam_beta1": has_betas,
        "adam_beta2": has_betas,
        "adam_epsilon": has_betas and "lion" not in optimizer,
    }
    for key, is_taken in taken.items():
        if not is_taken and recipe.values.get(key) is not None:
            raise UsageError(f"{recipe.where(key)}: {key} has no effect with optim {optimizer}; drop it")


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that would upload checkpoints without the checks of `emollms publish`.

    Args:
        names: `report_to` of a run.

    Raises:
        UsageError: the environment makes one of them upload.
    """
    for name in names:
        variable, default, harmless = _UPLOADS.get(name, ("", "", ("",)))
        if os.environ.get(variable, default).lower() not in harmless:
            safe = f"set {variable}={harmless[0]}" if harmless[0] else f"unset {variable}"
            raise UsageError(f"report_to {name} would upload the run unchecked ({variable}); {safe}, and "
                             f"{_PUBLISH}")  # fmt: skip


def _is_among(value: object, allowed: tuple[object, ...]) -> bool:
    """Whether a value is among others; unlike in Python, `0` is not `false`."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed)


def _texts(key: str, value: object) -> Iterator[str]:
    """Every string in a value, alone and as `name=value`: some secrets are known only by their name."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(str(name), one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(key, one)
    elif isinstance(value, str):
        yield value
        yield f"{key}={value}"
