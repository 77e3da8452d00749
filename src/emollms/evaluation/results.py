"""What scoring gives: figures with intervals, a task's score, and the comparison of two."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emollms.evaluation.bootstrap import Interval
from emollms.evaluation.gold_vs_predicted import GoldAndPredictions
from emollms.evaluation.metrics import Flags
from emollms.evaluation.task_metrics import Policy


@dataclass(frozen=True)
class Figure:
    """One value of a metric.

    Args:
        value: the value; where the metric is undefined, the 0 that it counts as by the official rule.
        interval: its 95 % bootstrap interval; None where the metric is undefined, such as the correlation of constants.
        n: the rows it was computed from.
    """

    value: float
    interval: Interval | None
    n: int


@dataclass(frozen=True)
class MetricScore(Figure):
    """A metric of a task.

    Args:
        value: over all rows; the mean of the parts where the task asks for one emotion at a time.
        interval: its 95 % bootstrap interval; None where it is undefined in every part.
        n: the rows it was computed from.
        name: the name of the metric.
        title: its name for people.
        parts: its value for each emotion asked for, each label, or each class seen in gold.
    """

    name: str
    title: str
    parts: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredTask:
    """How good answers to a task are.

    Args:
        task: name of the task.
        main: name of the metric that stands for it.
        metrics: every metric by name.
        n: how many rows there are.
        scored: how many of them were scored; fewer where the policy drops invalid ones.
        invalid: how many answers could not be read, by reason, most common first.
        policy: what they count as.
        sheet: gold and predictions, for `compare`.
    """

    task: str
    main: str
    metrics: Mapping[str, MetricScore]
    n: int
    scored: int
    invalid: Mapping[str, int]
    policy: Policy
    sheet: GoldAndPredictions = field(repr=False, compare=False)

    @property
    def value(self) -> float:
        """The main metric."""
        return self.metrics[self.main].value

    @property
    def invalid_count(self) -> int:
        """How many answers could not be read."""
        return sum(self.invalid.values())

    @property
    def invalid_rate(self) -> float:
        """Their share, 0..1."""
        return self.invalid_count / self.n if self.n else 0.0

    def on(self, rows: Flags) -> "ScoredTask":
        """What `scoring.compare` needs of some of the rows; the metrics stay those of all."""
        return replace(self, n=int(rows.sum()), sheet=self.sheet.only(rows))

    def as_json(self) -> dict[str, Any]:
        """Everything but the rows, as `scores.json` has it."""
        return {
            "task": self.task,
            "main": self.main,
            "value": self.value,
            "n": self.n,
            "scored": self.scored,
            "invalid": {"policy": self.policy, "rate": self.invalid_rate, "n": self.invalid_count}
            | {"reasons": dict(self.invalid)},
            "metrics": {
                name: {"title": metric.title, **_figure_json(metric)}
                | {"parts": {part: _figure_json(figure) for part, figure in metric.parts.items()}}
                for name, metric in self.metrics.items()
            },
        }


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows of a task.

    Args:
        task: name of the task.
        metric: name of the metric.
        a: its value for the first.
        b: its value for the second.
        difference: a - b.
        interval: the 95 % interval of the difference, from resamples of rows that are the same for both; None where the
            metric is undefined for one of them.
        n: the rows.
    """

    task: str
    metric: str
    a: float
    b: float
    difference: float
    interval: Interval | None
    n: int

    @property
    def above_noise(self) -> bool:
        """Whether the interval leaves out 0: a difference that another draw of rows would mostly show, too."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


def _figure_json(figure: Figure) -> dict[str, Any]:
    found = figure.interval
    bounds = {"low": found.low, "high": found.high} if found else {"low": None, "high": None}
    return {"value": figure.value, **bounds, "n": figure.n}
