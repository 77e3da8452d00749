"""The quantile of an outcome that people labelled for some rows only."""

import math
from bisect import bisect_left
from functools import cache

import numpy as np

from emollms.annotation.estimands import EstimateInterval, LabelledOutcome, ThreeWays, three_ways
from emollms.annotation.rectify import LEVEL, Design, rectify, with_variance
from emollms.evaluation.metrics import Floats


def quantile(outcome: LabelledOutcome, q: float, level: float = LEVEL) -> ThreeWays:
    """The quantile `q`: the smallest value that at least the fraction `q` of rows does not exceed.

    The interval holds the values that a test of their rectified cumulative fraction against `q` does not reject, with
    the variance that holds if it is `q` (the score test, as of Wilson 1927).

    Args:
        outcome: the outcome.
        q: above 0 and below 1.
        level: of the intervals.
    """
    truth = outcome.as_truth()
    found, lam = _quantile(outcome, q, level, tuned=True)
    alone, _ = _quantile(outcome, q, level, tuned=False)
    return three_ways(found, alone, _quantile(truth, q, level, tuned=False)[0], lam)


def _quantile(outcome: LabelledOutcome, q: float, level: float, tuned: bool) -> tuple[EstimateInterval, float]:
    design = outcome.design
    low, high = outcome.gold.min(), outcome.gold.max()
    between = outcome.predicted[(low < outcome.predicted) & (outcome.predicted < high)] if tuned else []
    values = np.unique(np.concatenate([outcome.gold, between]))

    @cache
    def tested(place: int) -> tuple[float, float, float]:
        people, model = ((one <= values[place]).astype(np.float64) for one in (outcome.gold, outcome.predicted))
        return _tested(design, people, model, q, level, tuned)

    # Fractions rise with the values, so that each end is found by bisection.
    places = range(len(values) - 1)
    at = bisect_left(places, True, key=lambda place: tested(place)[0] >= q - 1e-9)
    first = bisect_left(places, True, key=lambda place: tested(place)[0] + tested(place)[1] >= q)
    last = bisect_left(places, True, key=lambda place: tested(place)[0] - tested(place)[1] > q)
    return EstimateInterval(*(float(values[place]) for place in (at, min(first, at), max(last, at)))), tested(at)[2]


def _tested(
    design: Design, people: Floats, model: Floats, q: float, level: float, tuned: bool
) -> tuple[float, float, float]:
    """A fraction of rows, how far it may be from `q` by chance if it is `q`, and the power."""
    values = (design.mean(people), design.mean(model[design.labelled]), float(model.mean()))
    found, alone = rectify(design, people, model, values)
    found = found if tuned else alone
    seen = float(np.average((people - values[0]) ** 2, weights=design.counts))
    if seen > 1e-9:
        return found.value, found.half_width(level) * math.sqrt(q * (1 - q) / seen), found.lam
    # All labels are on one side: as many of them as q has of all rows are supposed to be on the other.
    supposed = (np.arange(len(people)) < round(q * len(people))).astype(np.float64)
    return found.value, with_variance(design, values[0], supposed, model, 0.0).half_width(level), 0.0
