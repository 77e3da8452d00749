"""How close answers are to the gold: the metrics of SemEval-2018 Task 1 and those of the paper, as sums over rows.

Written so, a thousand bootstrap resamples of a task are one product of two matrices (see `bootstrap`), and the metric
itself is the same function of the plain sums. Definitions: Mohammad et al., 2018, SemEval-2018 Task 1: Affect in
Tweets, section 4, and its evaluation script (felipebravom/SemEval_2018_Task_1_Eval). Where a metric is undefined (no
row, one row, a constant) its value is 0, as in the official script for constant predictions, and `RowSums.is_defined`
tells that 0 from a measured one. Nothing here gives NaN or warns.

Arrays: scores and classes are floats of shape (rows,); labels are booleans of shape (rows, labels). A predicted class
may be an expected class, 1.37; metrics of classes take the nearest. NaN is a class that is none: always wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]

NO_CLASS = -99
"""The class of a prediction that is none."""
_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class RowSums:
    """A metric as a function of sums over rows.

    Args:
        columns: what each row adds, of shape (rows, sums).
        total: the sums, of shape (resamples, sums), to the metric, of shape (resamples,); 0 where it has no value.
        is_defined: whether the metric has a value on these rows.
    """

    columns: Floats
    total: Callable[[Floats], Floats]
    is_defined: bool

    @property
    def value(self) -> float:
        """The metric on all rows; 0 where it is undefined."""
        return float(self.total(self.columns.sum(axis=0, keepdims=True))[0])


def upper_half(gold: Floats) -> Flags:
    """The rows with gold ≥ 0.5, of moderate to high intensity."""
    return np.asarray(gold >= 0.5, dtype=np.bool_)


def nonzero(gold: Floats) -> Flags:
    """The rows with gold ≠ 0, where some emotion can be inferred."""
    return np.asarray(gold != 0, dtype=np.bool_)


def everywhere(gold: NDArray[np.generic]) -> Flags:
    """All rows."""
    return np.ones(len(gold), dtype=np.bool_)


def pearson(gold: Floats, predicted: Floats, where: Callable[[Floats], Flags] = everywhere) -> RowSums:
    """Pearson's r, -1..1, on the rows that `where` chooses by their gold.

    Values are standardised first, so that sums of squares stay exact.
    """
    rows = where(gold)
    x, y = _standard(gold, rows), _standard(predicted, rows)
    columns = np.column_stack([rows.astype(np.float64), x, y, x * x, y * y, x * y])
    return RowSums(columns, _pearson, _varies(gold[rows]) and _varies(predicted[rows]))


def concordance(gold: Floats, predicted: Floats) -> RowSums:
    """Lin's concordance correlation, -1..1: Pearson's r, lowered where means or spreads differ.

    Lin, 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility", with variances divided by n.
    """
    center, spread = (gold.mean(), gold.std()) if _varies(gold) else (0.0, 1.0)
    x, y = (gold - center) / spread, (predicted - center) / spread
    columns = np.column_stack([np.ones(len(gold)), x, y, x * x, y * y, x * y])

    def total(sums: Floats) -> Floats:
        x, y, xx, yy, xy = (sums[:, 1:] / np.maximum(sums[:, :1], 1)).T
        apart = xx - x * x + yy - y * y + (x - y) ** 2
        return np.clip(_ratio(2 * (xy - x * y), np.where(apart > _NO_VARIANCE, apart, 0)), -1, 1)

    return RowSums(columns, total, _varies(gold) or _varies(predicted))


def mean_absolute_error(gold: Floats, predicted: Floats) -> RowSums:
    """Mean of |prediction - gold|, at least 0."""
    return mean(np.abs(predicted - gold))


def _standard(values: Floats, where: Flags) -> Floats:
    chosen = values[where]
    if not _varies(chosen):
        return np.zeros(len(values))
    return np.asarray(np.where(where, (values - chosen.mean()) / chosen.std(), 0.0), dtype=np.float64)


def _pearson(sums: Floats) -> Floats:
    n = np.maximum(sums[:, 0], 1)
    x, y, xx, yy, xy = (sums[:, 1:] / n[:, None]).T
    variances = np.maximum(xx - x * x, 0), np.maximum(yy - y * y, 0)
    defined = (variances[0] > _NO_VARIANCE) & (variances[1] > _NO_VARIANCE)
    return np.clip(_ratio(xy - x * y, np.where(defined, np.sqrt(variances[0] * variances[1]), 0)), -1, 1)


def kappa(
    gold: Floats,
    predicted: Floats,
    where: Callable[[Floats], Flags] = everywhere,
    classes: Sequence[int] | None = None,
) -> RowSums:
    """Cohen's kappa with quadratic weights, at most 1, on the rows that `where` chooses by their gold.

    Rows whose prediction is none of `classes` are left out, and the distance of two classes is that of their positions
    among them. None is for the classes seen in all of `gold`, as in the official script.
    """
    known = np.unique(to_classes(gold)) if classes is None else np.array(classes, dtype=np.int64)
    chosen, said = where(gold), to_classes(predicted)
    pairs = (to_classes(gold)[:, None, None] == known[:, None]) & (said[:, None, None] == known)
    positions = np.arange(len(known), dtype=np.float64)
    distances = (positions[:, None] - positions) ** 2

    def total(sums: Floats) -> Floats:
        counts = sums.reshape(len(sums), len(known), len(known))
        chance = counts.sum(axis=2)[:, :, None] * counts.sum(axis=1)[:, None, :]
        expected = _ratio((distances * chance).sum(axis=(1, 2)), counts.sum(axis=(1, 2)))
        return np.where(expected > 0, 1 - _ratio((distances * counts).sum(axis=(1, 2)), expected), 0.0)

    counted = chosen & np.isin(said, known)
    met = np.union1d(to_classes(gold)[counted], said[counted])
    columns = (pairs & chosen[:, None, None]).reshape(len(gold), len(known) ** 2).astype(np.float64)
    return RowSums(columns, total, len(met) > 1)


def mean(values: Floats) -> RowSums:
    """The mean of `values`, one a row."""
    columns = np.column_stack([np.ones(len(values)), values])
    return RowSums(columns, lambda sums: _ratio(sums[:, 1], sums[:, 0]), len(values) > 0)


def accuracy(gold: Floats, predicted: Floats) -> RowSums:
    """Fraction of rows with the right class, 0..1."""
    return mean((to_classes(gold) == to_classes(predicted)).astype(np.float64))


def jaccard(gold: Flags, predicted: Flags) -> RowSums:
    """Mean over rows of |gold ∩ predicted| / |gold ∪ predicted|, 1 where both are empty: E-c's official accuracy."""
    both, either = (gold & predicted).sum(axis=1), (gold | predicted).sum(axis=1)
    return mean(np.where(either > 0, _ratio(both, either), 1.0))


