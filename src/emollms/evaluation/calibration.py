"""Probabilities that mean what they say: temperature, thresholds, and the error that is left.

Temperature: Guo et al., 2017, On Calibration of Modern Neural Networks, section 4.2; expected calibration error: the
same, section 2, with equally wide bins. Thresholds that maximise the F1 of a label: Lipton et al., 2014.

Probabilities are floats of shape (rows, classes), in the order of `task.classes`, or (rows, labels) in that of
`task.labels`; a row of class probabilities need not sum to 1, and is divided by its sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollms.errors import UsageError
from emollms.evaluation.metrics import Flags, Floats, Integers, needed

FLOOR = 1e-7
"""What a probability of 0 counts as: those of files with six decimals were below 5e-7."""

BINS = 10
_LOG_TEMPERATURES = (-3.0, 4.0)


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram.

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


def expected_value(probabilities: Floats, values: Sequence[float]) -> Floats:
    """The mean of `values` under each row's distribution: the expected class, or the expected score.

    Args:
        probabilities: of shape (rows, values).
        values: class numbers, or scores, in the order of the columns.
    """
    return np.asarray(normalized(probabilities) @ np.asarray(values, dtype=np.float64), dtype=np.float64)


def temper(probabilities: Floats, temperature: float, floor: float = FLOOR) -> Floats:
    """Distributions at `temperature`: p^(1/T), divided by its sum. Above 1 it flattens, below 1 it sharpens.

    Args:
        probabilities: class probabilities.
        temperature: above 0.
        floor: what smaller probabilities count as.
    """
    logits = np.log(np.maximum(normalized(probabilities), floor)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_temperature(probabilities: Floats, gold: Integers, floor: float = FLOOR) -> float:
    """The temperature that makes the gold most likely, within e^-3..e^4.

    Args:
        probabilities: class probabilities of validation rows.
        gold: the column of the right class, for each row.
        floor: what smaller probabilities count as.
    """
    if not len(gold):
        return 1.0
    rows = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        return -float(np.mean(np.log(temper(probabilities, np.exp(log_temperature), floor)[rows, gold])))

    found = needed("scipy.optimize").minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded")
    return float(np.exp(found.x))


def fit_thresholds(probabilities: Floats, gold: Flags) -> Floats:
    """The threshold of each label that gives it the best F1; half-way to the next probability. 0.5 without gold rows.

    Args:
        probabilities: of each label, of validation rows.
        gold: whether the row has it.
    """
    return np.array([_best_threshold(probabilities[:, i], gold[:, i]) for i in range(gold.shape[1])])


def _best_threshold(probabilities: Floats, gold: Flags) -> float:
    if not gold.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    chosen = np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(gold[order]) / (chosen + gold.sum())
    f1[:-1][ordered[:-1] == ordered[1:]] = -1  # equal probabilities are chosen together
    best = int(np.argmax(f1))
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + below) / 2)


def apply_thresholds(probabilities: Floats, thresholds: Floats, at_least_one: bool = False) -> Flags:
    """The labels whose probability reaches its threshold.

    Args:
        probabilities: of each label.
        thresholds: of each label, 0..1.
        at_least_one: give a row without labels the one that comes nearest to its threshold.
    """
    chosen = np.asarray(probabilities >= thresholds, dtype=np.bool_)
    if at_least_one:
        nearest = np.argmax(probabilities - thresholds, axis=1)
        empty = ~chosen.any(axis=1)
        chosen[empty, nearest[empty]] = True
    return chosen


def class_reliability(probabilities: Floats, gold: Integers, bins: int = BINS) -> list[Bin]:
    """The reliability diagram of the most likely class.

    Args:
        probabilities: class probabilities.
        gold: the column of the right class, for each row.
        bins: how many equally wide bins.
    """
    table = normalized(probabilities)
    return reliability(table.max(axis=1), table.argmax(axis=1) == gold, bins)


def reliability(confidence: Floats, right: Flags, bins: int = BINS) -> list[Bin]:
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
    return [Bin(i / bins, (i + 1) / bins, int(n[i]), float(means[0][i]), float(means[1][i])) for i in range(bins)]


def calibration_error(diagram: Sequence[Bin]) -> float:
    """Expected calibration error, 0..1: the mean distance of confidence and accuracy, by predictions."""
    total = sum(bar.n for bar in diagram)
    return sum(bar.n * abs(bar.confidence - bar.accuracy) for bar in diagram) / total if total else 0.0
