"""What can be estimated of an outcome: a mean, a difference of groups, a fraction.

Each three times: rectified, from people's labels alone, and as the naive average of a model's answers has it.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from emollms.annotation.rectify import LEVEL, Design, Rectified, less, narrower, quantile_of_t, rectify, with_variance
from emollms.evaluation.metrics import Floats, Integers

WIDEST = 1.03
"""How wide the interval of a rectified estimate may be against that by people's labels alone."""


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


def three_ways(rectified: EstimateInterval, people: EstimateInterval, naive: EstimateInterval, lam: float) -> ThreeWays:
    """An estimate beside what it would be otherwise, and its interval never more than `WIDEST` times as wide.

    Predictions are used where they make the estimate more certain. The width of an interval that depends on where the
    estimate lies (of a fraction, a correlation, a quantile) may rise nevertheless, where it happens to move to a wide
    place. Such an interval is shortened. To take people's labels alone there would choose between two estimates by
    what was drawn, and their interval would hold the truth less often.

    Args:
        rectified: by the predictions of all rows, and people's labels of some.
        people: by people's labels alone.
        naive: by the predictions, as if they were the truth.
        lam: the power of the predictions.
    """
    widest = WIDEST * people.width
    if rectified.width <= widest:
        return ThreeWays(rectified, people, naive, lam)
    if not widest:
        return ThreeWays(people, people, naive, 0.0)
    value, part = rectified.value, widest / rectified.width
    low, high = value - part * (value - rectified.low), value + part * (rectified.high - value)
    return ThreeWays(EstimateInterval(value, low, high), people, naive, lam)


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
    return _shown(narrower(found, alone), alone, naive, level)


def _shown(found: Rectified, alone: Rectified, naive: Rectified, level: float) -> ThreeWays:
    shown = [EstimateInterval(one.value, *one.interval(level)) for one in (found, alone, naive)]
    return three_ways(shown[0], shown[1], shown[2], found.lam)


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
    usual = _wilson(naive, float(design.rows), level)
    if not free:  # every row is labelled
        exact = EstimateInterval(alone.value, alone.value, alone.value)
        return three_ways(exact, exact, usual, 0.0)
    # Of the rows that were drawn least likely, since a rare disagreement among these counts most.
    supposed = free / 2 * (float(design.counts.max()) / design.rows) ** 2 * n / (n - 1)
    variance = alone.labelled + alone.rest + supposed
    ratio = (found.labelled + found.rest + supposed * (1 + found.lam) ** 2) / max(1e-12, variance)
    if ratio >= 1:
        found, ratio = alone, 1.0
    shrunk = (np.clip(alone.value, 0, 1) * n + 1) / (n + 2)
    # Uneven weights make labels worth less than their number.
    worth = shrunk * (1 - shrunk) / variance if design.weights is not None else n / free
    return three_ways(_wilson(found, worth / ratio, level), _wilson(alone, worth, level), usual, found.lam)


def _wilson(found: Rectified, labels: float, level: float) -> EstimateInterval:
    value = float(np.clip(found.value, 0, 1))
    t = quantile_of_t(level, found.df)
    centre = (value + t**2 / labels / 2) / (1 + t**2 / labels)
    half = t / (1 + t**2 / labels) * math.sqrt(value * (1 - value) / labels + t**2 / labels**2 / 4)
    return EstimateInterval(value, max(0.0, centre - half), min(1.0, centre + half))


def _means(outcome: LabelledOutcome) -> tuple[Rectified, Rectified, Rectified]:
    """The mean: rectified, by people's labels alone, and naively."""
    design, model = outcome.design, outcome.predicted
    values = (design.mean(outcome.gold), design.mean(model[outcome.labelled]), float(model.mean()))
    naive = with_variance(outcome.as_truth().design, values[2], model, model, 0.0)
    return *rectify(design, outcome.gold, model, values), naive
