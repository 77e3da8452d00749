"""Which settings of the libraries a recipe may not have, and why: those that would do nothing here, or upload.

A setting that is taken and does nothing misleads: the run is not what its recipe says. So every field of the libraries'
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
    """Why a key is refused, and the values that say what is done anyway: these are let through."""

    reason: str
    allowed: tuple[object, ...]


def _refuse(reason: str, *keys: str, allowed: tuple[object, ...] = (None, False)) -> dict[str, _Refusal]:
    return dict.fromkeys(keys, _Refusal(reason, allowed))


_TRUE, _NULL = (None, True), (None,)
_ROWS = "rows are prepared by this package: completion-only loss, no packing, one template for training and inference"
_LOSS = "the loss is that of `objective`"
_BEST = "the best checkpoint is chosen by `selection`, wherever there are evaluations"
_ORDER = "the order of rows follows from `seed`, and each epoch takes all of them"
_BATCHES = "batches follow from per_device_train_batch_size, gradient_accumulation_steps and `processes`"
_LOGITS = "validation keeps the loss alone, and scores the model with emollms' own decoding"
_PUBLISH = "publish with emollms publish model"
_SPACE = "it would put the run on the Hub; publish with emollms publish model"
_COMMAND = "what is done follows from the command"
_RESUMED = "a resumed run comes to the same weights as one that was never stopped"

REFUSED: Mapping[str, _Refusal] = {
    **_refuse("the folder of a run is named by --out", "output_dir"),
    **_refuse("a run is resumed with --resume, from its own folder", "resume_from_checkpoint"),
    **_refuse("code that comes with a model is never run", "trust_remote_code"),
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
    **_refuse(_ORDER, "shuffle_dataset", "sortish_sampler", "dataloader_drop_last", "data_seed"),
    **_refuse(_BATCHES, "auto_find_batch_size", "accelerator_config"),
    **_refuse("name a file of accelerate's settings with `accelerate`", "parallelism_config", allowed=_NULL),
    **_refuse(
        _LOGITS,
        "eval_use_gather_object", "eval_accumulation_steps", "include_for_metrics", "batch_eval_metrics",
        "predict_with_generate", "generation_max_length", "generation_num_beams", "generation_config",
    ),
    **_refuse(_LOGITS, "prediction_loss_only", "eval_do_concat_batches", allowed=_TRUE),
    **_refuse("validation is computed in the precision of training", "bf16_full_eval", "fp16_full_eval"),
    **_refuse("training needs no cache of keys and values", "use_cache"),
    **_refuse("a loss that is no number ends the run", "logging_nan_inf_filter"),
    **_refuse("a run saves and stops on SIGTERM as it is", "enable_jit_checkpoint"),
    **_refuse(_RESUMED, "save_only_model", "ignore_data_skip"),
    **_refuse(_RESUMED, "restore_callback_states_from_checkpoint", allowed=_TRUE),
    **_refuse("the command has a progress bar of its own", "disable_tqdm", allowed=_TRUE),
    **_refuse("heads stay those of the model, since their logits are needed", "liger_kernel_config"),
    **_refuse("the model is loaded by model_revision, dtype and attn_implementation", "model_init_kwargs"),
    **_refuse("it follows from `family`", "lora_task_type", allowed=_NULL),
    **_refuse("the launcher sets it; give `processes` and `accelerate`", "local_rank", allowed=_NULL),
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
"""Values of the libraries that have a meaning here, where others would be taken for one of them."""

_BETAS = ("adam", "lion", "ademamix")
"""Parts of the names of optimisers that take adam_beta1 and adam_beta2."""
_TAKE_ARGS = (
    "ademamix", "paged_ademamix", "rmsprop", "sgd", "galore", "apollo", "grokadamw", "adamw_torch_4bit",
    "adamw_torch_8bit", "schedule_free", "stable_adamw", "adamw_anyprecision",
)  # fmt: skip
"""How the names of optimisers begin that take optim_args."""


@dataclass(frozen=True)
class _Switch:
    """A key that others need: they do nothing unless `on` says so of its value."""

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
"""What a key needs to have an effect. A recipe may keep one whose switch was turned off, by --set or in the file:
it is refused where the switch is never named, and where the key itself was given by --set."""

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
"""What makes a tracker upload checkpoints, or put the run on the Hub: variable, its default, and harmless values."""


def check_key(recipe: Recipe, key: str, value: object) -> None:
    """Refuse a key that must not be in a recipe, or would do nothing.

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
    """Refuse what a recipe must not say; it takes no library, so that it can be done before any is imported.

    Raises:
        UsageError: there is such a thing; the message says where it is and why.
    """
    check_uploads(recipe)
    check_model(recipe)
    check_optimizer(recipe)
    for key, value in recipe.values.items():
        check_key(recipe, key, value)


def check_uploads(recipe: Recipe) -> None:
    """Refuse keys that upload, and secrets: all that a recipe says goes into records.

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
                f"{recipe.where(key)}: {key} holds a token, key or password, and what a recipe says is recorded; take "
                "it out (tokens come from `hf auth login`, or from the environment)"
            )


def check_model(recipe: Recipe) -> None:
    """Refuse a revision of a model that has none.

    Raises:
        UsageError: it is a folder, or comes with a package.
    """
    name, revision = str(recipe.values.get("model_name_or_path")), recipe.values.get("model_revision")
    if revision not in (None, "main") and (Path(name).is_dir() or name.startswith("pypi:")):
        raise UsageError(f"{recipe.where('model_revision')}: model_revision has no effect on {name}, which is no "
                         "repository; drop it")  # fmt: skip


def check_optimizer(recipe: Recipe) -> None:
    """Refuse settings of optimisers that the chosen one does not take.

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
    """Refuse trackers that would upload checkpoints past every check.

    Args:
        names: what a run reports to.

    Raises:
        UsageError: the environment tells one of them to.
    """
    for name in names:
        variable, default, harmless = _UPLOADS.get(name, ("", "", ("",)))
        if os.environ.get(variable, default).lower() not in harmless:
            safe = f"set {variable}={harmless[0]}" if harmless[0] else f"unset {variable}"
            raise UsageError(f"report_to {name} would upload the run past every check ({variable}); {safe}, and "
                             f"{_PUBLISH}")  # fmt: skip


def _is_among(value: object, allowed: tuple[object, ...]) -> bool:
    """Whether a value is one of those; `0` is not `false`, as it is for Python."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed)


def _texts(key: str, value: object) -> Iterator[str]:
    """Every text in a value, and each named value as `name=value`, as secrets are looked for."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(str(name), one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(key, one)
    elif isinstance(value, str):
        yield value
        yield f"{key}={value}"
