"""Runs of so many minutes: the steps that fit are fixed by a trial, which leaves no trace in what is trained."""

import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import IntervalStrategy
from transformers.trainer_utils import SaveStrategy
from typer.testing import CliRunner

from emollms.cli import app
from emollms.errors import UsageError
from emollms.training import trial
from emollms.training.manifest import read_run
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training
from emollms.training.schedule import Costs, Schedule, fitting_steps, validation_limit

SAVES = {"eval_strategy": "steps", "eval_steps": 0.5, "save_strategy": "steps", "save_steps": 0.5, "max_steps": -1}
LORA = {"use_peft": True, "lora_r": 4, "lora_dropout": 0.2, "lora_target_modules": "all-linear"}


def settings(**changed):
    known = {
        "train_batch_size": 4, "world_size": 1, "gradient_accumulation_steps": 1, "max_steps": -1,
        "num_train_epochs": 3.0, "eval_on_start": False, "eval_strategy": IntervalStrategy.STEPS, "eval_steps": 0.25,
        "save_strategy": SaveStrategy.STEPS, "save_steps": 0.25,
    }  # fmt: skip
    return SimpleNamespace(**known | changed)


@pytest.mark.parametrize(
    ("changed", "steps", "evaluations", "checkpoints"),
    [
        ({}, 100, 4, 4),
        ({}, 10, 3, 4),  # every 3 steps, and a checkpoint at the end
        ({}, 1, 1, 1),
        ({"eval_steps": 30, "save_steps": 30}, 100, 3, 4),
        ({"eval_steps": 200, "save_steps": 200}, 100, 0, 1),
        ({"eval_strategy": IntervalStrategy.NO, "save_strategy": SaveStrategy.NO}, 100, 0, 0),
        ({"eval_strategy": IntervalStrategy.EPOCH, "save_strategy": SaveStrategy.EPOCH}, 60, 3, 3),
        ({"save_strategy": SaveStrategy.BEST, "eval_on_start": True}, 100, 5, 5),
    ],
)
def test_evaluations_and_checkpoints_of_a_run_are_counted(changed, steps, evaluations, checkpoints):
    schedule = Schedule(settings(**changed), rows=100)
    assert (schedule.evaluations(steps), schedule.checkpoints(steps)) == (evaluations, checkpoints)


def test_steps_and_epochs_of_a_run_are_counted():
    parted = settings(gradient_accumulation_steps=3, world_size=2)
    assert (Schedule(parted, 100).step_rows, Schedule(parted, 100).epoch_steps) == (24, 5)
    assert (Schedule(parted, 100).steps, Schedule(parted, 100).epochs) == (15, 3)
    assert (Schedule(settings(num_train_epochs=0.5), 100).steps, Schedule(settings(max_steps=26), 100).epochs) == (
        13,
        2,
    )


def test_a_short_run_evaluates_fewer_rows():
    hour = Schedule(settings(max_steps=800, train_batch_size=8), 22_000)
    assert validation_limit(hour, 40, 0.125, tasks=5) == 40  # 6,400 rows / 8 / 4 times / 5 tasks
    assert validation_limit(Schedule(settings(max_steps=400, train_batch_size=8), 22_000), 40, 0.125, tasks=5) == 20
    assert validation_limit(Schedule(settings(max_steps=10, train_batch_size=8), 22_000), 40, 0.125, tasks=5) == 4
    assert validation_limit(Schedule(settings(max_steps=10), 22_000), 3, 0.125, tasks=5) == 3
    assert validation_limit(Schedule(settings(max_steps=10), 22_000), 40, None, tasks=5) == 40


def costs(**changed):
    known = {"token": 0.01, "evaluation": 1.0, "row": 0.5, "checkpoint": 2.0, "epoch": 5.0, "tasks": 1, "fixed": 20.0}
    return Costs(**known | changed)


def fit(seconds, tokens=(100,) * 50, limit=2, **changed):
    parsed = SimpleNamespace(
        training=settings(train_batch_size=2),
        tuning=SimpleNamespace(selection_rows=limit, selection_share=None, most_epochs=3),
    )
    return fitting_steps(parsed, tokens, 2 * len(tokens), costs(**changed), seconds)


def test_steps_evaluations_checkpoints_and_loading_fit_into_the_time():
    # 20 s fixed; a step 1 s; an evaluation every 7 steps, 1 + 2 · 0.5 s, and a checkpoint with each and at the end, 2 s
    assert fit(60) == (26, 20 + 26 + 3 * 2 + 4 * 2)
    assert fit(61) == (27, 61.0)
    assert fit(60, row=1.5) == (19, 20 + 19 + 3 * 4 + 4 * 2)  # every 5; 20 steps would be evaluated four times
    assert fit(60, fixed=30) == (15, 30 + 15 + 3 * 2 + 4 * 2)


