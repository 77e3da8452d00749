"""A run ends where its loss, gradient or weights stop being finite: no model, and the last sound checkpoint stays."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from emollms.training.checkpoints import newest_checkpoint
from emollms.training.launch import DivergedError
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training
from emollms.training.trainer import MOST_SKIPPED, AnswerLossMixin, FiniteCheckMixin

SAVES = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2, "selection": "loss"}


def ends_at(recipe, data, out, message):
    with pytest.raises(DivergedError, match=message) as told:
        run_training(load_recipe(str(recipe)), data, out)
    assert "\n" not in str(told.value)
    assert told.value.exit_code == 1
    assert not (out / "model").exists()
    assert not (out / "run.json").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"learning_rate": 1e30}, r"step 2: the training loss is not finite.* learning_rate \(it is 1e\+30\)"),
        ({"learning_rate": 1e30, **SAVES}, r"step 2: the training loss is not finite"),
        ({"learning_rate": 1e30, **SAVES, "eval_steps": 1, "save_steps": 1}, r"step 1: the validation loss is "),
        (
            {"learning_rate": 1.0, "weight_decay": 1e39, "max_steps": 1},
            r"step 1: weights are NaN or infinite \(model\.",
        ),
        (
            {"learning_rate": 1.0, "weight_decay": 1e39, "save_strategy": "steps", "save_steps": 1},
            r"step 1: weights are ",
        ),
        (
            {"learning_rate": 1.0, "weight_decay": 1e20, "max_steps": 1},
            r"step 1: the loss after the step is not finite",
        ),
    ],
    ids=["loss", "before a checkpoint", "validation loss", "weights at the end", "weights saved", "outputs at the end"],
)
def test_the_step_is_named_and_no_model_is_left(aaid, write_recipe, tmp_path, more, message):
    out = tmp_path / "run"
    ends_at(write_recipe(**more), aaid, out, message)
    assert newest_checkpoint(out / "checkpoints") is None
    assert (
        run_training(load_recipe(str(write_recipe(max_steps=1))), aaid, out).manifest.steps == 1
    )  # settings can be corrected


@pytest.mark.parametrize(("kind", "family"), [("smollm2", "llama"), ("t5", "t5")])
def test_the_last_sound_checkpoint_stays_and_the_run_resumes_from_it(
    aaid, write_recipe, tmp_path, monkeypatch, kind, family
):
    recipe, out = write_recipe(kind, family, **SAVES), tmp_path / "run"
    whole = run_training(load_recipe(str(recipe)), aaid, tmp_path / "whole").manifest
    plain = AnswerLossMixin.compute_loss

    def faulty(self, *arguments, **options):
        """A fault of the machine, in the fifth step."""
        loss = plain(self, *arguments, **options)
        return loss * float("nan") if self.state.global_step == 4 and self.model.training else loss

    monkeypatch.setattr(AnswerLossMixin, "compute_loss", faulty)
    ends_at(
        recipe, aaid, out, r"step 5: the training loss is not finite.*\(checkpoint-4 is sound, and --resume continues"
    )
    kept = load_file(out / "checkpoints" / "checkpoint-4" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
    monkeypatch.setattr(AnswerLossMixin, "compute_loss", plain)
    warnings = []
    resumed = run_training(load_recipe(str(recipe)), aaid, out, resume=True, warn=warnings.append).manifest
    assert "resuming from checkpoint-4" in warnings
    assert resumed.losses == whole.losses
    after = load_file(out / "model" / "model.safetensors")
    for name, tensor in load_file(tmp_path / "whole" / "model" / "model.safetensors").items():
        assert torch.equal(after[name], tensor)


def test_a_gradient_that_is_no_number_never_reaches_the_weights(aaid, write_recipe, tmp_path, monkeypatch):
    plain, seen = AnswerLossMixin.compute_loss, []

    class Spoil(torch.autograd.Function):
        """A finite value with a gradient that is none, as sqrt has at 0."""

        @staticmethod
        def forward(ctx, loss):
            return loss.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("inf")

    def faulty(self, *arguments, **options):
        seen.append(self.model)
        loss = plain(self, *arguments, **options)
        return Spoil.apply(loss) if self.state.global_step == 2 else loss

    monkeypatch.setattr(AnswerLossMixin, "compute_loss", faulty)
    ends_at(write_recipe(), aaid, tmp_path / "run", r"step 3: the norm of the gradient is (nan|inf)")
    assert all(torch.isfinite(weights).all() for weights in seen[-1].parameters())


@pytest.mark.slow  # three processes that import torch
def test_all_processes_stop_with_one_line(aaid, write_recipe, tmp_path):
    path, out = write_recipe(learning_rate=1e30, per_device_train_batch_size=2, processes=2), tmp_path / "run"
    command = [sys.executable, "-m", "emollms", "train", path, "--data", aaid.target, "--out", out]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("error: step 2: the training loss is not finite") == 1
    assert "Traceback" not in done.stderr
    assert not (out / "model").exists()


def test_a_step_that_float16_scales_down_is_skipped_but_not_forever(tmp_path):
    class Library:
        def _get_grad_norm(self, model):
            return torch.tensor(float("inf"))

    class Trainer(FiniteCheckMixin, Library):
        args = SimpleNamespace(fp16=True, device="cpu", output_dir=str(tmp_path), learning_rate=1e-3)
        state = SimpleNamespace(global_step=6)
        model = SimpleNamespace(dtype=torch.float32)

    trainer = Trainer()
    for _ in range(MOST_SKIPPED):
        trainer._get_grad_norm(None)
    with pytest.raises(DivergedError, match=r"step 7: the norm of the gradient is inf.*bfloat16 instead of float16"):
        trainer._get_grad_norm(None)


def test_no_loss_of_a_record_is_made_up(aaid, write_recipe, tmp_path):
    run_training(load_recipe(str(write_recipe(**SAVES))), aaid, tmp_path / "run")
    state = json.loads((tmp_path / "run" / "checkpoints" / "checkpoint-6" / "trainer_state.json").read_text())
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    logged = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    assert [point["loss"] for point in run["losses"]] == logged
    assert all(loss > 0 for loss in logged)
