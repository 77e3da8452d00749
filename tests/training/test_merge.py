import json
import shutil
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from training.finished_run import finished, load, shake
from transformers import AutoTokenizer

from emollms.cli import main
from emollms.errors import EmollmsError, UsageError
from emollms.inference.decoding import decode
from emollms.inference.loading import load as open_model
from emollms.tasks import get_task
from emollms.training import merge_checks
from emollms.training.manifest import read_run
from emollms.training.merge import write_merged
from emollms.training.merge_checks import BOUNDS, answers, prompts
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training
from emollms.training.tiny import make_tiny

ATTENTION = {"llama": "q_proj v_proj", "llama-chat": "q_proj v_proj", "gemma3_text": "q_proj v_proj", "opt": "q_proj",
             "bloom": "query_key_value", "t5": "q v", "bart": "q_proj v_proj"}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="peft")  # of ties, which the tests are about
        yield


def lora(kind="llama", **more):
    return {"r": 4, "target_modules": ATTENTION[kind].split(), **more}


def adapter_answers(run, base, template="frame"):
    """What the adapter says on its base, without this library's merge."""
    model, _ = load(base)
    tokenizer = load_tokenizer(run / "model")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    return answers(PeftModel.from_pretrained(model, run / "model").eval(), tokenizer, template)


def load_tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


def differ(one, other):
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ATTENTION)
def test_merged_models_say_what_the_adapter_said(tmp_path, kind):
    template = "chat" if kind == "llama-chat" else "frame"
    run = finished(tmp_path, kind, template=template, **lora(kind))
    done = write_merged([run], tmp_path / "merged")
    model, tokenizer = load(tmp_path / "merged")
    base = tmp_path / f"base-{kind}"
    found = answers(model, tokenizer, template)
    assert differ(found, adapter_answers(run, base, template)) < 1e-5
    assert differ(found, answers(load(base)[0], tokenizer, template)) > 1e-3  # the adapter does something
    assert done.dtype == "float32"
    assert done.files == ["model.safetensors"]
    assert done.parameters == sum(one.numel() for one in model.parameters())
    assert 0 <= done.difference <= 1e-5
    assert tokenizer.chat_template == load_tokenizer(base).chat_template
    assert model.generation_config.max_new_tokens == 17
    assert (tmp_path / "merged" / "run.json").read_bytes() == (run / "run.json").read_bytes()
    assert not list(tmp_path.glob(".merged*"))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("llama", {"tied": True, **lora()}),
        ("llama", {"tied": True, **lora(modules_to_save=["embed_tokens"])}),
        ("llama", {"tied": True, **lora(modules_to_save=["lm_head"])}),
        ("llama", {"tied": True, **lora(modules_to_save=["embed_tokens"], ensure_weight_tying=True)}),
        ("llama", lora(modules_to_save=["embed_tokens", "lm_head"])),
        ("llama", {"r": 4, "target_modules": ["q_proj", "embed_tokens"]}),
        ("llama", {"r": 4, "target_modules": ["q_proj", "lm_head"], "tied": True}),
        ("llama", {"resized": 5, **lora()}),
        ("llama", {"resized": 5, "tied": True, **lora(modules_to_save=["embed_tokens", "lm_head"])}),
        ("llama", lora(trainable_token_indices={"embed_tokens": [5, 6]})),
        ("llama", lora(use_dora=True)),
        ("t5", lora("t5", modules_to_save=["lm_head"])),
        ("bart", {"resized": 5, **lora("bart")}),
    ],
)
def test_embeddings_that_are_tied_trained_or_longer(tmp_path, kind, options):
    run = finished(tmp_path, kind, **options)
    write_merged([run], tmp_path / "merged")
    model, tokenizer = load(tmp_path / "merged")
    assert differ(answers(model, tokenizer, "frame"), adapter_answers(run, tmp_path / f"base-{kind}")) < 1e-5
    if options.get("resized"):
        assert tokenizer.convert_tokens_to_ids("<mood4>") == len(tokenizer) - 1
        assert model.get_input_embeddings().num_embeddings == len(tokenizer)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_full_run_is_written_as_it_is(tmp_path, kind):
    run = finished(tmp_path, kind)
    assert write_merged([run], tmp_path / "merged").difference == 0
    before, after = load(run / "model")[0].state_dict(), load(tmp_path / "merged")[0].state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_lower_precision_is_written_and_read_back(tmp_path, dtype):
    run = finished(tmp_path, "llama", **lora())
    done = write_merged([run], tmp_path / "merged", dtype=dtype)
    assert done.dtype == dtype
    assert 0 < done.difference <= BOUNDS[dtype]
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["dtype"] == dtype
    size = (tmp_path / "merged" / "model.safetensors").stat().st_size
    assert size == pytest.approx(2 * done.parameters, rel=0.1)


