"""Classifiers of others: a file that says which of their labels answer which question.

```yaml
activation: softmax          # of all labels one; sigmoid: each label by itself; none: the outputs are scores
questions:
  E-c: {joy: joy, anger: [anger, annoyance], sadness: LABEL_4}
  SST5: {0: 1 star, 1: 2 stars, 2: 3 stars, 3: 4 stars, 4: 5 stars}
  V-reg: {expected: {negative: 0, neutral: 0.5, positive: 1}}
  EmoBank/arousal: {output: LABEL_1, range: [1, 5]}
```

On the left are labels and classes of this package's tasks, on the right the labels of the model, as its `id2label`
names them; where several stand for one, their probabilities are added (softmax), or the largest counts (sigmoid).
Labels and classes that the map leaves out are never told.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_args

import numpy as np
import yaml

from emollms.errors import Place, UsageError, shorten, unknown
from emollms.inference.decoding import likely_labels
from emollms.inference.heads import Activation, Floats
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import answer
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task

_KEYS = ("activation", "questions")
_SCORE_KEYS = ("expected", "output", "range")
_FORMS = {
    "labels": "{label: label of the model, …}",
    "class": "{number of the class: label of the model, …}",
    "score": "{expected: {label of the model: score on 0 to 1, …}}, or {output: label of the model, range: [0, 1]}",
}


@dataclass(frozen=True)
class MappedQuestion:
    """How a question is answered.

    Args:
        columns: the outputs that stand for each option.
        options: the names of labels, or the numbers of classes; none for scores.
        scores: what an expected score counts each as, on 0..1.
        range: of the output that is a score; None for others.
    """

    columns: tuple[tuple[int, ...], ...]
    options: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class LabelMap:
    """Which outputs of a classifier answer which question; see `read_label_map`.

    Args:
        activation: what is done to the outputs.
        questions: by task and emotion.
        map_digest: tells this map from others.
    """

    activation: Activation
    questions: Mapping[tuple[str, str | None], MappedQuestion]
    map_digest: str

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return tuple(dict.fromkeys(task for task, _ in self.questions))

    def answers(self, task: Task) -> bool:
        """Whether it answers all questions of a task."""
        return all((task.name, emotion) in self.questions for emotion in task.emotions or (None,))

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """None: labels are named from a probability of .5 on, where no calibration has thresholds."""
        return None

    def prediction(self, task: Task, row: Mapping[str, Any], outputs: Floats, seconds: float = 0.0) -> Prediction:
        """What the outputs for a text say to a question; arguments as for `Heads.prediction`."""
        emotion = row.get("emotion")
        asked, key = self.questions[task.name, emotion], str(row["id"])
        if asked.range is not None:
            low, high = asked.range
            score = (float(outputs[asked.columns[0][0]]) - low) / (high - low)
            return Prediction(key, answer(task, min(1.0, max(0.0, score))), None, seconds)
        shares = self._shares(asked, outputs)
        if isinstance(task, MultiLabelTask):
            found = dict(zip(asked.options, shares, strict=True))
            table = {label: round(found.get(label, 0.0), 6) for label in task.labels_asked(row)}
            return Prediction(key, answer(task, likely_labels(task, table)), table, seconds)
        total = max(sum(shares), float(np.finfo(np.float32).tiny))  # labels that stand for nothing have the rest
        if isinstance(task, RegressionTask):
            expected = sum(score * share for score, share in zip(asked.scores, shares, strict=True)) / total
            return Prediction(key, answer(task, min(1.0, expected)), None, seconds)
        assert isinstance(task, OrdinalTask)
        found = dict(zip(asked.options, shares, strict=True))
        table = {str(number): found.get(str(number), 0.0) / total for number in task.classes}
        likeliest = int(max(table, key=lambda number: table[number]))
        return Prediction(key, answer(task, likeliest, emotion), table, seconds)

    def _shares(self, asked: MappedQuestion, outputs: Floats) -> list[float]:
        together = sum if self.activation == "softmax" else max
        return [min(1.0, float(together(float(outputs[one]) for one in some))) for some in asked.columns]


def read_label_map(path: Path, names: Mapping[int, str]) -> LabelMap:
    """The map in a file.

    Args:
        path: the file; see this module for its form.
        names: the labels of the model, by the number of their output.

    Raises:
        UsageError: it is no such map, or names what neither the model nor this package has; with file and line.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give --map the file of a map") from None
    return _Reader(path, {label: number for number, label in names.items()}).read(text)


class _Entry(NamedTuple):
    """A key of a mapping, its line, and its value."""

    key: str
    line: int
    value: yaml.Node


