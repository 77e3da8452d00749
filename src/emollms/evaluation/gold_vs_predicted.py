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
    """The rows in a language about an emotion, or all where neither is told apart; resamples keep their number.

    Args:
        language: the language, or "" where languages are not told apart.
        emotion: the emotion, or "".
        gold: gold of its rows.
        predicted: predictions.
        labels: names of the columns, where `gold` has labels: those that some of the rows ask for.
    """

    language: str
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
        groups: language ("" where languages are not told apart) and emotion ("" where the task asks for none) of the
            rows, in the order of languages and of the task.
        group: index into them, for each row.
        labels: names of the columns, where there are labels.
        asked: for each group the columns that some of its rows ask for, where there are labels.
    """

    task: Task
    gold: Values
    predicted: Values
    valid: Flags
    groups: tuple[tuple[str, str], ...]
    group: Integers
    labels: tuple[str, ...]
    asked: tuple[tuple[int, ...], ...] = ()

    def take(self, rows: Flags) -> "GoldAndPredictions":
        """These rows; groups that have none of them stay."""
        return replace(
            self, gold=self.gold[rows], predicted=self.predicted[rows], valid=self.valid[rows], group=self.group[rows]
        )

    def only(self, rows: Flags) -> "GoldAndPredictions":
        """These rows, as if there were no others: groups that have none of them go."""
        taken = self.take(rows)
        left, group = np.unique(taken.group, return_inverse=True)
        present = tuple(self.groups[index] for index in left)
        asked = tuple(self.asked[index] for index in left) if self.asked else ()
        return replace(taken, groups=present, group=group.astype(np.int64), asked=asked)

    def same_rows(self, other: "GoldAndPredictions") -> bool:
        """Whether gold, languages and emotions are the same, row by row."""
        return (
            self.groups == other.groups
            and np.array_equal(self.group, other.group)
            and np.array_equal(self.gold, other.gold)
        )

    def strata(self) -> list[Stratum]:
        """The rows by language and emotion; all together where neither is told apart."""
        found = []
        for index, (language, emotion) in enumerate(self.groups or (("", ""),)):
            own = self.group == index
            gold, predicted, labels = self.gold[own], self.predicted[own], self.labels
            if self.asked and len(self.asked[index]) < len(labels):
                columns = list(self.asked[index])
                gold, predicted = gold[:, columns], predicted[:, columns]
                labels = tuple(labels[column] for column in columns)
            found.append(Stratum(language, emotion, gold, predicted, labels))
        return found


def pair_up(
    task: Task,
    gold_labels: Sequence[Any],
    parsed: Sequence[ParsedAnswer],
    emotions: Sequence[str | None] | None,
    policy: Policy,
    unannotated: Sequence[Collection[str]] | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    languages: Sequence[str] | None = None,
) -> GoldAndPredictions:
    """Gold and predictions as arrays; the arguments are those of `scoring.score`.

    Raises:
        UsageError: the lists differ in length, a row has no gold, the policy is unknown, or an emotion or label is none
            of the task's.
    """
    if policy not in POLICIES:
        raise unknown("policy for invalid answers", policy, POLICIES)
    if any(given is not None and len(given) != len(gold_labels) for given in (parsed, emotions, languages)):
        about = "no" if emotions is None else len(emotions)
        spoken = "" if languages is None else f", {len(languages)} languages"
        raise UsageError(
            f"{task.name}: {len(gold_labels)} gold labels, {len(parsed)} answers, {about} emotions{spoken}; "
            "give one a row"
        )
    if missing := [number for number, gold in enumerate(gold_labels) if gold is None]:
        raise UsageError(f"{task.name}: row {missing[0]} has no gold; leave out rows without")
    said = [answer.value for answer in parsed]
    names: tuple[str, ...] = ()
    labels: list[tuple[str, ...]] = []
    if isinstance(task, MultiLabelTask):
        labels = [task.labels_asked({"unannotated": missing}) for missing in unannotated or [()] * len(gold_labels)]
        names = tuple(label for label in task.labels if any(label in some for some in set(labels)))
        gold, predicted, worst = _label_columns(task, gold_labels, said, names, labels)
    else:
        gold, predicted, worst = _number_columns(task, gold_labels, said, scale)
    valid = np.array([value is not None for value in said], dtype=np.bool_)
    if policy == "worst":
        predicted[~valid] = worst[~valid]
    groups, group = _groups(task, emotions or [None] * len(gold_labels), languages or [""] * len(gold_labels))
    asked = _asked(labels, group, len(groups), names) if labels else ()
    return GoldAndPredictions(task, gold, predicted, valid, groups, group, names, asked)


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


def _groups(
    task: Task, emotions: Sequence[str | None], languages: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], Integers]:
    """The languages and emotions that rows are about, in their order, and an index into them for each row."""
    for emotion in dict.fromkeys(emotions) if task.emotions else ():
        task.check_emotion(emotion)
    own = [(language, emotion or "") for language, emotion in zip(languages, emotions, strict=True)]
    if not task.emotions:
        own = [(language, "") for language, _ in own]
    order = {emotion: place for place, emotion in enumerate(task.emotions or ("",))}
    present = sorted(set(own), key=lambda group: (group[0], order[group[1]]))
    places = {group: place for place, group in enumerate(present)}
    return tuple(present), np.array([places[group] for group in own], dtype=np.int64)


def _asked(
    labels: Sequence[tuple[str, ...]], group: Integers, groups: int, names: tuple[str, ...]
) -> tuple[tuple[int, ...], ...]:
    """For each group the columns that some of its rows ask for."""
    found: list[set[str]] = [set() for _ in range(groups)]
    for index, some in set(zip(group.tolist(), labels, strict=True)):
        found[index].update(some)
    return tuple(tuple(column for column, name in enumerate(names) if name in own) for own in found)


def _flags(task: MultiLabelTask, rows: Sequence[Collection[str]], names: tuple[str, ...]) -> Flags:
    """Labels as booleans, one column for each of `names`."""
    if alien := {label for labels in rows for label in labels} - set(task.labels):
        raise unknown(f"label of task {task.name}", min(alien), task.labels)
    flags = [[name in labels for name in names] for labels in rows]
    return np.array(flags, dtype=np.bool_).reshape(len(rows), len(names))
