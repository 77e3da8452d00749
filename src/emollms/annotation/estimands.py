"""What can be estimated of an outcome: a mean, a difference of groups, a quantile, a correlation.

Each three times: rectified, from people's labels alone, and as the naive average of a model's answers has it.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from emollms.annotation.annotated_tables import Floats
from emollms.annotation.gold_tables import Integers
from emollms.annotation.rectify import LEVEL, Design, Rectified, less, quantile_of_t, rectify, with_variance


@dataclass(frozen=True)
class EstimateInterval:
    """An estimate and the interval that holds the truth with the probability that was asked for."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.high - self.low


@dataclass(frozen=True)
class ThreeWays:
    """An estimate beside what it would be otherwise.

    Args:
        rectified: by the predictions of all rows, and people's labels of some.
        people: by people's labels alone.
        naive: by the predictions, as if they were the truth.
        lam: the power of the predictions: 0 where they are ignored.
    """

    rectified: EstimateInterval
    people: EstimateInterval
    naive: EstimateInterval
    lam: float


@dataclass(frozen=True)
class LabelledOutcome:
    """A number for each row: what a model says of all of them, and what people say of some.

    Args:
        predicted: of every row; without NaN.
        gold: of the labelled rows.
        labelled: their places.
        weights: how many rows each of them stands for, up to a factor; None where they were drawn evenly.
        larger: whether the rows are a sample of a larger population that is asked about.
    """

    predicted: Floats = field(repr=False)
    gold: Floats = field(repr=False)
    labelled: Integers = field(repr=False)
    weights: Floats | None = field(default=None, repr=False)
    larger: bool = False

    @property
    def design(self) -> Design:
        """Which rows are labelled."""
        return Design(len(self.predicted), self.labelled, self.weights, self.larger)

    def of(self, rows: Integers) -> "LabelledOutcome":
        """Some of the rows, by their places in ascending order."""
        place = np.full(len(self.predicted), -1)
        place[rows] = np.arange(len(rows))
        own = place[self.labelled] >= 0
        weights = None if self.weights is None else self.weights[own]
        return replace(
            self,
            predicted=self.predicted[rows],
            gold=self.gold[own],
            labelled=place[self.labelled[own]],
            weights=weights,
        )

    def as_truth(self) -> "LabelledOutcome":
        """The predictions as if they were people's labels of all rows, of a larger population: the naive way."""
        return LabelledOutcome(self.predicted, self.predicted, np.arange(len(self.predicted)), None, True)


def mean(outcome: LabelledOutcome, level: float = LEVEL) -> ThreeWays:
    """The mean of an outcome.

    Args:
        outcome: the outcome.
        level: of the intervals.
    """
    return _shown(*_means(outcome), level)


def difference(outcome: LabelledOutcome, groups: Integers, level: float = LEVEL) -> ThreeWays:
    """The mean of group 1 less that of group 0, each with a power of its own.

    Args:
        outcome: the outcome.
        groups: 0 or 1 for each row.
        level: of the intervals.
    """
    first, second = (_means(outcome.of(np.flatnonzero(groups == number))) for number in (1, 0))
    found, alone, naive = (less(one, other) for one, other in zip(first, second, strict=True))
    return _shown(found if found.half_width() < alone.half_width() else alone, alone, naive, level)


def _shown(found: Rectified, alone: Rectified, naive: Rectified, level: float) -> ThreeWays:
    shown = [EstimateInterval(one.value, *one.interval(level)) for one in (found, alone, naive)]
    return ThreeWays(shown[0], shown[1], shown[2], found.lam)


def fraction(outcome: LabelledOutcome, level: float = LEVEL) -> ThreeWays:
    """The fraction of rows of an outcome of 0 and 1, or the mean of one between them.

    Its interval is Wilson's (1927), for as many labels by people alone as would be as good as these with predictions.
    To count these, one disagreement of people and model each way is supposed, so that a few labels which all agree
    promise no certainty.

    Args:
        outcome: the outcome; predictions may be probabilities.
        level: of the intervals.
    """
    design = outcome.design
    found, alone, naive = _means(outcome)
    n, free = len(outcome.gold), 1.0 if design.larger else 1 - len(outcome.gold) / design.rows
    # Of the rows that were drawn least likely, since a rare disagreement among these counts most.
    supposed = free / 2 * (float(design.counts.max()) / design.rows) ** 2 * n / (n - 1)
    ratio = (found.labelled + found.rest + supposed * (1 + found.lam) ** 2) / max(1e-12, alone.labelled + supposed)
    shrunk = (np.clip(alone.value, 0, 1) * n + 1) / (n + 2)
    # Uneven weights make labels worth less than their number.
    worth = shrunk * (1 - shrunk) / (alone.labelled + alone.rest + supposed) if design.weights is not None else n / free
    return ThreeWays(
        _wilson(found, worth / ratio if found.lam else worth, level) if free else _exactly(found),
        _wilson(alone, worth, level) if free else _exactly(alone),
        _wilson(naive, float(design.rows), level),
        found.lam,
    )


def _wilson(found: Rectified, labels: float, level: float) -> EstimateInterval:
    value = float(np.clip(found.value, 0, 1))
    t = quantile_of_t(level, found.df)
    centre = (value + t**2 / labels / 2) / (1 + t**2 / labels)
    half = t / (1 + t**2 / labels) * math.sqrt(value * (1 - value) / labels + t**2 / labels**2 / 4)
    return EstimateInterval(value, max(0.0, centre - half), min(1.0, centre + half))


def _exactly(found: Rectified) -> EstimateInterval:
    return EstimateInterval(found.value, found.value, found.value)


def _means(outcome: LabelledOutcome) -> tuple[Rectified, Rectified, Rectified]:
    """The mean: rectified, by people's labels alone, and naively."""
    design, model = outcome.design, outcome.predicted
    values = (design.mean(outcome.gold), design.mean(model[outcome.labelled]), float(model.mean()))
    naive = with_variance(outcome.as_truth().design, values[2], model, model, 0.0)
    return *rectify(design, outcome.gold, model, values), naive


def correlation(outcome: LabelledOutcome, other: LabelledOutcome, level: float = LEVEL) -> ThreeWays:
    """Pearson's correlation of two outcomes, of the same labelled rows.

    The power and the interval are those of Fisher's transform, by whose influence function (Devlin, Gnanadesikan and
    Kettenring 1975) rectified estimates are built as of any other estimator (Kluger et al., arXiv 2501.18577).

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
    return ThreeWays(shown[0], shown[1], shown[2], found.lam)


def _fisher(values: Floats, others: Floats, counts: Floats) -> tuple[float, Floats]:
    """Fisher's transform of a correlation, and the influence of each row on it."""
    x, y = _standardized(values, counts), _standardized(others, counts)
    r = float(np.clip(np.average(x * y, weights=counts), -0.999999, 0.999999))
    return math.atanh(r), np.asarray((x * y - r / 2 * (x**2 + y**2)) / (1 - r**2))


def _standardized(values: Floats, counts: Floats) -> Floats:
    centred = values - np.average(values, weights=counts)
    return np.asarray(centred / max(1e-12, math.sqrt(np.average(centred**2, weights=counts))))


def _from_fisher(found: Rectified, level: float) -> EstimateInterval:
    low, high = found.interval(level)
    return EstimateInterval(math.tanh(found.value), math.tanh(low), math.tanh(high))


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
    if found.width > alone.width:
        found, lam = alone, 0.0
    return ThreeWays(found, alone, _quantile(truth, q, level, tuned=False)[0], lam)


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
