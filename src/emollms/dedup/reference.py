"""The search across two columns: which rows of a stream appear, equal or nearly, in a reference set.

The reference is held and indexed; the other side comes in batches and is forgotten, so memory does not grow with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emollms.dedup.equal import Units, as_groups, first_equal, is_same, same_text, text_keys, token_counts
from emollms.dedup.jaccard import Similarities, similarities
from emollms.dedup.lsh import band_keys
from emollms.dedup.pairs import engine_pairs
from emollms.dedup.search import Search
from emollms.dedup.shingles import Bytes, Offsets, Positions, Texts, Words, kernel, share_out
from emollms.errors import UsageError

Keys = npt.NDArray[np.uint32]

_BLOCK = 1 << 13  # rows of a batch that a worker takes at a time
_ROOM = 1 << 16  # candidates that a worker holds before it verifies them


@dataclass(frozen=True)
class Matches:
    """Rows of a batch found in the reference, in the order of `row`, then `reference`.

    Attributes:
        row: the row of the batch, counted from 0; int64 of shape (matches,).
        reference: the first row of the reference that has the matching text (and, with groups, that group); int64.
        jaccard: the similarity of their 4-gram sets, from the threshold to 1; float64.
        equal: whether the normalised texts are the same.
    """

    row: Positions
    reference: Positions
    jaccard: Similarities
    equal: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


class ReferenceIndex:
    """The reference side of a search for contamination.

    Args:
        normalized: its texts, as `normalize.normalize` gives them.
        groups: an integer a row; then `matches` needs groups too, and only rows with equal ones are compared.
        search: how; the memory limit does not apply. None for the defaults.

    Attributes:
        first: for each reference row the first one with the same text (and group): what `Matches.reference` names.

    Raises:
        UsageError: a column that is no string column, groups that do not fit it.
    """

    def __init__(self, normalized: Any, groups: npt.ArrayLike | None = None, search: Search | None = None) -> None:
        self._search = search or Search()
        self._texts = Texts.of(normalized)
        threads = self._search.threads
        same = first_equal(self._texts, threads)
        keys = as_groups(groups, len(same))
        self._units = None if keys is None else Units.of(same, keys)
        self.first = same if self._units is None else self._units.first
        self._distinct = np.flatnonzero(same == np.arange(len(same)))
        whole = text_keys(self._texts, threads)[self._distinct]
        self._by_whole = np.argsort(whole, kind="stable")
        self._whole = whole[self._by_whole]
        long = token_counts(self._texts, threads)[self._distinct] >= self._search.min_tokens
        self._long = self._distinct[long]
        banded = self._long if self._search.engine == "numba" else self._long[:0]
        self._bands = _BandTable(
            band_keys(
                self._texts, banded, self._search.banding, np.uint32, self._search.seed, threads, self._search.sha1
            )
        )

    def matches(self, normalized: Any, groups: npt.ArrayLike | None = None) -> Matches:
        """Look a batch of normalised texts up.

        Raises:
            UsageError: a column that is no string column, groups that do not fit it, groups on one side only.
        """
        texts = Texts.of(normalized)
        keys = as_groups(groups, len(texts))
        if (keys is None) != (self._units is None):
            raise UsageError("group keys are needed on both sides of a comparison, or on none")
        equal, near = self._equal(texts), self._near(texts)
        row, reference, jaccard = (np.concatenate(both) for both in zip(equal, near, strict=True))
        order = np.lexsort((reference, row))
        matches = Matches(row[order], reference[order], jaccard[order], order < len(equal[0]))
        return matches if keys is None else self._within_groups(matches, keys)

    def _equal(self, texts: Texts) -> tuple[Positions, Positions, Similarities]:
        """Rows whose text is in the reference, with similarity 1."""
        found = np.empty(len(texts), np.int64)
        _find_whole(
            text_keys(texts, self._search.threads), texts.data, texts.offsets, self._whole,
            self._distinct[self._by_whole], self._texts.data, self._texts.offsets, found,
        )  # fmt: skip
        rows = np.flatnonzero(found >= 0)
        return rows, found[rows], np.ones(len(rows))

    def _near(self, texts: Texts) -> tuple[Positions, Positions, Similarities]:
        """Unequal texts at or above the threshold."""
        search = self._search
        rows = np.flatnonzero(token_counts(texts, search.threads) >= search.min_tokens)
        if search.engine != "numba":
            return self._near_by_engine(texts, rows)
        keys = band_keys(texts, rows, search.banding, np.uint32, search.seed, search.threads, search.sha1)
        found: list[tuple[Positions, Positions, Similarities]] = []

        def worker(blocks: Iterator[slice]) -> None:
            for block in blocks:
                for at, place in self._bands.candidates(keys[:, block]):
                    found.append(self._verify(texts, rows[block][at], self._long[place]))

        share_out(worker, len(rows), _BLOCK, search.threads)
        none = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        left, right, jaccard = (np.concatenate(parts) for parts in zip(none, *found, strict=True))
        return left, right, jaccard

    def _near_by_engine(self, texts: Texts, rows: Positions) -> tuple[Positions, Positions, Similarities]:
        """The same from pairs within one column, the engines' only question: both sides, each text once."""
        first = first_equal(texts, self._search.threads)[rows]
        ours = np.unique(first)
        both = pa.concat_arrays([texts.column().take(pa.array(ours)), self._texts.column().take(pa.array(self._long))])
        found = engine_pairs(Texts.of(both), np.arange(len(both)), self._search)
        across = (found.left < len(ours)) & (found.right >= len(ours))
        left, right = ours[found.left[across]], self._long[found.right[across] - len(ours)]
        unequal = ~same_text(texts, self._texts, left, right)
        left, right, jaccard = left[unequal], right[unequal], found.jaccard[across][unequal]
        order = np.argsort(first, kind="stable")
        start, stop = (np.searchsorted(first[order], left, side) for side in ("left", "right"))
        pair, repeat = _expand(start, stop)
        return rows[order[repeat]], right[pair], jaccard[pair]

    def _verify(self, texts: Texts, rows: Positions, reference: Positions) -> tuple[Positions, Positions, Similarities]:
        jaccard = similarities(texts, self._texts, rows, reference)
        keep = np.flatnonzero(jaccard >= self._search.threshold)
        keep = keep[~same_text(texts, self._texts, rows[keep], reference[keep])]
        return rows[keep], reference[keep], jaccard[keep]

    def _within_groups(self, matches: Matches, keys: Positions) -> Matches:
        """Each match of texts as matches with the reference's units of the row's own group."""
        assert self._units is not None
        units = self._units
        start, stop = units.spans(matches.reference)
        pair, unit = _expand(start, stop)
        keep = units.group[unit] == keys[matches.row[pair]]
        pair, unit = pair[keep], unit[keep]
        return Matches(matches.row[pair], units.row[unit], matches.jaccard[pair], matches.equal[pair])


