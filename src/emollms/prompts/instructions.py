"""The wordings in which a task is put to a model, read from `builders/instructions/<lang>/<task>.yaml`.

Those of a task that another package adds are in `instructions/<lang>/<task>.yaml` of that package.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Formatter

import yaml

from emollms.errors import UsageError, shorten, unknown
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task


@cache
def wordings(task_name: str, language: str = "en") -> tuple[str, ...]:
    """The instruction wordings of a task, with their placeholders, in file order.

    The number of a wording, counted from 0, is part of a row's id: wordings are appended, never reordered.

    Raises:
        UsageError: there is no file of wordings for this task and language, or a wording in it cannot be used.
    """
    source = files(TASKS.package(task_name)) / "instructions" / language / f"{task_name}.yaml"
    if not source.is_file():
        raise UsageError(f"no instruction wordings for task {task_name!r} in language {language!r}; add {source}")
    found = _read(source)
    for number, wording in enumerate(found):
        _check(wording, f"{source}: wording {number}", placeholders(get_task(task_name)))
    return found


def wording_languages(task_name: str) -> tuple[str, ...]:
    """The languages in which a task has wordings, in alphabetical order."""
    folder = files(TASKS.package(task_name)) / "instructions"
    return tuple(sorted(one.name for one in folder.iterdir() if (one / f"{task_name}.yaml").is_file()))


def _read(source: Traversable) -> tuple[str, ...]:
    """The wordings in a file."""
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


def instruction(task: Task, wording: int, emotion: str | None = None, labels: Sequence[str] | None = None) -> str:
    """Wording number `wording` of a task, filled in.

    Placeholders: `{classes}` (each class number with its words), `{labels}` and `{nothing}` (multi-label tasks),
    `{low}` and `{high}` (what 0 and 1 mean), `{emotion}` (tasks whose prompt has no `Emotion E:` part of its own).

    Args:
        task: the task.
        wording: which wording, from 0.
        emotion: the emotion or dimension asked for, where the task has them.
        labels: the labels to ask for; None for all of a multi-label task.
    """
    return wordings(task.name)[wording].format_map(_values(task, emotion, labels))


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
