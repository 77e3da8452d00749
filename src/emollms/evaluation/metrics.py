"""How close answers are to the gold: the metrics of SemEval-2018 Task 1 and those of the paper.

scipy and scikit-learn compute them. Where a metric is undefined (no row, one row, a constant), it counts as 0, as in
the official script for constant predictions; `varies` and `kappa_is_defined` tell such a 0 from a measured one. Nothing
here gives NaN or warns. Definitions: Mohammad et al., 2018,
SemEval-2018 Task 1: Affect in Tweets, section 4, and its evaluation script (felipebravom/SemEval_2018_Task_1_Eval).

Arrays: scores and classes are floats of shape (rows,); labels are truth values of shape (rows, labels). A predicted
class may be an expected class, 1.37; metrics of classes take the nearest. NaN is a class that is none: always wrong.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emollms.evaluation.extras import needed

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]

NO_CLASS = -99
"""The class of a prediction that is none."""


def pearson(gold: Floats, predicted: Floats) -> float:
    """Pearson's r, -1..1."""
    if not varies(gold) or not varies(predicted):
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nearly constant input: r is as exact as it can be
        return _defined(needed("scipy.stats").pearsonr(gold, predicted).statistic)


def upper_half(gold: Floats) -> Flags:
    """The rows with gold ≥ 0.5, of moderate to high intensity."""
    return np.asarray(gold >= 0.5, dtype=np.bool_)


def nonzero(gold: Floats) -> Flags:
    """The rows with gold ≠ 0, where some emotion can be inferred."""
    return np.asarray(gold != 0, dtype=np.bool_)


def pearson_upper_half(gold: Floats, predicted: Floats) -> float:
    """Pearson's r on the rows with gold ≥ 0.5."""
    return pearson(gold[upper_half(gold)], predicted[upper_half(gold)])


def pearson_nonzero(gold: Floats, predicted: Floats) -> float:
    """Pearson's r on the rows with gold ≠ 0."""
    return pearson(gold[nonzero(gold)], predicted[nonzero(gold)])


def kappa(gold: Floats, predicted: Floats, classes: Floats | None = None) -> float:
    """Cohen's kappa with quadratic weights, at most 1.

    As in the official script, rows whose prediction is none of `classes` are left out, and the distance of two classes
    is that of their places in `classes`.

    Args:
        gold: classes.
        predicted: classes.
        classes: the classes that count; those seen in `gold` by default.
    """
    names = np.unique(to_classes(gold if classes is None else classes))
    chosen = to_classes(predicted)
    if len(names) < 2 or not np.isin(chosen, names).any():
        return 0.0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # 0/0 where all pairs are of one class
        return _defined(_sklearn().cohen_kappa_score(to_classes(gold), chosen, labels=names, weights="quadratic"))


def kappa_is_defined(gold: Floats, predicted: Floats, classes: Floats | None = None) -> bool:
    """Whether kappa has a value: two classes count, and the rows with one of them are not all of the same pair."""
    names = np.unique(to_classes(gold if classes is None else classes))
    known = np.isin(to_classes(predicted), names)
    met = np.union1d(to_classes(gold)[known], to_classes(predicted)[known])
    return len(names) > 1 and len(met) > 1


def kappa_nonzero(gold: Floats, predicted: Floats) -> float:
    """Quadratic weighted kappa on the rows with gold ≠ 0, over the classes seen in all of `gold`."""
    rows = nonzero(gold)
    return kappa(gold[rows], predicted[rows], gold) if rows.any() else 0.0


def accuracy(gold: Floats, predicted: Floats) -> float:
    """Share of rows with the right class, 0..1."""
    return float(_sklearn().accuracy_score(to_classes(gold), to_classes(predicted))) if len(gold) else 0.0


def jaccard(gold: Flags, predicted: Flags) -> float:
    """Mean over rows of |gold ∩ predicted| / |gold ∪ predicted|, 1 where both are empty: the official accuracy of E-c.

    scikit-learn counts one column as two classes, so the rows are padded with a label that nobody has.
    """
    if not len(gold):
        return 0.0
    return float(_sklearn().jaccard_score(_padded(gold), _padded(predicted), average="samples", zero_division=1.0))


def label_jaccard(gold: Flags, predicted: Flags) -> Floats:
    """For each label, the rows that have it in both by the rows that have it in one, 0..1."""
    return _by_label(_sklearn().jaccard_score, gold, predicted)


def jaccard_weighted(gold: Flags, predicted: Flags) -> float:
    """`label_jaccard`, averaged with the number of gold rows as weight: the "accuracy" that the paper gives for E-c."""
    support = gold.sum(axis=0)
    return float(np.average(label_jaccard(gold, predicted), weights=support)) if support.any() else 0.0


def label_f1(gold: Flags, predicted: Flags) -> Floats:
    """F1 of each label, 0..1; 0 for a label that neither has."""
    return _by_label(_sklearn().f1_score, gold, predicted)


def macro_f1(gold: Flags, predicted: Flags) -> float:
    """Mean over the labels of `label_f1`."""
    return float(np.mean(label_f1(gold, predicted))) if gold.shape[1] else 0.0


def micro_f1(gold: Flags, predicted: Flags) -> float:
    """F1 over all pairs of a row and a label, 0..1."""
    if not gold.size:
        return 0.0
    return float(_sklearn().f1_score(gold.ravel().astype(int), predicted.ravel().astype(int), zero_division=0.0))


def varies(values: Floats) -> bool:
    """Whether there are two different values."""
    return len(values) > 1 and bool(np.ptp(values) > 0)


def to_classes(values: Floats) -> Integers:
    """The nearest class numbers, halves upwards; `NO_CLASS` for NaN."""
    return np.where(np.isnan(values), NO_CLASS, np.floor(np.nan_to_num(values) + 0.5)).astype(np.int64)


def one_hot(values: Floats, classes: Integers) -> Flags:
    """Classes as labels, one column for each of `classes`."""
    return np.asarray(to_classes(values)[:, None] == classes[None, :], dtype=np.bool_)


def _sklearn() -> Any:
    return needed("sklearn.metrics")


def _by_label(metric: Callable[..., Any], gold: Flags, predicted: Flags) -> Floats:
    """A metric of scikit-learn for each label."""
    if not gold.size:
        return np.zeros(gold.shape[1])
    values = metric(_padded(gold), _padded(predicted), average=None, zero_division=0.0)
    return np.asarray(values, dtype=np.float64)[: gold.shape[1]]


def _padded(labels: Flags) -> Integers:
    """`labels` and one that nobody has: scikit-learn counts a single column as two classes."""
    return np.pad(labels.astype(np.int64), ((0, 0), (0, 1)))


def _defined(value: float) -> float:
    """`value`, or 0 where it is none."""
    return float(value) if np.isfinite(value) else 0.0
