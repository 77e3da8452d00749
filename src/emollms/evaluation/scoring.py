"""A score for a task: every metric with its parts, 95 % intervals, and how many answers are invalid."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emollms.dataset.reader import Row
from emollms.evaluation.bootstrap import Interval, interval, resample
from emollms.evaluation.gold_vs_predicted import GoldAndPredictions, pair_up
from emollms.evaluation.metrics import Flags, Floats
from emollms.evaluation.parsing import ParsedPredictions
from emollms.evaluation.task_metrics import Metric, Policy, metrics_of
from emollms.evaluation.task_scores import Figure, InvalidAnswers, MetricScore, ParseScores, SampledRows, TaskScores
from emollms.prompts.answers import Parse, ParsedAnswer
from emollms.tasks import MultiLabelTask, Task

RESAMPLES = 1000
NOT_A_NUMBER = "not a number"
GoldLabel = float | int | Collection[str]


@dataclass(frozen=True)
class ScoredTask:
    """How good answers to a task are.

    Args:
        task: name of the task.
        main: name of the metric that is published for it.
        metrics: every metric by name.
        n: how many rows there are.
        scored: how many of them were scored; fewer where the policy drops invalid ones.
        invalid: how many answers could not be parsed, by reason, most common first.
        policy: what they count as.
        pairs: gold and predictions, for `comparison.compare`.
    """

    task: str
    main: str
    metrics: Mapping[str, MetricScore]
    n: int
    scored: int
    invalid: Mapping[str, int]
    policy: Policy
    pairs: GoldAndPredictions = field(repr=False, compare=False)

    @property
    def value(self) -> float:
        """The main metric."""
        return self.metrics[self.main].value

    @property
    def invalid_count(self) -> int:
        """How many answers could not be parsed."""
        return sum(self.invalid.values())

    @property
    def invalid_rate(self) -> float:
        """Their share, 0..1."""
        return self.invalid_count / self.n if self.n else 0.0

    def on(self, rows: Flags) -> "ScoredTask":
        """What `comparison.compare` needs of some of the rows; the metrics stay those of all."""
        return replace(self, n=int(rows.sum()), pairs=self.pairs.only(rows))

    def to_scores(self, **further: Any) -> TaskScores:
        """Everything but the rows; `further` are fields of `TaskScores` that are known by the caller."""
        invalid = InvalidAnswers(
            policy=self.policy, rate=self.invalid_rate, n=self.invalid_count, reasons=dict(self.invalid)
        )
        return TaskScores(
            task=self.task,
            main=self.main,
            value=self.value,
            n=self.n,
            scored=self.scored,
            invalid=invalid,
            metrics=dict(self.metrics),
            **further,
        )


def score(
    task: Task,
    gold_labels: Sequence[GoldLabel],
    parsed: Sequence[ParsedAnswer],
    emotions: Sequence[str | None] | None = None,
    policy: Policy = "official",
    *,
    unannotated: Sequence[Collection[str]] | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    languages: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ScoredTask:
    """Score answers to a task.

    A metric is worked out for each emotion that is asked for, and is their mean; with `languages` so it is for each
    language, and the metric is the mean of the languages, each weighing the same (SemEval-2025 Task 11).

    Args:
        task: the task.
        gold_labels: a row's score on `scale`, class or labels: `gold_label(task, row)`.
        parsed: what the answer to each row says; a class may be an expected one, such as 1.37.
        emotions: the emotion asked for in each row, where the task has them.
        policy: what an invalid answer counts as.
        unannotated: for each row the labels that its corpus did not annotate, which do not count; None for none.
        scale: lowest and highest score, if it is not 0..1.
        languages: the language of each row, where languages are scored one by one.
        resamples: how many bootstrap resamples the intervals come from, at least 1.
        seed: seed of the resamples; the same seed and number of rows give the same draws.

    Raises:
        UsageError: the lists differ in length, a row has no gold, the policy is unknown, or an emotion or label is none
            of the task's.
    """
    parsed = [_finite(answer) for answer in parsed]
    pairs = pair_up(task, gold_labels, parsed, emotions, policy, unannotated, scale, languages)
    metrics = metrics_of(task)
    kept = pairs.valid if policy == "drop" else np.ones(len(pairs.valid), dtype=np.bool_)
    reasons = Counter((answer.reason or "").split(": ")[0] for answer in parsed if answer.value is None)
    return ScoredTask(
        task=task.name,
        main=metrics.main.name,
        metrics=_scores(pairs.take(kept), metrics.metrics, resamples, seed),
        n=len(parsed),
        scored=int(kept.sum()),
        invalid=dict(reasons.most_common()),
        policy=policy,
        pairs=pairs,
    )


def _finite(answer: ParsedAnswer) -> ParsedAnswer:
    """`answer`; one that is no finite number counts as an answer that could not be read."""
    if isinstance(answer.value, float) and not math.isfinite(answer.value):
        return ParsedAnswer(None, NOT_A_NUMBER)
    return answer


def gold_label(task: Task, row: Mapping[str, Any]) -> GoldLabel:
    """The gold of a row of a data set: its labels, its class, or its score on 0..1."""
    value: GoldLabel = row["labels"] if isinstance(task, MultiLabelTask) else row["score"]
    return value


def unannotated_of(rows: Sequence[Mapping[str, Any]]) -> list[Collection[str]]:
    """For each row of a data set the labels that its corpus did not annotate."""
    return [row.get("unannotated") or () for row in rows]


def languages_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The language of each row of a data set."""
    return [str(row["language"]) for row in rows]


