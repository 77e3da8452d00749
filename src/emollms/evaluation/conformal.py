"""Intervals that hold the truth as often as they say, and the probability that an answer is right.

Scores: split conformal prediction with the absolute error (Lei et al., 2018, Distribution-free predictive inference
for regression). Classes: adaptive prediction sets (Romano et al., 2020), grown from the likeliest class to its
neighbours so that a set of ordered classes is an interval. Labels: each label by itself, among the texts that have it
and among those that have it not (label-conditional conformal prediction, Vovk et al., 2005, section 4.5): the labels
that possibly apply miss one that does at no more than the stated rate, and those that certainly apply name one that
does not at no more than that rate. Randomised ties (the same, section 2.2) make intervals of coarse answers exact
instead of too wide.

All is fitted on validation rows. What has parameters is fitted on folds and measured on the rows that a fold left out,
so that the same rows serve for both; the rows of one text are in one fold.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from emollms.errors import UsageError
from emollms.evaluation.conformal_scores import (
    EVERYTHING,
    class_scores,
    conformal_quantile,
    fit_confidence,
    folds_of,
    hit_rates,
    interval_widths,
    label_features,
    last_true,
    log_odds,
    tenths_of,
    tie_breaks,
)
from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.evaluation.reliability import calibration_error, reliability
from emollms.evaluation.ridge import fit_logistic, fit_softmax, logistic, logistics, softmax
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

COVERAGE = 0.9
NEAR = 0.1
"""A score is right that is at most so far from the gold score, on 0..1."""
_DRAWS = 16
_DIGITS = 6  # equal errors may differ in their last bits


class Calibrated(NamedTuple):
    """A prediction after calibration.

    Args:
        probabilities: of classes or labels; those that were given, for a score.
        confidence: the probability that the answer is right: the class; the whole set of labels; a score within
            `NEAR` of the gold score. None where nothing was fitted that tells.
        low: the lowest score or class of the interval, or the labels that certainly apply; None without intervals.
        high: the highest one, or the labels that possibly apply.
    """

    probabilities: Mapping[str, float] | None
    confidence: float | None
    low: float | int | tuple[str, ...] | None
    high: float | int | tuple[str, ...] | None


class Intervals(NamedTuple):
    """Predictions after calibration, an element or row each.

    Args:
        probabilities: of shape (rows, classes) or (rows, labels); None for scores.
        confidence: of shape (rows,), see `Calibrated`.
        low: of shape (rows,) the lowest score, or the column of the lowest class; of shape (rows, labels) whether each
            label certainly applies.
        high: the same of the highest one; whether each label possibly applies.
    """

    probabilities: Floats | None
    confidence: Floats
    low: NDArray[Any]
    high: NDArray[Any]


class Conformal(BaseModel):
    """What was fitted for the intervals and the confidence of a task.

    Args:
        coverage: the probability that an interval holds the truth.
        rows: how many validation rows it was fitted on.
        error: expected calibration error of the confidence on the rows that each fold left out.
        width: half the width of an interval of scores; None for classes and labels.
        inner: the next smaller error among the rows; half the width where the draw of a text is below `tie`.
        tie: how often that is, so that errors that are equal to `width` are held as often as they should.
        level: the probability mass that an interval of classes reaches; None for scores and labels.
        weights: of the logistic model of each class or label: its bias, and a weight for the log-odds of each.
        labels: the names of the columns of labels.
        certain: the probability above which each label certainly applies.
        possible: the probability from which on each label possibly applies.
        confidence: for scores, how often those in each tenth of the scale are right; for labels, bias and weights of
            the logistic model of being right; empty for classes, whose calibrated probability it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: float = Field(gt=0, lt=1)
    rows: int = Field(ge=1)
    error: float = Field(ge=0, le=1)
    width: float | None = None
    inner: float | None = None
    tie: float = Field(default=0.0, ge=0, le=1)
    level: float | None = None
    weights: list[list[float]] | None = None
    labels: tuple[str, ...] = ()
    certain: list[float] = []
    possible: list[float] = []
    confidence: list[float] = []

    @classmethod
    def fit(
        cls,
        task: Task,
        predicted: Floats,
        gold: Floats | Integers | Flags,
        groups: Sequence[Hashable] | None = None,
        coverage: float = COVERAGE,
        labels: Sequence[str] = (),
        told: Flags | None = None,
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
            labels: the names of the columns, for labels; those of the task where empty.
            told: of shape (rows, labels), the labels that are told of each row; those with .5 or more where None.
            seed: of folds and ties.

        Raises:
            UsageError: all rows are about one text.
        """
        draws = np.random.default_rng(seed).random(len(gold))
        folds = folds_of(groups if groups is not None else range(len(gold)), seed)
        if len(set(folds.tolist())) < 2:
            raise UsageError(f"intervals of task {task.name} cannot be fitted on one text; give more validation rows")
        if isinstance(task, RegressionTask):
            return cls._fit_scores(predicted, np.asarray(gold, np.float64), folds, coverage)
        if isinstance(task, OrdinalTask):
            return cls._fit_classes(predicted, np.asarray(gold, np.int64), folds, coverage, draws)
        assert isinstance(task, MultiLabelTask)
        told = predicted >= 0.5 if told is None else told
        names = tuple(labels) or task.labels
        return cls._fit_labels(predicted, told, np.asarray(gold, np.bool_), folds, coverage, draws, names)

    def intervals(self, task: Task, predicted: Floats, draws: Floats, told: Flags | None = None) -> Intervals:
        """Calibrate predictions.

        Args:
            task: the task it was fitted for.
            predicted: as for `fit`.
            draws: numbers on 0..1 that break ties, one a row.
            told: as for `fit`.
        """
        if isinstance(task, RegressionTask):
            width = self.width if self.width is not None else EVERYTHING
            widths = np.where(draws < self.tie, width if self.inner is None else self.inner, width)
            confidence = np.array(self.confidence)[tenths_of(predicted)]
            return Intervals(None, confidence, np.maximum(0.0, predicted - widths), np.minimum(1.0, predicted + widths))
        if isinstance(task, OrdinalTask):
            table = softmax(log_odds(predicted), np.array(self.weights))
            level = self.level if self.level is not None else EVERYTHING
            inside = class_scores(table, draws) <= level
            inside[np.arange(len(table)), table.argmax(axis=1)] = True  # an interval holds what is told
            return Intervals(table, table.max(axis=1), inside.argmax(axis=1), last_true(inside))
        told = predicted >= 0.5 if told is None else told
        table = logistics(log_odds(predicted), np.array(self.weights))
        ranked = table + tie_breaks(draws)[:, None]
        confidence = logistic(label_features(table, told), np.array(self.confidence))
        certain, possible = ranked > np.array(self.certain), ranked >= np.array(self.possible)
        return Intervals(table, confidence, certain & possible, possible)

    def apply(
        self,
        task: Task,
        score: float | None,
        shares: Mapping[str, float] | None,
        draw: float,
        told: Sequence[str] | None = None,
    ) -> Calibrated:
        """Calibrate one prediction.

        Args:
            task: the task it was fitted for.
            score: the score on 0..1; None for classes and labels.
            shares: the probabilities by class number or label; not needed for a score.
            draw: a number on 0..1 that breaks ties; the text should decide it, so that the same text gets the same.
            told: the labels that are told; those with .5 or more where None.
        """
        if isinstance(task, RegressionTask):
            found = self.intervals(task, np.array([score or 0.0]), np.array([draw]))
            return Calibrated(shares, float(found.confidence[0]), float(found.low[0]), float(found.high[0]))
        names = list(map(str, task.classes)) if isinstance(task, OrdinalTask) else list(self.labels)
        flags = None if told is None else np.array([[name in told for name in names]])
        table = np.array([[(shares or {}).get(name, 0.0) for name in names]])
        found = self.intervals(task, table, np.array([draw]), flags)
        assert found.probabilities is not None
        probabilities = dict(zip(names, found.probabilities[0].tolist(), strict=True))
        if isinstance(task, OrdinalTask):
            numbers = list(task.classes)
            low, high = numbers[int(found.low[0])], numbers[int(found.high[0])]
            return Calibrated(probabilities, float(found.confidence[0]), low, high)
        certain, possible = (
            tuple(name for name, flag in zip(names, flags[0], strict=True) if flag) for flags in (found.low, found.high)
        )
        return Calibrated(probabilities, float(found.confidence[0]), certain, possible)

    @classmethod
    def _fit_scores(cls, scores: Floats, gold: Floats, folds: Integers, coverage: float) -> Self:
        errors = np.round(np.abs(gold - scores), _DIGITS)
        tenths, right = tenths_of(scores), errors <= NEAR
        held_out = np.zeros(len(gold))
        for fold in np.unique(folds):
            inside = folds != fold
            held_out[~inside] = np.array(hit_rates(tenths[inside], right[inside]))[tenths[~inside]]
        width, inner, tie = interval_widths(errors, coverage)
        return cls(
            coverage=coverage,
            rows=len(gold),
            error=calibration_error(reliability(held_out, right)),
            width=width,
            inner=inner,
            tie=tie,
            confidence=hit_rates(tenths, right),
        )

    @classmethod
    def _fit_classes(
        cls, probabilities: Floats, gold: Integers, folds: Integers, coverage: float, draws: Floats
    ) -> Self:
        features = log_odds(probabilities)
        weights = fit_softmax(features, gold)
        held_out = np.zeros_like(features)
        for fold in np.unique(folds):
            inside = folds != fold
            held_out[~inside] = softmax(features[~inside], fit_softmax(features[inside], gold[inside], weights))
        # Many draws a row, evenly spaced, in place of one: the level depends less on chance.
        spread = np.concatenate([(draws + part) / _DRAWS for part in range(_DRAWS)])
        scores = class_scores(np.tile(held_out, (_DRAWS, 1)), spread)[np.arange(len(spread)), np.tile(gold, _DRAWS)]
        return cls(
            coverage=coverage,
            rows=len(gold),
            error=calibration_error(reliability(held_out.max(axis=1), held_out.argmax(axis=1) == gold)),
            level=conformal_quantile(scores, min(coverage * (len(gold) + 1) / len(gold), 1.0)),
            weights=weights.tolist(),
        )

    @classmethod
    def _fit_labels(
        cls,
        probabilities: Floats,
        told: Flags,
        gold: Flags,
        folds: Integers,
        coverage: float,
        draws: Floats,
        names: tuple[str, ...],
    ) -> Self:
        features = log_odds(probabilities)
        columns = range(gold.shape[1])
        weights = [fit_logistic(features, gold[:, column]) for column in columns]
        held_out = np.zeros_like(features)
        for fold in np.unique(folds):
            inside = folds != fold
            for column in columns:
                fitted = fit_logistic(features[inside], gold[inside, column], weights[column])
                held_out[~inside, column] = logistic(features[~inside], fitted)
        ranked = held_out + tie_breaks(draws)[:, None]
        confidence, error = fit_confidence(label_features(held_out, told), (told == gold).all(axis=1), folds)
        return cls(
            coverage=coverage,
            rows=len(gold),
            error=error,
            weights=[one.tolist() for one in weights],
            labels=names,
            certain=[conformal_quantile(ranked[~gold[:, one], one], coverage) for one in columns],
            possible=[-conformal_quantile(-ranked[gold[:, one], one], coverage) for one in columns],
            confidence=confidence,
        )
