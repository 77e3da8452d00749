"""Clusters: rows that a chain of pairs connects."""

import numpy as np

from emollms.quality.duplicates.grams import Positions
from emollms.quality.duplicates.kernels import kernel


def connected(rows: int, left: Positions, right: Positions) -> Positions:
    """The cluster of each of `rows` rows, named by its smallest row: int64 of shape (rows,).

    Args:
        rows: how many rows there are; one in no pair is a cluster by itself.
        left: a row of each pair, int64 of shape (pairs,).
        right: the other row of each pair.
    """
    parent = np.arange(rows, dtype=np.int64)
    _join(parent, left.astype(np.int64), right.astype(np.int64))
    return parent


@kernel
def _root(parent: Positions, row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]  # halves the path for the next one who walks it
        row = parent[row]
    return row


@kernel
def _join(parent: Positions, left: Positions, right: Positions) -> None:
    """Union by the smaller root, so that a root is always the smallest row of its cluster."""
    for i in range(len(left)):
        a, b = _root(parent, left[i]), _root(parent, right[i])
        parent[max(a, b)] = min(a, b)
    for row in range(len(parent)):
        parent[row] = _root(parent, row)
