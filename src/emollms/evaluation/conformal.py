"""Intervals that hold the truth as often as they say, and the probability that an answer is right.

Scores: split conformal prediction with the absolute error (Lei et al., 2018, Distribution-free predictive inference
for regression). Classes: adaptive prediction sets (Romano et al., 2020), grown from the likeliest class to its
neighbours so that a set of ordered classes is an interval. Labels: each label by itself, among the texts that have it
and among those that have it not (label-conditional conformal prediction, Vovk et al., 2005, section 4.5): the labels
that possibly apply miss one that does at no more than the stated rate, and those that certainly apply name one that
does not at no more than that rate. Randomised ties make discrete sets exact instead of too wide.

All is fitted on validation rows. What has parameters is fitted on folds and measured on the rows that a fold left out,
so that the same rows serve for both; the rows of one text are in one fold.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from emollms.evaluation.calibration import calibration_error, reliability
from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.optional import require
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

COVERAGE = 0.9
NEAR = 0.1
"""A score is right that is at most so far from the gold score, on 0..1."""
_FOLDS = 5
_RIDGE = 1.0
_PRIOR = 10  # rows that the rate of all scores counts as, beside those of a tenth of the scale
_FLOOR = 1e-4  # what a probability of 0 counts as: an answer alone says 0 and 1


class Calibrated(NamedTuple):
    """A prediction after calibration.

    Args:
        probabilities: of classes or labels; those that were given, for a score.
        confidence: the probability that the answer is right: the class; the whole set of labels; a score within
            `NEAR` of the gold score.
        low: the lowest score or class of the interval, or the labels that certainly apply.
        high: the highest one, or the labels that possibly apply.
    """

    probabilities: Mapping[str, float] | None
    confidence: float
    low: float | int | tuple[str, ...]
    high: float | int | tuple[str, ...]


class Conformal(BaseModel):
    """What was fitted for the intervals and the confidence of a task.

    Args:
        coverage: the probability that an interval holds the truth.
        rows: how many validation rows it was fitted on.
        error: expected calibration error of the confidence on the rows that each fold left out.
        width: half the width of an interval of scores; None for classes and labels.
        level: the probability mass that an interval of classes reaches; None for scores and labels.
        weights: of the logistic model of each class or label: its bias, and a weight for the log-odds of each.
        labels: the names of the columns of labels.
        certain: the probability above which each label certainly applies.
        possible: the probability from which on each label possibly applies.
        confidence: for classes and labels, bias and weight of the logistic model of being right; for scores, how often
            those in each tenth of the scale are right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: float = Field(gt=0, lt=1)
    rows: int = Field(ge=1)
    error: float = Field(ge=0, le=1)
    width: float | None = None
    level: float | None = None
    weights: list[list[float]] | None = None
    labels: tuple[str, ...] = ()
    certain: list[float] = []
    possible: list[float] = []
    confidence: list[float]

    @classmethod
    def fit(
        cls,
        task: Task,
        predicted: Floats,
        gold: Floats | Integers | Flags,
        groups: Sequence[Hashable] | None = None,
        coverage: float = COVERAGE,
        labels: Sequence[str] = (),
        seed: int = 0,
    ) -> Self:
        """Fit the intervals of a task.

        Args:
            task: the task.
            predicted: of shape (rows,) the scores on 0..1; of shape (rows, classes) or (rows, labels) the
                probabilities, which are 0 and 1 where only answers are known.
            gold: the scores on 0..1, the columns of the classes, or booleans of shape (rows, labels).
            groups: what the rows of one text have in common; None where each row has a text of its own.
            coverage: the probability that an interval is to hold the truth.
            labels: the names of the columns, for labels; None of the task's own where empty.
            seed: of folds and ties.
        """
        draws = np.random.default_rng(seed).random(len(gold))
        folds = _folds(groups if groups is not None else range(len(gold)), seed)
        if isinstance(task, RegressionTask):
            return cls._fit_scores(predicted, np.asarray(gold, np.float64), folds, coverage)
        if isinstance(task, OrdinalTask):
            return cls._fit_classes(predicted, np.asarray(gold, np.int64), folds, coverage, draws)
        assert isinstance(task, MultiLabelTask)
        names = tuple(labels) or task.labels
        return cls._fit_labels(predicted, np.asarray(gold, np.bool_), folds, coverage, draws, names)

    def apply(self, task: Task, score: float | None, shares: Mapping[str, float] | None, draw: float) -> Calibrated:
        """Calibrate one prediction.

        Args:
            task: the task it was fitted for.
            score: the score on 0..1; None for classes and labels.
            shares: the probabilities by class number or label; not needed for a score.
            draw: a number on 0..1 that breaks ties; the text should decide it, so that the same text gets the same.
        """
        if isinstance(task, RegressionTask):
            value, width = float(score or 0.0), self.width or 0.0
            return Calibrated(shares, self.confidence[_tenth(value)], max(0.0, value - width), min(1.0, value + width))
        given = shares or {}
        if isinstance(task, OrdinalTask):
            names = [str(number) for number in task.classes]
            table = self._classes(np.array([[given.get(name, 0.0) for name in names]]))
            inside = np.flatnonzero(_class_scores(table, np.array([draw]))[0] <= (self.level or 0.0))
            place = int(table[0].argmax())
            low, high = (int(inside.min()), int(inside.max())) if len(inside) else (place, place)
            numbers = list(task.classes)
            confidence = float(_logistic(_class_features(table), self.confidence)[0])
            tempered = dict(zip(names, table[0].tolist(), strict=True))
            return Calibrated(tempered, confidence, numbers[min(low, place)], numbers[max(high, place)])
        table = self._labels(np.array([[given.get(name, 0.0) for name in self.labels]]))
        ranked = table[0] + _tie(np.array([draw]))[0]
        confidence = float(_logistic(_label_features(table), self.confidence)[0])
        certain = tuple(n for n, p, limit in zip(self.labels, ranked, self.certain, strict=True) if p > limit)
        possible = tuple(n for n, p, limit in zip(self.labels, ranked, self.possible, strict=True) if p >= limit)
        return Calibrated(dict(zip(self.labels, table[0].tolist(), strict=True)), confidence, certain, possible)

    @classmethod
    def _fit_scores(cls, scores: Floats, gold: Floats, folds: Integers, coverage: float) -> Self:
        errors = np.abs(gold - scores)
        tenths, right = np.array([_tenth(score) for score in scores]), errors <= NEAR
        held_out = np.zeros(len(gold))
        for fold in np.unique(folds):
            inside = folds != fold
            held_out[~inside] = np.array(_rates(tenths[inside], right[inside]))[tenths[~inside]]
        return cls(
            coverage=coverage,
            rows=len(gold),
            error=calibration_error(reliability(held_out, right)),
            width=min(conformal_quantile(errors, coverage), 1.0),
            confidence=_rates(tenths, right),
        )

    @classmethod
    def _fit_classes(
        cls, probabilities: Floats, gold: Integers, folds: Integers, coverage: float, draws: Floats
    ) -> Self:
        features = _log_odds(probabilities)
        weights = _fit_softmax(features, gold)
        held_out = np.zeros_like(features)
        for fold in np.unique(folds):
            inside = folds != fold
            held_out[~inside] = _softmax(features[~inside], _fit_softmax(features[inside], gold[inside], weights))
        scores = _class_scores(held_out, draws)[np.arange(len(gold)), gold]
        right = held_out.argmax(axis=1) == gold
        return cls(
            coverage=coverage,
            rows=len(gold),
            error=_held_out_error(_class_features(held_out), right, folds),
            level=conformal_quantile(scores, coverage),
            weights=weights.tolist(),
            confidence=_fitted(_class_features(held_out), right),
        )

    @classmethod
    def _fit_labels(
        cls, probabilities: Floats, gold: Flags, folds: Integers, coverage: float, draws: Floats, names: tuple[str, ...]
    ) -> Self:
        features = _log_odds(probabilities)
        weights = [_fitted(features, gold[:, column]) for column in range(gold.shape[1])]
        held_out = np.zeros_like(features)
        for fold in np.unique(folds):
            inside = folds != fold
            for column in range(gold.shape[1]):
                fitted = _fitted(features[inside], gold[inside, column], weights[column])
                held_out[~inside, column] = _logistic(features[~inside], fitted)
        ranked = held_out + _tie(draws)[:, None]
        right = ((probabilities >= 0.5) == gold).all(axis=1)
        columns = range(gold.shape[1])
        return cls(
            coverage=coverage,
            rows=len(gold),
            error=_held_out_error(_label_features(held_out), right, folds),
            weights=weights,
            labels=names,
            certain=[conformal_quantile(ranked[~gold[:, one], one], coverage) for one in columns],
            possible=[-conformal_quantile(-ranked[gold[:, one], one], coverage) for one in columns],
            confidence=_fitted(_label_features(held_out), right),
        )

    def _classes(self, probabilities: Floats) -> Floats:
        return _softmax(_log_odds(probabilities), np.array(self.weights))

    def _labels(self, probabilities: Floats) -> Floats:
        features = _log_odds(probabilities)
        return np.stack([_logistic(features, weights) for weights in self.weights or []], axis=1)


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """The ⌈(n + 1)·coverage⌉-th smallest of n scores, which a new one exceeds with probability 1 − coverage at most.

    Where n is too small for that, the largest score there can be: 2, above all probabilities and errors on 0..1.
    """
    rank = math.ceil((len(scores) + 1) * coverage)
    return 2.0 if rank > len(scores) else float(np.partition(np.asarray(scores, np.float64), rank - 1)[rank - 1])


