import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from emollms import hardware
from emollms.cli import main
from emollms.errors import UsageError
from emollms.inference.loading import load
from emollms.training.manifest import read_run
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training

SAVES = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2}
LORA = {"use_peft": True, "lora_r": 4, "lora_dropout": 0.2, "lora_target_modules": "all-linear"}
PARTS = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}


def weights(out):
    return load_file(next((out / "model").glob("*.safetensors")))


def killed(recipe, data, out, step, by="SIGKILL"):
    script = Path(__file__).with_name("killed_run.py")
    command = [sys.executable, script, recipe, data.target, out, str(step), by]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("kind", "family", "more", "steps"),
    [
        pytest.param(
            "smollm2",
            "llama",
            {"wordings": "all", "objective": "expected_value"},
            (3, 5),
            id="full",
            marks=pytest.mark.slow,
        ),
        pytest.param("smollm2", "llama", LORA | PARTS, (5,), id="lora", marks=pytest.mark.slow),
        pytest.param("t5", "t5", {}, (4,), id="encoder-decoder", marks=pytest.mark.slow),
    ],
)
def test_after_a_kill_the_same_command_gives_the_same_bits(aaid, write_recipe, tmp_path, kind, family, more, steps):
    path = write_recipe(kind, family, **SAVES, **more)
    whole = run_training(load_recipe(str(path)), aaid, tmp_path / "whole").manifest
    warnings = []
    for step in steps:
        assert killed(path, aaid, tmp_path / "killed", step).returncode == -signal.SIGKILL
    resumed = run_training(load_recipe(str(path)), aaid, tmp_path / "killed", warn=warnings.append).manifest
    assert f"resuming from checkpoint-{2 * ((steps[-1] - 1) // 2)}" in warnings
    assert resumed.losses == whole.losses
    assert resumed.evaluations == whole.evaluations
    assert (resumed.tokens, resumed.answer_tokens) == (whole.tokens, whole.answer_tokens)
    assert resumed.resumed == len(steps)
    for name, expected in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "killed")[name], expected), name


def test_sigterm_saves_and_exits_with_a_code_of_its_own(aaid, write_recipe, tmp_path):
    path = write_recipe(**SAVES)
    whole = run_training(load_recipe(str(path)), aaid, tmp_path / "whole").manifest
    stopped = killed(path, aaid, tmp_path / "run", 3, by="SIGTERM")
    assert stopped.returncode == 75
    assert "stopped by SIGTERM after step 3, which is saved; the same command resumes" in stopped.stdout
    resumed = run_training(load_recipe(str(path)), aaid, tmp_path / "run", resume=True).manifest
    assert resumed.losses == whole.losses
    assert resumed.evaluations == whole.evaluations


@pytest.mark.parametrize(("kind", "family"), [("smollm2", "llama"), ("opt", "opt"), ("bloom", "bloom"), ("t5", "t5"),
                                              ("bart", "bart"), ("gemma3_text", "gemma3_text")])  # fmt: skip
def test_a_run_teaches_and_what_comes_out_is_whole(aaid, write_recipe, tmp_path, kind, family):
    path = write_recipe(kind, family, max_steps=25, tasks=["V-reg"], learning_rate=0.01)
    run = run_training(load_recipe(str(path)), aaid, tmp_path / "run").manifest
    assert run.losses[-1].loss < 0.6 * run.losses[0].loss
    assert run == read_run(tmp_path / "run") == read_run(tmp_path / "run" / "model")
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    auto = AutoModelForSeq2SeqLM if run.model.architecture == "seq2seq" else AutoModelForCausalLM
    auto.from_pretrained(tmp_path / "run" / "model")
    assert AutoTokenizer.from_pretrained(tmp_path / "run" / "model")("0.5").input_ids
    engine = load(str(tmp_path / "run" / "model"))
    assert engine.encoder.template == ("frame" if run.model.architecture == "seq2seq" else "chat")


