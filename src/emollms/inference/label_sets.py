"""Which labels a text is given, by their probabilities: the set with the largest expected Jaccard index."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]


def best_label_sets(probabilities: Floats, thresholds: Floats | float = 0.5, *, at_least_one: bool = False) -> Flags:
    """The set of labels of each row with the largest expected Jaccard index, if labels are independent.

    Of all sets of k labels that of the k likeliest is the best, so one set of each size is compared, exactly: k labels
    have an expected index of (the sum of their probabilities) · E[1 / (k + J)], where J, how many of the other labels
    apply, is Poisson-binomial; none has the probability that no label applies. What equals in expectation goes to the
    larger set.

    Args:
        probabilities: of shape (rows, labels), 0..1.
        thresholds: of each label, or of all, 0..1: the probability that counts as even odds. Above .5 a label is named
            less often, below it more often; a label alone is named from its threshold on.
        at_least_one: give no row the empty set.
    """
    shifted = _shifted(np.asarray(probabilities, dtype=np.float64), thresholds)
    rows, labels = shifted.shape
    order = np.argsort(-shifted, axis=1, kind="stable")
    ordered = np.take_along_axis(shifted, order, axis=1)
    sums = np.cumsum(ordered, axis=1)
    expected = np.zeros((rows, labels + 1))
    others = np.zeros((rows, labels + 1))  # the distribution of J, built up from the least likely label
    others[:, 0] = 1.0
    for size in range(labels, 0, -1):
        expected[:, size] = sums[:, size - 1] * (others @ (1 / (size + np.arange(labels + 1))))
        share = ordered[:, size - 1, None]
        others[:, 1:] = others[:, 1:] * (1 - share) + others[:, :-1] * share
        others[:, :1] *= 1 - share
    expected[:, 0] = -1.0 if at_least_one else others[:, 0]
    # Rounding must not decide between a label and none at its very threshold.
    sizes = labels - np.argmax(np.round(expected, 12)[:, ::-1], axis=1)
    chosen = np.zeros(shifted.shape, dtype=np.bool_)
    np.put_along_axis(chosen, order, np.arange(labels) < sizes[:, None], axis=1)
    return chosen


def _shifted(probabilities: Floats, thresholds: Floats | float) -> Floats:
    """Probabilities whose odds are divided by those of the thresholds."""
    apply, miss = probabilities * (1 - np.asarray(thresholds)), (1 - probabilities) * thresholds
    shifted: Floats = np.divide(apply, apply + miss, out=probabilities.copy(), where=apply + miss > 0)
    return shifted