def mean_over_languages(languages: Iterable[Sequence[tuple[float, Floats]]]) -> tuple[float, Floats]:
    """The mean over languages of the mean over emotions, of values and of their samples."""
    means = [
        (float(np.mean([value for value, _ in own])), np.mean([samples for _, samples in own], axis=0))
        for own in languages
    ]
    return float(np.mean([value for value, _ in means])), np.mean([samples for _, samples in means], axis=0)


@dataclass(frozen=True)
class _Measured:
    """A metric on the rows of a stratum: of all its labels, or of one of them."""

    language: str
    figure: Figure
    samples: Floats


def _scores(pairs: GoldAndPredictions, wanted: Sequence[Metric], resamples: int, seed: int) -> dict[str, MetricScore]:
    """Every metric, with its parts."""
    generator = np.random.default_rng(seed)
    whole: dict[str, list[_Measured]] = {metric.name: [] for metric in wanted}
    parts: dict[str, dict[str, list[_Measured]]] = {metric.name: {} for metric in wanted}
    for stratum in pairs.strata():
        cells = [(metric, "", *stratum.of(metric)) for metric in wanted]
        cells += [(metric, *part) for metric in wanted if metric.by_label for part in stratum.labels_of(metric)]
        sums = [metric.sums(gold, said) for metric, _, gold, said in cells]
        drawn = zip(cells, sums, resample(sums, resamples, generator), strict=True)
        for (metric, part, gold, _), own, samples in drawn:
            found = interval(samples) if own.is_defined else None
            figure = Figure(n=int(metric.rows(gold).sum()), **_value(own.value, found))
            measured = _Measured(stratum.language, figure, samples)
            if not part:
                whole[metric.name].append(measured)
            if part or stratum.emotion:
                parts[metric.name].setdefault(part or stratum.emotion, []).append(measured)
    return {metric.name: _metric_score(metric, whole[metric.name], parts[metric.name]) for metric in wanted}


def _metric_score(metric: Metric, whole: Sequence[_Measured], parts: Mapping[str, list[_Measured]]) -> MetricScore:
    languages: dict[str, list[_Measured]] = {}
    for one in whole:
        languages.setdefault(one.language, []).append(one)
    return MetricScore(
        title=metric.title,
        parts={name: _mean(own) for name, own in parts.items()},
        languages={code: _mean(own) for code, own in languages.items() if code},
        **_mean(whole).model_dump(),
    )


def _mean(measured: Sequence[_Measured]) -> Figure:
    """The mean over languages of the mean over what was measured in each; the one figure where there is one."""
    if len(measured) == 1:
        return measured[0].figure
    languages: dict[str, list[tuple[float, Floats]]] = {}
    for one in measured:
        languages.setdefault(one.language, []).append((one.figure.value, one.samples))
    value, samples = mean_over_languages(languages.values())
    found = interval(samples) if any(one.figure.interval for one in measured) else None
    return Figure(n=sum(one.figure.n for one in measured), **_value(value, found))


def _value(value: float, found: Interval | None) -> dict[str, Any]:
    return {"value": value, "low": found.low if found else None, "high": found.high if found else None}


def task_scores(
    task: Task,
    rows: Sequence[Row],
    answers: ParsedPredictions,
    policy: Policy,
    sample: SampledRows | None = None,
    by_language: bool = False,
) -> TaskScores:
    """The scores of a task, by both rules for parsing answers.

    Args:
        task: the task.
        rows: its rows.
        answers: what the answers to them say.
        policy: what an invalid answer counts as.
        sample: how the rows were drawn.
        by_language: whether each language is scored by itself.
    """
    languages = languages_of(rows) if by_language else None

    def by(parse: Parse, resamples: int) -> ScoredTask:
        gold_labels, emotions = [gold_label(task, row) for row in rows], [row["emotion"] for row in rows]
        parsed, unannotated = answers.by_parse[parse], unannotated_of(rows)
        return score(
            task, gold_labels, parsed, emotions, policy, unannotated=unannotated, languages=languages,
            resamples=resamples,
        )  # fmt: skip

    scored = by(answers.parse, RESAMPLES)
    by_parse = {}
    for parse, parsed in answers.by_parse.items():
        same = [one.value for one in parsed] == [one.value for one in answers.parsed]
        own = scored if same else by(parse, resamples=1)  # the other rule's figures have no intervals
        metrics = {name: metric.value for name, metric in own.metrics.items()}
        by_parse[parse] = ParseScores(metrics=metrics, invalid=own.invalid_count)
    return scored.to_scores(
        scored_by=answers.scored_by,
        parse=answers.parse,
        scale=answers.scale,
        by_parse=by_parse,
        sample=sample,
        calibration=answers.calibration,
    )