def macro_f1(gold: Flags, predicted: Flags) -> RowSums:
    """Mean over the labels of their F1, 0..1; 0 for a label that neither has."""
    return _of_labels(gold, predicted, lambda both, g, p: _mean(_ratio(2 * both, g + p)))


def micro_f1(gold: Flags, predicted: Flags) -> RowSums:
    """F1 over all pairs of a row and a label, 0..1."""
    return _of_labels(gold, predicted, lambda both, g, p: _ratio(2 * both.sum(axis=1), (g + p).sum(axis=1)))


def jaccard_weighted(gold: Flags, predicted: Flags) -> RowSums:
    """Jaccard index of each label over the rows, averaged with the number of gold rows as weight, 0..1.

    It is the "accuracy" that the paper gives for E-c.
    """

    def total(both: Floats, g: Floats, p: Floats) -> Floats:
        return _ratio((g * _ratio(both, g + p - both)).sum(axis=1), g.sum(axis=1))

    return _of_labels(gold, predicted, total)


def _of_labels(gold: Flags, predicted: Flags, total: Callable[[Floats, Floats, Floats], Floats]) -> RowSums:
    """A metric of the counts of each label: rows that have it in both, in gold, in the predictions."""
    columns = np.hstack([gold & predicted, gold, predicted]).astype(np.float64)
    return RowSums(columns, lambda sums: total(*np.split(sums, 3, axis=1)), len(gold) > 0)


def to_classes(values: Floats) -> Integers:
    """The nearest class numbers, halves upwards; `NO_CLASS` for NaN."""
    return np.where(np.isnan(values), NO_CLASS, np.floor(np.nan_to_num(values) + 0.5)).astype(np.int64)


def one_hot(values: Floats, classes: Integers) -> Flags:
    """Classes as labels, one column for each of `classes`."""
    return np.asarray(to_classes(values)[:, None] == classes[None, :], dtype=np.bool_)


def _varies(values: Floats) -> bool:
    """Whether there are two different values."""
    return len(values) > 1 and bool(np.ptp(values) > 0)


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=1), dtype=np.float64) if values.shape[1] else np.zeros(len(values))


def _ratio(above: Floats, below: Floats) -> Floats:
    """`above` / `below`, 0 where `below` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, np.true_divide(above, below), 0.0)
