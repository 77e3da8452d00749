"""The base model of a run: whole, of finite numbers, and with generation settings that mean something together."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig

from emollms.errors import EmollmsError, UsageError
from emollms.training.manifest import read_run
from emollms.training.merge import write_merged
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training
from emollms.training.tiny import make_tiny

NAME = "model.layers.1.self_attn.v_proj.weight"


def change(folder, change_tensors):
    file = folder / "model.safetensors"
    save_file(change_tensors(load_file(file)), file, {"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            lambda all_of: {key: one for key, one in all_of.items() if key != NAME},
            rf"1 tensor is missing, such as {NAME}",
        ),
        (lambda all_of: all_of | {"extra.weight": torch.ones(2)}, r"1 tensor is left over, such as extra\.weight"),
        (
            lambda all_of: all_of | {NAME: torch.ones(8, 32)},
            rf"1 tensor is of another shape, such as {NAME} \(8×32, not 1",
        ),
        (lambda all_of: all_of | {NAME: torch.full((16, 32), torch.nan)}, rf"gives no numbers .*such as {NAME} of "),
    ],
    ids=["missing", "left over", "other shape", "nan"],
)
@pytest.mark.parametrize("more", [{}, {"use_peft": True, "lora_target_modules": "all-linear"}], ids=["full", "lora"])
def test_a_base_that_is_not_whole_is_never_tuned(aaid, write_recipe, tmp_path, harm, message, more):
    base = make_tiny("llama", tmp_path / "base")
    change(base, harm)
    path = write_recipe(max_steps=1, model_name_or_path=str(base), **more)
    with pytest.raises(EmollmsError, match=message) as told:
        run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run" / "model").exists()


def test_the_precision_of_the_file_can_be_asked_for(aaid, write_recipe, tmp_path):
    run = run_training(load_recipe(str(write_recipe(max_steps=1, dtype="auto"))), aaid, tmp_path / "run").manifest
    assert run.hardware.precision == "float32"


@pytest.mark.parametrize("more", [{}, {"use_peft": True, "lora_target_modules": "all-linear"}], ids=["full", "lora"])
def test_generation_settings_that_the_others_make_void_go_no_further(aaid, write_recipe, tmp_path, more):
    base = make_tiny("llama-chat", tmp_path / "base")
    settings = json.loads((base / "generation_config.json").read_text())
    void = {"do_sample": False, "temperature": 0.9, "top_p": 0.6, "early_stopping": True, "output_scores": True}
    (base / "generation_config.json").write_text(json.dumps(settings | void | {"max_new_tokens": 77}))
    save = {"save_strategy": "steps", "save_steps": 1}
    path = write_recipe("llama-chat", max_steps=1, model_name_or_path=str(base), **save, **more)
    run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    write_merged([tmp_path / "run"], tmp_path / "merged")
    for folder in (tmp_path / "run" / "model", tmp_path / "merged"):
        written = json.loads((folder / "generation_config.json").read_text())
        assert not written.keys() & {"temperature", "top_p", "early_stopping", "output_scores"}
        assert written["max_new_tokens"] == 77
        assert written["eos_token_id"] == settings["eos_token_id"]
        GenerationConfig.from_pretrained(folder).validate(strict=True)


def test_settings_of_sampling_stay_with_sampling(aaid, write_recipe, tmp_path):
    base = make_tiny("llama-chat", tmp_path / "base")
    settings = json.loads((base / "generation_config.json").read_text())
    meant = {"do_sample": True, "temperature": 0.9, "top_p": 0.6}
    (base / "generation_config.json").write_text(json.dumps(settings | meant))
    path = write_recipe("llama-chat", max_steps=1, model_name_or_path=str(base))
    run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    written = json.loads((tmp_path / "run" / "model" / "generation_config.json").read_text())
    assert meant.items() <= written.items()


@pytest.mark.parametrize(
    "invalid", [{"max_new_tokens": -1}, {"num_return_sequences": 3}, {"cache_implementation": "no"}]
)
def test_generation_settings_that_are_invalid_are_told(aaid, write_recipe, tmp_path, invalid):
    base = make_tiny("llama", tmp_path / "base")
    settings = json.loads((base / "generation_config.json").read_text())
    (base / "generation_config.json").write_text(json.dumps(settings | invalid))
    path = write_recipe(max_steps=1, model_name_or_path=str(base))
    with pytest.raises(UsageError, match=next(iter(invalid))) as told:
        run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("limit", "kept"), [(1, [5]), (3, [3, 4, 5]), (None, [1, 2, 3, 4, 5])])
def test_as_many_checkpoints_stay_as_the_recipe_says(aaid, write_recipe, tmp_path, limit, kept):
    path = write_recipe(max_steps=5, save_strategy="steps", save_steps=1, save_total_limit=limit, train_limit=8)
    run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    there = sorted(int(folder.name.split("-")[1]) for folder in (tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    assert there == kept
    assert read_run(tmp_path / "run").steps == 5