def test_auto_is_the_precision_of_the_base(tmp_path):
    run = finished(tmp_path, "llama", **lora())
    model, _ = load(tmp_path / "base-llama")
    model.to(torch.bfloat16).save_pretrained(tmp_path / "base-llama")
    with pytest.raises(EmollmsError, match="not the model that the run was trained on"):
        write_merged([run], tmp_path / "merged")
    told = []
    done = write_merged([run], tmp_path / "merged", base=str(tmp_path / "base-llama"), warn=told.append)
    assert done.dtype == "bfloat16"
    assert any("not the model that the run was trained on" in line for line in told)


def test_many_files_with_an_index(tmp_path):
    run = finished(tmp_path, "llama", **lora())
    done = write_merged([run], tmp_path / "merged", shard_size="50KB")
    assert len(done.files) > 2
    index = json.loads((tmp_path / "merged" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == set(done.files)
    model, tokenizer = load(tmp_path / "merged")
    assert differ(answers(model, tokenizer, "frame"), adapter_answers(run, tmp_path / "base-llama")) < 1e-5


def test_a_second_time_nothing_is_done(tmp_path):
    run, out = finished(tmp_path, "llama", **lora()), tmp_path / "merged"
    first = write_merged([run], out)
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = write_merged([run], out)
    assert (first.already, again.already, again.files) == (False, True, first.files)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times
    with pytest.raises(UsageError, match="holds this run's model in float32, not bfloat16"):
        write_merged([run], out, dtype="bfloat16")


def test_another_thing_is_never_overwritten(tmp_path):
    run, out = finished(tmp_path, "llama", **lora()), tmp_path / "merged"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(
        UsageError, match=r"already exists and is not this run.s model; choose another --out, or remove it"
    ):
        write_merged([run], out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_an_evaluation_is_no_training_run(tmp_path):
    (tmp_path / "run.json").write_text('{"name": "VADER", "settings": {}}')
    with pytest.raises(UsageError, match="holds no training run; train one with `emollms train`"):
        write_merged([tmp_path], tmp_path / "merged")


def gone(run, base):
    shutil.rmtree(base)


def no_tokenizer(run, base):
    (run / "model" / "tokenizer_config.json").unlink()


def no_chat_template(run, base):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"template": "chat"}))


def not_finished(run, base):
    (run / "run.json").unlink()


def cut_off(run, base):
    weights = run / "model" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def other_base(run, base):
    shutil.rmtree(base)
    make_tiny("llama", base, seed=8)


def quantised(run, base):
    config = json.loads((base / "config.json").read_text())
    method = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (base / "config.json").write_text(json.dumps(config | method))
    record = json.loads((run / "run.json").read_text())
    record["model"]["revision"] = None
    (run / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (gone, r"base model .*base-llama no longer exists; give its new place with --base"),
        (no_tokenizer, "has no tokenizer, which a merged model needs"),
        (no_chat_template, "chat template"),
        (not_finished, "holds no finished run: run.json is missing"),
        (cut_off, "the adapter in .* does not fit its base .*incomplete metadata"),
        (other_base, "is not the model that the run was trained on"),
        (quantised, "is stored quantised; give the one it was made from with --base"),
    ],
)
def test_what_is_missing_or_broken_is_told_and_leaves_nothing(tmp_path, harm, message):
    run = finished(tmp_path, "llama", **lora())
    harm(run, tmp_path / "base-llama")
    with pytest.raises(EmollmsError, match=message) as told:
        write_merged([run], tmp_path / "merged")
    assert "\n" not in str(told.value)
    assert not list(tmp_path.glob("*merged*"))


def test_a_base_that_moved(tmp_path):
    run = finished(tmp_path, "llama", **lora())
    (tmp_path / "base-llama").rename(tmp_path / "moved")
    told = []
    write_merged([run], tmp_path / "merged", base=str(tmp_path / "moved"), warn=told.append)
    assert not any("hashes of its files" in line for line in told)
    model, tokenizer = load(tmp_path / "merged")
    assert differ(answers(model, tokenizer, "frame"), adapter_answers(run, tmp_path / "moved")) < 1e-5


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    run = finished(tmp_path, "llama", **lora())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(EmollmsError, match=r"too small: the merged model needs .* and 1\.0 kB are free"):
        write_merged([run], tmp_path / "merged")
    assert not list(tmp_path.glob("*merged*"))


