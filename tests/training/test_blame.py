"""What TRL, PEFT, transformers and torch refuse is one line with the key and its place, and no traceback."""

import pytest

from emollms.errors import EmollmsError, UsageError
from emollms.training.blame import settings_errors
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training

LORA = ("use_peft=true",)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((*LORA, "lora_target_modules=[nope]"), r"lora_target_modules: unknown name 'nope'"),
        (
            (*LORA, "lora_target_modules=[q_proj, v_prj]"),
            r"lora_target_modules: unknown name 'v_prj'; did you mean v_pr",
        ),
        (
            (*LORA, "lora_target_modules=[input_layernorm]"),
            r"lora_target_modules: Target module LlamaRMSNorm.* not sup",
        ),
        ((*LORA, "lora_target_modules='(['"), r"lora_target_modules: .*unterminated character set"),
        ((*LORA, "lora_modules_to_save=[nope]"), r"lora_modules_to_save: unknown name 'nope'"),
        ((*LORA, "lora_dropout=1.5"), r"lora_dropout: dropout probability has to be between 0 and 1"),
        ((*LORA, "lora_r=0"), r"lora_r: give 1 or more, not 0"),
        ((*LORA, "load_in_4bit=true"), r"cannot load .*requires bitsandbytes"),
        (("optim=lomo",), r"You need to install `lomo_optim`"),
        (("optim=sgd", "optim_args=momentum"), r"optim_args: not enough values to unpack"),
        (("adam_beta1=2",), r"adam_beta1: Invalid beta parameter at index 0"),
        (("weight_decay=-1",), r"weight_decay: give 0 or more, not -1"),
        (("lr_scheduler_kwargs={nope: 1}",), r"lr_scheduler_kwargs: .*unexpected keyword argument 'nope'"),
        (("lr_scheduler_type=cosine_with_min_lr",), r"lr_scheduler_type: One of min_lr or min_lr_rate should be set"),
        (("lr_scheduler_type=reduce_lr_on_plateau",), r"lr_scheduler_type reduce_lr_on_plateau requires an eval"),
        (("attn_implementation=nope",), r"cannot load .*`attn_implementation=\"nope\"` is not supported"),
        (("report_to=azure_ml",), r"report_to: AzureMLCallback requires azureml to be installed. Run `pip install"),
        (("report_to=json",), r"report_to: json is not supported, only"),
        (("torch_compile_backend=nope",), r"torch_compile_backend: 'NOPE' is not a valid DynamoBackend"),
        (("fsdp=full_shard",), r"Using fsdp only works in distributed training"),
        (("dataloader_num_workers=-1",), r"dataloader_num_workers: num_workers option should be non-negative"),
        (("gradient_checkpointing=true", "gradient_checkpointing_kwargs={no: 1}"), r"_kwargs: Unexpected keyword arg"),
        (("debug=nope",), r"invalid DebugOption value: 'nope'"),
        (
            ("eval_strategy=steps", "eval_steps=2", "save_strategy=steps", "save_steps=3"),
            r"save_steps is 3 and eval_ste",
        ),
        (("save_strategy=best",), r"save_strategy best has no effect without eval_strategy"),
        (("seed=-1",), r"seed: give 0 or more, not -1"),
        (("task_weights={V-reg: -1}",), r"task_weights: give weights of 0 or more"),
    ],
)
def test_a_setting_that_is_refused(aaid, write_recipe, tmp_path, overrides, message):
    recipe = load_recipe(str(write_recipe(max_steps=1, tasks=["V-reg"], train_limit=8)), overrides)
    with pytest.raises(UsageError, match=message) as told:
        run_training(recipe, aaid, tmp_path / "run")
    assert str(told.value).startswith(f"--set {overrides[-1][:70]}")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize("names", ["[q_proj]", "q_proj", "all-linear", "'.*q_proj'", "[q_proj, v_proj]"])
def test_names_and_patterns_of_modules(aaid, write_recipe, tmp_path, names):
    recipe = load_recipe(str(write_recipe(max_steps=1, train_limit=8)), (*LORA, f"lora_target_modules={names}"))
    run = run_training(recipe, aaid, tmp_path / "run").manifest
    assert 0 < run.model.trainable < run.model.parameters


def test_a_setting_of_the_file_is_named_by_its_line(aaid, write_recipe, tmp_path):
    path = write_recipe(max_steps=1, lr_scheduler_kwargs={"nope": 1})
    line = 1 + [line.split(":")[0] for line in path.read_text().splitlines()].index("lr_scheduler_kwargs")
    with pytest.raises(UsageError, match=rf"smollm2\.yaml:{line}: lr_scheduler_kwargs: "):
        run_training(load_recipe(str(path)), aaid, tmp_path / "run")


def test_an_error_of_a_running_run_is_no_setting(write_recipe):
    recipe = load_recipe(str(write_recipe()))
    with pytest.raises(KeyError), settings_errors(recipe, lambda: True):
        raise KeyError("a fault of the program")
    with pytest.raises(UsageError, match=r"smollm2\.yaml: KeyError: 'a fault of"), settings_errors(recipe):
        raise KeyError("a fault of the program")


def test_memory_that_does_not_suffice_is_told_with_what_to_do(write_recipe):
    recipe = load_recipe(str(write_recipe()))
    with (
        pytest.raises(EmollmsError, match=r"out of memory; lower per_device_train_batch_size") as told,
        settings_errors(recipe, lambda: True),
    ):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried")
    assert told.value.exit_code == 1
