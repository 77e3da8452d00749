"""Reliability diagrams and the expected calibration error: Guo et al., 2017, section 2, with equally wide bins.

Probabilities are floats of shape (rows, classes), in the order of `task.classes`, or (rows, labels) in that of
`task.labels`; a row of class probabilities need not sum to 1, and is divided by its sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollms.errors import UsageError
from emollms.evaluation.metrics import Flags, Floats, Integers

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """One bin of a reliability diagram.

    Args:
        low: lowest probability.
        high: highest probability.
        n: predictions in it.
        confidence: their mean probability; 0 where there is none.
        accuracy: the share of them that is right; 0 where there is none.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def normalized(probabilities: Floats) -> Floats:
    """Class probabilities with rows that sum to 1.

    Raises:
        UsageError: a row has a negative probability, none, NaN, or only zeros.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    sums = table.sum(axis=1, keepdims=True)
    bad = ~(np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1) & (sums[:, 0] > 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UsageError(f"row {row}: {table[row].tolist()} is no distribution; leave out rows without probabilities")
    return np.asarray(table / sums, dtype=np.float64)


def class_reliability(probabilities: Floats, gold: Integers, bins: int = BINS) -> list[ReliabilityBin]:
    """The reliability diagram of the most likely class.

    Args:
        probabilities: class probabilities.
        gold: the column of the right class, for each row.
        bins: how many equally wide bins.
    """
    table = normalized(probabilities)
    return reliability(table.max(axis=1), table.argmax(axis=1) == gold, bins)


def reliability(confidence: Floats, right: Flags, bins: int = BINS) -> list[ReliabilityBin]:
    """A reliability diagram of single predictions, such as those of all labels: `probabilities.ravel(), gold.ravel()`.

    Args:
        confidence: probability that each is right, 0..1.
        right: whether it is.
        bins: how many equally wide bins.
    """
    places = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    n = np.bincount(places, minlength=bins)
    shares = np.maximum(n, 1)
    means = np.bincount(places, confidence, bins) / shares, np.bincount(places, right, bins) / shares
    return [
        ReliabilityBin(i / bins, (i + 1) / bins, int(n[i]), float(means[0][i]), float(means[1][i])) for i in range(bins)
    ]


def calibration_error(diagram: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error, 0..1: the mean distance of confidence and accuracy, by predictions."""
    total = sum(bar.n for bar in diagram)
    return sum(bar.n * abs(bar.confidence - bar.accuracy) for bar in diagram) / total if total else 0.0
