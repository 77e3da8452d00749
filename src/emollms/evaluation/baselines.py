"""Answers without a model: two lexicons of polarity, and constants. What a model gains is what it has above these.

VADER: Hutto and Gilbert, 2014. TextBlob: the lexicon of `pattern`, De Smedt and Daelemans, 2012. Scores are on 0..1, as
a model's are; polarity -1..1 becomes (polarity + 1) / 2.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any, Literal, Protocol

from emollms.errors import UsageError, unknown
from emollms.optional import require
from emollms.prompts.answers import Value
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

Row = Mapping[str, Any]
Name = Literal["vader", "vader-threshold", "textblob", "mean", "majority"]
BASELINES: Mapping[Name, str] = {
    "vader": "VADER's compound score; in TDT the largest of neg, neu, pos, as in the paper",
    "vader-threshold": "VADER by its usual rule, for TDT: positive from compound 0.05, negative from -0.05",
    "textblob": "TextBlob's polarity; in TDT its sign",
    "mean": "the mean score of the emotion asked for",
    "majority": "the most common class of the emotion asked for, or the most common set of labels",
}
"""The baselines, and what they answer."""

LEXICONS = ("vader", "textblob")
"""Baselines that annotate: the others take their answers from gold labels."""

VALENCE_TASKS = ("V-reg", "V-oc", "SST", "SST5", "TDT", "V-A", "V-M", "V-NYT", "V-T")
"""The tasks that polarity answers."""

_THRESHOLD = 0.05


class Baseline(Protocol):
    """Something that answers the rows of a task."""

    def predict(self, rows: Sequence[Row]) -> list[Value]:
        """A score on 0..1, a class or labels for each row; `prompts.answers.answer` words it as a model would.

        Args:
            rows: rows of a data set; lexicons read `text`, constants `emotion` and the gold.
        """
        ...


def baseline(name: str, task: Task, train: Sequence[Row] = ()) -> Baseline:
    """The baseline of this name for `task`.

    Args:
        name: one of `BASELINES`.
        task: the task.
        train: training rows that `mean` and `majority` take their constants from. Without them the constants come
            from the gold of the rows to be answered: the best constants there are, which no model could know.

    Raises:
        UsageError: there is no such baseline, the baseline makes no sense for the task, or a package is missing.
    """
    if name not in BASELINES:
        raise unknown("baseline", name, BASELINES)
    fits = {
        "vader": task.name in VALENCE_TASKS,
        "vader-threshold": task.name == "TDT",
        "textblob": task.name in VALENCE_TASKS,
        "mean": isinstance(task, RegressionTask),
        "majority": not isinstance(task, RegressionTask),
    }
    if not fits[name]:
        others = [other for other, good in fits.items() if good]
        raise UsageError(f"baseline {name} has no answer to task {task.name}; use {' or '.join(others)}")
    if name in ("mean", "majority"):
        return Constant(task, tuple(train))
    return Polarity(task, _textblob(task) if name == "textblob" else _vader(task, name))


@dataclass(frozen=True)
class Polarity:
    """A lexicon: the text's polarity, or in TDT its class.

    Args:
        task: one of `VALENCE_TASKS`.
        rate: text to polarity -1..1; in TDT to the class.
    """

    task: Task
    rate: Callable[[str], float]

    def predict(self, rows: Sequence[Row]) -> list[Value]:
        """The score on 0..1, or the class at that place of the range."""
        return [self._value(self.rate(row["text"])) for row in rows]

    def _value(self, polarity: float) -> Value:
        if not isinstance(self.task, OrdinalTask):
            return (polarity + 1) / 2
        low, high = min(self.task.classes), max(self.task.classes)
        return math.floor(low + (polarity + 1) / 2 * (high - low) + 0.5)


@dataclass(frozen=True)
class Constant:
    """The mean score, the most common class or the most common set of labels, for each emotion.

    Args:
        task: the task.
        train: rows to take them from; empty for the rows that are answered.
    """

    task: Task
    train: tuple[Row, ...] = ()

    def predict(self, rows: Sequence[Row]) -> list[Value]:
        """The constant of each row's emotion.

        Raises:
            UsageError: the training rows have no row about an emotion.
        """
        gold_labels: dict[str | None, list[Any]] = {}
        for row in self.train or rows:
            gold_labels.setdefault(row.get("emotion"), []).append(self._gold(row))
        constants = {emotion: self._constant(own) for emotion, own in gold_labels.items()}
        if missing := {row.get("emotion") for row in rows} - set(constants):
            raise UsageError(f"no training row of task {self.task.name} is about {min(map(str, missing))}; add some")
        return [constants[row.get("emotion")] for row in rows]

    def _gold(self, row: Row) -> Hashable:
        if isinstance(self.task, MultiLabelTask):
            return tuple(label for label in self.task.labels if label in row["labels"])
        return int(row["score"]) if isinstance(self.task, OrdinalTask) else float(row["score"])

    def _constant(self, gold_labels: Collection[Any]) -> Value:
        """Of equally common ones, the smallest."""
        if isinstance(self.task, RegressionTask):
            return fmean(gold_labels)
        counts = Counter(gold_labels)
        common: Value = min(counts, key=lambda value: (-counts[value], value))
        return common


@cache
def _analyzer() -> Any:
    """VADER's, once: it reads its lexicon each time that it is made, which takes longer than hundreds of texts."""
    return require("vaderSentiment.vaderSentiment", "evaluate", "--baseline vader").SentimentIntensityAnalyzer()


def _vader(task: Task, name: str) -> Callable[[str], float]:
    rate = _analyzer().polarity_scores
    if task.name != "TDT":
        return lambda text: float(rate(text)["compound"])
    return lambda text: by_threshold(rate(text)) if name == "vader-threshold" else by_largest(rate(text))


def by_largest(scores: Mapping[str, float]) -> int:
    """The class of TDT with the largest share of the text; neutral gives way where shares are equal."""
    return max((scores["neg"], 1, -1), (scores["pos"], 1, 1), (scores["neu"], 0, 0))[2]


def by_threshold(scores: Mapping[str, float]) -> int:
    """The class of TDT by VADER's own rule."""
    return (scores["compound"] >= _THRESHOLD) - (scores["compound"] <= -_THRESHOLD)


def _textblob(task: Task) -> Callable[[str], float]:
    text_blob = require("textblob", "evaluate", "--baseline textblob").TextBlob
    if task.name != "TDT":
        return lambda text: float(text_blob(text).sentiment.polarity)
    return lambda text: by_sign(text_blob(text).sentiment.polarity)


def by_sign(polarity: float) -> int:
    """The class of TDT: positive above 0, negative below."""
    return (polarity > 0) - (polarity < 0)
