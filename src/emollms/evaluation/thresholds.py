"""Thresholds of labels, fitted on validation rows; see `best_label_sets` for what they do.

Probabilities are floats of shape (rows, labels), in the order of `task.labels`.
"""

from itertools import product

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, jaccard, macro_f1
from emollms.evaluation.task_metrics import JACCARD, metrics_of
from emollms.inference.label_sets import best_label_sets
from emollms.tasks import MultiLabelTask

_HEIGHTS = np.linspace(-1.5, 1.5, 16)
"""In log-odds, how much higher thresholds are than halves of F1: a set of labels takes more than a label alone."""
_SPREADS = np.linspace(0, 1.25, 6)
"""Which part of the differences between these halves thresholds keep; none is one threshold for all."""
_BOOTSTRAP_SAMPLES = 100
_PRIOR_ROWS = 300
"""How many rows the frequency of a label by its probabilities counts as, beside those with gold."""


def fit_thresholds(task: MultiLabelTask, probabilities: Floats, gold: Flags, known: Flags | None = None) -> Floats:
    """The thresholds of labels whose sets have the best macro-F1; .5 for labels without gold rows.

    Where the source of a task ranks by the Jaccard index, its sum with macro-F1 is to be the best. On a few hundred
    rows the best threshold of a rare label is chance, so only two numbers are fitted for all labels: how high their
    thresholds are, and how far apart. They start from what the probabilities say themselves: the threshold with the
    best F1 of a label is half of that F1 (Lipton et al., 2014). The two are the mean of the best on bootstrap samples
    (bagging: Breiman, 1996), since on few rows the quality is flat over a wide range.

    Args:
        task: the task.
        probabilities: of each label, of validation rows.
        gold: whether the row has it.
        known: whether it was annotated; None for all.
    """
    there = np.ones_like(gold) if known is None else known
    used = np.flatnonzero((gold & there).any(axis=0))
    limits = np.full(gold.shape[1], 0.5)
    if not len(used):
        return limits
    shares, right = np.where(there, probabilities, 0.0)[:, used], (gold & there)[:, used]
    rows = there[:, used].sum(axis=0)
    said = _log_odds(shares.sum(axis=0) / rows)
    seen = _log_odds((right.sum(axis=0) + _PRIOR_ROWS * _probabilities(said)) / (rows + _PRIOR_ROWS))
    bias = said - seen  # of the probabilities of each label, in log-odds
    halves = _log_odds(_best_expected_f1(np.where(there[:, used], _probabilities(_log_odds(shares) - bias), 0.0)) / 2)
    middle = halves.mean()
    pairs = list(product(_HEIGHTS, _SPREADS))
    tried = [_probabilities(middle + height + spread * (halves - middle) + bias) for height, spread in pairs]
    random = np.random.default_rng(0)
    samples = random.multinomial(len(right), np.full(len(right), 1 / len(right)), _BOOTSTRAP_SAMPLES).astype(np.float64)
    quality = np.array([_quality(task, right, shares, one, samples) for one in tried])
    height, spread = np.array(pairs)[quality.argmax(axis=0)].mean(axis=0)
    limits[used] = _probabilities(middle + height + spread * (halves - middle) + bias)
    return limits


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, 1e-4, 1 - 1e-4)
    found: Floats = np.log(clipped / (1 - clipped))
    return found


def _probabilities(log_odds: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-log_odds))
    return found


def _best_expected_f1(probabilities: Floats) -> Floats:
    """Of each label, at the best threshold, if the probabilities are right."""
    ordered = -np.sort(-probabilities, axis=0)
    named = np.arange(1, len(ordered) + 1)[:, None]
    best: Floats = (2 * ordered.cumsum(axis=0) / (named + probabilities.sum(axis=0))).max(axis=0)
    return best


def _quality(task: MultiLabelTask, gold: Flags, probabilities: Floats, thresholds: Floats, samples: Floats) -> Floats:
    """What thresholds are worth on samples, which say how often each row is drawn."""
    named = best_label_sets(probabilities, thresholds, at_least_one=task.nothing is None)
    by_sets = metrics_of(task).source_metric is JACCARD
    sums = [macro_f1(gold, named), *([jaccard(gold, named)] if by_sets else [])]
    total: Floats = np.sum([one.total(samples @ one.columns) for one in sums], axis=0)
    return total
