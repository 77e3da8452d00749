"""Linear and logistic regression of an outcome that people labelled for some rows only (PPI++, sections 3 and 4).

Each coefficient has a power of its own, the one of its least variance. Variances are robust (the sandwich of Huber and
White, in the form HC3 of MacKinnon and White 1985).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from emollms.annotation.estimands import EstimateInterval, LabelledOutcome, ThreeWays, three_ways
from emollms.annotation.rectify import LEVEL, Rectified, narrower, tuned_power, with_variance
from emollms.errors import UsageError
from emollms.evaluation.metrics import Floats
from emollms.optional import require

STEPS = 60
"""Steps of Newton's method after which a logistic regression counts as without a solution; it takes about six."""


@dataclass(frozen=True)
class Regressors:
    """The right side of a formula as numbers.

    Args:
        names: of the columns.
        every: of every row; where a regressor is a model's answer, by that answer. Of shape (rows, columns).
        labelled: of the labelled rows; by people's labels where there are any.
    """

    names: tuple[str, ...]
    every: Floats
    labelled: Floats


def read_formula(formula: str) -> tuple[str, str]:
    """The left and the right side of a formula such as `valence ~ group + length`.

    Raises:
        UsageError: it has no two sides.
    """
    left, tilde, right = formula.partition("~")
    if not tilde or not left.strip() or not right.strip() or "~" in right:
        raise UsageError(f"--formula {formula!r} is no formula; give one such as 'valence ~ group + length'")
    return left.strip().strip("`"), right.strip()


def regressors(right: str, every: pd.DataFrame, labelled: pd.DataFrame) -> Regressors:
    """The columns that the right side of a formula means, by formulaic (Wilkinson's notation).

    Args:
        right: the right side.
        every: the columns that it may name, of every row.
        labelled: the same of the labelled rows.

    Raises:
        UsageError: it cannot be read, names what is no column, or a value is missing; formulaic is not installed; or
            the labelled rows do not tell its terms apart.
    """
    formulaic = require("formulaic", "estimate", "--formula")
    try:
        both = pd.concat([every, labelled], ignore_index=True)  # one coding of groups for both
        matrix = formulaic.Formula(right).get_model_matrix(both, na_action="raise", context={})
    except Exception as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise UsageError(f"--formula: {right!r} cannot be computed: {reason}") from None
    values = np.asarray(matrix, np.float64)
    names = tuple(str(name) for name in matrix.columns)
    own = values[len(every) :]
    for at, name in enumerate(names):
        if name != "Intercept" and np.ptp(own[:, at]) == 0 and np.ptp(values[:, at]) > 0:
            raise UsageError(f"--formula: all labelled rows have the same {name}; label rows that differ in it")
    if np.linalg.matrix_rank(own) < len(names):
        raise UsageError(f"--formula: the labelled rows do not tell {', '.join(names)} apart; leave a term out")
    return Regressors(names, values[: len(every)], own)


@dataclass(frozen=True)
class Fit:
    """An outcome and its regressors, and how coefficients follow from a power of the predictions; None: they do not."""

    outcome: LabelledOutcome
    terms: Regressors
    solve: Callable[["Fit", float], Floats | None]
    mean_of: Callable[[Floats], Floats]
    slope_of: Callable[[Floats], Floats]

    @property
    def others(self) -> tuple[Any, float]:
        """The rows whose predictions come in, and what a power means for them.

        Evenly drawn rows leave others that are drawn evenly, too. Unevenly drawn ones do not: then it is all rows.
        """
        rows = len(self.outcome.predicted)
        if self.outcome.weights is not None or rows == len(self.outcome.labelled):
            return slice(None), 1.0
        rest = np.delete(np.arange(rows), self.outcome.labelled)
        return rest, len(rest) / rows

    def influences(self, theta: Floats, alone: bool = False) -> tuple[Floats, Floats]:
        """Of each labelled row by people's labels, and of every row by its prediction, of shape (rows, terms)."""
        terms, counts = self.terms, self.outcome.design.counts
        at = terms.labelled if alone else terms.every
        weights = self.slope_of(at @ theta) * (counts / counts.sum() if alone else 1 / len(at))
        inverse = np.linalg.pinv(at.T @ (weights[:, None] * at))
        people = (self.outcome.gold - self.mean_of(terms.labelled @ theta))[:, None] * terms.labelled
        model = (self.outcome.predicted - self.mean_of(terms.every @ theta))[:, None] * terms.every
        return people @ inverse, model @ inverse

    def leverages(self, theta: Floats) -> Floats:
        """How much each labelled row draws the coefficients to itself, from 0 to 1."""
        terms = self.terms.labelled
        weights = self.slope_of(terms @ theta) * self.outcome.design.counts
        inverse = np.linalg.pinv(terms.T @ (weights[:, None] * terms))
        return np.asarray(weights * np.sum(terms @ inverse * terms, axis=1))


def _least_squares(fit: Fit, power: float) -> Floats | None:
    """Coefficients of least squares: of people's labels less predictions, plus those of the others' predictions."""
    rows, _ = fit.others
    own = fit.outcome.labelled
    counts = fit.outcome.design.counts
    theta = _weighted(fit.terms.labelled, fit.outcome.gold, counts)
    if not power:
        return theta
    by_model = _weighted(fit.terms.every[own], fit.outcome.predicted[own], counts)
    of_others = fit.terms.every[rows], fit.outcome.predicted[rows]
    return theta + power * (_weighted(*of_others, np.ones(len(of_others[1]))) - by_model)