def test_a_merge_that_says_something_else_is_not_kept(tmp_path, monkeypatch):
    run = finished(tmp_path, "llama", **lora())

    def spoiled(self, *_, **__):
        with torch.no_grad():
            next(self.parameters()).mul_(1.01)
        return self.unload()

    monkeypatch.setattr(PeftModel, "merge_and_unload", spoiled, raising=False)
    with pytest.raises(
        EmollmsError, match=r"logits differ by .* of the largest, and float32 allows 1e-05; nothing was"
    ):
        write_merged([run], tmp_path / "merged")
    assert not list(tmp_path.glob("*merged*"))


def test_numbers_that_are_none_are_no_agreement():
    nothing = [torch.full((1, 3), float("nan"))]
    with pytest.raises(EmollmsError, match="logits differ by nan"):
        merge_checks.check_same([torch.ones(1, 3)], nothing, "float32")


def test_a_tokenizer_that_changes_is_found(tmp_path):
    run = finished(tmp_path, "llama", **lora())
    tokenizer = load_tokenizer(run / "model")
    other = load_tokenizer(finished(tmp_path / "other", "t5") / "model")
    other.save_pretrained(tmp_path / "written")
    with pytest.raises(EmollmsError, match="differently once it is loaded again"):
        merge_checks.check_tokenizer(tmp_path / "written", tokenizer, "frame")
    tokenizer.save_pretrained(tmp_path / "bare")
    with pytest.raises(EmollmsError, match="with a chat template, and its tokenizer has none"):
        merge_checks.check_tokenizer(tmp_path / "bare", tokenizer, "chat")


SAVES = {"save_strategy": "steps", "save_steps": 2, "max_steps": 4}
TINY_LORA = {"use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear", "learning_rate": 0.05}


@pytest.mark.parametrize("recorded", ["beside", "in it"])
def test_the_model_of_a_run_is_merged_as_the_run_is(tmp_path, recorded):
    run = finished(tmp_path, "llama", **lora())
    if recorded == "in it":  # as `emollms train` writes it, and as it may be copied elsewhere
        shutil.copyfile(run / "run.json", run / "model" / "run.json")
        shutil.copytree(run / "model", tmp_path / "copied")
    write_merged([run], tmp_path / "of-run")
    write_merged([run / "model"], tmp_path / "of-model")
    folders = [tmp_path / "of-run", tmp_path / "of-model"]
    if recorded == "in it":
        write_merged([tmp_path / "copied"], tmp_path / "of-copy")
        folders.append(tmp_path / "of-copy")
    first, *others = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert "run.json" in first
    assert all(other == first for other in others)


