"""Every command: the stage and the examples in its help, a list for every noun, JSON, how much it says, completion."""

import ast
import inspect
import json
import logging
import os
import pty
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from emollms.cli import app, output
from emollms.cli.base import NounGroup, RootGroup, TableCommand, leaves

STAGES = ["Data", "Quality", "Tuning", "Scoring", "Annotation", "Hub", "This machine"]
VERBS = {"publish", "export"}
"""Groups whose commands say what is done, and to what; all other groups are nouns."""
PRINTERS = {"print_table", "print_fields", "print_result"}
Emollms = Callable[..., tuple[int, str, str]]

ROOT: Any = get_command(app)
COMMANDS = {" ".join(path): command for path, command in leaves(ROOT)}
GROUPS = {name: one for name, one in ROOT.commands.items() if not isinstance(one, typer.core.TyperCommand)}


@pytest.fixture(autouse=True)
def usual_output() -> Iterator[None]:
    """How much is said is of the process: a test with `--quiet` must not silence the next."""
    yield
    output.set_verbosity(0)
    output.set_json(False)


def test_every_command_stands_in_a_stage_in_order() -> None:
    panels = [one.rich_help_panel for one in ROOT.commands.values()]
    assert list(dict.fromkeys(panels)) == STAGES
    shown = CliRunner().invoke(app, ["--help"]).output
    places = [shown.index(f"─ {stage} ─") for stage in STAGES]
    assert places == sorted(places)


def lines_of(command: Any) -> list[str]:
    """The examples of a command."""
    _, head, lines = (command.epilog or "").partition("Examples:\n")
    return [line.strip() for line in lines.splitlines()] if head else []


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_every_command_has_an_example_of_itself(name: str) -> None:
    lines = lines_of(COMMANDS.get(name) or GROUPS[name])
    # A noun alone means its list.
    forms = {f"emollms {name}", f"emollms {name.removesuffix(' list')}"}
    assert any(re.search(rf"(^|[ |]){re.escape(form)}( |$)", line) for line in lines for form in forms), lines


