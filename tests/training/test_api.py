"""`emollms.train` and `emollms.merge` as functions."""

import subprocess
import sys
from pathlib import Path

import pytest
from training.finished_run import curves, record

from emollms.errors import UsageError
from emollms.training import api
from emollms.training.result import TrainingRun


def test_train_takes_a_mapping_and_returns_the_run(aaid, write_recipe, tmp_path):
    path, out, steps = write_recipe(), tmp_path / "run", []
    options = {"data": aaid.target, "out": out, "set": {"max_steps": 2, "tasks": ["V-reg"], "learning_rate": 1e-5}}
    run = api.train(path, **options, progress=lambda label, done, total: steps.append((done, total)))
    assert run.manifest.recipe.overrides == ["max_steps=2", 'tasks=["V-reg"]', "learning_rate=1e-05"]
    assert run.manifest.recipe.values["learning_rate"] == 1e-5
    assert steps == [(1, 2), (2, 2)]
    assert (run.steps, run.already, run.model) == (2, False, out / "model")
    assert run.manifest.command[:2] == ["emollms", "train"]
    assert api.train(path, **options).already


def test_a_run_is_readable_in_a_line():
    run = TrainingRun(Path("out/run"), record(best_step=87, **curves(100, 5)))
    assert repr(run).startswith("TrainingRun(out/run: 100 steps in 1.0 minutes, loss 0.")
    assert ", validation metric 0." in repr(run)
    assert repr(run).endswith(" at step 87)")
    assert repr(TrainingRun(Path("out/run"), record())) == "TrainingRun(out/run: 100 steps in 1.0 minutes)"


def test_wrong_options_are_refused_before_torch_is_imported():
    script = """
import sys
from emollms.errors import UsageError
from emollms.training import api
for call in (
    lambda: api.train("emosmol-135", data="none", out="run"),
    lambda: api.train("emosmol-135m", data="none", out="run", set={"learnin_rate": 1}),
    lambda: api.merge("none", out="merged"),
):
    try:
        call()
    except UsageError as error:
        print(error)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, second, third, last = done.stdout.splitlines()
    assert "unknown recipe 'emosmol-135'; did you mean emosmol-135m" in first
    assert "unknown key 'learnin_rate'; did you mean learning_rate or head_learning_rate?" in second
    assert "none" in third
    assert last == "False"


def test_merge_needs_a_dtype_that_exists(tmp_path):
    with pytest.raises(UsageError, match="unknown dtype 'float64'"):
        api.merge(tmp_path, out=tmp_path / "merged", dtype="float64")
