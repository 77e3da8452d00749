"""Ranks of models over several tasks."""

import numpy as np

from emollms.evaluation.metrics import Floats


def ranks(scores: Floats) -> Floats:
    """The ranks of models in each task, 1 the best; equal scores share the mean of their ranks.

    A missing score ranks behind all others, and several share the mean of the last ranks: a model gains nothing by
    leaving a task out.

    Args:
        scores: of shape (…, models, tasks); more is better, NaN where a model has none.

    Returns:
        Ranks of the same shape, from 1 to the number of models.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    ones, others = known[..., :, None, :], known[..., None, :, :]
    better, same = (others > ones).sum(axis=-2), (others == ones).sum(axis=-2)
    found: Floats = better + (same + 1) / 2
    return found


def mean_ranks(scores: Floats) -> Floats:
    """The mean of each model's ranks over the tasks; arguments as for `ranks`, the last axis is gone."""
    found: Floats = ranks(scores).mean(axis=-1)
    return found
