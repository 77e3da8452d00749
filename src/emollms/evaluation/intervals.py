"""How sure is a score: percentile bootstrap over rows (Efron and Tibshirani, 1993, chapter 13), paired for two models.

Each metric is written as a function of sums over rows, so that a thousand resamples of a task are one product of two
matrices: how often each resample draws each row, times what each row adds. `metrics` has the same values by scipy and
scikit-learn; a test holds the two together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, to_classes

CONFIDENCE = 0.95
_DRAWS_AT_ONCE = 1_000_000
_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Interval:
    """Where the score of other rows of this kind would mostly lie."""

    low: float
    high: float


@dataclass(frozen=True)
class RowSums:
    """A metric as a function of sums over rows.

    Args:
        columns: what each row adds, of shape (rows, sums).
        total: the sums, of shape (resamples, sums), to the metric, of shape (resamples,); 0 where it has no value.
    """

    columns: Floats
    total: Callable[[Floats], Floats]


def interval(samples: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The middle `confidence` of `samples`."""
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def resample(parts: Sequence[RowSums], resamples: int, generator: np.random.Generator) -> list[Floats]:
    """The values of metrics on resamples of the same rows, paired: resample i is the same draw of rows for all.

    Args:
        parts: metrics over the same rows.
        resamples: how many.
        generator: where the draws come from.

    Returns:
        For each metric its values, of shape (resamples,).
    """
    columns = np.hstack([part.columns for part in parts])
    ends = np.cumsum([part.columns.shape[1] for part in parts])[:-1]
    sums = np.split(_resampled_sums(columns, resamples, generator), ends, axis=1)
    return [part.total(own) for part, own in zip(parts, sums, strict=True)]


def _resampled_sums(columns: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    rows = len(columns)
    if not rows:
        return np.zeros((resamples, columns.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // rows)
    sums = []
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        draws = generator.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        times_drawn = np.bincount(draws.ravel(), minlength=count * rows).reshape(count, rows)
        sums.append(times_drawn.astype(np.float64) @ columns)
    return np.vstack(sums)


def pearson_sums(gold: Floats, predicted: Floats, where: Flags) -> RowSums:
    """Pearson's r on the rows `where`; values are standardised first, so that sums of squares stay exact."""
    x, y = _standard(gold, where), _standard(predicted, where)
    return RowSums(np.column_stack([where.astype(np.float64), x, y, x * x, y * y, x * y]), _pearson)


def _standard(values: Floats, where: Flags) -> Floats:
    chosen = values[where]
    if not len(chosen) or not np.ptp(chosen):
        return np.zeros(len(values))
    return np.asarray(np.where(where, (values - chosen.mean()) / chosen.std(), 0.0), dtype=np.float64)


def _pearson(sums: Floats) -> Floats:
    n = np.maximum(sums[:, 0], 1)
    x, y, xx, yy, xy = (sums[:, 1:] / n[:, None]).T
    variances = np.maximum(xx - x * x, 0), np.maximum(yy - y * y, 0)
    defined = (variances[0] > _NO_VARIANCE) & (variances[1] > _NO_VARIANCE)
    return np.clip(_ratio(xy - x * y, np.where(defined, np.sqrt(variances[0] * variances[1]), 0)), -1, 1)


def kappa_sums(gold: Floats, predicted: Floats, where: Flags) -> RowSums:
    """Quadratic weighted kappa on the rows `where`, over the classes seen in all of `gold`."""
    classes = np.unique(to_classes(gold))
    pairs = (to_classes(gold)[:, None, None] == classes[:, None]) & (to_classes(predicted)[:, None, None] == classes)
    places = np.arange(len(classes), dtype=np.float64)
    distances = (places[:, None] - places) ** 2

    def total(sums: Floats) -> Floats:
        counts = sums.reshape(len(sums), len(classes), len(classes))
        chance = counts.sum(axis=2)[:, :, None] * counts.sum(axis=1)[:, None, :]
        expected = _ratio((distances * chance).sum(axis=(1, 2)), counts.sum(axis=(1, 2)))
        return np.where(expected > 0, 1 - _ratio((distances * counts).sum(axis=(1, 2)), expected), 0.0)

    return RowSums((pairs & where[:, None, None]).reshape(len(gold), len(classes) ** 2).astype(np.float64), total)


def mean_sums(values: Floats) -> RowSums:
    """The mean of `values`, one a row."""
    return RowSums(np.column_stack([np.ones(len(values)), values]), lambda sums: _ratio(sums[:, 1], sums[:, 0]))


def accuracy_sums(gold: Floats, predicted: Floats) -> RowSums:
    """Share of rows with the right class."""
    return mean_sums((to_classes(gold) == to_classes(predicted)).astype(np.float64))


def jaccard_sums(gold: Flags, predicted: Flags) -> RowSums:
    """Mean over rows of the Jaccard index, 1 where both are empty."""
    both, either = (gold & predicted).sum(axis=1), (gold | predicted).sum(axis=1)
    return mean_sums(np.where(either > 0, _ratio(both, either), 1.0))


def label_sums(gold: Flags, predicted: Flags, total: Callable[[Floats, Floats, Floats], Floats]) -> RowSums:
    """A metric of the counts of each label: rows that have it in both, in gold, in the predictions."""
    columns = np.hstack([gold & predicted, gold, predicted]).astype(np.float64)
    return RowSums(columns, lambda sums: total(*np.split(sums, 3, axis=1)))


def macro_f1_sums(gold: Flags, predicted: Flags) -> RowSums:
    """Mean over the labels of their F1."""
    return label_sums(gold, predicted, lambda both, g, p: _mean(_ratio(2 * both, g + p)))


def micro_f1_sums(gold: Flags, predicted: Flags) -> RowSums:
    """F1 over all pairs of a row and a label."""
    return label_sums(gold, predicted, lambda both, g, p: _ratio(2 * both.sum(axis=1), (g + p).sum(axis=1)))


def jaccard_weighted_sums(gold: Flags, predicted: Flags) -> RowSums:
    """Mean of the labels' Jaccard index, weighted by gold rows."""

    def total(both: Floats, g: Floats, p: Floats) -> Floats:
        return _ratio((g * _ratio(both, g + p - both)).sum(axis=1), g.sum(axis=1))

    return label_sums(gold, predicted, total)


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=1), dtype=np.float64) if values.shape[1] else np.zeros(len(values))


def _ratio(above: Floats, below: Floats) -> Floats:
    """`above` / `below`, 0 where `below` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, np.true_divide(above, below), 0.0)
