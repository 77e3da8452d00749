"""Models on the same rows of a task: a difference with its interval, and their scores on the same resamples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollms.errors import UsageError, unknown
from emollms.evaluation.bootstrap import Interval, interval, resample
from emollms.evaluation.gold_vs_predicted import GoldAndPredictions
from emollms.evaluation.metrics import Floats
from emollms.evaluation.scoring import RESAMPLES, ScoredTask, mean_over_languages
from emollms.evaluation.task_metrics import Metric, metrics_of

_ROUNDING = 1e-12


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


def compare(
    a: ScoredTask, b: ScoredTask, metric: str | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare two models' answers to the same rows.

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
    if (a.task, a.policy) != (b.task, b.policy) or not a.pairs.same_rows(b.pairs):
        raise UsageError(
            f"{a.task} ({a.policy}, {a.n} rows) and {b.task} ({b.policy}, {b.n} rows) cannot be compared; "
            "score both on the same rows in the same order, with the same policy"
        )
    metrics = metrics_of(a.pairs.task)
    chosen = metrics.get(metric or a.main)
    if chosen is None:
        raise unknown(f"metric of task {a.task}", metric or a.main, a.metrics)
    kept = a.pairs.valid & b.pairs.valid if a.policy == "drop" else np.ones(a.n, dtype=np.bool_)
    both = [a.pairs.take(kept), b.pairs.take(kept)]
    values, samples = zip(*_paired(both, chosen, resamples, seed), strict=True)
    differences = samples[0] - samples[1]
    differences[np.abs(differences) < _ROUNDING] = 0.0
    found = interval(differences) if all(_is_defined(pairs, chosen) for pairs in both) else None
    return Comparison(a.task, chosen.name, values[0], values[1], values[0] - values[1], found, int(kept.sum()))


def paired_samples(
    scored: Sequence[ScoredTask], resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, Floats]]:
    """The published metric of several models on the same rows of a task, and its values on the same resamples of them.

    Args:
        scored: the models.
        resamples: how many bootstrap resamples.
        seed: of the resamples.

    Returns:
        For each model its value, and an array of shape (resamples,).

    Raises:
        UsageError: the rows are not the same, or a policy leaves rows out.
    """
    first = scored[0]
    for one in scored:
        if "drop" in (one.policy, first.policy) or one.policy != first.policy or not first.pairs.same_rows(one.pairs):
            raise UsageError(
                f"{one.task}: {one.n:,} rows with policy {one.policy} cannot be ranked with {first.n:,} rows with "
                f"policy {first.policy}; score all models on the same rows, by the policy official or worst"
            )
    return _paired([one.pairs for one in scored], metrics_of(first.pairs.task).main, resamples, seed)


def _is_defined(pairs: GoldAndPredictions, metric: Metric) -> bool:
    """Whether the metric has a value for any emotion asked for, or for the task as a whole."""
    return any(metric.sums(*stratum.of(metric)).is_defined for stratum in pairs.strata())


def _paired(
    both: Sequence[GoldAndPredictions], metric: Metric, resamples: int, seed: int
) -> list[tuple[float, Floats]]:
    """The whole-task value and samples of one metric for each pairs, on the same draws."""
    generator = np.random.default_rng(seed)
    found: list[dict[str, list[tuple[float, Floats]]]] = [{} for _ in both]
    for aligned in zip(*(pairs.strata() for pairs in both), strict=True):
        sums = [metric.sums(*stratum.of(metric)) for stratum in aligned]
        drawn = resample(sums, resamples, generator)
        for own, stratum, one, samples in zip(found, aligned, sums, drawn, strict=True):
            own.setdefault(stratum.language, []).append((one.value, samples))
    return [mean_over_languages(own.values()) for own in found]