def _class_scores(probabilities: Floats, draws: Floats) -> Floats:
    """For each class, the probability mass of an interval as it takes the class in.

    That is the mass of the classes that it took before, and a random part of the class's own. An interval begins with
    the likeliest class and takes in the likelier of its two neighbours each time.
    """
    rows, classes = probabilities.shape
    scores = np.zeros_like(probabilities)
    each = np.arange(rows)
    low = high = probabilities.argmax(axis=1)
    low, high = low.copy(), high.copy()
    mass = np.zeros(rows)
    taken = low
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


def _tie(draws: Floats) -> Floats:
    """What is added to equal probabilities so that a random one of them comes first."""
    return 1e-6 * (draws - 0.5)


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, _FLOOR, 1 - _FLOOR)
    return np.asarray(np.log(clipped / (1 - clipped)) / -math.log(_FLOOR), dtype=np.float64)


def _tenth(score: float) -> int:
    return min(9, int(score * 10))


def _rates(tenths: Integers, right: Flags) -> list[float]:
    """How often scores in each tenth of the scale are right; where there are few, drawn to how often all are."""
    counts, hits = np.bincount(tenths, minlength=10), np.bincount(tenths, right, minlength=10)
    prior = right.mean()
    return [float(rate) for rate in (hits + _PRIOR * prior) / (counts + _PRIOR)]