@pytest.mark.parametrize("more", [TINY_LORA, {"learning_rate": 0.01}], ids=["lora", "full"])
def test_a_checkpoint_is_merged_where_it_is_whole(aaid, write_recipe, tmp_path, more):
    run_training(load_recipe(str(write_recipe(**SAVES, **more))), aaid, tmp_path / "run")
    last, told = tmp_path / "run" / "checkpoints" / "checkpoint-4", []
    write_merged([last], tmp_path / "of-checkpoint", warn=told.append)
    write_merged([tmp_path / "run"], tmp_path / "of-run")
    one, other = tmp_path / "of-checkpoint", tmp_path / "of-run"
    assert {file.name for file in one.iterdir()} == {file.name for file in other.iterdir()} - {"run.json"}
    for name in ("model.safetensors", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        if (other / name).exists():
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert "so the model has no run.json" in told[-1]
    weights = next(last.glob("*model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(EmollmsError, match=r"checkpoint-4 cannot be merged: .*safetensors has .* bytes instead of"):
        write_merged([last], tmp_path / "again")
    assert not (tmp_path / "again").exists()


def elsewhere(folder, config=None, kind="llama"):
    """An adapter that another program trained, for a base in a folder beside it."""
    base = make_tiny(kind, folder / "base")
    config = config or LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"])
    model = get_peft_model(load(base)[0], config)
    shake(model)
    model.save_pretrained(folder / "mine")
    return folder / "mine"


@pytest.mark.parametrize(
    "config",
    [
        None,
        LoraConfig(r=4, target_modules=["q_proj"], use_rslora=True),
        IA3Config(task_type="CAUSAL_LM", target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
        LoHaConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"]),
    ],
    ids=["lora", "of no task", "ia3", "loha"],
)
def test_an_adapter_made_elsewhere_is_merged_with_the_same_checks(tmp_path, config):
    adapter, told = elsewhere(tmp_path, config), []
    done = write_merged([adapter], tmp_path / "merged", warn=told.append)
    assert 0 <= done.difference <= 1e-5
    model, tokenizer = load(tmp_path / "merged")
    base, of_base = load(tmp_path / "base")
    assert tokenizer.get_vocab() == of_base.get_vocab()
    found, before = answers(model, tokenizer, "frame"), answers(base, of_base, "frame")
    assert differ(found, answers(PeftModel.from_pretrained(base, adapter).eval(), tokenizer, "frame")) < 1e-5
    assert differ(found, before) > 1e-3
    assert not (tmp_path / "merged" / "run.json").exists()
    assert "`emollms publish model` needs" in told[-1]
    with pytest.raises(UsageError, match=r"already exists and is not this run.s model; choose another --out"):
        write_merged([adapter], tmp_path / "merged")


def settings_of(adapter, **changed):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def other_vocabulary(adapter):
    AutoTokenizer.from_pretrained(make_tiny("opt", adapter.parent / "opt")).save_pretrained(adapter)


def nan_in_the_adapter(adapter):
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = min(tensors)
    save_file(tensors | {name: tensors[name] * float("nan")}, adapter / "adapter_model.safetensors", {"format": "pt"})


def nan_in_the_base(adapter):
    file = adapter.parent / "base" / "model.safetensors"
    tensors = load_file(file)
    tensors["model.layers.1.mlp.down_proj.weight"][0, 0] = float("inf")
    save_file(tensors, file, {"format": "pt"})


def gap_in_the_base(adapter):
    file = adapter.parent / "base" / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda adapter: settings_of(adapter, base_model_name_or_path=None), r"names no base.*model"),
        (lambda adapter: shutil.rmtree(adapter.parent / "base"), r"base model .* is not there"),
        (lambda adapter: settings_of(adapter, target_modules=["nope"]), r"does not fit its base .*nope"),
        (lambda adapter: settings_of(adapter, r=8), r"does not fit its base .*size mismatch"),
        (lambda adapter: settings_of(adapter, target_modules=["q_proj", "k_proj"]), r"4 tensors are missing, such as"),
        (
            lambda adapter: settings_of(adapter, layers_to_transform=[0]),
            r"2 tensors are left over, such as .*layers\.1",
        ),
        (lambda adapter: (adapter / "adapter_config.json").write_text("{"), r"adapter_config\.json is damaged"),
        (other_vocabulary, r"and .*mine tokenize texts differently, so it is not the base"),
        (nan_in_the_adapter, r"gives no numbers \(NaN or infinite weights, such as model\.layers\.0.*q_proj"),
        (nan_in_the_base, r"such as model\.layers\.1\.mlp\.down_proj\.weight of .*base"),
        (gap_in_the_base, r"1 tensor is missing, such as model\.layers\.1\.mlp\.down_proj\.weight"),
    ],
)
def test_an_adapter_made_elsewhere_says_why_not_in_one_line(tmp_path, harm, message):
    adapter = elsewhere(tmp_path)
    harm(adapter)
    with pytest.raises(EmollmsError, match=message) as told:
        write_merged([adapter], tmp_path / "merged")
    assert "\n" not in str(told.value)
    assert not list(tmp_path.glob("*merged*"))


def test_a_base_that_an_adapter_does_not_name_can_be_given(tmp_path):
    adapter = elsewhere(tmp_path)
    settings_of(adapter, base_model_name_or_path=None)
    AutoTokenizer.from_pretrained(tmp_path / "base").save_pretrained(adapter)
    assert write_merged([adapter], tmp_path / "merged", base=str(tmp_path / "base")).difference <= 1e-5


def test_a_prompt_that_was_tuned_cannot_be_merged(tmp_path):
    model = get_peft_model(load(make_tiny("llama", tmp_path / "base"))[0],
                           PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))  # fmt: skip
    model.save_pretrained(tmp_path / "prompt")
    with pytest.raises(UsageError, match=r"of the kind PROMPT_TUNING, which adds tokens to a prompt"):
        write_merged([tmp_path / "prompt"], tmp_path / "merged")


