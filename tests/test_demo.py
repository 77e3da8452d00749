"""The demo: its commands are there, with the options that it gives them; and the whole of it runs."""

import subprocess
import sys
from pathlib import Path

import demo
import pytest
import typer

from emollms.cli import app


@pytest.mark.parametrize("command", [command for _, command in demo.steps(Path("out"))], ids=" ".join)
def test_its_commands_can_be_parsed(command: list[str]) -> None:
    if command[0] == "python":
        compile(command[-1], "demo", "exec")
        return
    found, arguments = typer.main.get_command(app), command[1:]
    context = found.make_context("emollms", list(arguments))
    while hasattr(found, "resolve_command"):  # a group
        name, found, arguments = found.resolve_command(context, arguments)
        context = found.make_context(name, list(arguments), parent=context)
    assert context.params


def test_commands_are_shown_as_people_type_them() -> None:
    assert demo.shown(["emollms", "build", "--out", "a b"]) == ["emollms", "build", "--out", "'a b'"]


@pytest.mark.slow
def test_the_whole_path(tmp_path: Path) -> None:
    command = [sys.executable, demo.__file__, "--out", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for title, words in demo.steps(tmp_path / "demo"):
        assert title in done.stdout
        assert f"$ {' '.join(demo.shown(words))}" in done.stdout
    assert "the model on the Hub gave the same answers as the one here" in done.stdout
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
