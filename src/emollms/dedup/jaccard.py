"""Exact Jaccard similarity of the 4-gram sets of pairs of texts: what makes a candidate a near-duplicate."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from emollms.dedup.shingles import Bytes, Offsets, Positions, Scratch, Texts, Words, kernel, pack_grams, share_out

Similarities = npt.NDArray[np.float64]

_BLOCK = 4096  # pairs a worker takes at a time


class _GramSet:
    """Room for a set of grams: open addressing, a slot used only where its mark is the current one.

    Attributes:
        slots: uint64 of shape (size, 4): the two words of a gram, the mark, and a filler, so that two slots fill a
            cache line; size is a power of two, more than twice the grams of the longest text.
    """

    def __init__(self, longest: int) -> None:
        size = 1 << max(2 * longest, 8).bit_length()
        self.slots = np.zeros((size, 4), np.uint64)


def similarities(left: Texts, right: Texts, lefts: Positions, rights: Positions, threads: int = 1) -> Similarities:
    """The Jaccard similarity of `left[lefts[i]]` and `right[rights[i]]` for each i: float64 from 0 to 1.

    Pairs with the same left text side by side are cheaper, since its set is made once. Two texts without grams (both
    empty) have similarity 1.
    """
    out = np.empty(len(lefts), np.float64)

    def worker(blocks: Iterator[slice]) -> None:
        room = Scratch(max(left.longest, right.longest))
        ours, theirs = _GramSet(left.longest), _GramSet(right.longest)
        marks = np.zeros(2, np.uint64)
        for block in blocks:
            _compare(
                left.data, left.offsets, right.data, right.offsets, lefts[block], rights[block],
                room.first, room.rest, room.begins, ours.slots, theirs.slots, marks, out[block],
            )  # fmt: skip

    share_out(worker, len(lefts), _BLOCK, threads)
    return out


@kernel
def _compare(
    left_data: Bytes, left_offsets: Offsets, right_data: Bytes, right_offsets: Offsets, lefts: Positions,
    rights: Positions, first: Words, rest: Words, begins: Positions, ours: Words, theirs: Words, marks: Words,
    out: Similarities,
) -> None:  # fmt: skip
    size = 0
    for i in range(len(lefts)):
        if i == 0 or lefts[i] != lefts[i - 1]:
            grams = pack_grams(
                left_data, left_offsets[lefts[i]], left_offsets[lefts[i] + 1], first, rest, begins
            )  # fmt: skip
            marks[0] += np.uint64(1)
            size = 0
            for g in range(grams):
                size += _add(ours, marks[0], first[g], rest[g])
        grams = pack_grams(right_data, right_offsets[rights[i]], right_offsets[rights[i] + 1], first, rest, begins)
        marks[1] += np.uint64(1)
        shared = other = 0
        for g in range(grams):
            if _add(theirs, marks[1], first[g], rest[g]):
                other += 1
                shared += _holds(ours, marks[0], first[g], rest[g])
        union = size + other - shared
        out[i] = shared / union if union else 1.0


@kernel
def _place(slots: Words, first: np.uint64, rest: np.uint64) -> np.uint64:
    """The first slot to look at for a gram."""
    mixed = np.uint64((first ^ (rest * np.uint64(0xC2B2AE3D27D4EB4F))) * np.uint64(0x9E3779B97F4A7C15))
    return np.uint64((mixed >> np.uint64(32)) & np.uint64(slots.shape[0] - 1))


@kernel
def _add(slots: Words, mark: np.uint64, first: np.uint64, rest: np.uint64) -> int:
    """Add a gram to the set of `mark`; 1 if it was not there yet, otherwise 0."""
    place = _place(slots, first, rest)
    while slots[place, 2] == mark:
        if slots[place, 0] == first and slots[place, 1] == rest:
            return 0
        place = np.uint64((place + np.uint64(1)) & np.uint64(slots.shape[0] - 1))
    slots[place, 0], slots[place, 1], slots[place, 2] = first, rest, mark
    return 1


@kernel
def _holds(slots: Words, mark: np.uint64, first: np.uint64, rest: np.uint64) -> int:
    """1 if the set of `mark` holds the gram, otherwise 0."""
    place = _place(slots, first, rest)
    while slots[place, 2] == mark:
        if slots[place, 0] == first and slots[place, 1] == rest:
            return 1
        place = np.uint64((place + np.uint64(1)) & np.uint64(slots.shape[0] - 1))
    return 0
