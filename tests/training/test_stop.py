import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from training.stopped_run import run

from emollms.training.checkpoints import newest_checkpoint
from emollms.training.launch import EXIT_CODE, STOP_FILE, Interrupted, run_until_stopped


@pytest.fixture(autouse=True)
def _signals_are_given_back():
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    yield
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == before


def evaluated(checkpoint):
    history = json.loads((checkpoint / "trainer_state.json").read_text())["log_history"]
    return [entry["step"] for entry in history if "eval_loss" in entry]


def test_sigterm_saves_at_the_end_of_the_step_and_has_its_own_exit_code(tmp_path):
    with pytest.raises(Interrupted) as told:
        run(tmp_path, ["SIGTERM"], 2)
    assert str(told.value) == "stopped by SIGTERM after step 2, which is saved; the same command resumes"
    assert told.value.exit_code == EXIT_CODE == 75
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-2"


def test_ctrl_c_does_the_same(tmp_path):
    with pytest.raises(Interrupted, match="stopped by SIGINT after step 3"):
        run(tmp_path, ["SIGINT"], 3)
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-3"


def test_more_of_sigterm_changes_nothing(tmp_path):
    with pytest.raises(Interrupted, match="stopped by SIGTERM after step 3"):
        run(tmp_path, ["SIGTERM", "SIGTERM", "SIGINT"], 3)


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ["SIGINT", "SIGINT"], 3)
    assert newest_checkpoint(tmp_path) is None


def test_a_signal_in_the_last_step_lets_the_run_end(tmp_path):
    assert run(tmp_path, ["SIGTERM"], 12) == []


def test_in_the_middle_of_an_epoch_what_belongs_to_its_end_is_left_for_later(tmp_path):
    with pytest.raises(Interrupted, match="after step 6"):
        run(tmp_path, ["SIGTERM"], 6, by="epoch")
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-6"
    assert evaluated(tmp_path / "checkpoint-6") == [4]


def test_at_the_end_of_an_epoch_its_evaluation_is_in_the_checkpoint(tmp_path):
    with pytest.raises(Interrupted, match="after step 8"):
        run(tmp_path, ["SIGTERM"], 8, by="epoch")
    assert evaluated(tmp_path / "checkpoint-8") == [4, 8]


def launcher(place, signals, step, rank):
    script = str(Path(__file__).with_name("stopped_run.py"))
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    return [*start, script, str(place), signals, str(step), str(rank)]


@pytest.mark.slow
def test_when_one_process_is_asked_all_stop_at_the_same_step(tmp_path):
    subprocess.run(launcher(tmp_path, "SIGTERM", 2, 1), check=True)
    end = "after step 2, which is saved; the same command resumes"
    assert (tmp_path / "rank0").read_text() == f"75 stopped by a signal to another process {end}"
    assert (tmp_path / "rank1").read_text() == f"75 stopped by SIGTERM {end}"
    newest = newest_checkpoint(tmp_path)
    assert newest == tmp_path / "checkpoint-2"
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in newest.iterdir()}


@pytest.mark.slow
def test_when_the_one_above_the_launcher_is_asked_its_processes_save_and_stop(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNAL_TO", str(os.getpid()))
    assert run_until_stopped(launcher(tmp_path, "SIGTERM", 3, 0)) == EXIT_CODE
    end = "75 stopped by a signal after step 3, which is saved; the same command resumes"
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == [end, end]
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-3"


def test_a_second_ctrl_c_ends_the_launcher_and_all_below_it():
    above = f"os.kill({os.getpid()}, signal.SIGINT)"
    below = f"""
import os, signal
{above}
while not os.path.exists(os.environ["{STOP_FILE}"]):
    pass
{above}
signal.pause()
"""
    assert run_until_stopped([sys.executable, "-c", below]) == -signal.SIGTERM


def test_exit_codes_of_a_launcher_are_passed_on():
    assert run_until_stopped([sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert run_until_stopped([sys.executable, "-c", ""]) == 0
