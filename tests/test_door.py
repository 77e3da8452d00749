"""The public names: what they are, that they are light, and that they take what their commands take."""

import inspect
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import click
import pytest
import typer

import emollms
from emollms.cli import app

FUNCTIONS = (
    "agree", "build", "distill", "estimate", "evaluate", "find_duplicates", "merge", "publish", "sample", "train",
    "validate",
)  # fmt: skip
NAMES = {"Annotator", "Corpus", "Dataset", "EmollmsError", "Example", "__version__", "tasks", *FUNCTIONS}
COMMANDS = {
    "agree": ["agree"],
    "build": ["build"],
    "distill": ["distill"],
    "estimate": ["estimate"],
    "evaluate": ["evaluate"],
    "find_duplicates": ["dedup"],
    "merge": ["merge"],
    "publish": ["publish dataset", "publish model", "publish space", "publish answers"],
    "sample": ["sample"],
    "train": ["train"],
    "validate": ["validate"],
}
PYTHON_ONLY = {
    "progress": "a command always shows it",
    "warn": "a command prints the lines on stderr",
    "kind": "the name of the command under `emollms publish`",
    "on_plan": "a command prints the plan",
    "on_step": "a command prints the steps",
    "command": "a command records itself",
}
OPTIONAL_IN_PYTHON = {("find_duplicates", "out"): "the result is returned; a command has nowhere else to put it"}