def test_longer_rows_take_longer_and_their_places_count():
    first = fit(60, tokens=(300,) * 10 + (50,) * 40)[0]
    last = fit(60, tokens=(50,) * 40 + (300,) * 10)[0]
    assert first < 26 < last


def test_never_more_than_three_epochs_nor_less_than_a_step():
    assert fit(10_000)[0] == 150
    steps, needed = fit(5)
    assert (steps, needed) == (1, 20 + 1 + 2 + 2)


def test_rows_of_further_epochs_take_time():
    assert fit(20 + 51 + 8 + 8)[0] < 51  # a second epoch is drawn: 5 s for each of the two
    assert fit(20 + 51 + 8 + 8 + 10)[0] >= 51


def weights(out):
    return load_file(next((out / "model").glob("*.safetensors")))


def same(out, other):
    found, expected = weights(out), weights(other)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.fixture
def fitting(monkeypatch):
    """The trial is made, and what it finds is replaced by a number of steps; gives the costs that were found."""

    def fix(steps):
        found = []
        monkeypatch.setattr(
            trial, "fitting_steps", lambda parsed, tokens, rows, costs, seconds: found.append(costs) or (steps, 1.0)
        )
        return found

    return fix


@pytest.mark.parametrize(
    ("kind", "family", "more", "steps"),
    [
        pytest.param("smollm2", "llama", {"objective": "expected_value", "wordings": "all"}, 7, marks=pytest.mark.slow),
        pytest.param(  # more than an epoch
            "smollm2", "llama", LORA | {"train_limit": 4, "gradient_accumulation_steps": 2}, 6, marks=pytest.mark.slow
        ),
        pytest.param("t5", "t5", {}, 4, marks=pytest.mark.slow),
    ],
    ids=["full", "lora", "encoder-decoder"],
)
def test_a_run_of_minutes_is_the_run_of_its_steps_to_the_last_bit(
    aaid, write_recipe, tmp_path, fitting, kind, family, more, steps
):
    found = fitting(steps)
    path, warnings = str(write_recipe(kind, family, **SAVES, **more)), []
    timed = run_training(load_recipe(path, minutes=5), aaid, tmp_path / "timed", warn=warnings.append).manifest
    plain = run_training(load_recipe(path, [f"max_steps={steps}"]), aaid, tmp_path / "plain").manifest
    assert (timed.steps, timed.max_steps) == (steps, steps)
    assert f"{steps} steps fit into 5 minutes" in warnings
    assert timed.losses == plain.losses
    assert timed.evaluations == plain.evaluations
    assert timed.rows == plain.rows
    same(tmp_path / "timed", tmp_path / "plain")
    assert json.loads((tmp_path / "timed" / "settings.json").read_text())["resolved"]["max_steps"] == steps
    (one,) = found
    assert min(one.token, one.row + one.evaluation, one.checkpoint, one.epoch, one.fixed) > 0
    assert one.tasks == 5


@pytest.mark.slow
def test_a_resumed_run_keeps_its_steps_and_is_not_timed_again(aaid, write_recipe, tmp_path, fitting, monkeypatch):
    fitting(6)
    path = str(write_recipe(**SAVES))
    whole = run_training(load_recipe(path, minutes=5), aaid, tmp_path / "whole").manifest

    def kill_at(step):
        def kill(what, done, total):
            if done == step:
                raise KeyboardInterrupt

        return kill

    for step in (2, 4):  # nothing saved yet, and a checkpoint
        with pytest.raises(KeyboardInterrupt):
            run_training(load_recipe(path, minutes=5), aaid, tmp_path / "run", on_progress=kill_at(step))
        monkeypatch.setattr(trial, "_try", None)
    resumed = run_training(load_recipe(path, minutes=5), aaid, tmp_path / "run").manifest
    assert (resumed.steps, resumed.losses) == (6, whole.losses)
    same(tmp_path / "run", tmp_path / "whole")
    with pytest.raises(UsageError, match=r"other settings \(recipe.minutes: 5.*, not 6"):
        run_training(load_recipe(path, minutes=6), aaid, tmp_path / "run")


def test_minutes_that_are_too_few_train_a_step_and_say_so(aaid, write_recipe, tmp_path):
    warnings = []
    path = str(write_recipe(max_steps=-1))
    run = run_training(load_recipe(path, minutes=0.001), aaid, tmp_path / "run", warn=warnings.append).manifest
    assert run.steps == 1
    assert any(note.startswith("0.001 minutes are too few: loading, one step") for note in warnings)