def _expand(start: Positions, stop: Positions) -> tuple[Positions, Positions]:
    """Every position from `start[i]` to `stop[i]`, and the i of each."""
    size = stop - start
    which = np.repeat(np.arange(len(size)), size)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(size) - size, size) + start[which]


class _BandTable:
    """The band keys of the reference, sorted, with the place where each slot of their high bits begins.

    Args:
        keys: uint32 of shape (bands, texts).
    """

    def __init__(self, keys: Keys) -> None:
        count = keys.shape[1]
        self._order = np.argsort(keys, axis=1, kind="stable").astype(np.uint32)
        self._keys = np.take_along_axis(keys, self._order, axis=1)
        bits = min(max(2 * count, 2).bit_length(), 24)  # about two slots a text: most lookups end at an empty one
        self._shift = np.uint32(32 - bits)
        slots = np.arange((1 << bits) + 1, dtype=np.uint64) << np.uint64(self._shift)
        self._starts = np.stack([np.searchsorted(band, slots) for band in self._keys]).astype(np.uint32)

    def candidates(self, keys: Keys) -> Iterator[tuple[Positions, Positions]]:
        """Yield chunks of pairs (column of `keys`, position in the reference) that share a band, without repeats."""
        cursor, room = np.zeros(3, np.int64), np.empty(_ROOM, np.uint64)
        while cursor[0] < keys.shape[1]:
            filled = _look_up(keys, self._keys, self._order, self._starts, self._shift, cursor, room)
            pairs = np.unique(room[:filled])
            yield (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


@kernel
def _look_up(
    keys: Keys, table: Keys, order: Keys, starts: Keys, shift: np.uint32, cursor: Positions, room: Words
) -> int:
    """Write `column << 32 | position` from `cursor` (column, band, entries done) until `room` is full or all is out."""
    column, band, done, filled = cursor[0], cursor[1], cursor[2], 0
    while column < keys.shape[1]:
        while band < keys.shape[0]:
            key = keys[band, column]
            # The keys are hashes, so their high bits say where to begin; a binary search of the whole band took longer.
            slot = key >> shift
            for entry in range(starts[band, slot] + done, starts[band, slot + np.uint32(1)]):
                if table[band, entry] == key:
                    if filled == len(room):  # the caller verifies these, and calls again for this very entry
                        cursor[0], cursor[1], cursor[2] = column, band, entry - np.int64(starts[band, slot])
                        return filled
                    room[filled] = np.uint64(column) << np.uint64(32) | np.uint64(order[band, entry])
                    filled += 1
            band, done = band + 1, 0
        column, band = column + 1, 0
    cursor[0] = column
    return filled


@kernel
def _find_whole(
    keys: Words, data: Bytes, offsets: Offsets, table: Words, rows: Positions, their_data: Bytes,
    their_offsets: Offsets, found: Positions,
) -> None:  # fmt: skip
    """For each text its row in the reference, -1 where it is not there; `table` is sorted, `rows` go with it."""
    for i in range(len(keys)):
        found[i] = -1
        entry = np.searchsorted(table, keys[i])
        while entry < len(table) and table[entry] == keys[i]:
            row = rows[entry]
            if is_same(data, offsets[i], offsets[i + 1], their_data, their_offsets[row], their_offsets[row + 1]):
                found[i] = row
                break
            entry += 1
