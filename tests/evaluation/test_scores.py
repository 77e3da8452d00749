"""The public result: `scores.json` and `Scores` are the same thing, and functions take the commands' options."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from emollms.cli import evaluate as commands
from emollms.cli import report as report_command
from emollms.errors import EmollmsError
from emollms.evaluation.calibrate import calibrate
from emollms.evaluation.evaluate import evaluate
from emollms.evaluation.scores import Scores
from emollms.report.build import make_report


def test_the_result_is_what_the_file_holds(sample_aeb: Path, tmp_path: Path) -> None:
    warned: list[str] = []
    scores = evaluate(sample_aeb, tmp_path / "run", baseline="majority", task=["E-c", "TDT"], warn=warned.append)
    file = tmp_path / "run" / "scores.json"
    assert Scores.read(file) == scores
    again = tmp_path / "again.json"
    Scores.read(file).write(again)
    assert again.read_bytes() == file.read_bytes()
    assert list(json.loads(file.read_text(encoding="utf-8"))["tasks"]["TDT"])[:4] == ["task", "main", "value", "n"]
    assert evaluate(sample_aeb, tmp_path / "run", baseline="majority", task=["E-c", "TDT"]) == scores


def test_the_result_is_readable(sample_aeb: Path, tmp_path: Path) -> None:
    scores = evaluate(sample_aeb, tmp_path / "run", baseline="majority", task=["E-c", "TDT"])
    title, header, *lines = repr(scores).splitlines()
    assert title == "Scores of majority class (baseline)"
    assert header.split("  ")[0] == "task"
    assert [line.split()[0] for line in lines] == ["E-c", "TDT"]
    table = scores.to_pandas()
    assert list(table.columns) == ["task", "metric", "value", "low", "high", "invalid", "rows"]
    assert table["value"].tolist() == [task.value for task in scores.tasks.values()]
    assert len(scores.to_pandas(all_metrics=True)) == sum(len(task.metrics) for task in scores.tasks.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ('{"format": 2}', "is not of format 1"), ('{"format": 1}', "name: Field required")],
)
def test_a_damaged_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text(text, encoding="utf-8")
    with pytest.raises(EmollmsError, match=rf"scores\.json .*{message}"):
        Scores.read(tmp_path / "scores.json")


@pytest.mark.parametrize(
    ("function", "command"),
    [(evaluate, commands.evaluate), (calibrate, commands.calibrate), (make_report, report_command.report)],
)
def test_a_function_takes_the_options_of_its_command(function: Callable[..., Any], command: Callable[..., Any]) -> None:
    own, options = (inspect.signature(one).parameters for one in (function, command))
    assert set(own) - {"command", "progress", "warn"} == set(options)
    for name, option in options.items():
        default = option.default.value if isinstance(option.default, Enum) else option.default
        assert own[name].default == default or (default is None and own[name].default == ()), name


def test_the_functions_are_imported_without_torch() -> None:
    script = "import sys, emollms.evaluation.evaluate, emollms.report.build; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
