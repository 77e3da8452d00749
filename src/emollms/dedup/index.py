"""Signatures to and from datasketch, so that an index can live in its storages, Redis among them, beyond a run."""

import pickle
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from datasketch import LeanMinHash, MinHash, MinHashLSH

from emollms.dedup.lsh import Banding
from emollms.dedup.minhash import SEED, Signatures
from emollms.errors import UsageError

SCHEME = "affine32"


def to_lean(signatures: Signatures, seed: int = SEED) -> list[LeanMinHash]:
    """One `datasketch.LeanMinHash` a row of `signatures` (uint32 of shape (texts, permutations))."""
    return [LeanMinHash(seed=seed, hashvalues=row, scheme=SCHEME) for row in signatures]


def to_minhash(signatures: Signatures, seed: int = SEED) -> list[MinHash]:
    """One `datasketch.MinHash` a row of `signatures`, which takes further grams (as UTF-8) by `update`."""
    permutations = MinHash(num_perm=signatures.shape[1], seed=seed, scheme=SCHEME).permutations
    return [MinHash(seed=seed, hashvalues=row, permutations=permutations, scheme=SCHEME) for row in signatures]


def from_minhashes(minhashes: Iterable[MinHash], seed: int = SEED) -> Signatures:
    """The signatures of MinHash or LeanMinHash objects: uint32 of shape (objects, permutations).

    Raises:
        UsageError: another scheme or seed, or signatures of different lengths.
    """
    rows = []
    for minhash in minhashes:
        if minhash.scheme != SCHEME or minhash.seed != seed:
            raise UsageError(
                f"a MinHash has scheme {minhash.scheme} and seed {minhash.seed}; {SCHEME} and {seed} are needed"
            )
        rows.append(minhash.hashvalues)
    if len({len(row) for row in rows}) > 1:
        raise UsageError("the MinHash objects have signatures of different lengths")
    return np.array(rows, np.uint32).reshape(len(rows), -1 if rows else 0)


def to_lsh(
    keys: Sequence[Hashable], signatures: Signatures, banding: Banding, storage: dict[str, Any] | None = None,
    seed: int = SEED,
) -> MinHashLSH:  # fmt: skip
    """A `datasketch.MinHashLSH` with these keys and signatures, in memory or in the storage that datasketch is told.

    Args:
        keys: one a row, no two equal.
        signatures: uint32 of shape (texts, banding.permutations).
        banding: bands and rows of the index; the same texts share a bucket as in the search.
        storage: datasketch's `storage_config`, such as {"type": "redis", "basename": b"...", "redis": {...}}.
        seed: of the signatures.

    Raises:
        UsageError: signatures whose length is not that of the banding, or another number of keys.
    """
    if signatures.shape != (len(keys), banding.permutations):
        raise UsageError(
            f"{len(keys)} keys and {banding.permutations} permutations do not fit signatures of {signatures.shape}"
        )
    index = MinHashLSH(
        num_perm=banding.permutations, params=(banding.bands, banding.rows), storage_config=storage
    )  # fmt: skip
    with index.insertion_session() as session:
        for key, minhash in zip(keys, to_lean(signatures, seed), strict=True):
            session.insert(key, minhash)
    return index


def from_lsh(index: MinHashLSH) -> tuple[list[Hashable], Signatures]:
    """The keys of an index in the order of its storage, and their signatures (its bands put together again).

    Keys that datasketch pickled (Redis) are unpickled, so read only from a storage that you trust.

    Raises:
        UsageError: an index that keeps a hash of its bands only (`hashfunc`).
    """
    if index.hashfunc is not None:
        raise UsageError("this MinHashLSH keeps hashes of its bands; signatures cannot be read back from it")
    stored = list(index.keys)
    out = np.empty((len(stored), index.b * index.r), np.uint32)
    for row, key in zip(out, stored, strict=True):
        row[:] = np.frombuffer(b"".join(index.keys.get(key)), np.uint32).byteswap()
    return [pickle.loads(key) if index.prepickle else key for key in stored], out
