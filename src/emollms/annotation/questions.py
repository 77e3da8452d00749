"""What is asked of each text: by the names that people know, by those of the benchmark, or in words of one's own."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from emollms.errors import UsageError, unknown
from emollms.evaluation.beliefs import options_of
from emollms.prompts.instructions import wordings
from emollms.prompts.template import PromptParts, prompt_parts, shown
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

Kind = Literal["score", "class", "labels"]

KNOWN: dict[str, tuple[str, str | None]] = {
    "valence": ("V-reg", None),
    "anger": ("EI-reg", "anger"),
    "fear": ("EI-reg", "fear"),
    "joy": ("EI-reg", "joy"),
    "sadness": ("EI-reg", "sadness"),
    "arousal": ("EmoBank", "arousal"),
    "dominance": ("EmoBank", "dominance"),
    "emotions": ("E-c", None),
    "sentiment": ("SST5", None),
}
"""The names that people know, and the task, with its emotion or dimension, that each of them asks."""

COARSER = {"V-oc": "V-reg", "EI-oc": "EI-reg"}
"""Tasks that ask in classes what another asks as a score: not asked by default where that one is."""

WORDING = "_w"
"""What precedes the number of a further wording in the name of its column."""
_NOTHING = "none of these"


@dataclass(frozen=True)
class Question:
    """One question, asked of every text.

    Args:
        name: the name of its column.
        task: what is asked, and which answers there are.
        emotion: the emotion or dimension, where the task has them.
        parts: what precedes and follows the text in the prompt.
    """

    name: str
    task: Task
    emotion: str | None
    parts: PromptParts

    @property
    def kind(self) -> Kind:
        """Whether its answer is a score, one of several classes, or any number of labels."""
        if isinstance(self.task, RegressionTask):
            return "score"
        return "class" if isinstance(self.task, OrdinalTask) else "labels"

    @cached_property
    def identity(self) -> str:
        """All that its answers depend on besides the model and the text."""
        return json.dumps([self.kind, self.task.name, self.emotion, self.parts.before, self.parts.after])

    def prompt(self, text: str, target: str | None = None) -> str:
        """The prompt that asks it of `text`, the same as that of the data sets."""
        return self.parts.before + shown(self.task, text, target) + self.parts.after

    @property
    def options(self) -> tuple[str, ...]:
        """Its classes by number, or its labels; empty for a score."""
        return options_of(self.task)


def questions(names: Iterable[str], wording: int = 0) -> tuple[Question, ...]:
    """The questions of these names, each once.

    Args:
        names: of `KNOWN` (`valence`), of a task (`V-reg`; `EI-reg` asks for each of its emotions), or of a task and one
            of its emotions (`EmoBank/arousal`).
        wording: which of the task's wordings, from 0.

    Raises:
        UsageError: there is no such name; the message suggests near ones.
    """
    found: dict[tuple[str, str | None], Question] = {}
    for name in names:
        for column, task, emotion in _resolve(name):
            found.setdefault(
                (task.name, emotion), Question(column, task, emotion, prompt_parts(task, wording, emotion))
            )
    return tuple(found.values())


def _resolve(name: str) -> list[tuple[str, Task, str | None]]:
    if name in KNOWN:
        task_name, emotion = KNOWN[name]
        return [(name, get_task(task_name), emotion)]
    task_name, slash, emotion = name.partition("/")
    if task_name not in TASKS:
        raise unknown("question", name, [*KNOWN, *TASKS])
    task = get_task(task_name)
    if slash:
        task.check_emotion(emotion)
    asked: Sequence[str | None] = [emotion] if slash else (task.emotions or [None])
    return [(f"{task_name}_{one}" if one else task_name, task, one) for one in asked]


def default_questions(tasks: Sequence[str]) -> tuple[Question, ...]:
    """What a model is asked by default: what it was tuned on, by the names that people know.

    Args:
        tasks: the names of the tasks that it was tuned on; empty for a model that was tuned on none of them, which is
            asked what AAID asks.
    """
    own = tasks or tuple(dict.fromkeys(name for name, _ in KNOWN.values() if get_task(name).training))
    names: list[str] = []
    for task in own:
        if COARSER.get(task) in own:
            continue
        known = [name for name, (known_task, _) in KNOWN.items() if known_task == task]
        names += known if len(known) == max(1, len(get_task(task).emotions)) else [task]
    order = {name: place for place, name in enumerate(KNOWN)}
    return questions(sorted(names, key=lambda name: order.get(name, len(order))))


def in_wordings(asked: Iterable[Question], wanted: str | int) -> tuple[Question, ...]:
    """The questions, each followed by itself in its task's further wordings, in columns `NAME_w1`, `NAME_w2` and so on.

    Questions of one's own have a single wording.

    Args:
        asked: questions in the first wording.
        wanted: `all`, or how many wordings of each.

    Raises:
        UsageError: `wanted` is neither; a task with fewer wordings is asked in those that it has.
    """
    if wanted != "all" and not (str(wanted).isdecimal() and int(wanted) > 0):
        raise UsageError(f"--wordings {wanted} is neither `all` nor how many; give all, or a number from 1")
    found: list[Question] = []
    for one in asked:
        found.append(one)
        known = len(wordings(one.task.name)) if one.task.name in TASKS else 1
        for number in range(1, known if wanted == "all" else min(known, int(wanted))):
            parts = prompt_parts(one.task, number, one.emotion)
            found.append(Question(f"{one.name}{WORDING}{number}", one.task, one.emotion, parts))
    return tuple(found)


def own_labels(labels: Sequence[str], multi: bool = False, name: str | None = None) -> Question:
    """A question whose answers are labels of one's own: exactly one of them, or with `multi` any number.

    Raises:
        UsageError: fewer than two labels, one twice, or one that an answer could not name.
    """
    cleaned = tuple(" ".join(label.split()) for label in labels)
    if len(cleaned) < 2 or len({label.casefold() for label in cleaned}) < len(cleaned):
        raise UsageError(f"--labels {','.join(labels)!r}: give two or more labels, each of them once")
    for label in cleaned:
        if not re.search(r"\w", label) or re.search(r"[,;{}\n]", label) or label.casefold() == _NOTHING:
            raise UsageError(f"--labels: {label!r} cannot be a label; use words without commas, semicolons and braces")
    if multi:
        task: Task = MultiLabelTask(
            name="own-labels", about="own labels", labels=cleaned, nothing=_NOTHING, cue="This text contains:"
        )
        asked = f"Which of these does the text express: {', '.join(cleaned)}? Name every one that applies, or answer "
        return _own(name or "labels", task, f"{asked}'{_NOTHING}'.")
    task = OrdinalTask(name="own-class", about="own classes", classes=dict(enumerate(cleaned)), cue="Class:")
    classes = " ".join(f"{number}: {label}." for number, label in enumerate(cleaned))
    return _own(name or "label", task, f"Which of these describes the text best? Choose one class. {classes}")


def own_score(what: str, low: float = 0.0, high: float = 1.0, name: str | None = None) -> Question:
    """A question of one's own whose answer is a score: how much of something a text expresses.

    Args:
        what: the something, such as `contempt`.
        low: the native value that means none of it; models are asked on 0..1, and `--scale native` converts.
        high: the native value that means the most of it.
        name: of the column.

    Raises:
        UsageError: nothing is named, or the range is empty.
    """
    what = " ".join(what.split())
    if not re.search(r"\w", what) or re.search(r"[{}]", what):
        raise UsageError(f"--score {what!r}: name what is to be scored, such as contempt")
    if not low < high:
        raise UsageError(f"--range {low:g} {high:g}: the first number must be below the second")
    poles = (f"no {what} at all", f"as much {what} as can be")
    task = RegressionTask(name="own-score", about=what, low=low, high=high, poles={"": poles})
    asked = f"How much {what} does the text express? Give a number from 0 ({poles[0]}) to 1 ({poles[1]})."
    return _own(name or re.sub(r"\W+", "_", what), task, asked)


def _own(name: str, task: Task, instruction: str) -> Question:
    parts = PromptParts(before=f"Task: {instruction} {task.noun}: ", after=f" {task.cue} ")
    return Question(name, task, None, parts)
