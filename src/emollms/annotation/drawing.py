"""Drawing rows with known, unequal probabilities."""

from collections.abc import Sequence

import numpy as np

from emollms.evaluation.metrics import Floats, Integers

EVEN = 0.5
"""The fraction of the probability that all rows share evenly, so that a wrong uncertainty costs little."""


def labels_of_groups(groups: Sequence[Integers], budget: int) -> list[tuple[Integers, float]]:
    """How many rows each group gets: as many as the others, and all of one that has fewer.

    Args:
        groups: the rows of each group.
        budget: of all groups together.
    """
    left, found = float(budget), {}
    for number, at in enumerate(sorted(range(len(groups)), key=lambda at: len(groups[at]))):
        found[at] = min(float(len(groups[at])), left / (len(groups) - number))
        left -= found[at]
    return [(group, found[at]) for at, group in enumerate(groups)]


def sampling_probabilities(errors: Floats, budget: float) -> Floats:
    """The probability of each row: half shared evenly, half by the expected error; they sum to the budget.

    Args:
        errors: the expected error of each row, relative to the others.
        budget: how many rows are drawn.
    """
    wanted = EVEN / len(errors) + (1 - EVEN) * errors / errors.sum()
    sure = np.zeros(len(errors), bool)
    while True:  # what is wanted more than once is certain, and the others get its rest
        left = budget - sure.sum()
        found = np.where(sure, 1.0, wanted * max(0.0, left) / max(1e-12, wanted[~sure].sum()))
        over = (found > 1) & ~sure
        if not over.any():
            return np.asarray(np.clip(found, 1e-9, 1.0))
        sure |= over


def draw(chances: Floats, random: np.random.Generator) -> Integers:
    """Rows drawn with exactly these probabilities, as many as they sum to (Hartley and Rao 1962).

    Along all rows in a random order, every step of 1 from a random start draws the row that it falls on.

    Args:
        chances: the probability of each row.
        random: where chance comes from.
    """
    order = random.permutation(len(chances))
    ends = np.cumsum(chances[order])
    steps = np.arange(random.random(), float(ends[-1]) - 1e-9, 1.0)
    at = np.minimum(np.searchsorted(ends, steps, side="right"), len(order) - 1)
    return np.sort(np.unique(order[at]))