@dataclass
class _Reader:
    path: Path
    columns: Mapping[str, int]
    """By label of the model."""
    activation: Activation = "none"

    def read(self, text: bytes) -> LabelMap:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._fail(mark.line if mark else -1, f"malformed YAML: {error.problem or error.context}")
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self._fail(-1, f"malformed YAML: {' '.join(str(error).split())}")
        found = {one.key: one for one in self._entries(root, "activation and questions", _KEYS)}
        for key in _KEYS:
            if key not in found:
                self._fail(-1, f"{key} is missing; write `activation: softmax` (or sigmoid, none), and `questions:`")
        self.activation = self._activation(found["activation"])
        entries = self._entries(found["questions"].value, "questions, such as `E-c: {joy: LABEL_0}`")
        questions = {}
        for entry in entries:
            task, emotion = self._task(entry)
            questions[task.name, emotion] = self._question(task, entry)
        self._check_whole(questions, entries)
        return LabelMap(self.activation, questions, f"sha256:{hashlib.sha256(text).hexdigest()}")

    def _activation(self, entry: _Entry) -> Activation:
        value = str(entry.value.value)
        for known in get_args(Activation):
            if value == known:
                return known  # type: ignore[no-any-return]
        return self._unknown(entry.line, "activation", value, get_args(Activation))

    def _task(self, entry: _Entry) -> tuple[Task, str | None]:
        name, slash, emotion = entry.key.partition("/")
        if name not in TASKS:
            self._unknown(entry.line, "task", name, TASKS)
        task = get_task(name)
        try:
            task.check_emotion(emotion if slash else None)
        except UsageError as error:
            names = ", ".join(f"{name}/{one}" for one in task.emotions)
            self._fail(entry.line, f"{error} ({names})" if names else str(error))
        return task, emotion if slash else None

    def _question(self, task: Task, entry: _Entry) -> MappedQuestion:
        if isinstance(task, RegressionTask):
            return self._score(entry)
        is_labels = isinstance(task, MultiLabelTask)
        form = _FORMS["labels" if is_labels else "class"]
        self._needs(entry, ("softmax", "sigmoid") if is_labels else ("softmax",))
        known = task.labels if isinstance(task, MultiLabelTask) else tuple(map(str, task.classes))  # type: ignore[attr-defined]
        options = self._entries(entry.value, form, known, f"{'label' if is_labels else 'class'} of task {task.name}")
        return MappedQuestion(tuple(self._labels(one) for one in options), tuple(one.key for one in options))

    def _score(self, entry: _Entry) -> MappedQuestion:
        found = {one.key: one for one in self._entries(entry.value, _FORMS["score"], _SCORE_KEYS)}
        if set(found) == {"expected"}:
            self._needs(entry, ("softmax",))
            options = self._entries(found["expected"].value, _FORMS["score"])
            columns = tuple((self._column(one.key, one.line),) for one in options)
            return MappedQuestion(columns, scores=tuple(self._number(one.value, (0.0, 1.0)) for one in options))
        if "output" not in found or "expected" in found:
            self._fail(entry.line, f"{entry.key}: write {_FORMS['score']}")
        self._needs(entry, ("sigmoid", "none"))
        place = found["output"].value
        column = self._column(str(place.value), place.start_mark.line)
        if "range" not in found and self.activation == "none":
            self._fail(entry.line, f"{entry.key}: say what its output is on, such as range: [0, 1]")
        limits = self._range(found["range"].value) if "range" in found else (0.0, 1.0)
        return MappedQuestion(((column,),), range=limits)

    def _labels(self, entry: _Entry) -> tuple[int, ...]:
        """The outputs that stand for an option: of one label of the model, or of a list of them."""
        nodes = entry.value.value if isinstance(entry.value, yaml.SequenceNode) else [entry.value]
        if not nodes or not all(isinstance(node, yaml.ScalarNode) for node in nodes):
            self._fail(entry.line, f"{entry.key}: name a label of the model, or several as [A, B]")
        return tuple(dict.fromkeys(self._column(str(node.value), node.start_mark.line) for node in nodes))

    def _column(self, label: str, line: int) -> int:
        if label not in self.columns:
            self._unknown(line, "label of the model", label, self.columns)
        return self.columns[label]

    def _range(self, node: yaml.Node) -> tuple[float, float]:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) != 2:
            self._fail(node.start_mark.line, "range: give the lowest and the highest output, such as [1, 5]")
        low, high = (self._number(one) for one in node.value)
        if not low < high:
            self._fail(node.start_mark.line, f"range: {low:g} is not below {high:g}")
        return low, high

    def _number(self, node: yaml.Node, within: tuple[float, float] = (-1e9, 1e9)) -> float:
        try:
            value = float(node.value)
        except (TypeError, ValueError):
            self._fail(node.start_mark.line, f"{shorten(str(node.value))!r} is no number")
        if not within[0] <= value <= within[1]:
            self._fail(node.start_mark.line, f"{value:g} is not on {within[0]:g} to {within[1]:g}")
        return value

    def _needs(self, entry: _Entry, allowed: Sequence[Activation]) -> None:
        if self.activation not in allowed:
            form = " or ".join(allowed)
            self._fail(entry.line, f"{entry.key} cannot be answered with activation {self.activation}; it takes {form}")

    def _entries(self, node: yaml.Node | None, form: str, known: Sequence[str] = (), what: str = "key") -> list[_Entry]:
        """The entries of a mapping; keys as they are written, so that `no` and `1 star` stay what they are."""
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self._fail(node.start_mark.line if node else -1, f"write {form}")
        found: dict[str, _Entry] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line
            if known and name not in known:
                self._unknown(line, what, name, known)
            if name in found:
                self._fail(line, f"{name} is there twice; keep one")
            found[name] = _Entry(name, line, value)
        return list(found.values())

    def _check_whole(self, questions: Mapping[tuple[str, str | None], MappedQuestion], entries: list[_Entry]) -> None:
        for entry in entries:
            task = get_task(entry.key.partition("/")[0])
            missing = [f"{task.name}/{one}" for one in task.emotions if (task.name, one) not in questions]
            if missing:
                self._fail(entry.line, f"task {task.name} also asks for {', '.join(missing)}; map all of them, or none")

    def _unknown(self, line: int, what: str, name: str, known: Any) -> NoReturn:
        self._fail(line, str(unknown(what, shorten(name), known)))

    def _fail(self, line: int, problem: str) -> NoReturn:
        raise UsageError(f"{Place(str(self.path), line + 1)}: {problem}") from None
