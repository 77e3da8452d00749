"""Classifiers that answer every question about a text in one pass: what their outputs are called, and what they say.

Such a model is a plain `AutoModelForSequenceClassification`. Its `id2label` names the outputs, whose sigmoids are
probabilities or scores:

| kind of question | outputs | example |
| --- | --- | --- |
| score | one, the expected score on 0..1 | `V-reg`, `EI-reg/anger` |
| class, of K in order | K-1, the probability that the class is at least this one | `V-oc>=1`, `EI-oc/joy>=2` |
| labels | one a label, its probability | `E-c/joy` |

The probabilities of at least a class fall from class to class (Frank and Hall, 2001), so that the classes of a text
agree. `config.json` holds under the key `emollms` which questions there are, of which kind, and the threshold of each
label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from emollms.errors import EmollmsError
from emollms.inference.decoding import likely_labels
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import answer
from emollms.prompts.template import one_line
from emollms.storage import Strict
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

KEY = "emollms"
"""The key of `config.json`."""
FILE = "heads.json"
"""What an adapter keeps beside it instead, since it has no `config.json`."""
Kind = Literal["score", "class", "labels"]
Activation = Literal["sigmoid", "softmax", "none"]
"""What is done to the outputs of a model before they are read."""
Floats = NDArray[np.float32]
Text = str | tuple[str, str]
"""A text, or a text and what is asked about in it."""


class HeadQuestion(Strict):
    """A question that a model answers.

    Args:
        task: name of the task.
        emotion: the emotion or dimension, where the task has them.
        kind: of its answers.
    """

    task: str
    emotion: str | None = None
    kind: Kind


class HeadsRecord(Strict):
    """What `config.json` says of the outputs.

    Args:
        format: number of this form.
        questions: in the order of their outputs.
        thresholds: of labels, by task and label, see `best_label_sets`; .5 where there is none.
    """

    format: Literal[1] = 1
    questions: list[HeadQuestion]
    thresholds: dict[str, dict[str, float]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Heads:
    """The outputs of a model, question by question.

    Args:
        record: as `config.json` has it.
    """

    record: HeadsRecord
    activation: ClassVar[Activation] = "sigmoid"
    map_digest: ClassVar[str | None] = None
    """It is the model's own."""

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> "Heads":
        """Those that answer all questions of some tasks."""
        asked = [(task, emotion) for task in tasks for emotion in task.emotions or (None,)]
        questions = [HeadQuestion(task=task.name, emotion=emotion, kind=_kind(task)) for task, emotion in asked]
        return cls(HeadsRecord(questions=questions))

    @classmethod
    def read(cls, config: Mapping[str, Any], name: str) -> "Heads | None":
        """Those of a model; None for a model of another sort.

        Args:
            config: its `config.json`.
            name: of the model, for errors.

        Raises:
            EmollmsError: the key is damaged, or the outputs are not those that it names.
            UsageError: a task is unknown; a package that adds it may be missing.
        """
        if KEY not in config:
            return None
        try:
            heads = cls(HeadsRecord.model_validate(config[KEY]))
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, (KEY, *problem["loc"])))
            raise EmollmsError(f"{name}: config.json, {place}: {problem['msg']}; train or download it again") from None
        named = {int(number): label for number, label in (config.get("id2label") or {}).items()}
        if [named.get(number) for number in range(len(heads.outputs))] != list(heads.outputs):
            raise EmollmsError(
                f"{name}: config.json: id2label does not name the outputs of its questions ({', '.join(heads.outputs)})"
            )
        return heads

    def config(self) -> dict[str, Any]:
        """What goes into the configuration of the model."""
        return {
            "id2label": dict(enumerate(self.outputs)),
            "label2id": {name: number for number, name in enumerate(self.outputs)},
            "problem_type": "multi_label_classification",  # sigmoids, also in pipelines
            KEY: self.record.model_dump(),
        }

    def with_thresholds(self, thresholds: Mapping[str, Mapping[str, float]]) -> "Heads":
        """The same outputs with these thresholds, by task and label."""
        found = {task: dict(own) for task, own in thresholds.items()}
        return Heads(self.record.model_copy(update={"thresholds": found}))

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(name for one in self.record.questions for name in outputs_of(get_task(one.task), one.emotion))

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(dict.fromkeys(one.task for one in self.record.questions))

    @cached_property
    def _columns(self) -> dict[tuple[str, str | None], slice]:
        found, start = {}, 0
        for one in self.record.questions:
            stop = start + len(outputs_of(get_task(one.task), one.emotion))
            found[one.task, one.emotion] = slice(start, stop)
            start = stop
        return found

    def answers(self, task: Task) -> bool:
        """Whether it answers all questions of a task."""
        return all((task.name, emotion) in self._columns for emotion in task.emotions or (None,))

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """The thresholds by which labels are named, see `likely_labels`; None where none were fitted."""
        return self.record.thresholds.get(task.name)

    def columns(self, task: Task, emotion: str | None) -> slice:
        """Which of the outputs answer a question.

        Raises:
            KeyError: none does.
        """
        return self._columns[task.name, emotion]

    def prediction(self, task: Task, row: Mapping[str, Any], outputs: Floats, seconds: float = 0.0) -> Prediction:
        """What the outputs for a text say to a question.

        Args:
            task: the task.
            row: the question: its `id`, and where there are some `emotion` and `unannotated`.
            outputs: the sigmoids, of shape (outputs,).
            seconds: how long they took.
        """
        emotion = row.get("emotion")
        own = outputs[self.columns(task, emotion)].astype(float)
        key = str(row["id"])
        if isinstance(task, MultiLabelTask):
            asked = task.labels_asked(row)
            # Rounded as files of predictions are: what is named is the same from a file as from the model.
            shares = {name: round(float(one), 6) for name, one in zip(task.labels, own, strict=True) if name in asked}
            said = likely_labels(task, shares, self.thresholds(task))
            return Prediction(key, answer(task, said), shares, seconds)
        if isinstance(task, OrdinalTask):
            by_class = dict(zip(map(str, task.classes), class_probabilities(own), strict=True))
            likeliest = int(max(by_class, key=lambda number: by_class[number]))
            return Prediction(key, answer(task, likeliest, emotion), by_class, seconds)
        return Prediction(key, answer(task, float(own[0])), None, seconds)


def outputs_of(task: Task, emotion: str | None) -> tuple[str, ...]:
    """The names of the outputs that answer a question."""
    question = f"{task.name}/{emotion}" if emotion else task.name
    if isinstance(task, OrdinalTask):
        return tuple(f"{question}>={number}" for number in list(task.classes)[1:])
    if isinstance(task, MultiLabelTask):
        return tuple(f"{question}/{label}" for label in task.labels)
    return (question,)


def text_of(task: Task, row: Mapping[str, Any]) -> Text:
    """What a model reads of a row: its text on one line, and the target where the task is about one."""
    text, target = one_line(str(row["text"])), row.get("target")
    return (text, one_line(str(target))) if target is not None else text


def class_probabilities(at_least: NDArray[np.float64]) -> list[float]:
    """The probability of each of K classes.

    Args:
        at_least: the probability that the class is at least the second, the third, …, of shape (K-1,); where one is
            above the one before, it counts as that.
    """
    falling = np.minimum.accumulate(np.clip(at_least, 0.0, 1.0))
    return [float(one) for one in -np.diff(np.concatenate([[1.0], falling, [0.0]]))]


def _kind(task: Task) -> Kind:
    if isinstance(task, RegressionTask):
        return "score"
    return "class" if isinstance(task, OrdinalTask) else "labels"
