"""Texts that are equal after normalisation, and the rows that share one: what is settled before any hashing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emollms.dedup.shingles import Bytes, Offsets, Positions, Texts, Words, count_tokens, kernel, share_out
from emollms.errors import UsageError

_BLOCK = 1 << 15  # rows a worker takes at a time


def text_keys(texts: Texts, threads: int = 1) -> Words:
    """A 64-bit key of each whole text, uint64 of shape (texts,): equal texts have equal keys."""
    out = np.empty(len(texts), np.uint64)

    def worker(blocks: Iterator[slice]) -> None:
        for block in blocks:
            _hash_texts(texts.data, texts.offsets[block.start : block.stop + 1], out[block])

    share_out(worker, len(texts), _BLOCK, threads)
    return out


def token_counts(texts: Texts, threads: int = 1) -> npt.NDArray[np.int32]:
    """How many tokens each normalised text has (`grams.count_tokens`), int32 of shape (texts,)."""
    out = np.empty(len(texts), np.int32)

    def worker(blocks: Iterator[slice]) -> None:
        for block in blocks:
            count_tokens(texts.data, texts.offsets[block.start : block.stop + 1], out[block])

    share_out(worker, len(texts), _BLOCK, threads)
    return out


def first_equal(texts: Texts, threads: int = 1) -> Positions:
    """For each row the first row with the same text, itself where there is none before it: int64 of shape (texts,)."""
    packed = text_keys(texts, threads)
    packed &= np.uint64(0xFFFFFFFF00000000)
    packed |= np.arange(len(texts), dtype=np.uint64)
    packed.sort()
    out = np.empty(len(texts), np.int64)
    _first_in_bucket(texts.data, texts.offsets, packed, out)
    return out


def same_text(left: Texts, right: Texts, lefts: Positions, rights: Positions) -> npt.NDArray[np.bool_]:
    """Whether `left[lefts[i]]` and `right[rights[i]]` are the same text, for each i."""
    out = np.empty(len(lefts), np.bool_)
    _same_texts(left.data, left.offsets, right.data, right.offsets, lefts, rights, out)
    return out


@dataclass(frozen=True)
class Units:
    """What is compared: a text within a group; rows that share both are one unit, named by the first of them.

    Attributes:
        first: for each row the first row of its unit, int64 of shape (rows,).
        text, group, row: for each unit its text (the first row that has it), group and first row, in the order of
            text, then group; int64 of shape (units,).
    """

    first: Positions
    text: Positions
    group: Positions
    row: Positions

    @classmethod
    def of(cls, same: Positions, groups: Positions) -> "Units":
        """Collect the units of rows whose first equal rows are `same` and whose groups are `groups`."""
        order = np.lexsort((groups, same))  # stable: the first row of a unit comes first
        text, group = same[order], groups[order]
        opens = np.ones(len(order), np.bool_)
        opens[1:] = (text[1:] != text[:-1]) | (group[1:] != group[:-1])
        first = np.empty_like(same)
        first[order] = order[opens][np.cumsum(opens) - 1]
        return cls(first, text[opens], group[opens], order[opens])

    def spans(self, texts: Positions) -> tuple[Positions, Positions]:
        """Where the units of each of `texts` begin and end."""
        return np.searchsorted(self.text, texts, "left"), np.searchsorted(self.text, texts, "right")


def as_groups(groups: npt.ArrayLike | None, rows: int) -> Positions | None:
    """Check the group keys of `rows` rows: integers, one a row, or None where all rows are compared.

    Raises:
        UsageError: keys that are no integers, or another number of them.
    """
    if groups is None:
        return None
    keys = np.asarray(groups)
    if keys.shape != (rows,) or keys.dtype.kind not in "iu":
        raise UsageError(f"{rows:,} integer group keys are needed, got {keys.dtype} of shape {keys.shape}")
    return keys.astype(np.int64)


@kernel
def _hash_texts(data: Bytes, offsets: Offsets, out: Words) -> None:
    """FNV-1a over the bytes, then a multiplication and a shift so that the high bits depend on all of them."""
    for row in range(len(offsets) - 1):
        key = np.uint64(0xCBF29CE484222325)
        for at in range(offsets[row], offsets[row + 1]):
            key = np.uint64((key ^ np.uint64(data[at])) * np.uint64(0x100000001B3))
        key = np.uint64((key ^ (key >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15))
        out[row] = key ^ (key >> np.uint64(29))


@kernel
def is_same(
    left_data: Bytes, left_start: int, left_stop: int, right_data: Bytes, right_start: int, right_stop: int
) -> bool:
    """Whether two stretches of bytes are equal."""
    if left_stop - left_start != right_stop - right_start:
        return False
    for step in range(left_stop - left_start):  # noqa: SIM110 - numba compiles loops, not generators
        if left_data[left_start + step] != right_data[right_start + step]:
            return False
    return True


@kernel
def _same_texts(
    left_data: Bytes, left_offsets: Offsets, right_data: Bytes, right_offsets: Offsets, lefts: Positions,
    rights: Positions, out: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    for i in range(len(lefts)):
        a, b = lefts[i], rights[i]
        out[i] = is_same(
            left_data, left_offsets[a], left_offsets[a + 1], right_data, right_offsets[b], right_offsets[b + 1]
        )


@kernel
def _first_in_bucket(data: Bytes, offsets: Offsets, packed: Words, out: Positions) -> None:
    """Within each run of equal high halves, link every row to the first row of the run with the very same text."""
    low_half = np.uint64(0xFFFFFFFF)
    opened = 0
    for at in range(len(packed)):
        if packed[at] >> np.uint64(32) != packed[opened] >> np.uint64(32):
            opened = at
        row = np.int64(packed[at] & low_half)
        out[row] = row
        for before in range(opened, at):
            other = np.int64(packed[before] & low_half)
            if out[other] != other:
                continue  # a repeat of a text that an earlier entry has
            if is_same(data, offsets[other], offsets[other + 1], data, offsets[row], offsets[row + 1]):
                out[row] = other
                break
