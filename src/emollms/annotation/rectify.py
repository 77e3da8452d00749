"""Prediction-powered estimates: what a model says of all rows, rectified by what people say of some.

PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453): the estimate from people's labels, plus `lam` times what
predictions say of all rows less what they say of the labelled ones. The power `lam` is the one of the least variance,
so that poor predictions are ignored. For a mean this is the regression estimator of survey sampling (Cochran 1977,
chapter 7), whose finite-population correction is used where the table itself is what the estimate is about. Rows that
were not drawn evenly count by the inverse of their probability (design-based supervised learning, Egami et al., arXiv
2306.04746; active inference, Zrnic and Candès, arXiv 2403.03208).
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from emollms.evaluation.metrics import Floats, Integers
from emollms.optional import require

LEVEL = 0.95


@dataclass(frozen=True)
class Design:
    """Which rows of a table are labelled, and how they were drawn.

    Args:
        rows: how many rows there are.
        labelled: the places of the labelled ones.
        weights: how many rows each of these stands for, up to a factor; None where they were drawn evenly.
        larger: whether the rows are a sample of a larger population that the estimate is about. Otherwise it is about
            these rows.
    """

    rows: int
    labelled: Integers
    weights: Floats | None = None
    larger: bool = False

    @cached_property
    def counts(self) -> Floats:
        """How many rows each labelled row stands for; they sum to all rows."""
        found = np.ones(len(self.labelled)) if self.weights is None else np.array(self.weights, np.float64)
        return np.asarray(found * (self.rows / found.sum()))

    def mean(self, values: Floats) -> float:
        """The mean over all rows that values of the labelled ones give."""
        return float(self.counts @ values / self.rows)

    @property
    def unknown(self) -> Floats:
        """The part of what each labelled row stands for that is not itself: the finite-population correction."""
        return np.asarray(1 - 1 / np.maximum(self.counts, 1.0))

    def deviations(self, values: Floats) -> Floats:
        """What each labelled row adds to the error of a mean over all rows."""
        return np.asarray(self.counts / self.rows * (values - self.mean(values)))


@dataclass(frozen=True)
class Rectified:
    """An estimate.

    Args:
        value: the estimate.
        lam: the power of the predictions: 0 where they are ignored.
        labelled: the part of the variance that the labelled rows bring.
        rest: the part that the other rows bring; 0 where the estimate is about the rows of the table.
        lost: degrees of freedom that the estimate itself takes, besides the one of a mean.
        df: degrees of freedom of the interval.
    """

    value: float
    lam: float
    labelled: float
    rest: float
    lost: int
    df: float

    @property
    def standard_error(self) -> float:
        """The standard error; the part of the labelled rows is corrected for the degrees of freedom that are lost."""
        return math.sqrt(self.labelled * (self.df + self.lost) / self.df + self.rest)

    def half_width(self, level: float = LEVEL) -> float:
        """Half the width of the interval that holds the truth with probability `level`, by Student's t."""
        return quantile_of_t(level, self.df) * self.standard_error

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The ends of that interval."""
        half = self.half_width(level)
        return self.value - half, self.value + half


@lru_cache(maxsize=4096)
def quantile_of_t(level: float, df: float) -> float:
    """Half the width of a two-sided interval of `level`, in standard errors."""
    return float(require("scipy.special", "estimate", "estimate").stdtrit(max(1.0, df), (1 + level) / 2))


def tuned_power(design: Design, people: Floats, model: Floats) -> float:
    """The power of the least variance.

    Args:
        design: which rows are labelled.
        people: the influence of each labelled row by people's labels.
        model: the influence of every row by its prediction.
    """
    own = model[design.labelled]
    if design.weights is None:
        above = float(np.mean((people - people.mean()) * (own - own.mean())))
        below, seen = float(model.var(ddof=1)), float(own.var())
    else:
        ours, theirs = design.deviations(own), design.deviations(people)
        above, below = float(np.sum(design.unknown * ours * theirs)), float(np.sum(design.unknown * ours**2))
        seen = below
    # Predictions that vary more than twice as much among the labelled rows as among all would widen the interval.
    below = max(below, seen / 2)
    return above / below if below > 1e-300 else 0.0


def rectify(
    design: Design, people: Floats, model: Floats, values: tuple[float, float, float], lost: int = 0
) -> tuple[Rectified, Rectified]:
    """An estimate by people's labels, rectified by predictions, and the one by people's labels alone.

    They are the same where the predictions would widen the interval.

    Args:
        design: which rows are labelled.
        people: the influence of each labelled row by people's labels: the error of the estimate from them is the mean
            of these over the rows that they stand for.
        model: the influence of every row by its prediction.
        values: the estimate from people's labels, that from the predictions of the same rows, and that from the
            predictions of all rows.
        lost: degrees of freedom that the estimate takes, besides the one of a mean.
    """
    alone = with_variance(design, values[0], people, model, 0.0, lost)
    lam = tuned_power(design, people, model)
    found = with_variance(design, values[0] + lam * (values[2] - values[1]), people, model, lam, lost + 1)
    return narrower(found, alone), alone


def narrower(found: Rectified, alone: Rectified) -> Rectified:
    """A rectified estimate where predictions make it more certain, else the one by people's labels alone.

    Args:
        found: the rectified one.
        alone: the one by people's labels.
    """
    return found if found.half_width() < alone.half_width() else alone


def with_variance(design: Design, value: float, people: Floats, model: Floats, lam: float, lost: int = 0) -> Rectified:
    """An estimate with its variance; see `rectify`."""
    own = model[design.labelled] if lam else np.zeros_like(people)
    n, rows = len(people), design.rows
    if design.weights is not None:
        deviations = design.deviations(people - lam * own)
        labelled = float(np.sum(design.unknown * deviations**2)) * n / (n - 1)
        spread = (people - design.mean(people)) ** 2
        rest = design.mean(spread) / rows if design.larger else 0.0
        effective = max(
            2.0, rows**2 / float(np.sum(design.counts**2))
        )  # labels of unequal weight tell less (Kish 1965)
        return Rectified(value, lam, labelled, rest, lost, max(1.0, effective - 1 - lost))
    if not design.larger:
        labelled = float((people - lam * own).var(ddof=1)) / n * (1 - n / rows)
        return Rectified(value, lam, labelled, 0.0, lost, max(1.0, n - 1.0 - lost))
    # The predictions of all rows hold those of the labelled ones: only the others bring something new.
    left = rows - n
    power = lam * left / rows
    rest = power**2 * float(np.delete(model, design.labelled).var()) / left if power else 0.0
    labelled = float((people - power * own).var(ddof=1)) / n
    return Rectified(value, lam, labelled, rest, lost, max(1.0, n - 1.0 - lost))


def less(one: Rectified, other: Rectified) -> Rectified:
    """An estimate less another one of other rows, with the degrees of freedom of Welch (1947)."""
    variances = [each.standard_error**2 for each in (one, other)]
    total = sum(variances)
    below = sum(part**2 / each.df for part, each in zip(variances, (one, other), strict=True))
    df = total**2 / below if below > 1e-300 else one.df + other.df
    return Rectified(one.value - other.value, (one.lam + other.lam) / 2, total, 0.0, 0, max(1.0, df))
