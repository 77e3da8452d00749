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
from functools import cached_property

import numpy as np
import numpy.typing as npt

from emollms.annotation.annotated_tables import Floats
from emollms.annotation.gold_tables import Integers
from emollms.optional import require

LEVEL = 0.95


@dataclass(frozen=True)
class Design:
    """Which rows of a table are labelled, and how they were drawn.

    Args:
        rows: how many rows there are.
        labelled: the places of the labelled ones.
        weights: how many rows each of these stands for, up to a factor; None where they were drawn evenly.
        strata: the group of each row, from 0, whose sizes are known: the labelled rows of a group stand for its rows.
            None for one group.
        larger: whether the rows are a sample of a larger population that the estimate is about. Otherwise it is about
            these rows.
    """

    rows: int
    labelled: Integers
    weights: Floats | None = None
    strata: Integers | None = None
    larger: bool = False

    @cached_property
    def groups(self) -> tuple[Integers, ...]:
        """The places of the rows of each stratum."""
        if self.strata is None:
            return (np.arange(self.rows),)
        return tuple(np.flatnonzero(self.strata == number) for number in range(int(self.strata.max()) + 1))

    @cached_property
    def parts(self) -> tuple[Integers, ...]:
        """The labelled rows of each stratum, as places in `labelled`."""
        if self.strata is None:
            return (np.arange(len(self.labelled)),)
        own = self.strata[self.labelled]
        return tuple(np.flatnonzero(own == number) for number in range(len(self.groups)))

    @cached_property
    def counts(self) -> Floats:
        """How many rows each labelled row stands for; they sum to the rows of each stratum."""
        found = np.ones(len(self.labelled)) if self.weights is None else np.array(self.weights, np.float64)
        for group, part in zip(self.groups, self.parts, strict=True):
            found[part] *= len(group) / found[part].sum()
        return found

    def mean(self, values: Floats) -> Floats:
        """The mean over all rows that values of the labelled ones give, of shape (labelled,) or (labelled, several)."""
        return np.asarray(self.counts @ values / self.rows)


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
    above = below = seen = 0.0
    for group, part in zip(design.groups, design.parts, strict=True):
        if design.weights is None:
            n, rows = len(part), len(group)
            scale = (rows / design.rows) ** 2 * (1 - n / rows) / n
            above += scale * float(np.mean((people[part] - people[part].mean()) * (own[part] - own[part].mean())))
            below += scale * float(model[group].var(ddof=1))
            seen += scale * float(own[part].var())
        else:
            ours, theirs = _deviations(design, part, own), _deviations(design, part, people)
            free = 1 - 1 / np.maximum(design.counts[part], 1.0)
            above += float(np.sum(free * ours * theirs))
            below += float(np.sum(free * ours**2))
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
    return (found if found.half_width() < alone.half_width() else alone), alone


def with_variance(design: Design, value: float, people: Floats, model: Floats, lam: float, lost: int = 0) -> Rectified:
    """An estimate with its variance; see `rectify`."""
    own = model[design.labelled] if lam else np.zeros_like(people)
    labelled = rest = below = 0.0
    for group, part in zip(design.groups, design.parts, strict=True):
        n, rows = len(part), len(group)
        weight = (rows / design.rows) ** 2
        if design.weights is None:
            left = rows - n
            # The predictions of all rows hold those of the labelled ones: only the others bring something new.
            power = lam * left / rows if design.larger else lam
            error = people[part] - power * own[part]
            part_labelled = weight * float(error.var(ddof=1)) / n * (1 if design.larger else 1 - n / rows)
            if design.larger and left and lam:
                unlabelled = np.delete(model[group], np.searchsorted(group, design.labelled[part]))
                rest += weight * power**2 * float(unlabelled.var()) / left
            effective = float(n)
        else:
            deviations = _deviations(design, part, people - lam * own)
            free = 1 - 1 / np.maximum(design.counts[part], 1.0)
            part_labelled = float(np.sum(free * deviations**2)) * n / (n - 1)
            counts = design.counts[part]
            effective = max(2.0, float(counts.sum() ** 2 / np.sum(counts**2)))
            if design.larger:
                mean = np.average(people[part], weights=counts)
                rest += weight * float(np.average((people[part] - mean) ** 2, weights=counts)) / rows
        labelled += part_labelled
        below += part_labelled**2 / (effective - 1)
    degrees = labelled**2 / below if below > 1e-300 else len(design.labelled) - len(design.parts)
    return Rectified(value, lam, labelled, rest, lost, max(1.0, degrees - lost))


def _deviations(design: Design, part: npt.NDArray[np.int64], values: Floats) -> Floats:
    """What each labelled row of a stratum adds to the error of a mean over all rows."""
    counts = design.counts[part]
    centre = np.average(values[part], weights=counts)
    return np.asarray(counts / design.rows * (values[part] - centre))
