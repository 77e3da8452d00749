"""The human ceiling: the highest Pearson's r with gold labels that are means of raters, and so have noise.

Predictions that knew every true score would still differ from the gold by the raters' noise. By classical test theory
(Spearman, 1904, "The Proof and Measurement of Association between Two Things"; Lord and Novick, 1968, "Statistical
Theories of Mental Test Scores", chapter 3) their r is the square root of the reliability of the gold, which is the
fraction of its variance that is no noise.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from emollms.evaluation.metrics import Floats, RowSums
from emollms.tasks import Task

_NO_VARIANCE = 1e-12


def noise_of_mean(spread: Floats, raters: Floats) -> Floats:
    """The squared standard error of a mean of raters, without bias.

    Args:
        spread: the standard deviation of the ratings of each text, divided by their number (not that number less one).
        raters: how many rated each text; NaN comes back where it is fewer than two.
    """
    return np.asarray(np.where(raters > 1, spread**2 / np.where(raters > 1, raters - 1, 1), np.nan), dtype=np.float64)


def noise_of_combined(noises: Sequence[Floats], raters: Sequence[Floats]) -> Floats:
    """The noise of a mean over several groups of raters, who all count alike, such as readers and writers in EmoBank.

    Args:
        noises: the noise of the mean of each group.
        raters: how many rated each text, by group.
    """
    total = sum(raters, np.zeros(1))
    parts = [noise * (own / total) ** 2 for noise, own in zip(noises, raters, strict=True)]
    return np.asarray(sum(parts, np.zeros(1)), dtype=np.float64)


def human_ceiling(gold: Floats, noise: Floats) -> RowSums:
    """The highest r that noisy gold allows: √(1 - mean noise / variance of the gold), 0..1.

    Args:
        gold: the means of the raters, a text each.
        noise: the squared standard error of each; a text where it is NaN does not count.
    """
    known = ~np.isnan(noise)
    values = np.where(known, gold - gold[known].mean() if known.any() else 0.0, 0.0)
    columns = np.column_stack([known.astype(np.float64), values, values**2, np.where(known, noise, 0.0)])

    def total(sums: Floats) -> Floats:
        n, value, square, noise = sums.T
        variance = (square - value**2 / np.maximum(n, 1)) / np.maximum(n - 1, 1)
        some = variance > _NO_VARIANCE
        reliability = 1 - noise / np.maximum(n, 1) / np.where(some, variance, 1.0)
        return np.where(some, np.sqrt(np.maximum(reliability, 0.0)), 0.0)

    return RowSums(columns, total, int(known.sum()) > 1 and bool(np.ptp(values[known]) > 0))


def ceiling_of_ratings(ratings: Floats) -> RowSums:
    """The ceiling of the mean of raters, from their single ratings.

    Args:
        ratings: of shape (texts, raters), NaN where a rater did not rate a text.
    """
    rated = ~np.isnan(ratings)
    n = rated.sum(axis=1).astype(np.float64)
    means = np.where(rated, ratings, 0.0).sum(axis=1) / np.maximum(n, 1)
    spread = np.sqrt(np.where(rated, (ratings - means[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(n, 1))
    return human_ceiling(means, noise_of_mean(spread, n))


@dataclass(frozen=True)
class KnownCeiling:
    """The ceiling of a task, from the spread of the raters of its corpus.

    Args:
        parts: the highest r, by emotion or dimension; by "" for a task that has none.
        corpus: whose gold it is of.
        source: what it was computed from.
    """

    parts: Mapping[str, float]
    corpus: str
    source: str

    @property
    def whole(self) -> float:
        """That of the task: the mean over its dimensions, as its score is."""
        return fmean(self.parts.values())


_EMOBANK = "reader.csv and writer.csv of EmoBank: standard deviation and number of raters of 10,062 sentences"
_VADER = "the single ratings in hutto_ICWSM_2014.tar.gz, of 20 or more people a text (15 or more in V-M)"


def _vad(valence: float, arousal: float, dominance: float) -> KnownCeiling:
    return KnownCeiling({"valence": valence, "arousal": arousal, "dominance": dominance}, "emobank", _EMOBANK)


KNOWN_CEILINGS: Mapping[str, KnownCeiling] = {
    "EmoBank": _vad(0.897, 0.681, 0.646),
    "EmoBank-reader": _vad(0.837, 0.515, 0.565),
    "EmoBank-writer": _vad(0.797, 0.551, 0.487),
    "V-A": KnownCeiling({"": 0.995}, "vader", _VADER),
    "V-M": KnownCeiling({"": 0.993}, "vader", _VADER),
    "V-NYT": KnownCeiling({"": 0.979}, "vader", _VADER),
    "V-T": KnownCeiling({"": 0.993}, "vader", _VADER),
}
"""The tasks whose corpora have the spread of their raters; all texts of a corpus, not only the test split."""


def ceiling_of(task: Task, corpora: Collection[str], emotion: str | None = None) -> float | None:
    """The highest r that is known to be possible; None where it is unknown.

    Args:
        task: the task.
        corpora: the corpora that its gold is from: that of the ceiling, and no other.
        emotion: one of its dimensions; None for their mean.
    """
    known = KNOWN_CEILINGS.get(task.name)
    if known is None or set(corpora) != {known.corpus}:
        return None
    return known.parts.get(emotion) if emotion else known.whole