def test_folders_that_hold_nothing_to_merge(aaid, write_recipe, tmp_path):
    make_tiny("llama", tmp_path / "whole")
    with pytest.raises(UsageError, match=r"whole holds a whole model and no adapter, so there is nothing to merge"):
        write_merged([tmp_path / "whole"], tmp_path / "merged")
    with pytest.raises(UsageError, match=r"no such folder: .*nowhere; give a finished run"):
        write_merged([tmp_path / "nowhere"], tmp_path / "merged")
    run_training(load_recipe(str(write_recipe(**SAVES))), aaid, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    shutil.rmtree(tmp_path / "run" / "model")
    with pytest.raises(UsageError, match=r"finish it with the same `emollms train`, or give one of .*checkpoints"):
        write_merged([tmp_path / "run"], tmp_path / "merged")


def test_a_full_run_that_is_not_whole_or_no_number_is_never_merged(tmp_path):
    run = finished(tmp_path, "llama")
    file = run / "model" / "model.safetensors"
    tensors = load_file(file)
    name = "model.layers.0.mlp.gate_proj.weight"
    save_file({key: tensor for key, tensor in tensors.items() if key != name}, file, {"format": "pt"})
    with pytest.raises(EmollmsError, match=rf"1 tensor is missing, such as {name}"):
        write_merged([run], tmp_path / "merged")
    save_file(tensors | {name: tensors[name] * float("nan")}, file, {"format": "pt"})
    with pytest.raises(EmollmsError, match=rf"the model gives no numbers \(NaN or infinite weights, such as {name} of"):
        write_merged([run], tmp_path / "merged")
    assert not list(tmp_path.glob("*merged*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from emollms.training import merge as module

for moment, place in (("writing", "_check"), ("checking", "commit")):
    if (child := os.fork()) == 0:
        setattr(module, place, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        module.write_merged([Path(sys.argv[1])], Path(sys.argv[2]) / moment)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
"""


@pytest.mark.slow
def test_a_kill_leaves_nothing_in_the_place_and_the_next_merge_goes_through(tmp_path):
    run, out = finished(tmp_path, "llama", **lora()), tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, str(run), str(out)], check=True)
    assert {path.name for path in out.iterdir()} == {".writing.draft", ".checking.draft"}
    assert (out / ".checking.draft" / "model.safetensors").is_file()
    write_merged([run], out / "writing")
    write_merged([run], out / "checking")
    assert {path.name for path in out.iterdir()} == {"writing", "checking"}


def test_the_command(tmp_path, monkeypatch, capsys):
    run, out = finished(tmp_path, "llama", **lora()), tmp_path / "merged"

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["emollms", "merge", str(run), "--out", str(out), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    code, told = call("--dtype", "float64")
    assert (code, "unknown dtype 'float64'" in told) == (2, True)
    code, told = call("--shard-size", "lots")
    assert (code, "--shard-size 'lots' is not a size" in told) == (2, True)
    code, told = call("--shard-size", "50KB")
    assert code == 0
    assert f"wrote {out}" in told
    assert "logits differ by at most" in told
    assert call() == (0, f"already there, not merged again: {out}\n")
    assert (run / "model" / "adapter_config.json").is_file()


@pytest.mark.parametrize(("kind", "family"), [("smollm2", "llama"), ("bart", "bart")])
def test_a_run_that_was_trained_answers_the_same_when_it_is_merged(aaid, write_recipe, tmp_path, kind, family):
    adapter = {"use_peft": True, "lora_r": 4, "lora_dropout": 0.2, "lora_target_modules": "all-linear"}
    run_training(load_recipe(str(write_recipe(kind, family, learning_rate=0.02, **adapter))), aaid, tmp_path / "run")
    write_merged([tmp_path / "run"], tmp_path / "merged")
    before, after = open_model(str(tmp_path / "run" / "model")), open_model(str(tmp_path / "merged"))
    assert not hasattr(after.model, "peft_config")
    assert before.encoder.template == after.encoder.template == read_run(tmp_path / "merged").template
    rows = aaid.rows("V-reg", "validation")
    said = [
        [one.answer for one in decode(engine, get_task("V-reg"), rows, "expected_value")] for engine in (before, after)
    ]
    assert said[0] == said[1]


def test_prompts_have_what_tokenizers_differ_in():
    text = "".join(prompts())
    assert any(ord(letter) > 0xFFFF for letter in text)
    assert any(letter.isdigit() for letter in text)
