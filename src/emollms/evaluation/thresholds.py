"""Thresholds of labels: from which probability on a label is named.

Those that maximise the F1 of a label: Lipton et al., 2014. Probabilities are floats of shape (rows, labels), in the
order of `task.labels`.
"""

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, jaccard, macro_f1

_GRID = np.linspace(0.05, 0.8, 76)
"""Thresholds that are tried; those of rare labels are low."""
_BOOTSTRAP_SAMPLES = 100
_ROUNDS = 3
_DEPARTURE = 3000.0
"""What a threshold of its own costs a label, by the square of its distance from that of all, over the number of rows.

On 274 rows of E-c each tenth of it was worse in cross-validation, by .02 of the Jaccard index; thousands of rows decide
by themselves.
"""


def fit_thresholds(probabilities: Floats, gold: Flags) -> Floats:
    """The threshold of each label that gives it the best F1; half-way to the next probability. 0.5 without gold rows.

    Args:
        probabilities: of each label, of validation rows.
        gold: whether the row has it.
    """
    return np.array([_best_threshold(probabilities[:, i], gold[:, i]) for i in range(gold.shape[1])])


def _best_threshold(probabilities: Floats, gold: Flags) -> float:
    if not gold.any() or not probabilities.any():  # nothing is known of a label that is never given any probability
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    chosen = np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(gold[order]) / (chosen + gold.sum())
    f1[:-1][ordered[:-1] == ordered[1:]] = -1  # equal probabilities are chosen together
    best = int(np.argmax(f1))
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + below) / 2)


def fit_thresholds_together(probabilities: Floats, gold: Flags, known: Flags | None = None) -> Floats:
    """The thresholds, .05..0.8, with the best sum of macro-F1 and Jaccard index; 0.5 for labels without gold rows.

    The best F1 of each label alone names too many labels of a row for its Jaccard index, and on a few hundred rows the
    threshold of a rare label is chance: the search begins at one threshold for all labels, from which a label departs
    only as far as it pays. That one is the mean of the best on bootstrap samples (bagging: Breiman, 1996), since on
    few rows the sum is flat over a wide range: on samples of 274 rows of E-c the best lay between .2 and .5.

    Args:
        probabilities: of each label, of validation rows.
        gold: whether the row has it.
        known: whether it was annotated; None for all.
    """
    there = np.ones_like(gold) if known is None else known
    used = np.flatnonzero((gold & there).any(axis=0))
    limits = np.full(gold.shape[1], 0.5)
    if not len(used):
        return limits
    shares, right = np.where(there, probabilities, -1.0)[:, used], (gold & there)[:, used]
    shared = _shared_threshold(shares, right)
    own: Floats = np.full(len(used), shared)
    for _ in range(_ROUNDS):
        for label in range(len(used)):
            tried: list[Floats] = [
                np.where(np.arange(len(used)) == label, limit, own) for limit in (own[label], *_GRID)
            ]
            own = max(
                tried, key=lambda one: _f1_and_jaccard(right, shares >= one) - _departure(one, shared, len(right))
            )
    limits[used] = own
    return limits


def _shared_threshold(shares: Floats, right: Flags) -> float:
    """The threshold at which the search begins for every label."""
    random, chosen = np.random.default_rng(0), [shares >= limit for limit in _GRID]
    found = []
    for _ in range(_BOOTSTRAP_SAMPLES):
        rows = random.integers(len(right), size=len(right))
        sums = np.array([_f1_and_jaccard(right[rows], one[rows]) for one in chosen])
        found.append(_GRID[np.isclose(sums, sums.max())].mean())  # the middle of those that tie
    return float(np.mean(found))


def _departure(limits: Floats, shared: float, rows: int) -> float:
    return _DEPARTURE / rows * float(np.mean((limits - shared) ** 2))


def _f1_and_jaccard(gold: Flags, chosen: Flags) -> float:
    return macro_f1(gold, chosen).value + jaccard(gold, chosen).value


def apply_thresholds(probabilities: Floats, thresholds: Floats, at_least_one: bool = False) -> Flags:
    """The labels whose probability reaches its threshold.

    Args:
        probabilities: of each label.
        thresholds: of each label, 0..1.
        at_least_one: give a row without labels the one that comes nearest to its threshold.
    """
    chosen = np.asarray(probabilities >= thresholds, dtype=np.bool_)
    if at_least_one:
        nearest = np.argmax(probabilities - thresholds, axis=1)
        empty = ~chosen.any(axis=1)
        chosen[empty, nearest[empty]] = True
    return chosen
