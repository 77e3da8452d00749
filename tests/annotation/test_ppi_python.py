"""Estimates are those of other implementations, ppi-python and statsmodels, where both compute the same."""

import numpy as np
import pytest

from emollms.annotation.estimands import LabelledOutcome
from emollms.annotation.rectify import Rectified, quantile_of_t, rectify, with_variance
from emollms.annotation.regression import Fit, Regressors, fitted_to, rectified_coefficient, regression

LABELS, ROWS = 120, 1_500


def z_interval(value: float, labelled: float, rest: float) -> tuple[float, float]:
    """The interval of large samples, without what is corrected for small ones."""
    half = 1.959963984540054 * np.sqrt(labelled + rest)
    return value - half, value + half


@pytest.fixture(scope="module")
def shared() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Regressors, labels, predictions of all rows, and the places of the labelled ones, which come first."""
    random = np.random.default_rng(3)
    rows = LABELS + ROWS
    x = np.column_stack([np.ones(rows), random.integers(0, 2, rows), random.normal(size=rows)])
    y = x @ [0.4, 0.2, -0.1] + random.normal(0, 0.3, rows)
    return x, y, y + 0.05 + 0.1 * x[:, 1] + random.normal(0, 0.25, rows), np.arange(LABELS)


@pytest.fixture
def ppi_py(monkeypatch: pytest.MonkeyPatch):
    """ppi-python; its loops over rows as they are written, since compiling them takes longer than they do."""
    found = pytest.importorskip("ppi_py")
    for name in ("_ols_get_stats", "_logistic_get_stats"):
        monkeypatch.setattr(found.ppi, name, getattr(found.ppi, name).py_func)
    return found


def test_a_mean_is_that_of_ppi_python(shared, ppi_py) -> None:
    _, y, f, own = shared
    outcome = LabelledOutcome(f, y[own], own, larger=True)
    found, _ = rectify(outcome.design, y[own], f, (y[own].mean(), f[own].mean(), f.mean()))
    theirs = y[own], f[own], f[LABELS:]
    assert 0 < found.lam * ROWS / len(f) < 1  # where theirs is not clipped
    assert found.value == pytest.approx(ppi_py.ppi_mean_pointestimate(*theirs).item(), abs=1e-6)
    low, high = z_interval(found.value, found.labelled * (LABELS - 1) / LABELS, found.rest)
    assert (low, high) == pytest.approx([end.item() for end in ppi_py.ppi_mean_ci(*theirs, alpha=0.05)], abs=1e-6)


def large_sample_interval(fit: Fit, at: int, found: Rectified) -> tuple[float, float]:
    """The interval of a coefficient, without what is corrected for small samples."""
    theta = fit.solve(fit, found.lam * fit.others[1])
    assert theta is not None
    people, model = fit.influences(theta)
    one = with_variance(fit.outcome.design, found.value, people[:, at], model[:, at], found.lam)
    assert 1 < found.labelled / one.labelled < 1.2
    return z_interval(one.value, one.labelled, one.rest * ROWS / (ROWS - 1))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_linear_regression_is_that_of_ppi_python(shared, ppi_py, at: int) -> None:
    """Each chooses its power for itself."""
    x, y, f, own = shared
    fit = fitted_to(LabelledOutcome(f, y[own], own, larger=True), Regressors(("a", "b", "c"), x, x[own]))
    found = rectified_coefficient(fit, at)
    assert found is not None
    theirs = x[own], y[own], f[own], x[LABELS:], f[LABELS:]
    assert 0 < found.lam * ROWS / len(f) < 1
    low, high = ppi_py.ppi_ols_ci(*theirs, alpha=0.05, coord=at)
    assert found.value == pytest.approx((low[at] + high[at]) / 2, abs=1e-6)
    assert large_sample_interval(fit, at, found) == pytest.approx((low[at], high[at]), abs=1e-6)


def one_power(fit: Fit) -> float:
    """The power of the least sum of the variances of all coefficients: ppi-python has one for a logistic regression."""
    _, share = fit.others
    lam = 1 / share
    for _ in range(2):
        theta = fit.solve(fit, lam * share)
        assert theta is not None
        people, model = fit.influences(theta)
        own = model[fit.outcome.labelled]
        covariances = ((people - people.mean(axis=0)) * (own - own.mean(axis=0))).mean(axis=0)
        lam = float(covariances.sum() / model.var(axis=0, ddof=1).sum())
    return lam


@pytest.mark.parametrize("columns", [[0, 1, 2], [1]])
def test_logistic_regression_is_that_of_ppi_python(shared, ppi_py, columns: list[int]) -> None:
    """Each chooses its power for itself; of several coefficients ours would be one for each, theirs is one for all."""
    x, y, f, own = shared
    x, y, f = x[:, columns], (y > 0.4) * 1.0, 1 / (1 + np.exp(-12 * (f - 0.5)))
    terms = Regressors(tuple("abc"[: len(columns)]), x, x[own])
    fit = fitted_to(LabelledOutcome(f, y[own], own, larger=True), terms, logistic=True)
    lows, highs = ppi_py.ppi_logistic_ci(x[own], y[own], f[own], x[LABELS:], f[LABELS:], alpha=0.05)
    power = one_power(fit)
    assert 0 < power * ROWS / len(f) < 1
    for at, ends in enumerate(zip(lows, highs, strict=True)):
        found = rectified_coefficient(fit, at, power if len(columns) > 1 else None)
        assert found is not None
        assert found.lam == pytest.approx(power, abs=1e-9)
        assert found.value == pytest.approx(sum(ends) / 2, abs=1e-6)
        assert large_sample_interval(fit, at, found) == pytest.approx(ends, abs=1e-6)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_logistic_coefficient_with_its_own_power_is_that_of_ppi_python(shared, ppi_py, at: int) -> None:
    """Where ppi-python is given the power that is best for one coefficient."""
    x, y, f, own = shared
    y, f = (y > 0.4) * 1.0, 1 / (1 + np.exp(-12 * (f - 0.5)))
    fit = fitted_to(LabelledOutcome(f, y[own], own, larger=True), Regressors(("a", "b", "c"), x, x[own]), logistic=True)
    found = rectified_coefficient(fit, at)
    assert found is not None
    theirs, power = (x[own], y[own], f[own], x[LABELS:], f[LABELS:]), found.lam * ROWS / len(f)
    point = ppi_py.ppi_logistic_pointestimate(*theirs, lam=power)
    assert found.value == pytest.approx(point[at], abs=1e-6)
    low, high = ppi_py.ppi_logistic_ci(*theirs, alpha=0.05, lam=power)
    assert large_sample_interval(fit, at, found) == pytest.approx((low[at], high[at]), abs=1e-6)


@pytest.mark.parametrize("q", [0.5, 0.8])
def test_the_distribution_function_that_quantiles_invert_is_that_of_ppi_python(shared, ppi_py, q: float) -> None:
    """Its value, its variance, and the interval that follows from them with the power 1.

    The intervals themselves differ: ppi-python has no power for quantiles, and takes the variance that is seen in place
    of the one that holds if the fraction is `q`.
    """
    _, y, f, own = shared
    design = LabelledOutcome(f, y[own], own, larger=True).design
    grid, kept = np.sort(np.concatenate([y[own], f])), []
    for value in grid:
        people, model, lam = (y[own] <= value) * 1.0, (f <= value) * 1.0, len(f) / ROWS
        estimate = people.mean() + lam * (model.mean() - model[own].mean())
        one = with_variance(design, estimate, people, model, lam)
        low, high = z_interval(one.value, one.labelled * (LABELS - 1) / LABELS, one.rest)
        if low < q < high:
            kept.append(value)
    theirs = ppi_py.ppi_quantile_ci(y[own], f[own], f[LABELS:], q, alpha=0.05, exact_grid=True)
    assert (kept[0], kept[-1]) == pytest.approx(tuple(theirs), abs=1e-6)


def test_standard_errors_of_people_alone_are_those_of_statsmodels(shared) -> None:
    """HC3, but for a correction for the degrees of freedom that coefficients take."""
    models = pytest.importorskip("statsmodels.api")
    x, y, f, own = shared
    outcome = LabelledOutcome(f, y[own], own, larger=True)
    theirs = models.OLS(y[own], x[own]).fit(cov_type="HC3")
    corrected = theirs.bse * np.sqrt((LABELS - 1) / theirs.df_resid)
    t = quantile_of_t(0.95, theirs.df_resid)
    for found, value, error in zip(
        regression(outcome, Regressors(("a", "b", "c"), x, x[own])).values(), theirs.params, corrected, strict=True
    ):
        assert found.people.value == pytest.approx(value)
        assert found.people.width / 2 == pytest.approx(t * error, rel=0.01)
