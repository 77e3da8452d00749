"""A score for a task: every metric with its parts, 95 % intervals, and how many answers could not be read."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from emollms.dataset.reader import Row
from emollms.errors import UsageError, unknown
from emollms.evaluation.bootstrap import interval, resample
from emollms.evaluation.gold_vs_predicted import GoldAndPredictions, pair_up
from emollms.evaluation.metrics import Floats
from emollms.evaluation.parsing import Read
from emollms.evaluation.results import Comparison, Figure, MetricScore, ScoredTask
from emollms.evaluation.task_metrics import Metric, Policy, metrics_of
from emollms.prompts.answers import Parse, ParsedAnswer
from emollms.tasks import MultiLabelTask, Task

RESAMPLES = 1000
NOT_A_NUMBER = "not a number"
_ROUNDING = 1e-12
Gold = float | int | Collection[str]


def score(
    task: Task,
    gold_labels: Sequence[Gold],
    readings: Sequence[ParsedAnswer],
    emotions: Sequence[str | None] | None = None,
    policy: Policy = "official",
    *,
    unannotated: Sequence[Collection[str]] | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ScoredTask:
    """Score answers to a task.

    Args:
        task: the task.
        gold_labels: a row's score on `scale`, class or labels: `gold_label(task, row)`.
        readings: what the answer to each row says; a class may be an expected one, such as 1.37.
        emotions: the emotion asked for in each row, where the task has them.
        policy: what an answer that cannot be read counts as.
        unannotated: for each row the labels that its corpus did not annotate, which do not count; None for none.
        scale: lowest and highest score, if it is not 0..1.
        resamples: how many bootstrap resamples the intervals come from, at least 1.
        seed: seed of the resamples; the same seed and number of rows give the same draws.

    Raises:
        UsageError: the lists differ in length, a row has no gold, the policy is unknown, or an emotion or label is none
            of the task's.
    """
    readings = [_finite(reading) for reading in readings]
    sheet = pair_up(task, gold_labels, readings, emotions, policy, unannotated, scale)
    scheme = metrics_of(task)
    kept = sheet.valid if policy == "drop" else np.ones(len(sheet.valid), dtype=np.bool_)
    reasons = Counter((reading.reason or "").split(": ")[0] for reading in readings if reading.value is None)
    return ScoredTask(
        task=task.name,
        main=scheme.main.name,
        metrics=_scores(sheet.take(kept), scheme.metrics, resamples, seed),
        n=len(readings),
        scored=int(kept.sum()),
        invalid=dict(reasons.most_common()),
        policy=policy,
        sheet=sheet,
    )


def _finite(reading: ParsedAnswer) -> ParsedAnswer:
    """`reading`; one that is no finite number counts as an answer that could not be read."""
    if isinstance(reading.value, float) and not math.isfinite(reading.value):
        return ParsedAnswer(None, NOT_A_NUMBER)
    return reading


def gold_label(task: Task, row: Mapping[str, Any]) -> Gold:
    """The gold of a row of a data set: its labels, its class, or its score on 0..1."""
    value: Gold = row["labels"] if isinstance(task, MultiLabelTask) else row["score"]
    return value


def unannotated_of(rows: Sequence[Mapping[str, Any]]) -> list[Collection[str]]:
    """For each row of a data set the labels that its corpus did not annotate."""
    return [row.get("unannotated") or () for row in rows]


def compare(
    a: ScoredTask, b: ScoredTask, metric: str | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Hold two models' answers to the same rows against each other.

    Rows that `drop` leaves out for one are left out for both.

    Args:
        a: score of the first.
        b: score of the second.
        metric: name of the metric; None for the main one.
        resamples: how many bootstrap resamples.
        seed: their seed.

    Raises:
        UsageError: task, rows or policies differ, or the task has no such metric.
    """
    if (a.task, a.policy) != (b.task, b.policy) or not a.sheet.same_rows(b.sheet):
        raise UsageError(
            f"{a.task} ({a.policy}, {a.n} rows) and {b.task} ({b.policy}, {b.n} rows) cannot be compared; "
            "score both on the same rows in the same order, with the same policy"
        )
    scheme = metrics_of(a.sheet.task)
    chosen = scheme.get(metric or a.main)
    if chosen is None:
        raise unknown(f"metric of task {a.task}", metric or a.main, a.metrics)
    kept = a.sheet.valid & b.sheet.valid if a.policy == "drop" else np.ones(a.n, dtype=np.bool_)
    sheets = [a.sheet.take(kept), b.sheet.take(kept)]
    values, samples = zip(*_paired(sheets, chosen, resamples, seed), strict=True)
    differences = samples[0] - samples[1]
    differences[np.abs(differences) < _ROUNDING] = 0.0
    found = interval(differences) if all(_is_defined(sheet, chosen) for sheet in sheets) else None
    return Comparison(a.task, chosen.name, values[0], values[1], values[0] - values[1], found, int(kept.sum()))