def _class_features(probabilities: Floats) -> Floats:
    return _log_odds(probabilities.max(axis=1, keepdims=True))


def _label_features(probabilities: Floats) -> Floats:
    """The log of the probability that all labels are told rightly, if they were independent; Platt scaling mends it."""
    surest = np.clip(np.maximum(probabilities, 1 - probabilities), _FLOOR, 1.0)
    return np.log(surest).sum(axis=1, keepdims=True)


def _logistic(features: Floats, weights: Sequence[float]) -> Floats:
    bias, *own = weights
    return np.asarray(1 / (1 + np.exp(-(bias + features @ np.array(own)))), dtype=np.float64)


def _fitted(features: Floats, right: Flags, start: Sequence[float] | None = None) -> list[float]:
    """Bias and weights of a logistic regression with a ridge on the weights; where it begins only saves time."""
    signs = np.where(right, 1.0, -1.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = signs * (weights[0] + features @ weights[1:])
        pull = -signs / (1 + np.exp(margins))
        slope = np.concatenate([[pull.sum()], features.T @ pull + _RIDGE * weights[1:]])
        return float(np.logaddexp(0, -margins).sum() + 0.5 * _RIDGE * (weights[1:] ** 2).sum()), slope

    first = np.zeros(features.shape[1] + 1) if start is None else np.array(start)
    found = require("scipy.optimize", "evaluate", "calibration").minimize(loss, first, jac=True, method="L-BFGS-B")
    return [float(weight) for weight in found.x]


def _softmax(features: Floats, weights: Floats) -> Floats:
    logits = weights[:, 0] + features @ weights[:, 1:].T
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def _fit_softmax(features: Floats, gold: Integers, start: Floats | None = None) -> Floats:
    """Matrix scaling (Guo et al., 2017, section 4.2) with a ridge: a row of bias and weights for each class."""
    rows, classes = features.shape
    wanted = np.eye(classes)[gold]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(classes, classes + 1)
        found = _softmax(features, weights)
        pull = found - wanted
        slope = np.concatenate([pull.sum(axis=0)[:, None], pull.T @ features + _RIDGE * weights[:, 1:]], axis=1)
        value = (
            -np.log(np.maximum(found[np.arange(rows), gold], 1e-300)).sum() + 0.5 * _RIDGE * (weights[:, 1:] ** 2).sum()
        )
        return float(value), slope.ravel()

    first = np.zeros(classes * (classes + 1)) if start is None else start.ravel()
    found = require("scipy.optimize", "evaluate", "calibration").minimize(loss, first, jac=True, method="L-BFGS-B")
    return np.asarray(found.x.reshape(classes, classes + 1), dtype=np.float64)


def _held_out_error(features: Floats, right: Flags, folds: Integers) -> float:
    found = np.zeros(len(right))
    for fold in np.unique(folds):
        inside = folds != fold
        found[~inside] = _logistic(features[~inside], _fitted(features[inside], right[inside]))
    return calibration_error(reliability(found, right))


def _folds(groups: Sequence[Hashable], seed: int) -> Integers:
    """The fold of each row; rows of one group are in one."""
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    drawn = np.random.default_rng(seed).permutation(len(places)) % _FOLDS
    return np.array([drawn[places[group]] for group in groups], dtype=np.int64)
