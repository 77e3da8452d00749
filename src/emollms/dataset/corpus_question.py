"""The question that the gold labels of a new corpus answer: a task that is there, or a new one."""

import re
from collections.abc import Mapping

from emollms.corpora.column_names import plain_name
from emollms.corpora.roles import Kind, Roles
from emollms.dataset.corpus_answers import Planner
from emollms.errors import UsageError, unknown
from emollms.tasks import DIMENSIONS as POLES
from emollms.tasks import NO_EMOTION, TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task

KINDS: Mapping[Kind, str] = {"score": "scores", "class": "classes", "flags": "labels", "labels": "labels"}


def plan_task(planner: Planner, roles: Roles) -> tuple[Task, bool, dict[str, str]]:
    """The question, whether it is new, and cell to label."""
    told = planner.answers.task
    if told is None:
        kinds = {"score": RegressionTask, "class": OrdinalTask}
        fitting = [name for name, task in TASKS.items() if isinstance(task, kinds.get(roles.kind, MultiLabelTask))]
        hint = f"one that is there, such as {', '.join(fitting[:6])}, or a new name"
        told = planner.need("--task", f"which question do these {KINDS[roles.kind]} answer", hint)
    labels = _label_map(planner)
    if told in TASKS:
        return TASKS[told], False, _fit_labels(planner, roles, TASKS[told], labels)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", told):
        raise UsageError(f"--task {told!r} cannot name a task; take letters, digits, - and _, a letter first")
    return _new_task(planner, roles, told, labels)


def _label_map(planner: Planner) -> dict[str, str]:
    pairs = [part.partition("=") for part in planner.answers.labels]
    if wrong := [cell for cell, sign, label in pairs if not (sign and label.strip())]:
        raise UsageError(f"--labels {wrong[0]!r} says no label; write CELL=LABEL, such as 1=anger")
    return {cell.strip(): label.strip() for cell, _, label in pairs}


def _fit_labels(planner: Planner, roles: Roles, task: Task, labels: dict[str, str]) -> dict[str, str]:
    """What cells mean for a task that is there.

    Raises:
        UsageError: the files have something else than the task asks for.
    """
    if isinstance(task, RegressionTask):
        if roles.kind in ("flags", "labels"):
            raise UsageError(
                f"task {task.name} takes scores, and the files have {', '.join(roles.values[:6])}; see --gold"
            )
        _check_emotions(task, roles)
        return {}
    if isinstance(task, OrdinalTask):
        _check_emotions(task, roles)
        numbers = {value: labels.get(value, value) for value in roles.values}
        if wrong := [value for value, number in numbers.items() if number not in map(str, task.classes)]:
            hint = f"its classes are {', '.join(map(str, task.classes))}; give --labels {wrong[0]}=NUMBER"
            raise UsageError(f"task {task.name} has no class {wrong[0]!r}; {hint}")
        return {value: number for value, number in numbers.items() if value != number}
    assert isinstance(task, MultiLabelTask)
    names = [gold.emotion or "" for gold in roles.gold_columns] if roles.kind == "flags" else list(roles.values)
    known = {label.lower(): label for label in task.labels}
    found = {}
    for name in names:
        label = labels.get(name, known.get(_label_name(roles, name), name))
        if label not in task.labels and label.lower() not in _no_label(task):
            hint = f"give --labels {name}=LABEL, or a new name for the question with --task"
            raise UsageError(f"task {task.name} has no label {name!r}; its labels are {', '.join(task.labels)}; {hint}")
        if label != name or label not in task.labels:
            found[name] = label if label in task.labels else ""
    return found


def _label_name(roles: Roles, name: str) -> str:
    """The label that a column of flags, or a cell, is called by."""
    return plain_name(name) if roles.kind == "flags" else name.lower()


def _no_label(task: MultiLabelTask) -> set[str]:
    """What a cell says where no label applies."""
    return {"none", "neutral", "no emotion", (task.nothing or "none").lower()}


def _check_emotions(task: Task, roles: Roles) -> None:
    asked = [gold.emotion for gold in roles.gold_columns]
    for emotion in asked:
        if task.emotions and emotion is None:
            raise UsageError(f"task {task.name} asks for one of {', '.join(task.emotions)}; give --gold EMOTION=COLUMN")
        if task.emotions and emotion not in task.emotions:
            raise UsageError(f"--gold: {unknown(f'emotion of {task.name}', str(emotion), task.emotions)}")
    if not task.emotions and len(roles.gold_columns) > 1:
        raise UsageError(
            f"task {task.name} asks one thing, and these are {', '.join(map(str, asked))}; give one by --gold"
        )


def _new_task(planner: Planner, roles: Roles, name: str, labels: dict[str, str]) -> tuple[Task, bool, dict[str, str]]:
    """A task for what the files have; `add_task` of its module makes it known."""
    emotions = tuple(gold.emotion for gold in roles.gold_columns if gold.emotion)
    if roles.kind == "class" and labels:
        if wrong := [value for value in roles.values if value not in labels]:
            raise UsageError(f"--labels says nothing of {wrong[0]!r}; it takes NUMBER=WORDS for each class")
        classes = {int(value): labels[value] for value in sorted(roles.values, key=int)}
        about = f"which of {len(classes)} classes a text has"
        return OrdinalTask(name=name, about=about, cue="Class:", emotions=emotions, classes=classes), True, {}
    if roles.kind in ("score", "class"):
        poles = {emotion: POLES.get(emotion, (f"no {emotion}", f"utmost {emotion}")) for emotion in emotions}
        about = f"{', '.join(emotions) or 'a score'} of a text"
        poles = poles or {"": ("lowest", "highest")}
        return RegressionTask(name=name, about=about, emotions=emotions, low=0.0, high=1.0, poles=poles), True, {}
    names = list(emotions) if roles.kind == "flags" else list(roles.values)
    if roles.kind == "labels" and not labels and all(name.isdigit() for name in names):
        hint = f"1=anger,2=joy … for {', '.join(sorted(names, key=int))}"
        told = planner.need("--labels", "what do the numbers of the labels stand for", hint)
        labels = dict(part.split("=", 1) for part in told.split(",") if "=" in part)
    if wrong := [name for name in names if labels and name not in labels and name.isdigit()]:
        raise UsageError(f"--labels says nothing of {wrong[0]!r}; it takes CELL=LABEL for each")
    called = {name: labels.get(name, _label_name(roles, name)) for name in names}
    neutral = {"none", "no emotion", NO_EMOTION}
    known = tuple(sorted({label for label in called.values() if label not in neutral}))
    nothing = NO_EMOTION if _some_without(planner, roles, called, neutral) else None
    about = f"which of {len(known)} emotions{', or none,' if nothing else ''} a text expresses"
    task = MultiLabelTask(name=name, about=about, cue="This text contains emotions:", labels=known, nothing=nothing)
    return task, True, {cell: label if label in known else "" for cell, label in called.items() if cell != label}


def _some_without(planner: Planner, roles: Roles, called: Mapping[str, str], neutral: set[str]) -> bool:
    """Whether some text has no label."""
    if roles.kind == "flags":
        yes = {"1", "1.0", "true", "yes"}
        names = [gold.columns[0] for gold in roles.gold_columns]
        rows = zip(*(planner.columns.cells(name) for name in names), strict=False)
        return any(not any(cell.strip().lower() in yes for cell in row) for row in rows)
    return any(label in neutral for label in called.values())
