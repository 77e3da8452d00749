"""MinHash signatures of character 4-grams, bit for bit those of datasketch 2.0 with its default scheme `affine32`.

For a gram with the 32-bit hash h (the head of its SHA-1), the value under permutation k is a[k] * mix(h) + b[k] modulo
2^32, where mix is the finaliser of MurmurHash3 and a[k] is odd; the signature keeps the least value under each
permutation (datasketch/minhash.py, `_fmix` and `_init_permutations`).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from emollms.dedup.shingles import (
    GRAM,
    Bytes,
    Offsets,
    Positions,
    Scratch,
    Texts,
    Whole,
    Words,
    kernel,
    pack_grams,
    share_out,
)

Schedule = npt.NDArray[np.uint32]

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)


@kernel
def _rotate(word: np.uint32, by: int) -> np.uint32:
    return np.uint32((word << np.uint32(by)) | (word >> np.uint32(32 - by)))


@kernel
def _fill(data: npt.NDArray[np.uint8], start: int, stop: int, schedule: Schedule) -> None:
    """The padded block of `data[start:stop]` as sixteen big-endian words, then the sixty-four that follow from them."""
    schedule[:16] = np.uint32(0)
    for at in range(start, stop):
        place = at - start
        schedule[place >> 2] |= np.uint32(np.uint32(data[at]) << np.uint32(24 - 8 * (place & 3)))
    length = stop - start
    schedule[length >> 2] |= np.uint32(np.uint32(0x80) << np.uint32(24 - 8 * (length & 3)))
    schedule[15] = np.uint32(8 * length)
    for t in range(16, 80):
        mixed = schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16]
        schedule[t] = _rotate(np.uint32(mixed), 1)


@kernel
def sha1_head(data: npt.NDArray[np.uint8], start: int, stop: int, schedule: Schedule) -> np.uint32:
    """`datasketch.hashfunc.sha1_hash32(data[start:stop])`; `schedule` is room for eighty uint32."""
    _fill(data, start, stop, schedule)
    a, b, c, d, e = (
        np.uint32(_START[0]), np.uint32(_START[1]), np.uint32(_START[2]), np.uint32(_START[3]), np.uint32(_START[4])
    )  # fmt: skip
    for t in range(80):
        if t < 20:
            mixed, constant = (b & c) | (~b & d), np.uint32(0x5A827999)
        elif t < 40:
            mixed, constant = b ^ c ^ d, np.uint32(0x6ED9EBA1)
        elif t < 60:
            mixed, constant = (b & c) | (b & d) | (c & d), np.uint32(0x8F1BBCDC)
        else:
            mixed, constant = b ^ c ^ d, np.uint32(0xCA62C1D6)
        total = np.uint32(_rotate(a, 5) + np.uint32(mixed) + e + constant + schedule[t])
        a, b, c, d, e = total, a, _rotate(b, 30), c, d
    head = np.uint32(np.uint32(_START[0]) + a)
    swapped = (head >> np.uint32(24)) | ((head >> np.uint32(8)) & np.uint32(0xFF00))
    swapped |= ((head << np.uint32(8)) & np.uint32(0xFF0000)) | (head << np.uint32(24))
    return np.uint32(swapped)


Signatures = npt.NDArray[np.uint32]

SEED = 1
"""The seed that datasketch uses unless told otherwise."""

BLOCK = 1024  # rows signed at a time: with 196 permutations their signatures fill 800 kB and stay in the cache
_UNROLL = 8
_MEMO_BITS = 19
_WAYS = 4


def permutations(count: int, seed: int = SEED) -> tuple[Signatures, Signatures]:
    """The multipliers (odd) and offsets of `count` permutations, each uint32 of shape (count,)."""
    draw = np.random.RandomState(seed)
    odd = draw.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return odd, draw.randint(0, 1 << 32, count, dtype=np.uint32)


class Signer:
    """Signs rows of texts; one a worker, since it owns the room that its loops write to.

    With datasketch's hash, a gram met before is looked up in a table of 2^19 places (8 MB), where a newer gram takes
    the place of an older one, so that SHA-1, much the longest step, runs for few of them and the memory is bounded.

    Args:
        texts: the column.
        count: how many permutations.
        seed: of the permutations.
        sha1: whether grams are hashed as datasketch does it, or by a multiplication of their own 84 bits. A search
            that signs both sides itself needs no SHA-1, and is much faster without it.
    """

    def __init__(self, texts: Texts, count: int, seed: int = SEED, sha1: bool = True) -> None:
        self._sha1 = sha1
        self._texts, self._scratch = texts, Scratch(texts.longest)
        self._a, self._b = permutations(count, seed)
        self._memo = np.full((1 << _MEMO_BITS if sha1 else 0, 2), np.iinfo(np.uint64).max, np.uint64)
        self._hashes = np.empty(len(self._scratch.first) + _UNROLL, np.uint32)
        self._schedule = np.empty(80, np.uint32)

    def sign(self, rows: Positions, out: Signatures) -> None:
        """Write the signature of each of `rows` to `out`, uint32 of shape (len(rows), count)."""
        texts, room = self._texts, self._scratch
        _sign_rows(
            texts.data, texts.offsets, rows, self._a, self._b,
            room.first, room.rest, room.begins, self._hashes, self._memo, self._schedule, self._sha1, out,
        )  # fmt: skip


def signatures(texts: Texts, count: int, seed: int = SEED, threads: int = 1) -> Signatures:
    """Sign every text: uint32 of shape (texts, count), the largest uint32 throughout for an empty text."""
    out = np.empty((len(texts), count), np.uint32)
    rows = np.arange(len(texts), dtype=np.int64)

    def worker(blocks: Iterator[slice]) -> None:
        signer = Signer(texts, count, seed)
        for block in blocks:
            signer.sign(rows[block], out[block])

    share_out(worker, len(texts), BLOCK, threads)
    return out


@kernel
def _sign_rows(
    data: Bytes, offsets: Offsets, rows: Positions, a: Signatures, b: Signatures,
    first: Words, rest: Words, begins: Positions, hashes: Signatures, memo: Words, schedule: Schedule, sha1: bool,
    out: Signatures,
) -> None:  # fmt: skip
    for i in range(len(rows)):
        start, stop = offsets[rows[i]], offsets[rows[i] + 1]
        grams = pack_grams(data, start, stop, first, rest, begins)
        if sha1:
            _hash_grams(data, stop, grams, first, rest, begins, memo, schedule, hashes)
        else:
            _mix_grams(grams, first, rest, hashes)
        permute(hashes, grams, a, b, out[i])


@kernel
def _mix_grams(grams: int, first: Words, rest: Words, hashes: Signatures) -> None:
    """Hash each gram by multiplying its two words with odd numbers and keeping the high bits."""
    for g in range(grams):
        mixed = np.uint64((first[g] ^ (rest[g] * np.uint64(0xC2B2AE3D27D4EB4F))) * np.uint64(0x9E3779B97F4A7C15))
        hashes[g] = _finalise(np.uint32(mixed >> np.uint64(32)))


@kernel
def _hash_grams(
    data: Bytes, stop: int, grams: int, first: Words, rest: Words, begins: Positions, memo: Words, schedule: Schedule,
    hashes: Signatures,
) -> None:  # fmt: skip
    """Hash each gram as datasketch does it."""
    for g in range(grams):
        line = _line(first[g], rest[g])
        value = _recall(memo, line, first[g], rest[g])
        if value < 0:
            end = stop if grams == 1 else begins[g + GRAM]
            value = np.int64(_finalise(sha1_head(data, begins[g], end, schedule)))
            _learn(memo, line, first[g], rest[g], value)
        hashes[g] = np.uint32(value)


@kernel
def _line(first: np.uint64, rest: np.uint64) -> np.uint64:
    """Where the cache line of a gram begins in the memo."""
    mixed = np.uint64((first ^ (rest * np.uint64(0xC2B2AE3D27D4EB4F))) * np.uint64(0x9E3779B97F4A7C15))
    return np.uint64((mixed >> np.uint64(64 - _MEMO_BITS)) & ~np.uint64(_WAYS - 1))


@kernel
def _recall(memo: Words, line: np.uint64, first: np.uint64, rest: np.uint64) -> Whole:
    """The mixed hash of a gram if one of the four places of its line holds it, otherwise -1."""
    for way in range(_WAYS):
        place = line + np.uint64(way)
        if memo[place, 0] == first and memo[place, 1] >> np.uint64(32) == rest:
            return np.int64(memo[place, 1] & np.uint64(0xFFFFFFFF))
    return np.int64(-1)


@kernel
def _learn(memo: Words, line: np.uint64, first: np.uint64, rest: np.uint64, value: Whole) -> None:
    """Put (first, rest << 32 | hash) in the place of the line that the hash itself names."""
    place = line + np.uint64(value & (_WAYS - 1))
    memo[place, 0] = first
    memo[place, 1] = rest << np.uint64(32) | np.uint64(value)


@kernel
def _finalise(value: np.uint32) -> np.uint32:
    """The 32-bit finaliser of MurmurHash3 (`_fmix` in datasketch)."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))


