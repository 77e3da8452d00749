"""Wrong calls end in one line, before torch is imported and before the network is asked: see `golden/wrong_calls`."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wrong_calls
from command_lines import run_calls
from golden import check_golden

from emollms.cli import app
from emollms.cli.base import leaves

OFFLINE = wrong_calls.GOLDEN / "offline.txt"
"""Right calls that need the Hub, where it may not be asked."""
CODES = {"offline": 1, "failed": 1}
"""The exit code of the calls in a file; elsewhere 2, a wrong call."""


CALLS = wrong_calls.golden_calls()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wrong_calls.make_folder(tmp_path_factory.mktemp("calls"))


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[tuple[Path, str], dict[str, Any]]:
    """What each call did; those of `OFFLINE` in a process that has no cache and may not ask the Hub."""
    there = sorted(path.name for path in folder.iterdir())
    found: dict[tuple[Path, str], dict[str, Any]] = {}
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "empty")}
    for is_offline, environment in ((False, {}), (True, offline)):
        asked = [(path, call) for path, calls in CALLS.items() for call in calls if (path == OFFLINE) == is_offline]
        done = run_calls([call for _, call in asked], folder, environment, wrong_calls.__file__)
        found |= dict(zip(asked, done, strict=True))
    assert sorted(path.name for path in folder.iterdir()) == there, "a wrong call left something behind"
    return found


@pytest.mark.parametrize("path", CALLS, ids=lambda path: path.stem)
def test_wrong_calls_end_as_in_their_golden_file(path: Path, results: dict[tuple[Path, str], dict[str, Any]]) -> None:
    blocks = []
    for call in CALLS[path]:
        found = results[path, call]
        blocks.append(f"$ emollms {call}\n{found['out']}{found['err']}exit code {found['code']}\n")
    check_golden(path, "\n".join(blocks))


@pytest.mark.parametrize(("path", "call"), [(path, call) for path in CALLS for call in CALLS[path]])
def test_a_wrong_call_is_one_line_and_costs_nothing(
    path: Path, call: str, results: dict[tuple[Path, str], dict[str, Any]]
) -> None:
    found = results[path, call]
    assert found["code"] == CODES.get(path.stem, 2), found
    assert found["out"] == ""
    assert found["err"].startswith("error: "), found["err"]
    assert found["err"].count("\n") == 1, found["err"]
    assert "Traceback" not in found["err"]


def words_of(call: str) -> tuple[str, ...]:
    """The words that name the command of a call."""
    words = shlex.split(call)
    known = {path for path, _ in commands()}
    return tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    from typer.main import get_command

    return leaves(get_command(app))  # type: ignore[arg-type]


def test_there_are_enough_of_them_for_every_command() -> None:
    everything = [call for calls in CALLS.values() for call in calls]
    assert len(everything) == len(set(everything)) >= 120
    tried = {words_of(call) for call in everything}
    assert {path for path, _ in commands()} - tried == set(), "add wrong calls of these to tests/golden/wrong_calls"


def test_the_hooks_see_what_they_should(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_calls(["validate me/aeb"], tmp_path, {"HF_HUB_OFFLINE": "0"}, wrong_calls.__file__)
    assert "the network is asked" in failed.value.stderr
    (made,) = run_calls(["recipes check emosmol-135m"], tmp_path, script=wrong_calls.__file__)
    assert "is imported" in made["code"]
