"""How well a model agrees with people, by what is measured: scores, ordered classes, classes without order, labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emollms.evaluation import metrics
from emollms.evaluation.bootstrap import interval, resample
from emollms.evaluation.krippendorff import interval_alpha, masi_alpha, nominal_alpha, ordinal_alpha
from emollms.evaluation.metrics import Floats, Integers, RowSums
from emollms.evaluation.scoring import RESAMPLES

Level = Literal["interval", "ordinal", "nominal", "set"]
"""What is measured: scores, ordered classes, classes without an order, or label sets."""
Sums = Callable[[Floats, Floats], RowSums]


@dataclass(frozen=True)
class MeasuredValue:
    """A measure with its interval.

    Args:
        name: its name, such as `pearson`.
        title: its name for people.
        part: the label or class that it is about; "" for all of them.
        value: the value; NaN where it is undefined, as the correlation of constants is.
        low: lower end of its 95 % interval, a bootstrap over texts; NaN where it is undefined.
        high: upper end.
        n: the texts it is from.
    """

    name: str
    title: str
    part: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Measure:
    """A measure that is yet to be taken.

    Args:
        name: its name.
        title: its name for people.
        sums: the measure, from the texts.
        part: the label or class that it is about.
        n: the texts it is from; None for all that are given.
    """

    name: str
    title: str
    sums: RowSums
    part: str = ""
    n: int | None = None


def take(
    measures: Sequence[Measure], weights: Floats | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[MeasuredValue]:
    """Values and 95 % intervals of measures of the same texts, on the same resamples of them.

    Args:
        measures: what is measured.
        weights: how many texts each stands for; None where all stand for the same number. The mean weight becomes 1.
        resamples: how many bootstrap resamples.
        seed: their seed.
    """
    if not measures:
        return []
    parts = [one.sums if weights is None else _weighted(one.sums, weights) for one in measures]
    drawn = resample(parts, resamples, np.random.default_rng(seed))
    found = []
    for one, sums, samples in zip(measures, parts, drawn, strict=True):
        value, low, high = np.nan, np.nan, np.nan
        if sums.is_defined:
            ends = interval(samples)
            value, low, high = sums.value, ends.low, ends.high
        count = len(sums.columns) if one.n is None else one.n
        found.append(MeasuredValue(one.name, one.title, one.part, value, low, high, count))
    return found


def _weighted(sums: RowSums, weights: Floats) -> RowSums:
    return RowSums(sums.columns * (weights / weights.mean())[:, None], sums.total, sums.is_defined)


def measures_of(level: Level, gold: Floats, predicted: Floats, options: Sequence[str] = ()) -> list[Measure]:
    """The measures of agreement of a model with gold, the main one first; no value may be NaN.

    Args:
        level: what is measured.
        gold: scores or numbers of classes, of shape (texts,); for label sets 0 or 1, of shape (texts, labels).
        predicted: the model's, in the same form.
        options: the numbers of ordered classes in their order; the names of classes, whose places are their numbers;
            or the labels.
    """
    if level == "interval":
        return _of_scores(gold, predicted)
    if level == "ordinal":
        return _of_ordered(gold, predicted, [int(option) for option in options])
    return _of_classes(gold, predicted, options) if level == "nominal" else _of_labels(gold, predicted, options)


def main_measure(level: Level, gold: Floats, predicted: Floats, options: Sequence[str] = ()) -> Measure:
    """The first of `measures_of`."""
    return measures_of(level, gold, predicted, options)[0]


def _of_scores(gold: Floats, predicted: Floats) -> list[Measure]:
    return [
        Measure("pearson", "Pearson's r", metrics.pearson(gold, predicted)),
        Measure("concordance", "concordance correlation", metrics.concordance(gold, predicted)),
        Measure("mae", "mean absolute error", metrics.mean_absolute_error(gold, predicted)),
        Measure("alpha", "Krippendorff's α, interval", alpha("interval", np.column_stack([gold, predicted]))),
    ]


def _of_ordered(gold: Floats, predicted: Floats, classes: Sequence[int]) -> list[Measure]:
    both = np.column_stack([gold, predicted])
    return [
        Measure("kappa", "quadratic weighted κ", metrics.kappa(gold, predicted, classes=classes)),
        Measure("alpha", "Krippendorff's α, ordinal", alpha("ordinal", both, list(map(str, classes)))),
        Measure("pearson", "Pearson's r", metrics.pearson(gold, predicted)),
        Measure("mae", "mean absolute error, in classes", metrics.mean_absolute_error(gold, predicted)),
        Measure("accuracy", "accuracy", metrics.accuracy(gold, predicted)),
        *_f1(gold, predicted, classes, list(map(str, classes))),
    ]


def _of_classes(gold: Floats, predicted: Floats, options: Sequence[str]) -> list[Measure]:
    both = np.column_stack([gold, predicted])
    return [
        Measure("alpha", "Krippendorff's α, nominal", alpha("nominal", both, options)),
        Measure("accuracy", "accuracy", metrics.accuracy(gold, predicted)),
        *_f1(gold, predicted, range(len(options)), options),
    ]


def _of_labels(gold: Floats, predicted: Floats, options: Sequence[str]) -> list[Measure]:
    given, said = gold > 0.5, predicted > 0.5
    both = np.stack([gold, predicted], axis=1)
    return [
        Measure("macro_f1", "macro-F1", metrics.macro_f1(given, said)),
        Measure("alpha", "Krippendorff's α, MASI", alpha("set", both)),
        Measure("micro_f1", "micro-F1", metrics.micro_f1(given, said)),
        Measure("jaccard", "mean Jaccard index of texts", metrics.jaccard(given, said)),
        *_f1_of_labels(given, said, options),
    ]


def _f1(gold: Floats, predicted: Floats, classes: Sequence[int], names: Sequence[str]) -> list[Measure]:
    """Macro-F1 over the classes that occur, and F1 of each."""
    seen = [n for n, number in enumerate(classes) if ((gold == number) | (predicted == number)).any()]
    numbers = np.array([classes[n] for n in seen], dtype=np.int64)
    given, said = metrics.one_hot(gold, numbers), metrics.one_hot(predicted, numbers)
    whole = Measure("macro_f1", "macro-F1", metrics.macro_f1(given, said))
    return [whole, *_f1_of_labels(given, said, [names[n] for n in seen])]


def _f1_of_labels(gold: metrics.Flags, said: metrics.Flags, names: Sequence[str]) -> list[Measure]:
    def one(place: int, name: str) -> Measure:
        own, others = gold[:, [place]], said[:, [place]]
        sums = metrics.macro_f1(own, others)
        # A label that nobody gives has no F1; in the mean over labels it counts as 0, as scikit-learn counts it.
        return Measure("f1", "F1", RowSums(sums.columns, sums.total, bool((own | others).any())), name, int(own.sum()))

    return [one(place, name) for place, name in enumerate(names)]


def alpha(level: Level, ratings: Floats, options: Sequence[str] = ()) -> RowSums:
    """Krippendorff's alpha of several raters.

    Args:
        level: decides the distance of two ratings.
        ratings: of shape (texts, raters), or (texts, raters, labels); NaN where a rater said nothing.
        options: see `measures_of`.
    """
    if level == "interval":
        return interval_alpha(ratings)
    if level == "set":
        return masi_alpha(ratings > 0.5, np.asarray(~np.isnan(ratings).any(axis=2)))
    kinds = np.array([int(option) for option in options]) if level == "ordinal" else np.arange(len(options))
    return (ordinal_alpha if level == "ordinal" else nominal_alpha)(_places(ratings, kinds))


def _places(ratings: Floats, classes: Integers) -> Integers:
    """The place of each class among `classes`; -1 for NaN."""
    places = np.searchsorted(classes, np.nan_to_num(ratings, nan=float(classes[0])).astype(np.int64))
    return np.where(np.isnan(ratings), -1, places).astype(np.int64)


def consensus(level: Level, ratings: Floats) -> Floats:
    """What the raters of each text say together.

    It is the mean of scores, the lower median of ordered classes, the class of most raters, and the labels that half of
    them or more give; NaN where nobody rated, or where no class has most votes.

    Args:
        level: what is measured.
        ratings: of shape (texts, raters), or (texts, raters, labels); NaN where a rater said nothing.
    """
    if level == "nominal":
        return np.array([_mode(row) for row in ratings], dtype=np.float64)
    if level == "ordinal":
        rated = (~np.isnan(ratings)).sum(axis=1)
        ordered = np.sort(ratings, axis=1)  # NaN comes last
        return np.asarray(ordered[np.arange(len(ratings)), np.maximum(rated - 1, 0) // 2], dtype=np.float64)
    means = _mean_of_raters(ratings)
    return means if level == "interval" else np.where(np.isnan(means), np.nan, (means >= 0.5).astype(np.float64))


def _mean_of_raters(ratings: Floats) -> Floats:
    rated = ~np.isnan(ratings)
    counts = rated.sum(axis=1)
    means = np.where(rated, ratings, 0.0).sum(axis=1) / np.maximum(counts, 1)
    return np.asarray(np.where(counts > 0, means, np.nan), dtype=np.float64)


def _mode(votes: Floats) -> float:
    classes, counts = np.unique(votes[~np.isnan(votes)], return_counts=True)
    most = classes[counts == counts.max(initial=0)]
    return float(most[0]) if len(most) == 1 else float("nan")


def counted(level: Level, values: Floats, options: Sequence[str] = ()) -> list[tuple[str, Floats]]:
    """What of each text is averaged: the difference of the averages of two who answer is a bias.

    Args:
        level: what is measured; see `measures_of` for the others.
        values: answers, none of them NaN.
        options: classes or labels.

    Returns:
        Scores or class numbers, by ""; or by class or label, 1 where it is given and else 0.
    """
    if level in ("interval", "ordinal"):
        return [("", values)]
    if level == "nominal":
        values = metrics.one_hot(values, np.arange(len(options))).astype(np.float64)
    return [(name, values[:, place]) for place, name in enumerate(options)]
