"""Gold and predictions of a task side by side as arrays, with invalid answers filled in by a stated policy."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emollms.errors import UsageError, unknown
from emollms.evaluation.metrics import Flags, Integers, one_hot, to_classes
from emollms.evaluation.task_metrics import POLICIES, Metric, Policy, Values, metrics_of
from emollms.prompts.answers import ParsedAnswer
from emollms.tasks import MultiLabelTask, OrdinalTask, Task


@dataclass(frozen=True)
class Stratum:
    """The rows about one emotion, or all rows of a task that asks for none; resamples keep their number.

    Args:
        emotion: the emotion, or "".
        gold: gold of its rows.
        predicted: predictions.
        labels: names of the columns, where `gold` has labels.
    """

    emotion: str
    gold: Values
    predicted: Values
    labels: tuple[str, ...]

    def of(self, metric: Metric) -> tuple[Values, Values]:
        """Gold and predictions as `metric` takes them: classes as labels where it looks at each of them."""
        if not metric.by_label or self.gold.ndim == 2:
            return self.gold, self.predicted
        seen = np.unique(to_classes(self.gold))
        return one_hot(self.gold, seen), one_hot(self.predicted, seen)

    def labels_of(self, metric: Metric) -> list[tuple[str, Values, Values]]:
        """Name, gold and predictions of each label, or of each class seen in gold."""
        gold, predicted = self.of(metric)
        names = self.labels or tuple(str(number) for number in np.unique(to_classes(self.gold)))
        return [(name, gold[:, [i]], predicted[:, [i]]) for i, name in enumerate(names)]


@dataclass(frozen=True)
class GoldAndPredictions:
    """Gold and predictions, a row each.

    Args:
        task: the task.
        gold: scores or classes, of shape (rows,), or booleans of shape (rows, labels).
        predicted: the same, invalid answers filled in; NaN is a class that is none.
        valid: whether the answer could be read.
        emotions: the emotions asked for in the data, in the order of the task; none for most tasks.
        emotion: index into them, for each row.
        labels: names of the columns, where there are labels.
    """

    task: Task
    gold: Values
    predicted: Values
    valid: Flags
    emotions: tuple[str, ...]
    emotion: Integers
    labels: tuple[str, ...]

    def take(self, rows: Flags) -> "GoldAndPredictions":
        """These rows; emotions that have none of them stay."""
        return replace(
            self, gold=self.gold[rows], predicted=self.predicted[rows], valid=self.valid[rows],
            emotion=self.emotion[rows],
        )  # fmt: skip

    def only(self, rows: Flags) -> "GoldAndPredictions":
        """These rows, as if there were no others: emotions that have none of them go."""
        taken = self.take(rows)
        left, emotion = np.unique(taken.emotion, return_inverse=True)
        present = tuple(self.emotions[index] for index in left) if self.emotions else ()
        return replace(taken, emotions=present, emotion=emotion.astype(np.int64))

    def same_rows(self, other: "GoldAndPredictions") -> bool:
        """Whether gold and emotions are the same, row by row."""
        return (
            self.emotions == other.emotions
            and np.array_equal(self.emotion, other.emotion)
            and np.array_equal(self.gold, other.gold)
        )

    def strata(self) -> list[Stratum]:
        """The rows by emotion; all together where the task asks for none."""
        names = self.emotions or ("",)
        rows = [self.emotion == index for index in range(len(names))]
        return [
            Stratum(name, self.gold[own], self.predicted[own], self.labels)
            for name, own in zip(names, rows, strict=True)
        ]


def pair_up(
    task: Task,
    gold_labels: Sequence[Any],
    parsed: Sequence[ParsedAnswer],
    emotions: Sequence[str | None] | None,
    policy: Policy,
    unannotated: Sequence[Collection[str]] | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
) -> GoldAndPredictions:
    """Gold and predictions as arrays; the arguments are those of `scoring.score`.

    Raises:
        UsageError: the lists differ in length, a row has no gold, the policy is unknown, or an emotion or label is none
            of the task's.
    """
    if policy not in POLICIES:
        raise unknown("policy for invalid answers", policy, POLICIES)
    if len(gold_labels) != len(parsed) or (emotions is not None and len(emotions) != len(gold_labels)):
        asked = "no" if emotions is None else len(emotions)
        raise UsageError(
            f"{task.name}: {len(gold_labels)} gold labels, {len(parsed)} answers, {asked} emotions; give one a row"
        )
    if missing := [number for number, gold in enumerate(gold_labels) if gold is None]:
        raise UsageError(f"{task.name}: row {missing[0]} has no gold; leave out rows without")
    said = [answer.value for answer in parsed]
    names: tuple[str, ...] = ()
    if isinstance(task, MultiLabelTask):
        labels = [task.labels_asked({"unannotated": missing}) for missing in unannotated or [()] * len(gold_labels)]
        names = tuple(label for label in task.labels if any(label in some for some in set(labels)))
        gold, predicted, worst = _label_columns(task, gold_labels, said, names, labels)
    else:
        gold, predicted, worst = _number_columns(task, gold_labels, said, scale)
    valid = np.array([value is not None for value in said], dtype=np.bool_)
    if policy == "worst":
        predicted[~valid] = worst[~valid]
    present, emotion = _emotions(task, emotions or [None] * len(gold_labels))
    return GoldAndPredictions(task, gold, predicted, valid, present, emotion, names)


def _label_columns(
    task: MultiLabelTask,
    gold_labels: Sequence[Any],
    said: Sequence[Any],
    names: tuple[str, ...],
    asked: Sequence[tuple[str, ...]],
) -> tuple[Values, Values, Values]:
    """Gold, predictions, and the worst ones: all labels that gold has not, none that it has.

    A label that a row does not ask for is in none of the three: no metric of labels counts what is in neither.
    """
    counts = _flags(task, asked, names)
    gold = _flags(task, gold_labels, names) & counts
    return gold, _flags(task, [() if labels is None else labels for labels in said], names) & counts, ~gold & counts


def _number_columns(
    task: Task, gold_labels: Sequence[Any], said: Sequence[Any], scale: tuple[float, float]
) -> tuple[Values, Values, Values]:
    """Gold, predictions, and the worst ones: the end of the scale that is farther from the gold, the lower if both."""
    low, high = (min(task.classes), max(task.classes)) if isinstance(task, OrdinalTask) else scale
    official = metrics_of(task).invalid_class if isinstance(task, OrdinalTask) else (low + high) / 2
    fill = np.nan if official is None else official
    gold = np.array(gold_labels, dtype=np.float64)
    predicted = np.array([fill if value is None else value for value in said], dtype=np.float64)
    return gold, predicted, np.where(gold - low < high - gold, float(high), float(low))


def _emotions(task: Task, emotions: Sequence[str | None]) -> tuple[tuple[str, ...], Integers]:
    """The emotions that rows are about, in the order of the task, and an index into them for each row."""
    if not task.emotions:
        return (), np.zeros(len(emotions), dtype=np.int64)
    for emotion in dict.fromkeys(emotions):
        task.check_emotion(emotion)
    present = tuple(emotion for emotion in task.emotions if emotion in set(emotions))
    return present, np.array([present.index(emotion or "") for emotion in emotions], dtype=np.int64)


def _flags(task: MultiLabelTask, rows: Sequence[Collection[str]], names: tuple[str, ...]) -> Flags:
    """Labels as booleans, one column for each of `names`."""
    if alien := {label for labels in rows for label in labels} - set(task.labels):
        raise unknown(f"label of task {task.name}", min(alien), task.labels)
    flags = [[name in labels for name in names] for labels in rows]
    return np.array(flags, dtype=np.bool_).reshape(len(rows), len(names))
