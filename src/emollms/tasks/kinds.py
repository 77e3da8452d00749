"""The kinds of questions that can be asked of a text: a score, one of several ordered classes, any number of labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emollms.errors import UsageError, unknown

Perspective = Literal["combined", "reader", "writer"]
Poles = tuple[str, str]
Kind = Literal["regression", "ordinal", "multi-label"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question that can be asked of a text.

    Args:
        name: the name in the data sets, reports and on the command line.
        about: one line for people.
        noun: what the text is called in the prompt.
        cue: the words after the text, to which the answer is the continuation.
        emotions: the emotions, or dimensions, that are asked for one at a time; empty if the task has none.
        names_emotion: whether the prompt has a part `Emotion E: …` of its own.
        perspective: whose feeling the gold describes, where a corpus distinguishes readers from writers.
        benchmark: whether it is one of the fourteen of the AEB.
        training: whether it is one of the five of AAID.
    """

    name: str
    about: str
    noun: Literal["Tweet", "Text"] = "Text"
    cue: str = "Intensity Score:"
    emotions: tuple[str, ...] = ()
    names_emotion: bool = False
    perspective: Perspective | None = None
    benchmark: bool = False
    training: bool = False

    def check_emotion(self, emotion: str | None) -> None:
        """Make sure that `emotion` is one that the task asks for, and that one is named where it asks for one.

        Raises:
            UsageError: it is not; the message names the emotions.
        """
        if self.emotions and not emotion:
            raise UsageError(f"task {self.name} asks for one emotion at a time; name one of {', '.join(self.emotions)}")
        if emotion and not self.emotions:
            raise UsageError(f"task {self.name} asks for no single emotion, but {emotion!r} was given; leave it out")
        if emotion and emotion not in self.emotions:
            raise unknown(f"emotion of task {self.name}", emotion, self.emotions)

    @property
    def kind(self) -> "Kind":
        """What is answered: a score, one of several classes in order, or any number of labels."""
        return next(name for name, kind in KINDS.items() if isinstance(self, kind))


@dataclass(frozen=True, kw_only=True)
class RegressionTask(Task):
    """A score. Corpora give it on `low`..`high`; models always answer on 0..1.

    Args:
        low: lowest native value.
        high: highest native value.
        poles: what the two ends mean, by emotion (by "" where the task has none).
    """

    low: float
    high: float
    poles: Mapping[str, Poles] = field(default_factory=dict)

    def to_unit(self, value: float) -> float:
        """Native value, `low`..`high`, to 0..1."""
        return (value - self.low) / (self.high - self.low)

    def from_unit(self, score: float) -> float:
        """Score on 0..1 to the native scale; the inverse of `to_unit`."""
        return self.low + score * (self.high - self.low)


@dataclass(frozen=True, kw_only=True)
class OrdinalTask(Task):
    """One of several ordered classes.

    Args:
        classes: class number to its name, in ascending order; `{emotion}` stands for the emotion asked for.
    """

    classes: Mapping[int, str]

    def class_name(self, number: int, emotion: str | None = None) -> str:
        """The words for class `number`, about `emotion` where the task has emotions."""
        return self.classes[number].format(emotion=emotion)

    def class_label(self, number: int, emotion: str | None = None) -> str:
        """Number and words, `2: moderate amount of anger can be inferred`: the answer that a model is to give."""
        return f"{number}: {self.class_name(number, emotion)}"


@dataclass(frozen=True, kw_only=True)
class MultiLabelTask(Task):
    """Any number of labels.

    Args:
        labels: all labels, in the order in which answers name them.
        nothing: the answer where none of the labels applies; None where at least one always does.
    """

    labels: tuple[str, ...]
    nothing: str | None = None

    def labels_asked(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The labels that a row asks for, in order: all but those that its corpus did not annotate.

        Args:
            row: a row; its `unannotated` names these labels, and is missing where there are none.
        """
        left_out = row.get("unannotated") or ()
        return tuple(label for label in self.labels if label not in left_out)


KINDS: Mapping[Kind, type[Task]] = {
    "regression": RegressionTask,
    "ordinal": OrdinalTask,
    "multi-label": MultiLabelTask,
}