def _weighted(regressors: Floats, values: Floats, counts: Floats) -> Floats:
    root = np.sqrt(counts)
    return np.asarray(np.linalg.lstsq(regressors * root[:, None], values * root, rcond=None)[0])


def _logit(fit: Fit, power: float) -> Floats | None:
    """Coefficients where the rectified gradient of the logistic loss is zero, by Newton's method.

    There may be none: a term may tell all 0 from all 1, and a loss less that of predictions need not have a minimum.
    """
    rows, _ = fit.others
    own, counts = fit.outcome.labelled, fit.outcome.design.counts / len(fit.outcome.predicted)
    parts = [(fit.terms.labelled, fit.outcome.gold, counts)]
    if power:
        others = fit.terms.every[rows], fit.outcome.predicted[rows]
        parts.append((fit.terms.every[own], fit.outcome.predicted[own], -power * counts))
        parts.append((*others, np.full(len(others[1]), power / len(others[1]))))
    theta = np.zeros(len(fit.terms.names))
    for _ in range(STEPS):
        gradient, slope = np.zeros_like(theta), np.zeros((len(theta), len(theta)))
        for at, values, weights in parts:
            linear = at @ theta
            gradient += at.T @ (weights * (values - _sigmoid(linear)))
            slope += at.T @ ((weights * _sigmoid_slope(linear))[:, None] * at)
        step = np.linalg.lstsq(slope, gradient, rcond=None)[0]
        theta = theta + step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-10:
            return np.asarray(theta)
    return None


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))))


def _sigmoid_slope(values: Floats) -> Floats:
    mean = _sigmoid(values)
    return np.asarray(mean * (1 - mean))


def fitted_to(outcome: LabelledOutcome, terms: Regressors, logistic: bool = False) -> Fit:
    """A linear or logistic regression of an outcome; see `regression`."""
    parts = (_logit, _sigmoid, _sigmoid_slope) if logistic else (_least_squares, np.asarray, np.ones_like)
    return Fit(outcome, terms, *parts)


def regression(
    outcome: LabelledOutcome, terms: Regressors, logistic: bool = False, level: float = LEVEL
) -> dict[str, ThreeWays]:
    """The coefficients of a regression, by name.

    Args:
        outcome: the outcome; of 0 and 1, or on 0..1, if `logistic`.
        terms: the regressors.
        logistic: whether it is logistic; coefficients are then log odds.
        level: of the intervals.

    Raises:
        UsageError: a logistic one has no finite solution.
    """
    fit = fitted_to(outcome, terms, logistic)
    truth = fitted_to(outcome.as_truth(), Regressors(terms.names, terms.every, terms.every), logistic)
    alone, naive = fit.solve(fit, 0.0), truth.solve(truth, 0.0)
    if alone is None or naive is None:
        which = "labels" if alone is None else "answers"
        raise UsageError(
            f"--logistic: the {which} have no finite solution, as where a term tells all 0 from all 1; leave a term "
            "out, or label more rows"
        )
    found: dict[str, ThreeWays] = {}
    for at, name in enumerate(terms.names):
        theirs = _coefficient(fit, alone, at, 0.0, alone=True)
        rectified = rectified_coefficient(fit, at)
        ours = theirs if rectified is None else narrower(rectified, theirs)
        usual = _coefficient(truth, naive, at, 0.0, alone=True)
        shown = [EstimateInterval(one.value, *one.interval(level)) for one in (ours, theirs, usual)]
        found[name] = three_ways(shown[0], shown[1], shown[2], ours.lam)
    return found


def rectified_coefficient(fit: Fit, at: int, power: float | None = None) -> Rectified | None:
    """A coefficient that predictions rectify; None where this has no solution.

    Args:
        fit: the regression.
        at: which coefficient.
        power: of the predictions; None for the one of the coefficient's least variance, which is found from the
            coefficients that it gives.
    """
    _, share = fit.others
    lam = 1 / share if power is None else power
    for _ in range(2 if power is None else 0):
        theta = fit.solve(fit, lam * share)
        theta = fit.solve(fit, 0.0) if theta is None else theta
        if theta is None:
            return None
        people, model = fit.influences(theta)
        lam = tuned_power(fit.outcome.design, people[:, at], model[:, at])
    found = fit.solve(fit, lam * share)
    return None if found is None else _coefficient(fit, found, at, lam)


def _coefficient(fit: Fit, theta: Floats, at: int, lam: float, alone: bool = False) -> Rectified:
    people, model = (every[:, at].copy() for every in fit.influences(theta, alone))
    # Leaving a row out changes more than its influence tells, since the fit is near to the rows that it is of.
    own, design = fit.outcome.labelled, fit.outcome.design
    more = 1 / (1 - np.minimum(fit.leverages(theta), 0.99))
    if lam:  # and the power is fitted to them, too
        squares = design.deviations(model[own]) ** 2
        more /= 1 - np.minimum(squares / squares.sum(), 0.99)
    people *= more
    model[own] *= more
    lost = len(theta) - 1 + (not alone)
    return with_variance(design, float(theta[at]), people, model, lam, lost)
