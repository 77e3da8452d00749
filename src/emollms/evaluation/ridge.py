"""Logistic and multinomial regression with a ridge, by Newton's method: small, and fast enough for hundreds of fits."""

from collections.abc import Callable

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, Integers

_RIDGE = 1.0
_BIAS_RIDGE = 1e-3  # keeps the bias of a label finite that no row has
_STEPS = 50
_LONGEST = 4.0  # log-odds move no further in a step: undamped Newton steps can run away where classes are separable
_ENOUGH = 1e-3
_CLOSE = 1e-9


def _with_bias(features: Floats) -> Floats:
    return np.concatenate([np.ones((len(features), 1)), features], axis=1)


def logistic(features: Floats, weights: Floats) -> Floats:
    """The probability of each row of features, under bias and weights."""
    return np.asarray(1 / (1 + np.exp(-(weights[0] + features @ weights[1:]))), dtype=np.float64)


def logistics(features: Floats, weights: Floats) -> Floats:
    """The same of several models, a row of bias and weights each; of shape (rows, models)."""
    return np.asarray(1 / (1 + np.exp(-(weights[:, 0] + features @ weights[:, 1:].T))), dtype=np.float64)


def fit_logistic(features: Floats, right: Flags, start: Floats | None = None) -> Floats:
    """Bias and weights of a logistic regression with a ridge; it is fast from `start`, those of similar rows."""
    table = _with_bias(features)
    ridge = np.array([_BIAS_RIDGE, *[_RIDGE] * features.shape[1]])

    def slopes(weights: Floats) -> tuple[Floats, Floats]:
        found = 1 / (1 + np.exp(-(table @ weights)))
        curved = (table * (found * (1 - found))[:, None]).T @ table + np.diag(ridge)
        return table.T @ (found - right) + ridge * weights, curved

    return _newton(slopes, np.zeros(table.shape[1]) if start is None else start)


def softmax(features: Floats, weights: Floats) -> Floats:
    """The probabilities of classes, which sum to 1; a row of bias and weights for each class."""
    logits = weights[:, 0] + features @ weights[:, 1:].T
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_softmax(features: Floats, gold: Integers, start: Floats | None = None) -> Floats:
    """Matrix scaling (Guo et al., 2017, section 4.2) with a ridge: a row of bias and weights for each class."""
    classes = features.shape[1]
    table, wanted = _with_bias(features), np.eye(classes)[gold]
    ridge = np.tile([_BIAS_RIDGE, *[_RIDGE] * classes], classes)

    def slopes(flat: Floats) -> tuple[Floats, Floats]:
        found = softmax(features, flat.reshape(classes, classes + 1))
        outer = (found[:, :, None] * table[:, None, :]).reshape(len(table), -1)
        curved = np.diag(ridge) - outer.T @ outer
        for one in range(classes):
            own = slice(one * (classes + 1), (one + 1) * (classes + 1))
            curved[own, own] += outer[:, own].T @ table
        return ((found - wanted).T @ table).ravel() + ridge * flat, curved

    first = np.zeros(len(ridge)) if start is None else start.ravel()
    return _newton(slopes, first).reshape(classes, classes + 1)


def _newton(slopes: Callable[[Floats], tuple[Floats, Floats]], start: Floats) -> Floats:
    """The minimum of a convex loss, from its gradient and Hessian."""
    weights = start
    for _ in range(_STEPS):
        slope, curved = slopes(weights)
        step = np.linalg.solve(curved, slope)
        weights = weights - step * min(1.0, _LONGEST / max(float(np.abs(step).max()), _CLOSE))
        if np.abs(step).max() < _ENOUGH:
            break
    return weights
