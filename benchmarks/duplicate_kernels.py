"""The exact join that the benchmark measures recall against, and the rates of single kernels."""

import resource
import time
from typing import Any

import numpy as np
import pyarrow as pa
from duplicate_texts import make_texts

from emollms.dedup.jaccard import similarities
from emollms.dedup.minhash import permutations, permute, signatures
from emollms.dedup.reference import ReferenceIndex
from emollms.dedup.search import Search
from emollms.dedup.shingles import Scratch, Texts, kernel, pack_grams
from emollms.hardware import cores

THRESHOLD = 0.7


def exact_pairs(column: Any, candidates: np.ndarray | None) -> dict[int, float]:
    """Every pair at the threshold with its similarity; of `candidates` only, where they are given."""
    texts = Texts.of(column)
    if candidates is None:
        candidates = prefix_join(*ranked_grams(texts))
    left, right = (candidates >> np.uint64(32)).astype(np.int64), (candidates & np.uint64(0xFFFFFFFF)).astype(np.int64)
    jaccard = similarities(texts, texts, left, right, cores())
    near = jaccard >= THRESHOLD
    return dict(zip(candidates[near].tolist(), jaccard[near].tolist(), strict=True))


def ranked_grams(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """Each text's distinct grams as ranks from rare to common (uint32, sorted), and where each text's begin."""
    room = Scratch(texts.longest)
    grams = np.empty(int(texts.offsets[-1]) + 1, np.uint64)
    begins = np.empty(len(texts) + 1, np.int64)
    size = _gram_words(texts.data, texts.offsets, room.first, room.rest, room.begins, grams, begins)
    distinct, inverse, counts = np.unique(grams[:size], return_inverse=True, return_counts=True)
    rank = np.empty(len(distinct), np.uint32)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(distinct), dtype=np.uint32)
    return _sorted_sets(rank[inverse], begins)


@kernel
def _gram_words(data: Any, offsets: Any, first: Any, rest: Any, points: Any, grams: Any, begins: Any) -> int:
    filled = 0
    for row in range(len(offsets) - 1):
        begins[row] = filled
        count = pack_grams(data, offsets[row], offsets[row + 1], first, rest, points)
        for g in range(count):
            mixed = np.uint64((first[g] ^ (rest[g] * np.uint64(0xC2B2AE3D27D4EB4F))) * np.uint64(0x9E3779B97F4A7C15))
            grams[filled] = mixed ^ (mixed >> np.uint64(32))
            filled += 1
    begins[len(offsets) - 1] = filled
    return filled


@kernel
def _sorted_sets(ranks: Any, begins: Any) -> Any:
    filled = 0
    starts = np.empty_like(begins)
    for row in range(len(begins) - 1):
        part = np.sort(ranks[begins[row] : begins[row + 1]])
        starts[row] = filled
        for at in range(len(part)):
            if at == 0 or part[at] != part[at - 1]:
                ranks[filled] = part[at]
                filled += 1
    starts[len(begins) - 1] = filled
    return ranks[:filled], starts


def prefix_join(ranks: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """CandidatePairs by prefix filtering (Chaudhuri, Ganti, Kaushik 2006): no pair at the threshold is left out.

    Two sets of similarity t share a gram among the rarest |x| - ceil(t |x|) + 1 of each.
    """
    sizes = np.diff(starts)
    prefix = sizes - np.ceil(THRESHOLD * sizes - 1e-9).astype(np.int64) + 1
    rows = np.repeat(np.arange(len(sizes)), prefix)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(prefix) - prefix, prefix)
    keys = ranks[starts[rows] + within]
    order = np.argsort(keys, kind="stable")
    first = np.searchsorted(keys[order], np.arange(int(keys.max()) + 2))
    found = _join(ranks, starts, prefix, rows[order], first, np.empty(0, np.uint64))
    out = np.empty(found, np.uint64)
    _join(ranks, starts, prefix, rows[order], first, out)
    return np.sort(out)


@kernel
def _join(ranks: Any, starts: Any, prefix: Any, posted: Any, first: Any, out: Any) -> int:
    found = 0
    seen = np.full(len(prefix), -1, np.int64)
    for row in range(len(prefix)):
        size = starts[row + 1] - starts[row]
        for at in range(starts[row], starts[row] + prefix[row]):
            for place in range(first[ranks[at]], first[ranks[at] + 1]):
                other = posted[place]
                if other >= row:
                    break
                theirs = starts[other + 1] - starts[other]
                if seen[other] == row or min(size, theirs) < THRESHOLD * max(size, theirs) - 1e-9:
                    continue
                seen[other] = row
                if _shared(ranks, starts, row, other) * (1 + THRESHOLD) >= THRESHOLD * (size + theirs) - 1e-9:
                    if found < len(out):
                        out[found] = np.uint64(other) << np.uint64(32) | np.uint64(row)
                    found += 1
    return found


@kernel
def _shared(ranks: Any, starts: Any, row: int, other: int) -> int:
    """Grams in common, or fewer once the threshold is out of reach."""
    i, j, shared = starts[row], starts[other], 0
    i_end, j_end = starts[row + 1], starts[other + 1]
    needed = THRESHOLD / (1 + THRESHOLD) * (i_end - i + j_end - j) - 1e-9
    while i < i_end and j < j_end and shared + min(i_end - i, j_end - j) >= needed:
        a, b = ranks[i], ranks[j]
        shared += a == b
        i += a <= b
        j += b <= a
    return shared


@kernel
def _permute_many(times: int, hashes: Any, a: Any, b: Any, out: Any) -> None:
    for _ in range(times):
        permute(hashes, 64, a, b, out)


def permutation_rate(times: int = 100_000) -> dict[str, float]:
    """Billions of gram-permutations a second on one core: the permutations alone, and a whole signature."""
    hashes = np.random.default_rng(1).integers(0, 1 << 32, 72, dtype=np.uint32)
    a, b = permutations(196)
    out = np.empty(196, np.uint32)
    _permute_many(1, hashes, a, b, out)
    alone = 64 * 196 * times / _seconds(lambda: _permute_many(times, hashes, a, b, out)) / 1e9
    texts = Texts.of(make_texts(58_000))
    characters = sum(
        int((texts.data[start : start + (1 << 20)] & 0xC0 != 0x80).sum())
        for start in range(0, len(texts.data), 1 << 20)
    )
    grams = characters - 3 * len(texts)
    signatures(texts, 196)
    whole = grams * 196 / _seconds(lambda: signatures(texts, 196)) / 1e9
    return {"alone": round(alone, 2), "whole_signature": round(whole, 2), "share": round(whole / alone, 2)}


def stream_rate(rows: int) -> dict[str, float]:
    """Rows a second against an index of 16,709 texts, in batches of 65,536 normalised texts, and peak memory in MB."""
    column = make_texts(rows + 16_709)
    index, stream = ReferenceIndex(column[:16_709], search=Search(sha1=False)), column[16_709:]
    index.matches(stream[:100])

    def run() -> None:
        for start in range(0, rows, 65_536):
            index.matches(stream[start : start + 65_536])

    seconds = _seconds(run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "seconds": round(seconds, 2), "rows_a_second": round(rows / seconds), "peak_mb": round(peak)}


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(pa.__version__, permutation_rate(), stream_rate(100_000))
