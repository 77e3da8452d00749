"""The wordings in which a task is put to a model, read from `builders/instructions/<lang>/<task>.yaml`.

Those of a task that another package adds are in `instructions/<lang>/<task>.yaml` of that package. A package with a
corpus or a task of its own may also bring wordings of any task in a language that is missing here.

A file in another language may have `words`: what stands there for the English words that placeholders fill in, such as
`very negative: molto negativo`. Answers, and the classes and labels that wordings list, stay English: models give them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Formatter
from typing import Any

import yaml

from emollms.errors import UsageError, shorten, unknown
from emollms.tasks import BUILDERS, TASK_ENTRIES, TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

ENGLISH = "en"
NATIVE = "native"
"""In place of the code of a language: that of each text."""
_WRITTEN_AS = {"arq": "ar", "ary": "ar"}
"""Dialects whose speakers write and read instructions in a standard language: Algerian and Moroccan Arabic."""
TRANSLATED = ("emotion", "low", "high")
"""Placeholders whose words are no part of an answer."""


@cache
def wordings(task_name: str, language: str = ENGLISH) -> tuple[str, ...]:
    """The instruction wordings of a task, with their placeholders, in file order.

    The number of a wording, counted from 0, is part of a row's id: wordings are appended, never reordered.

    Raises:
        UsageError: there is no file of wordings for this task and language, or a wording in it cannot be used.
    """
    source = _source(task_name, language)
    if source is None:
        own = files(TASKS.package(task_name)) / "instructions" / language / f"{task_name}.yaml"
        raise UsageError(f"no instruction wordings for task {task_name!r} in language {language!r}; add {own}")
    found = _read(source)
    for number, wording in enumerate(found):
        _check(wording, f"{source}: wording {number}", placeholders(get_task(task_name)))
    return found


@cache
def instruction_languages(task_name: str) -> tuple[str, ...]:
    """The languages in which a task has wordings, in alphabetical order."""
    found: set[str] = set()
    for folder in _folders(task_name):
        found |= {one.name for one in folder.iterdir() if (one / f"{task_name}.yaml").is_file()}
    return tuple(sorted(found))


@cache
def instruction_language(task_name: str, language: str, instructions: str = ENGLISH) -> str:
    """The language in which a task is asked of a text: the wanted one, where there are wordings in it, else English.

    Args:
        task_name: the task.
        language: the language of the text.
        instructions: the code of a language, or `native` for that of the text; `pt-BR` also takes wordings in `pt`.
    """
    wanted = _WRITTEN_AS.get(language, language) if instructions == NATIVE else instructions
    known = instruction_languages(task_name)
    return next((code for code in (wanted, wanted.partition("-")[0]) if code in known), ENGLISH)


def _folders(task_name: str) -> Iterator[Traversable]:
    """Where wordings of a task may be: in the package that has the task, then in those that bring corpora or tasks."""
    for package in dict.fromkeys([TASKS.package(task_name), *_other_packages()]):
        with suppress(Exception, SystemExit):  # a package that is broken or gone has no wordings
            if (folder := files(package) / "instructions").is_dir():
                yield folder


@cache
def _other_packages() -> list[str]:
    """Those that bring corpora or tasks; found once, because it reads what every installed package has."""
    entries = [entry for group in (BUILDERS, TASK_ENTRIES) for entry in entry_points(group=group)]
    return sorted(entry.module.partition(".")[0] for entry in entries)


def _source(task_name: str, language: str) -> Traversable | None:
    """The file of wordings of a task in a language, where there is one."""
    found = (folder / language / f"{task_name}.yaml" for folder in _folders(task_name))
    return next((file for file in found if file.is_file()), None)


@cache
def _words(task_name: str, language: str) -> Mapping[str, str]:
    """What the English words of a task are in the wordings of a language; those that are missing stay English."""
    source = _source(task_name, language)
    words = _content(source).get("words", {}) if source else {}
    if not isinstance(words, dict) or not all(isinstance(one, str) for pair in words.items() for one in pair):
        raise UsageError(
            f'{source}: words is no mapping of texts; write `"very negative": "…"`, one a line below `words:`'
        )
    return words


def _content(source: Traversable) -> dict[str, Any]:
    """The mapping in a file; an empty one, where it holds something else."""
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UsageError(f"{_place(source, error)}: no YAML ({getattr(error, 'problem', None) or error})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    return content if isinstance(content, dict) else {}


def _read(source: Traversable) -> tuple[str, ...]:
    """The wordings in a file."""
    found = _content(source).get("wordings")
    if not isinstance(found, list) or not found:
        raise UsageError(f'{source} has no list of wordings; write `wordings:` and one `- "…"` a line below it')
    for number, wording in enumerate(found):
        if not isinstance(wording, str) or not wording.strip():
            shown = shorten(repr(wording))
            raise UsageError(f"{source}: wording {number} is {shown} ({type(wording).__name__}); put a text in quotes")
    return tuple(found)


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
        language: the language of the wording.
    """
    values = _values(task, emotion, labels)
    if language != ENGLISH:
        words = _words(task.name, language)
        values |= {name: words.get(values[name], values[name]) for name in TRANSLATED if name in values}
    return wordings(task.name, language)[wording].format_map(values)


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