def calls_of(line: str) -> Iterator[list[str]]:
    """The calls of `emollms` in a line for a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words, found = list(lexer), None
    for word in [*words, "|"]:
        if word and set(word) <= set("|&;<>"):
            if found is not None:
                yield found
            found = None
        elif word == "emollms" and found is None:
            found = []
        elif found is not None:
            found.append(word)


EXAMPLES = {line for one in [ROOT, *GROUPS.values(), *COMMANDS.values()] for line in lines_of(one)}


@pytest.mark.parametrize("line", sorted(EXAMPLES))
def test_examples_are_calls_that_are_understood(line: str) -> None:
    for words in calls_of(line):
        parse(ROOT, words)


def parse(group: Any, words: list[str]) -> None:
    """Parse a call down to its command, and run nothing; an option or a value that is unknown raises."""
    while isinstance(group, typer.core.TyperGroup):
        bare = not words or words[0].startswith("-")
        name, *words = ["list", *words] if bare and isinstance(group, NounGroup) else words or ["--help"]
        if name in ("--help", "-h"):
            return
        group = group.commands[name]
    with group.make_context("emollms", [word for word in words if word not in ("--help", "-h")]):
        pass


def test_every_noun_has_a_list() -> None:
    nouns = GROUPS.keys() - VERBS
    assert {"corpora", "datasets", "languages", "models", "recipes", "runs", "suites", "tasks", "templates",
            "wordings"} <= nouns  # fmt: skip
    for name in nouns:
        assert isinstance(GROUPS[name], NounGroup), name
        assert "list" in GROUPS[name].commands, name


def printers_in(function: Callable[..., object], seen: set[str] | None = None) -> bool:
    """Whether a function, or one of its module or of another module of commands that it calls, prints a table."""
    function, seen = inspect.unwrap(function), set() if seen is None else seen  # typer wraps it
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    imported = {
        name.asname or name.name: getattr(sys.modules[str(node.module)], name.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("emollms.cli.")
        for name in node.names
    }
    if names & PRINTERS:
        return True
    for name in names - seen:
        other = imported.get(name) or function.__globals__.get(name)
        if inspect.isfunction(other) and other.__module__.startswith("emollms.cli."):
            seen.add(name)
            if printers_in(other, seen):
                return True
    return False


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "annotate"])
def test_what_prints_a_table_has_json(name: str) -> None:
    """`annotate` prints the annotated table itself, in the form of its input; only with --push a plan."""
    command = COMMANDS[name]
    assert printers_in(command.callback) == isinstance(command, TableCommand)


LISTS = [f"{name} list" for name in sorted(GROUPS.keys() - VERBS)]


@pytest.mark.parametrize("name", LISTS)
def test_a_noun_alone_prints_its_list(name: str, emollms: Emollms, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    code, shown, _ = emollms(*name.split())
    assert code == 0
    assert emollms(name.split()[0])[1] == shown
    code, found, _ = emollms(name.split()[0], "--json")
    assert code == 0
    head, *rows = shown.splitlines()
    objects = json.loads(found)
    assert len(objects) == len(rows)
    keys = [re.sub(r"\W+", "_", heading.lower()).strip("_") for heading in head.split("\t")]
    assert all(list(one) == keys for one in objects)


def test_json_has_numbers_and_lists_where_people_read_words(emollms: Emollms) -> None:
    recipes = {one["name"]: one for one in json.loads(emollms("recipes", "--json")[1])}
    assert recipes["emosmol-135m"]["method"] == "full"
    assert 1.3e8 < recipes["emosmol-135m"]["size"] < 1.4e8
    (sample,) = [one for one in json.loads(emollms("corpora", "--json")[1]) if one["name"] == "sample"]
    assert "es" in sample["languages"]
    shown = json.loads(emollms("corpora", "show", "sample", "--json")[1])
    assert shown["bundled"] is True
    assert {one["state"] for one in shown["files"]} == {"ok"}
    task = json.loads(emollms("tasks", "show", "V-T", "--json")[1])
    assert (task["answers"], task["aeb"], task["main_metric"]) == ([-4.0, 4.0], True, "Pearson's r")


def test_json_has_no_number_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    output.set_json(True)
    try:
        output.print_table(("95 % interval", "texts of A", "é"), [(float("nan"), float("inf"), Path("a/b"))])
        output.print_fields({"About it": None}, {"files": (("name",), [("x",)])})
    finally:
        output.set_json(False)
    table, _, fields = capsys.readouterr().out.partition("]\n")
    assert json.loads(f"{table}]") == [{"95_interval": None, "texts_of_a": None, "é": "a/b"}]
    assert json.loads(fields) == {"about_it": None, "files": [{"name": "x"}]}


def test_the_next_call_prints_a_table_again(emollms: Emollms) -> None:
    assert emollms("templates", "--json")[1].startswith("[")
    assert emollms("templates")[1].startswith("name\tabout\n")


def test_quiet_and_verbose(emollms: Emollms, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in output._LIBRARIES:
        monkeypatch.setenv(name, "warning")
    code, shown, notes = emollms("recipes")
    assert "rule of thumb" in notes
    for words in (("-q", "recipes"), ("recipes", "--quiet"), ("recipes", "list", "-q")):
        assert emollms(*words) == (code, shown, "")
    assert emollms("recipes", "show", "nope", "-q")[2].startswith("error: unknown recipe 'nope'")
    for words in (("-v", "recipes", "show", "nope"), ("recipes", "show", "nope", "-v")):
        code, _, told = emollms(*words)
        assert code == 2
        assert "emollms: error: unknown recipe 'nope'" in told
        assert "UsageError: unknown recipe 'nope'" in told.splitlines()[-1]
        assert "s of CPU time" in told
    assert "Traceback" not in emollms("recipes", "show", "nope")[2]


def test_verbose_shows_what_libraries_tell(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    for name in output._LIBRARIES:
        monkeypatch.setenv(name, "warning")
    library = logging.getLogger("a.library")
    try:
        for verbosity, told in ((-1, []), (0, []), (1, ["info"]), (2, ["debug", "info"])):
            output.set_verbosity(verbosity)
            library.debug("debug")
            library.info("info")
            assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == told
    finally:
        output.set_verbosity(0)


def test_quiet_hides_progress_and_keeps_what_must_be_seen(emollms: Emollms, tmp_path: Path, monkeypatch: Any) -> None:
    for name in output._LIBRARIES:
        monkeypatch.setenv(name, "warning")
    build = ("build", "aeb", "--corpora", "sample", "--out", tmp_path / "aeb")
    code, shown, told = emollms(*build, "--quiet")
    assert (code, told) == (0, "")
    assert shown.startswith("task\t")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    code, _, told = emollms("corpora", "fetch", "semeval2018_task1", "--to", tmp_path / "corpora", "--quiet")
    assert code == 2
    assert told.startswith("Terms of ")


COLOR = re.compile(r"\x1b\[[0-9;]*?(3[0-7]|38|4[0-7]|48|9[0-7]|10[0-7])[0-9;]*m")
"""A change of colour; bold and underlined text are none (no-color.org)."""


def on_a_terminal(words: list[str], **environment: str) -> str:
    """What a command writes to a terminal, on stdout and stderr."""
    master, slave = pty.openpty()
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "emollms", *words], stdin=slave, stdout=slave, stderr=slave,
        env={**known, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    ) as running:  # fmt: skip
        os.close(slave)
        written = b""
        try:
            while part := os.read(master, 65536):
                written += part
        except OSError:  # the other end is closed
            pass
        running.wait()
    os.close(master)
    return written.decode()


@pytest.mark.parametrize("words", [["--help"], ["recipes", "show", "nope"]], ids=" ".join)
def test_colors_are_left_out_where_they_are_not_wanted(words: list[str]) -> None:
    assert COLOR.search(on_a_terminal(words))
    assert not COLOR.search(on_a_terminal(words, NO_COLOR="1"))


def completed(line: str, shell: str = "bash", **environment: str) -> list[str]:
    """What a shell is offered where a line ends."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    given = {"_EMOLLMS_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1),
             "_TYPER_COMPLETE_ARGS": line}  # fmt: skip
    code = (
        "import sys\nsys.argv = ['emollms']\nfrom emollms.cli import main\n"
        "import atexit\natexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **given, **environment}, capture_output=True, text=True
    )
    assert not {"torch", "transformers", "datasets"} & set(done.stderr.split()), line
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("emollms dat", ["datasets"]),
        ("emollms recipes sho", ["show"]),
        ("emollms train emosmol-135m-h", ["emosmol-135m-heads"]),
        ("emollms evaluate --task V-r", ["V-reg"]),
        ("emollms evaluate --task E-c,V-r", ["E-c,V-reg"]),
        ("emollms annotate x.csv --task valence,domi", ["valence,dominance"]),
        ("emollms build aeb --corpora sam", ["sample"]),
        ("emollms build aaid --languages en,es,al", ["en,es,all"]),
        ("emollms build aa", ["aaid", "aaid-plus"]),
        ("emollms suites show corpora/t", ["corpora/tdt"]),
        ("emollms tasks show SST", ["SST", "SST5"]),
        ("emollms annotate x.csv --model emo", ["emosmol"]),
        ("emollms evaluate --policy wo", ["worst"]),
    ],
)
def test_values_complete(line: str, offered: list[str]) -> None:
    assert completed(line) == offered


def test_completion_can_be_installed(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "emollms", "--show-completion", "bash"], capture_output=True, text=True, check=True,
        env={**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )  # fmt: skip
    assert "_EMOLLMS_COMPLETE=complete_bash" in shown.stdout
    assert "complete -o default -F _emollms_completion emollms" in shown.stdout


def test_the_root_gives_quiet_and_verbose_to_every_command() -> None:
    assert isinstance(ROOT, RootGroup)
    for name, command in COMMANDS.items():
        taken = [option for parameter in command.params for option in parameter.opts]
        assert {"--quiet", "-q", "--verbose", "-v"} <= set(taken), name
        assert len(taken) == len(set(taken)), name
