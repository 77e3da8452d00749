"""The wordings in which a task is put to a model, read from `builders/instructions/<lang>/<task>.yaml`."""

from functools import cache
from importlib.resources import files

import yaml

from emollms.errors import UsageError
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task


@cache
def wordings(task_name: str, language: str = "en") -> tuple[str, ...]:
    """The instruction wordings of a task, with their placeholders, in file order.

    The number of a wording, counted from 0, is part of a row's id: wordings are appended, never reordered.

    Raises:
        UsageError: there is no file of wordings for this task and language.
    """
    source = files("emollms.builders") / "instructions" / language / f"{task_name}.yaml"
    if not source.is_file():
        raise UsageError(f"no instruction wordings for task {task_name!r} in language {language!r}; add {source}")
    return tuple(yaml.safe_load(source.read_text(encoding="utf-8"))["wordings"])


def instruction(task: Task, wording: int, emotion: str | None = None, language: str = "en") -> str:
    """Wording number `wording` of a task, filled in.

    Placeholders: `{classes}` (each class number with its words), `{labels}` and `{nothing}` (multi-label tasks),
    `{low}` and `{high}` (what 0 and 1 mean), `{emotion}` (tasks whose prompt has no `Emotion E:` part of its own).

    Args:
        task: the task.
        wording: which wording, from 0.
        emotion: the emotion or dimension asked for, where the task has them.
        language: code of the text's language, which decides the labels that can be asked for.
    """
    return wordings(task.name)[wording].format_map(_values(task, emotion, language))


def _values(task: Task, emotion: str | None, language: str) -> dict[str, str]:
    asked = "E" if task.names_emotion else emotion or ""
    values = {"emotion": asked}
    if isinstance(task, RegressionTask):
        values["low"], values["high"] = task.poles[emotion or ""]
    elif isinstance(task, OrdinalTask):
        values["classes"] = " ".join(f"{task.class_label(number, asked)}." for number in task.classes)
    elif isinstance(task, MultiLabelTask):
        values |= {"labels": ", ".join(task.labels_in(language)), "nothing": task.nothing or ""}
    return values
