"""How sure is a score: percentile bootstrap over rows (Efron and Tibshirani, 1993, chapter 13), paired for two models.

A thousand resamples of a task are one product of two matrices: how often each resample draws each row, times what each
row adds to the sums of a metric (`metrics.RowSums`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollms.evaluation.metrics import Floats, RowSums

CONFIDENCE = 0.95
_DRAWS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Interval:
    """Where the score of other rows of this kind would mostly lie."""

    low: float
    high: float


def interval(samples: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The middle `confidence` of `samples`."""
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def resample(parts: Sequence[RowSums], resamples: int, generator: np.random.Generator) -> list[Floats]:
    """The values of metrics on resamples of the same rows, paired: resample i is the same draw of rows for all.

    Args:
        parts: metrics over the same rows.
        resamples: how many.
        generator: where the draws come from.

    Returns:
        For each metric its values, of shape (resamples,).
    """
    columns = np.hstack([part.columns for part in parts])
    ends = np.cumsum([part.columns.shape[1] for part in parts])[:-1]
    sums = np.split(_resampled_sums(columns, resamples, generator), ends, axis=1)
    return [part.total(own) for part, own in zip(parts, sums, strict=True)]


def _resampled_sums(columns: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    rows = len(columns)
    if not rows:
        return np.zeros((resamples, columns.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // rows)
    sums = []
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        draws = generator.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        times_drawn = np.bincount(draws.ravel(), minlength=count * rows).reshape(count, rows)
        sums.append(times_drawn.astype(np.float64) @ columns)
    return np.vstack(sums)
