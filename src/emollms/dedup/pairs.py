"""The search for near-duplicates within one column of texts.

Equal texts first; texts under six tokens stop there. Then candidates by locality-sensitive hashing, every one verified
by its exact Jaccard similarity: what is found is right, and a pair on the threshold is found with probability 0.9 or
more (`lsh.Banding.recall`). Time is linear in the texts while the pairs are; memory is the texts, the pairs and the
keys, and the keys can be limited.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emollms.dedup import on_dask, on_spark
from emollms.dedup.equal import Units, as_groups, first_equal, token_counts
from emollms.dedup.jaccard import Similarities, similarities
from emollms.dedup.lsh import CandidatePairs
from emollms.dedup.search import Search
from emollms.dedup.shingles import Positions, Texts, Words, kernel


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


_CAPACITY = 1 << 20  # candidates verified at a time
_LOW_HALF = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows with their similarity, in the order of `left`, then `right`; `left` is the smaller row.

    Attributes:
        left, right: int64 of shape (pairs,).
        jaccard: float64 of shape (pairs,), from the threshold to 1.
    """

    left: Positions
    right: Positions
    jaccard: Similarities

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True)
class Duplicates:
    """What a search found.

    Attributes:
        first: for each row the first row of its group with the same normalised text, itself where it is the first;
            int64 of shape (rows,).
        near: the near-duplicates among those first rows, unequal texts of one group.
    """

    first: Positions
    near: Pairs

    @property
    def equal(self) -> Pairs:
        """Each row that repeats an earlier text, paired with the first row that has it."""
        rows = np.flatnonzero(self.first != np.arange(len(self.first)))
        order = np.lexsort((rows, self.first[rows]))
        return Pairs(self.first[rows][order], rows[order], np.ones(len(rows)))

    def clusters(self) -> Positions:
        """The cluster of each row, equal and near pairs together, named by its smallest row: int64."""
        equal = self.equal
        left, right = np.concatenate((equal.left, self.near.left)), np.concatenate((equal.right, self.near.right))
        return connected(len(self.first), left, right)


def find_pairs(normalized: Any, groups: npt.ArrayLike | None = None, search: Search | None = None) -> Duplicates:
    """Find equal and near-equal texts.

    Args:
        normalized: the texts as `normalize.normalize` gives them: an Arrow string array, chunked array or list of str.
        groups: an integer a row, such as a code for task and emotion; only rows with equal ones are compared. None:
            all rows are compared.
        search: how; None for the defaults.

    Raises:
        UsageError: a column that is no string column, groups that do not fit it.
        EmollmsError: the disk refuses the keys, or the engine cannot run.
    """
    search = search or Search()
    texts = Texts.of(normalized)
    keys = as_groups(groups, len(texts))
    same = first_equal(texts, search.threads)
    long = token_counts(texts, search.threads) >= search.min_tokens
    rows = np.flatnonzero(long & (same == np.arange(len(same))))
    near = near_pairs(texts, rows, search)
    if keys is None:
        return Duplicates(same, near)
    units = Units.of(same, keys)
    return Duplicates(units.first, within_groups(near, units))


def near_pairs(texts: Texts, rows: Positions, search: Search) -> Pairs:
    """The pairs at or above the threshold among the distinct texts in `rows` (int64, ascending)."""
    if search.engine != "numba":
        return engine_pairs(texts, rows, search)
    found: Words = np.empty(0, np.uint64)
    scores: npt.NDArray[np.float64] = np.empty(0)
    for chunk in CandidatePairs(_CAPACITY).of(search.buckets(texts, rows)):
        fresh = chunk[~_is_in(chunk, found)]  # a pair can share several bands, in chunks that come later
        left, right = _split(fresh)
        jaccard = similarities(texts, texts, rows[left], rows[right], search.threads)
        near = jaccard >= search.threshold
        found, scores = _merge(found, scores, fresh[near], jaccard[near])
    left, right = _split(found)
    return Pairs(rows[left], rows[right], scores)


def engine_pairs(texts: Texts, rows: Positions, search: Search) -> Pairs:
    """What `near_pairs` finds, by Dask or Spark as `search.engine` says."""
    adapter = on_dask if search.engine == "dask" else on_spark
    found = adapter.collect_pairs(texts.column().take(pa.array(rows)), search)
    left, right, jaccard = (found[name].to_numpy() for name in ("left", "right", "jaccard"))
    order = np.lexsort((right, left))  # partitions come back in any order
    return Pairs(rows[left[order]], rows[right[order]], jaccard[order])


def _split(packed: Words) -> tuple[Positions, Positions]:
    return (packed >> np.uint64(32)).astype(np.int64), (packed & _LOW_HALF).astype(np.int64)


def _is_in(values: Words, among: Words) -> npt.NDArray[np.bool_]:
    """Which of `values` are in the sorted array `among`."""
    if not len(among):
        return np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(among, values), len(among) - 1)
    found: npt.NDArray[np.bool_] = np.equal(among[places], values)
    return found


def _merge(found: Words, scores: Similarities, more: Words, their: Similarities) -> tuple[Words, Similarities]:
    pairs = np.concatenate((found, more))
    order = np.argsort(pairs, kind="stable")
    return pairs[order], np.concatenate((scores, their))[order]


def within_groups(pairs: Pairs, units: Units) -> Pairs:
    """Turn pairs of texts into pairs of units of one group."""
    (a, a_end), (b, b_end) = units.spans(pairs.left), units.spans(pairs.right)
    size = _join_groups(units.group, a, a_end, b, b_end, np.empty((0, 3), np.int64))
    out = np.empty((size, 3), np.int64)
    _join_groups(units.group, a, a_end, b, b_end, out)
    one, other, jaccard = units.row[out[:, 0]], units.row[out[:, 1]], pairs.jaccard[out[:, 2]]
    left, right = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((right, left))
    return Pairs(left[order], right[order], jaccard[order])


@kernel
def _join_groups(
    group: Positions, a: Positions, a_end: Positions, b: Positions, b_end: Positions, out: npt.NDArray[np.int64]
) -> int:
    """Merge the sorted groups of the two texts of each pair; (unit, unit, pair) goes to `out` as far as it has room."""
    found = 0
    for pair in range(len(a)):
        i, j = a[pair], b[pair]
        while i < a_end[pair] and j < b_end[pair]:
            if group[i] == group[j] and found < len(out):
                out[found, 0], out[found, 1], out[found, 2] = i, j, pair
            found += group[i] == group[j]
            step = group[i] - group[j]
            i += step <= 0
            j += step >= 0
    return found
