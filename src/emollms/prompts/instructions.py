"""The wordings in which a task is put to a model, read from `builders/instructions/<lang>/<task>.yaml`.

Those of a task that another package adds are in `instructions/<lang>/<task>.yaml` of that package. Labels and classes
are named as answers name them, in English, whatever the language of the wording: one parser reads all answers.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Formatter
from typing import NamedTuple

import yaml

from emollms.errors import UsageError, shorten, unknown
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

ENGLISH, NATIVE = "en", "native"
"""The language of instructions by default; and what asks for the language of each text."""
_WRITTEN_AS = {"arq": "ar", "ary": "ar"}
"""Dialects whose speakers write and read instructions in a standard language: Algerian and Moroccan Arabic."""


class _Wordings(NamedTuple):
    """What a file holds: the wordings, and the words of its language for those that placeholders fill in."""

    wordings: tuple[str, ...]
    words: dict[str, str]


@cache
def instruction_languages(task_name: str) -> tuple[str, ...]:
    """The languages in which there are wordings of a task, in alphabetical order."""
    folder = files(TASKS.package(task_name)) / "instructions"
    codes = [one.name for one in folder.iterdir() if (one / f"{task_name}.yaml").is_file()] if folder.is_dir() else []
    return tuple(sorted(codes))


@cache
def instruction_language(task_name: str, language: str, instructions: str = ENGLISH) -> str:
    """The language in which a task is asked of a text.

    Args:
        task_name: the task.
        language: the text's language.
        instructions: a language, for texts of every language; or `native` for that of the text, English where there
            are no wordings in it.
    """
    if instructions != NATIVE:
        return instructions
    native = _WRITTEN_AS.get(language, language.partition("-")[0])
    return native if native in instruction_languages(task_name) else ENGLISH


@cache
def wordings(task_name: str, language: str = ENGLISH) -> tuple[str, ...]:
    """The instruction wordings of a task, with their placeholders, in file order.

    The number of a wording, counted from 0, is part of a row's id: wordings are appended, never reordered.

    Raises:
        UsageError: there is no file of wordings for this task and language, or a wording in it cannot be used.
    """
    return _file(task_name, language).wordings


@cache
def _file(task_name: str, language: str) -> _Wordings:
    source = files(TASKS.package(task_name)) / "instructions" / language / f"{task_name}.yaml"
    if not source.is_file():
        raise UsageError(f"no instruction wordings for task {task_name!r} in language {language!r}; add {source}")
    found = _read(source)
    for number, wording in enumerate(found.wordings):
        _check(wording, f"{source}: wording {number}", placeholders(get_task(task_name)))
    return found


def _read(source: Traversable) -> _Wordings:
    """The wordings in a file, and its `words`, where it has some."""
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UsageError(f"{_place(source, error)}: no YAML ({getattr(error, 'problem', None) or error})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    found = content.get("wordings") if isinstance(content, dict) else None
    if not isinstance(found, list) or not found:
        raise UsageError(f'{source} has no list of wordings; write `wordings:` and one `- "…"` a line below it')
    for number, wording in enumerate(found):
        if not isinstance(wording, str) or not wording.strip():
            shown = shorten(repr(wording))
            raise UsageError(f"{source}: wording {number} is {shown} ({type(wording).__name__}); put a text in quotes")
    words = content.get("words", {})
    if not isinstance(words, dict) or not all(isinstance(one, str) for pair in words.items() for one in pair):
        raise UsageError(
            f'{source}: words is no mapping of texts; write `"very negative": "…"`, one a line below `words:`'
        )
    return _Wordings(tuple(found), words)


def _place(source: Traversable, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{source}:{mark.line + 1}" if mark else str(source)


def _check(wording: str, place: str, known: tuple[str, ...]) -> None:
    """Make sure that a wording has only placeholders that its task fills in."""
    try:
        names = list(_placeholders_in(wording))
    except ValueError as error:
        raise UsageError(f"{place}: {error} in {shorten(wording)!r}; write braces that are text twice") from None
    for name in names:
        if name not in known:
            raise UsageError(f"{place}: {unknown('placeholder', f'{{{name}}}', [f'{{{one}}}' for one in known])}")


def _placeholders_in(wording: str) -> Iterator[str]:
    return (name for _, name, _, _ in Formatter().parse(wording) if name is not None)


def placeholders(task: Task) -> tuple[str, ...]:
    """The placeholders that wordings of a task may have."""
    emotion = task.emotions[0] if task.emotions else None
    return tuple(name for name in _values(task, emotion, None) if name != "emotion" or task.emotions)


def instruction(
    task: Task,
    wording: int,
    emotion: str | None = None,
    labels: Sequence[str] | None = None,
    language: str = ENGLISH,
) -> str:
    """Wording number `wording` of a task, filled in.

    Placeholders: `{classes}` (each class number with its words), `{labels}` and `{nothing}` (multi-label tasks),
    `{low}` and `{high}` (what 0 and 1 mean), `{emotion}` (tasks whose prompt has no `Emotion E:` part of its own).

    Args:
        task: the task.
        wording: which wording, from 0.
        emotion: the emotion or dimension asked for, where the task has them.
        labels: the labels to ask for; None for all of a multi-label task.
        language: the language of the wording; its file says how the ends of scales and dimensions are called there.
    """
    found = _file(task.name, language)
    values = {name: found.words.get(value, value) for name, value in _values(task, emotion, labels).items()}
    return found.wordings[wording].format_map(values)


def _values(task: Task, emotion: str | None, labels: Sequence[str] | None) -> dict[str, str]:
    asked = "E" if task.names_emotion else emotion or ""
    values = {"emotion": asked}
    if isinstance(task, RegressionTask):
        values["low"], values["high"] = task.poles[emotion or ""]
    elif isinstance(task, OrdinalTask):
        values["classes"] = " ".join(f"{task.class_label(number, asked)}." for number in task.classes)
    elif isinstance(task, MultiLabelTask):
        values |= {"labels": ", ".join(task.labels if labels is None else labels), "nothing": task.nothing or ""}
    return values