def test_a_finished_run_is_not_run_again_and_other_settings_are_refused(aaid, write_recipe, tmp_path):
    path = write_recipe(max_steps=1)
    first = run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    again = run_training(load_recipe(str(path)), aaid, tmp_path / "run")
    assert (first.already, again.already) == (False, True)
    assert again.manifest == first.manifest
    with pytest.raises(UsageError, match=r"other settings \(recipe.learning_rate: 0.003, not 1e-05\)"):
        run_training(load_recipe(str(path), ["learning_rate=1e-5"]), aaid, tmp_path / "run")


def test_settings_that_were_refused_can_be_corrected(aaid, write_recipe, tmp_path):
    path = str(write_recipe(max_steps=1))
    for wrong in ("tasks=V-rg", "learning_rate=1e-5"):
        with pytest.raises(UsageError, match="unknown task"):
            run_training(load_recipe(path, ["tasks=V-rg", wrong]), aaid, tmp_path / "run")
    done = run_training(load_recipe(path, ["tasks=V-reg"]), aaid, tmp_path / "run")
    assert list(done.manifest.rows) == ["V-reg"]


def test_what_does_not_suit_this_machine_is_told_once(aaid, write_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "bfloat16_speed", lambda device, name: 0.25)
    recipe, said = load_recipe(str(write_recipe(use_cpu=True, bf16=True, optim="paged_adamw_8bit", max_steps=1))), []
    run_training(recipe, aaid, tmp_path / "run", warn=said.append)
    for line in (
        "optim: paged_adamw_8bit → adamw_torch_fused, without a GPU",
        "precision: bfloat16 is 0.25 times as fast as float32 on this machine; take float32",
    ):
        assert said.count(line) == 1
    again: list[str] = []
    assert run_training(recipe, aaid, tmp_path / "run", warn=again.append).already
    assert again == []


def test_resume_needs_a_run(aaid, write_recipe, tmp_path):
    with pytest.raises(UsageError, match="no run to resume"):
        run_training(load_recipe(str(write_recipe())), aaid, tmp_path / "none", resume=True)


