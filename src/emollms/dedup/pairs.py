"""The search for near-duplicates within one column of texts.

Equal texts first; texts under six tokens stop there. Then candidates by locality-sensitive hashing, every one verified
by its exact Jaccard similarity: what is found is right, and a pair on the threshold is found with probability 0.9 or
more (`lsh.Banding.recall`). Time is linear in the texts while the pairs are; memory is the texts, the pairs and the
keys, and the keys can be limited.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emollms.dedup.equal import Units, as_groups, first_equal, token_counts
from emollms.dedup.jaccard import Similarities, similarities
from emollms.dedup.lsh import PERMUTATIONS, Banding, Candidates
from emollms.dedup.minhash import SEED
from emollms.dedup.shingles import Positions, Texts, Words, kernel, usable_cores
from emollms.dedup.spill import KEY_BYTES, in_memory, on_disk
from emollms.errors import UsageError


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


THRESHOLD = 0.7
MIN_TOKENS = 6
_MIN_MEMORY = 1 << 20
_CAPACITY = 1 << 20  # candidates verified at a time
_LOW_HALF = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Search:
    """How to look for near-duplicates.

    Attributes:
        threshold: the least Jaccard similarity of the 4-gram sets, 0.1 to 1.
        min_tokens: texts with fewer tokens are only compared for equality; of natural pairs with four or five words
            above 0.7, less than half are duplicates to a reader.
        seed: of the permutations, as datasketch takes it.
        threads: how many; 0 for all usable cores. The result does not depend on it.
        memory: the most bytes of band keys to hold, at least 1 MiB; past it they go to disk. None: hold them all.
        folder: where they go; None for the system's temporary folder.
        sha1: whether an index of reference texts hashes grams as datasketch does. Without it other candidates near the
            threshold are found and missed, no more and no fewer, several times as fast. A search inside one column
            always has datasketch's candidates.
        permutations: the most that a signature has. More of them allow longer bands, with fewer false candidates at
            the same recall; 600 give 66 bands of 9 for 0.7, which 10^8 rows need.

    Raises:
        UsageError: a value outside its range.
    """

    threshold: float = THRESHOLD
    min_tokens: int = MIN_TOKENS
    seed: int = SEED
    threads: int = 0
    memory: int | None = None
    folder: Path | None = None
    sha1: bool = True
    permutations: int = PERMUTATIONS
    banding: Banding = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "banding", Banding.for_threshold(self.threshold, self.permutations))
        if self.threads < 0:
            raise UsageError(f"threads is a number of threads, or 0 for all cores, not {self.threads}")
        object.__setattr__(self, "threads", self.threads or usable_cores())
        if self.memory is not None and self.memory < _MIN_MEMORY:
            raise UsageError(f"the memory limit is {self.memory:,} bytes; at least {_MIN_MEMORY:,} are needed")

    def buckets(self, texts: Texts, rows: Positions) -> Iterator[Words]:
        """The sorted buckets of the texts in `rows`, in memory or from disk as the limit says."""
        keys = len(rows) * self.banding.bands * KEY_BYTES
        if self.memory is None or keys <= self.memory:
            return in_memory(texts, rows, self.banding, self.seed, self.threads)
        return on_disk(texts, rows, self.banding, self.seed, self.threads, self.memory, self.folder)


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


def find_duplicates(normalized: Any, groups: npt.ArrayLike | None = None, search: Search | None = None) -> Duplicates:
    """Find equal and near-equal texts.

    Args:
        normalized: the texts as `normalize.normalize` gives them: an Arrow string array, chunked array or list of str.
        groups: an integer a row, such as a code for task and emotion; only rows with equal ones are compared. None:
            all rows are compared.
        search: how; None for the defaults.

    Raises:
        UsageError: a column that is no string column, groups that do not fit it.
        EmollmsError: the disk refuses the keys.
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
    found = np.empty(0, np.uint64)
    scores = np.empty(0)
    for chunk in Candidates(_CAPACITY).of(search.buckets(texts, rows)):
        fresh = chunk[~_stand_in(chunk, found)]
        left, right = _split(fresh)
        jaccard = similarities(texts, texts, rows[left], rows[right], search.threads)
        near = jaccard >= search.threshold
        found, scores = _merge(found, scores, fresh[near], jaccard[near])
    left, right = _split(found)
    return Pairs(rows[left], rows[right], scores)


def _split(packed: Words) -> tuple[Positions, Positions]:
    return (packed >> np.uint64(32)).astype(np.int64), (packed & _LOW_HALF).astype(np.int64)


def _stand_in(values: Words, among: Words) -> npt.NDArray[np.bool_]:
    """Which of `values` stand in the sorted array `among`."""
    if not len(among):
        return np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return np.equal(among[places], values)


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