def _is_defined(sheet: GoldAndPredictions, metric: Metric) -> bool:
    """Whether the metric has a value for any emotion asked for, or for the task as a whole."""
    return any(metric.sums(*stratum.of(metric)).is_defined for stratum in sheet.strata())


def _paired(
    sheets: Sequence[GoldAndPredictions], metric: Metric, resamples: int, seed: int
) -> list[tuple[float, Floats]]:
    """The whole-task value and samples of one metric for each sheet, on the same draws."""
    generator = np.random.default_rng(seed)
    values, samples = np.zeros(len(sheets)), np.zeros((len(sheets), resamples))
    strata = [sheet.strata() for sheet in sheets]
    for aligned in zip(*strata, strict=True):
        sums = [metric.sums(*stratum.of(metric)) for stratum in aligned]
        values += [own.value for own in sums]
        samples += resample(sums, resamples, generator)
    count = len(strata[0])
    return [(float(value) / count, own / count) for value, own in zip(values, samples, strict=True)]


def _scores(sheet: GoldAndPredictions, wanted: Sequence[Metric], resamples: int, seed: int) -> dict[str, MetricScore]:
    """Every metric, with its parts."""
    generator = np.random.default_rng(seed)
    whole: dict[str, list[tuple[Figure, Floats]]] = {metric.name: [] for metric in wanted}
    parts: dict[str, dict[str, Figure]] = {metric.name: {} for metric in wanted}
    for stratum in sheet.strata():
        cells = [(metric, "", *stratum.of(metric)) for metric in wanted]
        cells += [(metric, *part) for metric in wanted if metric.by_label for part in stratum.labels_of(metric)]
        sums = [metric.sums(gold, said) for metric, _, gold, said in cells]
        drawn = zip(cells, sums, resample(sums, resamples, generator), strict=True)
        for (metric, part, gold, _), own, samples in drawn:
            found = interval(samples) if own.is_defined else None
            figure = Figure(own.value, found, int(metric.rows(gold).sum()))
            if part:
                parts[metric.name][part] = figure
                continue
            whole[metric.name].append((figure, samples))
            if stratum.emotion:
                parts[metric.name][stratum.emotion] = figure
    return {metric.name: _over_strata(metric, whole[metric.name], parts[metric.name]) for metric in wanted}


def _over_strata(metric: Metric, strata: Sequence[tuple[Figure, Floats]], parts: Mapping[str, Figure]) -> MetricScore:
    """The mean over the emotions asked for; the one value of a task without them."""
    value = float(np.mean([figure.value for figure, _ in strata]))
    samples = np.mean([samples for _, samples in strata], axis=0)
    found = interval(samples) if any(figure.interval for figure, _ in strata) else None
    return MetricScore(value, found, sum(figure.n for figure, _ in strata), metric.name, metric.title, parts)


def task_scores(task: Task, rows: Sequence[Row], read: Read, policy: Policy) -> dict[str, Any]:
    """The entry of a task.

    Args:
        task: the task.
        rows: its rows.
        read: what the answers to them say, by both rules.
        policy: what an answer that cannot be read counts as.
    """

    def by(parse: Parse, resamples: int) -> ScoredTask:
        gold_labels, emotions = [gold_label(task, row) for row in rows], [row["emotion"] for row in rows]
        return score(
            task,
            gold_labels,
            read.by_parse[parse],
            emotions,
            policy,
            unannotated=unannotated_of(rows),
            resamples=resamples,
        )

    scored = by(read.parse, RESAMPLES)
    figures: dict[str, Any] = {}
    for parse, readings in read.by_parse.items():
        same = [one.value for one in readings] == [one.value for one in read.readings]
        own = scored if same else by(parse, resamples=1)  # the other rule's figures have no intervals
        metrics = {name: metric.value for name, metric in own.metrics.items()}
        figures[parse] = {"metrics": metrics, "invalid": own.invalid_count}
    scale = asdict(read.scale) if read.scale else None
    return scored.as_json() | {"scored_by": read.rule, "parse": read.parse, "scale": scale, "by_parse": figures}