@pytest.mark.parametrize(
    ("steps", "needed", "most", "told"),
    [
        (1, 50.0, 900, "1 step fits into 1.5 minutes"),
        (1200, 89.0, 5000, "1,200 steps fit into 1.5 minutes"),
        (6, 20.0, 6, "6 steps fit into 1.5 minutes, as 3 epochs need no more"),
        (1, 300.0, 900, "1.5 minutes are too few: loading, one step and its evaluation take about 5.0"),
    ],
)
def test_how_many_steps_fit_is_told(steps, needed, most, told):
    assert trial._report(steps, needed, 90.0, 3, most) == told
    assert trial._report(5, 50.0, 60.0, 3, 900) == "5 steps fit into 1 minute"


@pytest.mark.parametrize(("set_epochs", "epochs"), [({}, 3), ({"most_epochs": 1}, 1)])
def test_many_minutes_are_as_many_epochs_as_a_recipe_allows(aaid, write_recipe, tmp_path, set_epochs, epochs):
    warnings = []
    path = str(write_recipe(max_steps=-1, train_limit=1, **set_epochs))
    run = run_training(load_recipe(path, minutes=500), aaid, tmp_path / "run", warn=warnings.append).manifest
    assert (run.epochs, run.steps) == (epochs, 2 * epochs)  # five rows an epoch
    assert f"{2 * epochs} steps fit into 500 minutes, as {epochs} epochs need no more" in warnings


def test_a_trial_takes_steps_of_all_lengths():
    places = [trial._halving(number) for number in range(1, 8)]
    assert places == [1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


def test_random_numbers_are_as_they_were():
    with trial._random_state_kept():
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        expected = None
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    with trial._random_state_kept():
        torch.rand(9), np.random.rand(9), random.random()
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", "2", "--set", "max_steps=5"], "--minutes 2 and --set max_steps=5 both say how long to train"),
        (["--minutes", "2", "--set", "num_train_epochs=1"], "--minutes 2 and --set num_train_epochs=1 both say how"),
        (["--minutes", "2", "--set", "minutes=3"], "--minutes 2 and --set minutes=3 both say how long to train"),
        (["--set", "minutes=2", "--set", "max_steps=5"], "--set minutes and --set max_steps both say how long to"),
        (["--minutes", "0"], "--minutes 0: give a number above 0"),
        (["--minutes", "-3"], "--minutes -3: give a number above 0"),
        (["--minutes", "nan"], "--minutes nan: give a number above 0"),
        (["--minutes", "inf"], "--minutes inf: give a number above 0"),
        (["--set", "minutes=0"], "--set minutes=0: minutes: give a number above 0, not 0"),
        (["--set", "minutes=soon"], "--set minutes=soon: minutes: input should be a valid number"),
        (["--set", "minutes=.inf"], "--set minutes=.inf: minutes: give a number above 0, not inf"),
        (["--set", "selection_share=0"], "selection_share: give a number above 0, not 0"),
    ],
)
def test_a_time_that_makes_no_sense_is_one_line(aaid, tmp_path, arguments, message):
    command = ["train", "emosmol-135m", "--data", aaid.target, "--out", str(tmp_path / "run"), *arguments]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not (tmp_path / "run" / "settings.json").exists()


def test_how_long_to_train_is_said_once(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("family: llama\nminutes: 60\nseed: 1\n")

    def said(*overrides, minutes=None):
        values = load_recipe(str(path), overrides, minutes).values
        return {key: values[key] for key in ("minutes", "num_train_epochs", "max_steps") if key in values}

    assert said() == {"minutes": 60}
    assert said(minutes=2) == said("minutes=2") == {"minutes": 2}
    assert said("num_train_epochs=2") == {"num_train_epochs": 2}
    assert said("max_steps=5") == {"max_steps": 5}
    assert said("minutes=null") == {"minutes": None}
    path.write_text("family: llama\nnum_train_epochs: 3\nmax_steps: 100\n")
    assert said(minutes=2) == {"minutes": 2}
    path.write_text("family: llama\nnum_train_epochs: 3\nminutes: 60\n")
    with pytest.raises(UsageError, match=r"mine\.yaml:2: num_train_epochs and minutes \(line 3\) both say how long"):
        said()
    path.write_text("family: llama\nmax_steps: -1\nminutes: 60\n")
    assert said()["minutes"] == 60


@pytest.mark.slow
def test_several_processes_agree_on_the_steps(aaid, write_recipe, tmp_path):
    script = Path(__file__).with_name("timed_run.py")
    path = write_recipe(**SAVES, per_device_train_batch_size=2, processes=2, bf16=None)
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", script]
    command = ["train", path, "--data", aaid.target, "--out", tmp_path / "run", "--minutes", "5"]
    done = subprocess.run([*start, *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = read_run(tmp_path / "run")
    assert (run.steps, run.hardware.processes, run.hardware.precision) == (4, 2, "float32")


def test_the_recipe_for_a_laptop_takes_an_hour():
    values = load_recipe("emosmol-135m").values
    assert values["minutes"] == 60
    assert "num_train_epochs" not in values
