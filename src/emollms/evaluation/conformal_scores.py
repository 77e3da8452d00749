"""The arithmetic of `conformal`: conformity scores and their quantiles, ties, and the probability of being right."""

import math
from collections.abc import Hashable, Sequence

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.evaluation.reliability import calibration_error, reliability
from emollms.evaluation.ridge import fit_logistic, logistic

EVERYTHING = 2.0
"""Above all probabilities and errors on 0..1."""
_FOLDS = 5
_FLOOR = 1e-4  # what a probability of 0 counts as: an answer alone says 0 and 1
_CLOSE = 1e-9


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """The ⌈(n + 1)·coverage⌉-th smallest of n scores, which a new one exceeds with probability 1 − coverage at most.

    Where n is too small for that, the largest score there can be: 2, above all probabilities and errors on 0..1.
    """
    rank = _rank(len(scores), coverage)
    return EVERYTHING if rank > len(scores) else float(np.partition(np.asarray(scores, np.float64), rank - 1)[rank - 1])


def folds_of(groups: Sequence[Hashable], seed: int = 0) -> Integers:
    """The fold of each row, from 0; rows of one group are in one."""
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    drawn = np.random.default_rng(seed).permutation(len(places)) % _FOLDS
    return np.array([drawn[places[group]] for group in groups], dtype=np.int64)


def _rank(rows: int, coverage: float) -> int:
    return math.ceil((rows + 1) * coverage - _CLOSE)  # (9 + 1) * 0.9 is a little more than 9 in floats, or less


def interval_widths(errors: Floats, coverage: float) -> tuple[float, float | None, float]:
    """The width, the next smaller one, and how often that is to be taken so that ties at the width are held exactly.

    A new error that equals the width has the p-value (a + u·(t + 1)) / (n + 1), with a larger errors, t equal ones, and
    u uniform on 0..1; it is held where that is above 1 − coverage.
    """
    width = conformal_quantile(errors, coverage)
    larger, equal = int((errors > width).sum()), int((errors == width).sum())
    smaller = errors[errors < width]
    if equal < 2 or not len(smaller):
        return min(width, 1.0), None, 0.0
    tie = ((1 - coverage) * (len(errors) + 1) - larger) / (equal + 1)
    return min(width, 1.0), float(smaller.max()), min(1.0, max(0.0, tie))


def class_scores(probabilities: Floats, draws: Floats) -> Floats:
    """For each class, the probability mass of an interval as it takes the class in.

    That is the mass of the classes that it took before, and a random part of the class's own. An interval begins with
    the likeliest class and takes in the likelier of its two neighbours each time.
    """
    rows, classes = probabilities.shape
    scores = np.zeros_like(probabilities)
    each = np.arange(rows)
    low = high = taken = probabilities.argmax(axis=1)
    mass = np.zeros(rows)
    for step in range(classes):
        own = probabilities[each, taken]
        scores[each, taken] = mass + draws * own
        mass = mass + own
        if step == classes - 1:
            break
        left = np.where(low > 0, probabilities[each, np.maximum(low - 1, 0)], -1.0)
        right = np.where(high < classes - 1, probabilities[each, np.minimum(high + 1, classes - 1)], -1.0)
        goes_left = left >= right
        low, high = np.where(goes_left, low - 1, low), np.where(goes_left, high, high + 1)
        taken = np.where(goes_left, low, high)
    return scores


def last_true(flags: Flags) -> Integers:
    """The last column that is true."""
    return np.asarray(flags.shape[1] - 1 - flags[:, ::-1].argmax(axis=1), dtype=np.int64)


def tie_breaks(draws: Floats) -> Floats:
    """What is added to equal probabilities so that a random one of them comes first."""
    return 1e-6 * (draws - 0.5)


def log_odds(probabilities: Floats) -> Floats:
    """The log-odds of probabilities, on -1..1."""
    clipped = np.clip(probabilities, _FLOOR, 1 - _FLOOR)
    return np.asarray(np.log(clipped / (1 - clipped)) / -math.log(_FLOOR), dtype=np.float64)


def tenths_of(scores: Floats) -> Integers:
    """The tenth of the scale, 0..9, that each score is in."""
    return np.clip((scores * 10).astype(np.int64), 0, 9)


def hit_rates(tenths: Integers, right: Flags) -> list[float]:
    """How often scores in each tenth of the scale are right, drawn to how often all are.

    How far follows from how much the tenths differ beyond chance: the moments of a beta-binomial model, Kleinman, 1973.
    """
    counts, hits = np.bincount(tenths, minlength=10), np.bincount(tenths, right, minlength=10)
    rows, mean = counts.sum(), right.mean()
    used = counts > 0
    rates = hits / np.maximum(counts, 1)
    chance = mean * (1 - mean)
    spread = (counts * (rates - mean) ** 2).sum() - (used.sum() - 1) * chance
    variance = spread / max(rows - (counts**2).sum() / rows, 1.0)
    if variance <= 0 or chance == 0:
        return [float(mean)] * 10
    prior = max(chance / variance - 1, 0.0)
    return [float(rate) for rate in (hits + prior * mean) / np.maximum(counts + prior, 1e-9)]


def label_features(probabilities: Floats, told: Flags) -> Floats:
    """The log of the probability that what is told of all labels is right, if they were independent; and what is told.

    The logistic model of being right (Platt, 1999) mends what is not independent.
    """
    shares = np.clip(np.where(told, probabilities, 1 - probabilities), _FLOOR, 1.0)
    return np.concatenate([np.log(shares).sum(axis=1, keepdims=True), told], axis=1)


def fit_confidence(features: Floats, right: Flags, folds: Integers) -> tuple[list[float], float]:
    """The logistic model of being right, and its calibration error on the rows that each fold left out."""
    weights = fit_logistic(features, right)
    found = np.zeros(len(right))
    for fold in np.unique(folds):
        inside = folds != fold
        found[~inside] = logistic(features[~inside], fit_logistic(features[inside], right[inside], weights))
    return weights.tolist(), calibration_error(reliability(found, right))