def test_a_folder_with_something_else_is_left_alone(aaid, write_recipe, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("!")
    with pytest.raises(UsageError, match="holds no run of ours"):
        run_training(load_recipe(str(write_recipe())), aaid, tmp_path / "mine")


@pytest.mark.slow
def test_a_half_written_checkpoint_is_passed_over(aaid, write_recipe, tmp_path):
    path = write_recipe(**SAVES)
    killed(path, aaid, tmp_path / "run", 5)
    newest = tmp_path / "run" / "checkpoints" / "checkpoint-4"
    with (newest / "optimizer.pt").open("r+b") as stream:
        stream.truncate(100)
    warnings = []
    run_training(load_recipe(str(path)), aaid, tmp_path / "run", warn=warnings.append)
    assert "checkpoint-4 is incomplete or damaged, and was removed" in warnings
    assert "resuming from checkpoint-2" in warnings


@pytest.mark.parametrize(
    ("kind", "family", "message"),
    [
        ("t5", "llama", "is of the family t5, not llama as the recipe says"),
        ("smollm2", "bart", "is of the family llama, not bart as the recipe says"),
    ],
)
def test_neither_kind_is_trained_as_the_other(aaid, write_recipe, tmp_path, kind, family, message):
    with pytest.raises(UsageError, match=message):
        run_training(load_recipe(str(write_recipe(kind, family))), aaid, tmp_path / "run")


def test_early_stopping_and_the_best_checkpoint(aaid, write_recipe, tmp_path, monkeypatch):
    warned = []
    monkeypatch.setattr("transformers.trainer.logger.warning", warned.append)
    # A rate so high that the model gets worse and worse.
    path = write_recipe(**SAVES | {"eval_steps": 1, "save_steps": 1}, max_steps=30, learning_rate=0.3,
                        selection="loss", early_stopping_patience=3, lr_scheduler_type="constant")  # fmt: skip
    run = run_training(load_recipe(str(path)), aaid, tmp_path / "run").manifest
    assert run.steps < 30
    losses = {one.step: one.loss for one in run.evaluations}
    assert run.best_step == min(losses, key=losses.get)
    assert run.steps == run.best_step + 3
    assert run.selection == "loss"
    assert not [text for text in warned if "missing keys" in text]  # tied weights are stored once


def test_two_processes_find_the_losses_of_one(aaid, write_recipe, tmp_path):
    alone = run_training(load_recipe(str(write_recipe(objective="expected_value", objective_weight=10.0))), aaid,
                  tmp_path / "alone").manifest  # fmt: skip
    path = write_recipe(
        objective="expected_value", objective_weight=10.0, per_device_train_batch_size=2, processes=2,
        eval_strategy="steps", eval_steps=6, save_strategy="steps", save_steps=6,
    )  # fmt: skip
    command = [sys.executable, "-m", "emollms", "train", path, "--data", aaid.target, "--out", tmp_path / "both"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    both = read_run(tmp_path / "both")
    assert both.hardware.processes == 2
    assert [point.loss for point in both.losses] == pytest.approx([point.loss for point in alone.losses], rel=1e-3)
    assert set(both.evaluations[0].tasks) == {"EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"}
    assert "wrote" in done.stderr


@pytest.mark.slow
def test_a_late_process_does_not_remove_what_the_first_one_writes(aaid, write_recipe, tmp_path):
    script, out = Path(__file__).with_name("late_run.py"), tmp_path / "run"
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", script]
    path = write_recipe(max_steps=1, per_device_train_batch_size=2, processes=2)
    done = subprocess.run([*start, "train", path, "--data", aaid.target, "--out", out], check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (out / "model" / "model.safetensors").is_file()


def test_what_an_attempt_left_is_not_in_the_model(aaid, write_recipe, tmp_path):
    recipe = load_recipe(str(write_recipe(max_steps=1)))
    run_training(recipe, aaid, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    (tmp_path / "run" / "model.draft").mkdir()
    (tmp_path / "run" / "model.draft" / "half").touch()
    run_training(recipe, aaid, tmp_path / "run")
    assert not (tmp_path / "run" / "model" / "half").exists()
    assert not (tmp_path / "run" / "model.draft").exists()


TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("push_to_hub=true", "publish with emollms publish model"),
        (f"hub_token={TOKEN}", "publish with emollms publish model"),
        (f"run_name={TOKEN}", "holds a token, key or password"),
        ("completion_only_loss=false", "rows are prepared by this package: completion-only loss"),
    ],
)
def test_what_uploads_or_does_nothing_stops_the_command_before_anything_is_written(
    aaid, write_recipe, tmp_path, monkeypatch, capsys, changed, reason
):
    out = tmp_path / "run"
    command = [
        "emollms",
        "train",
        str(write_recipe(max_steps=1, processes=2)),
        "--data",
        aaid.target,
        "--out",
        str(out),
    ]
    monkeypatch.setattr(sys, "argv", [*command, "--set", changed])
    capsys.readouterr()  # the first recipe of a process saves its tiny model, which draws a bar
    with pytest.raises(SystemExit) as left:
        main()
    told = capsys.readouterr().err
    assert left.value.code == 2
    assert told.count("\n") == 1
    assert reason in told
    assert TOKEN not in told
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_the_command_line(aaid, write_recipe, tmp_path, monkeypatch, capsys):
    path = write_recipe(max_steps=2)
    command = ["emollms", "train", str(path), "--data", aaid.target, "--out", str(tmp_path / "run")]
    for arguments, code in ((["--set", "learning_rat=1"], 2), ([], 0), ([], 0)):
        monkeypatch.setattr(sys, "argv", [*command, *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == code
    told = capsys.readouterr()
    assert "unknown key 'learning_rat'; did you mean learning_rate" in told.err
    assert "already finished, not run again" in told.err
    assert "steps\t2" in told.out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["command"] == command