@kernel
def permute(hashes: Signatures, count: int, a: Signatures, b: Signatures, out: Signatures) -> None:
    """Write the least of `a * hash + b` over the first `count` hashes to `out`, for each permutation.

    Eight hashes a turn: each loaded multiplier then serves eight products, and the compiler makes vectors of the
    permutations. The last hash is repeated to fill the eight; a minimum does not change by that.
    """
    out[:] = np.uint32(0xFFFFFFFF)
    for g in range(count, -(-count // _UNROLL) * _UNROLL):
        hashes[g] = hashes[count - 1]
    for g in range(0, count, _UNROLL):
        h0, h1, h2, h3 = hashes[g], hashes[g + 1], hashes[g + 2], hashes[g + 3]
        h4, h5, h6, h7 = hashes[g + 4], hashes[g + 5], hashes[g + 6], hashes[g + 7]
        for k in range(len(a)):
            m, c = a[k], b[k]
            low = min(np.uint32(m * h0 + c), np.uint32(m * h1 + c))
            low = min(low, min(np.uint32(m * h2 + c), np.uint32(m * h3 + c)))
            low = min(low, min(np.uint32(m * h4 + c), np.uint32(m * h5 + c)))
            low = min(low, min(np.uint32(m * h6 + c), np.uint32(m * h7 + c)))
            out[k] = min(out[k], low)
