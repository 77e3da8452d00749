"""The correlation of an outcome that people labelled for some rows only."""

import math

import numpy as np

from emollms.annotation.estimands import EstimateInterval, LabelledOutcome, ThreeWays, three_ways
from emollms.annotation.rectify import LEVEL, Rectified, rectify, with_variance
from emollms.evaluation.metrics import Floats


def correlation(outcome: LabelledOutcome, other: LabelledOutcome, level: float = LEVEL) -> ThreeWays:
    """Pearson's correlation of two outcomes, of the same labelled rows.

    The power and the interval are those of Fisher's transform. Rectified estimates are built from the influences of
    rows on it, as of any other estimator (Kluger et al., arXiv 2501.18577).

    Args:
        outcome: the first.
        other: the second; where it is known of all rows, its `gold` is that.
        level: of the intervals.
    """
    design = outcome.design
    own = design.labelled
    by_people, people = _fisher(outcome.gold, other.gold, design.counts)
    by_model, _ = _fisher(outcome.predicted[own], other.predicted[own], design.counts)
    of_all, model = _fisher(outcome.predicted, other.predicted, np.ones(design.rows))
    found, alone = rectify(design, people, model, (by_people, by_model, of_all), lost=2)
    naive = with_variance(outcome.as_truth().design, of_all, model, model, 0.0, lost=2)
    shown = [_from_fisher(one, level) for one in (found, alone, naive)]
    return three_ways(shown[0], shown[1], shown[2], found.lam)


def _fisher(values: Floats, others: Floats, counts: Floats) -> tuple[float, Floats]:
    """Fisher's transform of a correlation, and the influence of each row on it: what leaving it out changes.

    This jackknife (Efron and Stein 1981) has the variance of few and skewed labels, where that of the influence
    function is too low.
    """
    x, y = (one - np.average(one, weights=counts) for one in (values, others))
    products = np.array([x * x, y * y, x * y])
    moments, rest = products @ counts, counts.sum() - counts
    # Of all rows but one, about the mean of these.
    others_of_each = moments[:, None] - products * (counts + counts**2 / rest)
    least = 1e-9 * float(moments[0] * moments[1])
    found, without = float(_transformed(moments, least)), _transformed(others_of_each, least)
    return found, np.asarray((found - without) * rest / counts)


def _transformed(moments: Floats, least: float) -> Floats:
    """Fisher's transform, of variances and covariance up to a factor; 0 where a variance is as good as 0."""
    both = moments[0] * moments[1]
    r = np.where(both > least, moments[2] / np.sqrt(np.where(both > least, both, 1.0)), 0.0)
    return np.asarray(np.arctanh(np.clip(r, -0.999999, 0.999999)))


def _from_fisher(found: Rectified, level: float) -> EstimateInterval:
    low, high = found.interval(level)
    return EstimateInterval(math.tanh(found.value), math.tanh(low), math.tanh(high))
