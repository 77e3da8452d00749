"""Locality-sensitive hashing: texts whose signatures agree on all rows of one band become candidates.

Two texts of Jaccard similarity s agree on one band of r rows with probability s^r, so b bands find them with
probability 1 - (1 - s^r)^b (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emollms.dedup.minhash import BLOCK, SEED, Signatures, Signer
from emollms.dedup.shingles import Positions, Texts, Words, kernel, share_out
from emollms.errors import UsageError

PERMUTATIONS = 196
"""The most permutations that a banding uses."""

LOWEST = 0.1
"""The lowest threshold: below it even bands of one row miss more than `LEAST_RECALL` allows."""

LEAST_RECALL = 0.9
"""What a banding must find of the pairs that lie exactly on the threshold; it finds more of all others."""


@dataclass(frozen=True)
class Banding:
    """A signature cut into `bands` of `rows` values each; `bands * rows` permutations are computed."""

    bands: int
    rows: int

    @property
    def permutations(self) -> int:
        """The length of a signature."""
        return self.bands * self.rows

    def recall(self, similarity: float) -> float:
        """The probability that a pair of this Jaccard similarity becomes a candidate."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)

    @classmethod
    def for_threshold(cls, threshold: float, most: int = PERMUTATIONS) -> "Banding":
        """The banding of a threshold: the longest bands that still find 0.9 of the pairs exactly on it.

        With `most` = 196 permutations, 0.7 gives 28 bands of 7, 0.8 gives 21 of 9, 0.5 gives 49 of 4. Longer bands give
        fewer false candidates; never fewer than two bands, which is the least that datasketch takes.

        Raises:
            UsageError: a threshold outside 0.1 to 1.
        """
        if not LOWEST <= threshold <= 1:
            raise UsageError(f"the threshold is a Jaccard similarity from {LOWEST} to 1, not {threshold}")
        longest = most // 2
        choices = (cls(most // rows, rows) for rows in range(longest, 0, -1))
        return next(choice for choice in choices if choice.recall(threshold) >= LEAST_RECALL)


def band_keys(
    texts: Texts, rows: Positions, banding: Banding, width: type[np.unsignedinteger], seed: int = SEED,
    threads: int = 1, sha1: bool = True,
) -> npt.NDArray[np.unsignedinteger]:  # fmt: skip
    """The key of every band of the texts in `rows`: shape (bands, len(rows)), uint32 or uint64 as `width` says.

    With `sha1` the bands, and so the candidates, are those of datasketch; without it they are found much faster.

    Equal bands have equal keys. Unequal bands of n texts share a key of w bits in about n^2 / 2^(w + 1) pairs a band,
    which only cost a verification: 3,000 in all for a million texts at 32 bits.
    """
    out = np.empty((banding.bands, len(rows)), width)

    def worker(blocks: Iterator[slice]) -> None:
        signer = Signer(texts, banding.permutations, seed, sha1)
        room = np.empty((BLOCK, banding.permutations), np.uint32)
        for block in blocks:
            signed = room[: block.stop - block.start]
            signer.sign(rows[block], signed)
            fold(signed, banding.rows, out[:, block])

    share_out(worker, len(rows), BLOCK, threads)
    return out


@kernel
def fold(signed: Signatures, rows: int, out: npt.NDArray[np.unsignedinteger]) -> None:
    """Mix each band of `rows` values of each signature into one key; `out` has shape (bands, signatures)."""
    for i in range(signed.shape[0]):
        for band in range(out.shape[0]):
            key = np.uint64(band)  # the band's number: the same values in another band must give another key
            for value in signed[i, band * rows : (band + 1) * rows]:
                key = np.uint64((key ^ np.uint64(value)) * np.uint64(0x9E3779B97F4A7C15))
                key ^= key >> np.uint64(32)
            out[band, i] = key


def sort_bucketed(keys: npt.NDArray[np.unsignedinteger]) -> Words:
    """Pack each uint32 key with its position, `key << 32 | position`, and sort: equal keys stand side by side."""
    packed = keys.astype(np.uint64)
    packed <<= np.uint64(32)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    return packed


PARTNERS = 128
"""Entries of a bucket that each one is paired with, those after it: a template that fills a bucket with a hundred
thousand texts then gives thirteen million candidates, not five thousand million, and stays one cluster."""


class CandidatePairs:
    """Reads the pairs out of sorted buckets in chunks of bounded size.

    Args:
        capacity: the most pairs a chunk holds before repeated ones are taken out, 8 bytes each.
    """

    def __init__(self, capacity: int) -> None:
        self._room = np.empty(capacity, np.uint64)
        self._filled = 0

    def of(self, buckets: Iterator[Words]) -> Iterator[Words]:
        """Yield chunks of pairs `low << 32 | high` of positions in one bucket, each chunk sorted and without repeats.

        A pair can come again in a later chunk.
        """
        for packed in buckets:
            cursor = np.zeros(2, np.int64)
            while cursor[0] < len(packed):
                self._filled = _emit(packed, cursor, self._room, self._filled)
                if self._filled == len(self._room):
                    yield self._flush()
        if self._filled:
            yield self._flush()

    def _flush(self) -> Words:
        chunk = self._room[: self._filled]
        chunk.sort()
        self._filled = 0
        fresh: Words = chunk[np.concatenate(([True], chunk[1:] != chunk[:-1]))]
        return fresh


@kernel
def _emit(packed: Words, cursor: Positions, room: Words, filled: int) -> int:
    """Write pairs from `cursor` (an entry, and how far behind it its last partner stood) until `room` is full.

    Returns how full `room` is; the cursor stands at the end of `packed` when every pair is out.
    """
    low_half = np.uint64(0xFFFFFFFF)
    at, behind = cursor[0], cursor[1]
    while at < len(packed):
        partner = at + behind + 1
        # Entries are sorted, so the partners of one follow it until the key changes. At PARTNERS it stops: a bucket
        # then costs linear time, and the chain of pairs from entry to entry still connects all of it.
        if (
            behind == PARTNERS
            or partner >= len(packed)
            or packed[partner] >> np.uint64(32) != packed[at] >> np.uint64(32)
        ):
            at, behind = at + 1, 0
            continue
        if filled == len(room):
            break  # the cursor names the pair that comes next; the caller empties the room and calls again
        room[filled] = (packed[at] & low_half) << np.uint64(32) | (packed[partner] & low_half)
        filled += 1
        behind += 1
    cursor[0], cursor[1] = at, behind
    return filled