def test_the_public_names() -> None:
    assert set(emollms.__all__) == NAMES
    assert set(dir(emollms)) >= NAMES
    for name in sorted(NAMES - {"__version__"}):
        assert inspect.getdoc(getattr(emollms, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'validat'"):
        _ = emollms.validat


def test_no_room_has_the_name_of_a_public_function() -> None:
    rooms = {path.stem for path in Path(emollms.__file__).parent.iterdir()}
    assert not rooms & {*FUNCTIONS, "Corpus", "Dataset", "Example"}


def loaded(code: str) -> set[str]:
    """The modules that some code imports, beyond those that Python itself has."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_brings_nothing_else() -> None:
    assert loaded("import emollms") == {"emollms"}


def test_naming_a_function_never_brings_torch() -> None:
    modules = loaded("import emollms\nfor name in emollms.__all__: getattr(emollms, name)")
    assert "emollms.dataset.build" in modules
    assert not {"torch", "transformers", "trl"} & modules


def command(name: str) -> click.Command:
    found: Any = typer.main.get_command(app)
    for word in name.split():
        found = found.commands[word]
    return found


def plain(value: object) -> object:
    """A default as Python and the command line both mean it: names for choices, None for nothing."""
    value = value.value if isinstance(value, Enum) else value
    return None if value in ((), [], {}) else value


def options(name: str) -> dict[str, object]:
    """The arguments and options of a command with their defaults, by the names that users type."""
    found = {}
    for parameter in command(name).params:
        option = max(parameter.opts, key=len)  # of an argument, its name
        if option not in ("--help", "--json", "--quiet", "--verbose"):  # the last three are how a result is shown
            default = inspect.Parameter.empty if parameter.required else plain(parameter.default)
            found[option.lstrip("-").replace("-", "_")] = default
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_what_its_command_takes(name: str) -> None:
    """Names and defaults; a name that is a keyword of Python, such as `from`, gets an underscore."""
    given = inspect.signature(getattr(emollms, name)).parameters
    own = {key.rstrip("_"): plain(one.default) for key, one in given.items() if key not in PYTHON_ONLY}
    of_command = {key: default for each in COMMANDS[name] for key, default in options(each).items()}
    for function, key in OPTIONAL_IN_PYTHON:
        if function == name:
            assert own.pop(key) is None
            assert of_command.pop(key) is inspect.Parameter.empty
    assert own == of_command


ANNOTATE_PYTHON_ONLY = {
    "kind": "the class that is made",
    "annotator": "what `Annotator.from_pretrained` gave",
    "source": "the command's first argument, opened",
    "digest": "the hash of that",
    "window": "part of what makes a run resume with the same bytes",
    "probabilities": "what `emollms distill` reads",
    "probe": "50 rows, as the command says",
    "warn": "a command prints the lines on stderr",
    "on_progress": "a command always shows it",
}
ANNOTATE_COMMAND_ONLY = {
    "texts": "a name; Python hands over the texts, or a source",
    "plan": "a function of its own",
    "format": "`labeling.write_for_labeling`",
    "corrections": "`labeling.corrections`",
    "push": "`emollms.publish` with a dataset",
    "yes": "of --push",
    "public": "of --push",
    "split": "how the source is opened: `inputs.open_input`",
    "config": "how the source is opened: `inputs.open_input`",
    "delimiter": "how the source is opened: `Dialect`",
    "encoding": "how the source is opened: `Dialect`",
    "no_quotes": "how the source is opened: `Dialect`",
}


def test_annotating_from_python_takes_what_the_command_takes() -> None:
    from emollms.annotation.open import open_annotator
    from emollms.annotation.plan import plan_annotation
    from emollms.annotation.run import annotate_file

    given: dict[str, object] = {}
    for function in (open_annotator, annotate_file, plan_annotation, emollms.Annotator.__call__):
        for key, one in inspect.signature(function).parameters.items():
            given[key] = None if one.default is inspect.Parameter.empty else plain(one.default)
    of_command = options("annotate")
    assert not set(ANNOTATE_PYTHON_ONLY) - set(given)
    assert not set(ANNOTATE_COMMAND_ONLY) - set(of_command)
    own = {
        key: value for key, value in given.items() if key not in {*ANNOTATE_PYTHON_ONLY, *ANNOTATE_COMMAND_ONLY, "self"}
    }
    assert own == {key: value for key, value in of_command.items() if key not in ANNOTATE_COMMAND_ONLY}


NOPE = "out/nope"
WRONG = {
    "agree": lambda: emollms.agree(f"{NOPE}.csv", "gold.csv"),
    "build": lambda: emollms.build("aebb", "out/aeb"),
    "build, profile": lambda: emollms.build("aeb", "out/aeb", corpora="sample", profile="papr"),
    "Dataset": lambda: emollms.Dataset(NOPE),
    "validate": lambda: emollms.validate(NOPE),
    "find_duplicates": lambda: emollms.find_duplicates(NOPE, out="out/clean"),
    "train": lambda: emollms.train("emosmol-135m", data=NOPE, out="out/run"),
    "distill": lambda: emollms.distill("emosmol-135m-heads", texts=f"{NOPE}.csv", baseline="vader", out="out/run"),
    "merge": lambda: emollms.merge(NOPE, out="out/model"),
    "estimate": lambda: emollms.estimate(f"{NOPE}.csv", f"{NOPE}.csv"),
    "sample": lambda: emollms.sample(f"{NOPE}.csv", 30),
    "evaluate": lambda: emollms.evaluate(data=NOPE, out="out/scores", baseline="vader"),
    "publish": lambda: emollms.publish("dataset", NOPE, "me/x"),
    "tasks": lambda: emollms.tasks.get_task("V-regg"),
    "Annotator": lambda: emollms.Annotator.from_pretrained(baseline="vadder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_an_error_of_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    with pytest.raises(emollms.EmollmsError) as error:
        WRONG[name]()
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").iterdir())


def test_progress_is_shown_when_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[str] = []
    built = emollms.build("aeb", tmp_path / "aeb", corpora="sample", progress=lambda label, *_: called.append(label))
    assert "comparing texts" in called
    assert capsys.readouterr().err == ""
    assert emollms.build("aeb", tmp_path / "aeb", corpora=["sample"]).changed is False
    assert capsys.readouterr().err == ""
    report = emollms.validate(built.folder, progress=True)
    assert report.success
    assert "done in" in capsys.readouterr().err
