"""The scores of a task, as `scores.json` has them: each metric with its interval, and how many answers are invalid."""

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from emollms.evaluation.bootstrap import Interval
from emollms.evaluation.reliability import ReliabilityBin
from emollms.evaluation.scales import ScaleChoice
from emollms.evaluation.task_metrics import Policy, metrics_of
from emollms.prompts.answers import Parse
from emollms.tasks import get_task

NO_ANSWER = "no answer"


class ScoresPart(BaseModel):
    """Something in `scores.json`; it cannot be changed, and has no NaN."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Figure(ScoresPart):
    """One value of a metric.

    Args:
        value: the value; where the metric is undefined, the 0 that it counts as by the official rule.
        low: lower end of its 95 % bootstrap interval; None where the metric is undefined, such as the correlation of
            constants.
        high: upper end.
        n: the rows it was computed from.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def interval(self) -> Interval | None:
        """Its interval; None where the metric is undefined."""
        return None if self.low is None or self.high is None else Interval(self.low, self.high)


class _Titled(ScoresPart):
    title: str


class MetricScore(Figure, _Titled):  # in this order, since the file has the title first
    """A metric of a task.

    Args:
        title: its name for people.
        value: over all rows; the mean of the parts where the task asks for one emotion at a time, and of the languages
            where each is scored by itself.
        low: lower end of its 95 % bootstrap interval; None where it is undefined in every part.
        high: upper end.
        n: the rows it was computed from.
        parts: its value for each emotion asked for, each label, or each class seen in gold.
        languages: its value for each language, where each is scored by itself.
    """

    parts: dict[str, Figure] = {}
    languages: dict[str, Figure] = {}

    @model_serializer(mode="wrap")
    def _without_languages(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {name: value for name, value in found.items() if value or name != "languages"}


class InvalidAnswers(ScoresPart):
    """Answers that could not be parsed.

    Args:
        policy: what they count as.
        rate: their fraction, 0..1.
        n: their number.
        reasons: their number by reason, most common first.
    """

    policy: Policy
    rate: float
    n: int
    reasons: dict[str, int]


class ParseScores(ScoresPart):
    """The values of the metrics by one rule for parsing answers, and how many answers are invalid by it."""

    metrics: dict[str, float]
    invalid: int


class SampledRows(ScoresPart):
    """How many rows were asked, of how many, and the seed that drew them."""

    rows: int
    of: int
    seed: int


class CalibrationScore(ScoresPart):
    """How well the probabilities of classes or labels are calibrated.

    Args:
        temperature: the temperature that was applied; None for none.
        thresholds: the thresholds of labels that were applied; None for none.
        error: expected calibration error, 0..1.
        bins: the reliability diagram.
        rows: rows with probabilities.
    """

    temperature: float | None = None
    thresholds: dict[str, float] | None = None
    error: float
    bins: list[ReliabilityBin]
    rows: int | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class TaskScores(ScoresPart):
    """The scores of a task.

    Args:
        task: name of the task.
        main: name of the metric that is published for it.
        value: the main metric.
        n: how many rows there are.
        scored: how many of them were scored; fewer where the policy drops invalid answers.
        invalid: the answers that could not be parsed.
        metrics: every metric by name.
        scored_by: what was scored, see `parsing.ScoredBy`.
        parse: the rule that answers were parsed by.
        scale: the scale that answers were on; None where the task has no scores.
        by_parse: the metrics by each rule for parsing answers.
        sample: the rows that were asked.
        calibration: None without probabilities of classes or labels.
    """

    task: str = ""
    main: str
    value: float
    n: int
    scored: int
    invalid: InvalidAnswers
    metrics: dict[str, MetricScore]
    scored_by: str = "answer"
    parse: Parse = "strict"
    scale: ScaleChoice | None = None
    by_parse: dict[Parse, ParseScores] = {}
    sample: SampledRows | None = None
    calibration: CalibrationScore | None = None

    @model_serializer(mode="wrap")
    def _without_calibration(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {name: value for name, value in found.items() if value is not None or name == "scale"}

    @property
    def source_metric(self) -> MetricScore:
        """The metric by which the source of the task ranks systems, see `TaskMetrics.source`."""
        return self.metrics.get(metrics_of(get_task(self.task)).source_metric.name, self.main_metric)

    @property
    def main_metric(self) -> MetricScore:
        """The metric that is published for the task."""
        return self.metrics[self.main]
