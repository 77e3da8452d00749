"""Recipes as settings of the libraries: the right ones for each architecture, and errors that name place and key."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, TaskType
from transformers import Seq2SeqTrainingArguments
from trl import SFTConfig

from emollms.errors import UsageError
from emollms.training.arguments import FAMILIES
from emollms.training.recipe import find_recipes, load_recipe
from emollms.training.recipe_args import ParsedRecipe, parse

LEAST = "family: {family}\nmodel_name_or_path: base\n"


def parsed(tmp_path: Path, text: str = "", family: str = "llama", *overrides: str) -> ParsedRecipe:
    path = tmp_path / "mine.yaml"
    path.write_text(LEAST.format(family=family) + text)
    return parse(load_recipe(str(path), overrides), tmp_path / "out", device="cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_decoder_is_never_trained_as_a_decoder_nor_the_other_way_round(family: str, tmp_path):
    more = "objective: heads\n" if family in ("deberta-v2", "modernbert", "xlm-roberta") else ""
    training = parsed(tmp_path, more, family).training
    is_seq2seq = family in ("bart", "mt5", "t5", "umt5")
    assert isinstance(training, Seq2SeqTrainingArguments) == is_seq2seq
    assert isinstance(training, SFTConfig) != is_seq2seq


@pytest.mark.parametrize("name", find_recipes())
def test_recipes_parse_to_the_settings_of_their_architecture(name: str, tmp_path):
    found = parse(load_recipe(name), tmp_path / "out")
    assert isinstance(found.training, Seq2SeqTrainingArguments) == (found.tuning.family in ("bart", "mt5", "t5"))
    assert (found.peft is not None) == found.model.use_peft
    assert found.keep == 2
    assert found.training.output_dir == str(tmp_path / "out")


def test_values_come_out_as_they_went_in(tmp_path):
    found = parsed(
        tmp_path,
        "learning_rate: 1e-6\nwarmup_steps: 0.05\nper_device_train_batch_size: 3\nmax_length: null\ntasks: V-reg\n"
        "task_weights: {V-reg: 2}\nobjective: expected_value\ndtype: bfloat16\nseed: 7\nlr_scheduler_type: cosine\n",
    )
    training, tuning = found.training, found.tuning
    assert (training.learning_rate, training.warmup_steps, training.seed) == (1e-6, 0.05, 7)
    assert (training.per_device_train_batch_size, training.max_length) == (3, None)
    assert training.lr_scheduler_type == "cosine"
    assert (tuning.tasks, tuning.task_weights, tuning.objective) == (["V-reg"], {"V-reg": 2.0}, "expected_value")
    assert (found.model.dtype, found.method) == ("bfloat16", "full")


def test_the_longest_row_is_a_setting_of_encoder_decoders_too(tmp_path):
    assert parsed(tmp_path, "max_length: 77\n", "t5").training.max_length == 77
    assert parsed(tmp_path, "", "t5").training.max_length == 1024


@pytest.mark.parametrize(
    ("family", "task"), [("llama", TaskType.CAUSAL_LM), ("bart", TaskType.SEQ_2_SEQ_LM), ("mt5", TaskType.SEQ_2_SEQ_LM)]
)
def test_adapters_are_of_the_architecture(family: str, task: TaskType, tmp_path):
    found = parsed(tmp_path, "use_peft: true\nlora_r: 4\nlora_target_modules: all-linear\n", family)
    assert isinstance(found.peft, LoraConfig)
    assert (found.peft.task_type, found.peft.r, found.peft.target_modules) == (task, 4, "all-linear")
    assert found.method == "lora"


def test_four_bits_need_an_adapter(tmp_path):
    assert parsed(tmp_path, "load_in_4bit: true\nuse_peft: true\n").method == "qlora"
    with pytest.raises(UsageError, match=r"mine\.yaml:3: load_in_4bit and load_in_8bit train adapters only"):
        parsed(tmp_path, "load_in_4bit: true\n")


def test_what_needs_a_gpu_is_left_out_without_one_and_told(tmp_path):
    found = parsed(
        tmp_path,
        "tf32: true\nattn_implementation: flash_attention_2\nuse_liger_kernel: true\noptim: paged_adamw_8bit\n"
        "fp16: true\n",
    )
    training = found.training
    assert training.use_cpu
    assert (training.tf32, training.use_liger_kernel, training.fp16) == (None, False, False)
    assert training.optim == "adamw_torch_fused"
    assert not str(found.model.attn_implementation).startswith("flash")
    assert found.notes == (
        "tf32: true → default, without a GPU",
        "attn_implementation: flash_attention_2 → default, without a GPU",
        "use_liger_kernel: true → false, without a GPU",
        "optim: paged_adamw_8bit → adamw_torch_fused, without a GPU",
        "fp16: true → default, without a GPU",
    )
    assert parsed(tmp_path, "attn_implementation: eager\n").notes == ()


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
def test_without_an_accelerator_the_processor_is_used(tmp_path):
    assert parse(load_recipe("emosmol-135m"), tmp_path).training.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1\n", r"mine\.yaml:3: unknown key 'learning_rat'; did you mean learning_rate\?"),
        ("seed: 1\nlora_rank: 8\n", r"mine\.yaml:4: unknown key 'lora_rank'; did you mean lora_r"),
        ("zzz: 1\n", r"mine\.yaml:3: unknown key 'zzz'; keys are the fields of TuningArguments"),
        ("learning_rate: fast\n", r"mine\.yaml:3: learning_rate: input should be a valid number.*, not 'fast'"),
        ("num_train_epochs: -1\n", r"mine\.yaml:3: num_train_epochs: give a number above 0, not -1"),
        ("learning_rate: .nan\n", r"mine\.yaml:3: learning_rate: give a number above 0, not nan"),
        ("per_device_train_batch_size: 0\n", r"per_device_train_batch_size: give 1 or more, not 0"),
        ("train_limit: -5\n", r"mine\.yaml:3: train_limit: give 1 or more, not -5"),
        ("seed: true\n", r"mine\.yaml:3: seed: true is not a valid value"),
        ("bf16: 3\n", r"mine\.yaml:3: bf16: input should be a valid boolean.*, not 3"),
        ("per_device_train_batch_size: 8.5\n", r"mine\.yaml:3: per_device_train_batch_size: .*integer.*, not 8\.5"),
        ("lr_scheduler_type: cosin\n", r"mine\.yaml:3: lr_scheduler_type: unknown value 'cosin'; did you mean cosine"),
        ("optim: adamw_torch_fuse\n", r"mine\.yaml:3: optim: unknown value .*did you mean adamw_torch_fused"),
        ("dtype: float8\n", r"mine\.yaml:3: dtype: unknown value 'float8'; did you mean float32"),
        ("train_sampling_strategy: length\n", r"mine\.yaml:3: train_sampling_strategy: unknown value 'length'"),
        ("objective: raft\n", r"mine\.yaml:3: objective: input should be 'cross_entropy', 'expected_value' or 'heads'"),
        ("task_weights: {V-reg: much}\n", r"mine\.yaml:3: task_weights: .*number.*, not .*much"),
        ("output_dir: here\n", r"mine\.yaml:3: output_dir cannot be set in a recipe: .*--out"),
        ("packing: true\n", r"mine\.yaml:3: packing cannot be set in a recipe: rows are prepared by this package"),
        ("trust_remote_code: true\n", r"trust_remote_code cannot be set .*code in a model's repository is never run"),
        ("minutes: -1\n", r"mine\.yaml:3: minutes: give a number above 0, not -1"),
        ("load_in_4bit: true\nload_in_8bit: true\n", r"mine\.yaml: You can't use 8 bit and 4 bit precision"),
        ("warmup_steps: -1\n", r"mine\.yaml:3: Got warmup_steps = -1"),
        ("max_steps: 0\n", r"mine\.yaml:3: max_steps: give 1 or more, or -1 for num_train_epochs, not 0"),
        ("save_total_limit: 0\n", r"mine\.yaml:3: save_total_limit: give 1 or more, not 0"),
        ("use_peft: true\nlora_r: 0\n", r"mine\.yaml:4: lora_r: give 1 or more, not 0"),
        (
            "eval_strategy: steps\neval_steps: 2\nsave_steps: 3\n",
            r"mine\.yaml:5: save_steps is 3 and eval_steps 2, so the best step may not be saved",
        ),
        ("eval_strategy: epoch\n", r"mine\.yaml: save_strategy is steps and eval_strategy epoch, so the best"),
        ("predict_with_generate: true\n", r"mine\.yaml:3: predict_with_generate is for encoder-decoders, and llama"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_with_place_and_key(text: str, message: str, tmp_path):
    with pytest.raises(UsageError, match=message) as caught:
        parsed(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_settings_of_decoders_are_refused_for_encoder_decoders(tmp_path):
    with pytest.raises(UsageError, match=r"mine\.yaml:3: activation_offloading is for decoders, and t5 models are enc"):
        parsed(tmp_path, "activation_offloading: true\n", "t5")


def test_an_override_is_named_as_the_place_of_its_error(tmp_path):
    with pytest.raises(UsageError, match=r"^--set seeds=3: unknown key 'seeds'; did you mean seed"):
        parsed(tmp_path, "", "llama", "seeds=3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_name_or_path: base\n", r"mine\.yaml: family is missing"),
        ("family: llama\n", r"mine\.yaml: model_name_or_path is missing"),
        ("family: lama\nmodel_name_or_path: base\n", r"mine\.yaml:1: unknown family 'lama'; did you mean llama"),
    ],
)
def test_a_recipe_names_model_and_family(text: str, message: str, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        parse(load_recipe(str(tmp_path / "mine.yaml")), tmp_path)
