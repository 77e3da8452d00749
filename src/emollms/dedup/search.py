"""How near-duplicates are searched for, and where the buckets of band keys are held meanwhile.

All in memory, or, past a limit that the user sets, in files that are read one at a time. On disk a text takes 8 bytes a
band: 224 for the 28 bands of threshold 0.7.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import numpy as np

from emollms.dedup.lsh import PERMUTATIONS, Banding, band_keys, sort_bucketed
from emollms.dedup.minhash import BLOCK, SEED
from emollms.dedup.shingles import Positions, Texts, Words
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.hardware import cores
from emollms.optional import require

THRESHOLD = 0.7
MIN_TOKENS = 6
Engine = Literal["numba", "dask", "spark"]
_MIN_MEMORY = 1 << 20
KEY_BYTES = 4
_ENTRY_BYTES = 8


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
        engine: what finds the pairs: `numba` in this process, or `dask` or `spark`, which hold no key limit.
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
    engine: Engine = "numba"
    permutations: int = PERMUTATIONS
    banding: Banding = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "banding", Banding.for_threshold(self.threshold, self.permutations))
        if self.threads < 0:
            raise UsageError(f"threads is a number of threads, or 0 for all cores, not {self.threads}")
        object.__setattr__(self, "threads", self.threads or cores())
        if self.memory is not None and self.memory < _MIN_MEMORY:
            raise UsageError(f"the memory limit is {self.memory:,} bytes; at least {_MIN_MEMORY:,} are needed")

    def check_engine(self) -> None:
        """Make sure that the engine can run, before anything is read.

        Raises:
            UsageError: its extra is not installed.
        """
        if self.engine not in get_args(Engine):
            raise unknown("engine", self.engine, get_args(Engine))
        if self.engine != "numba":
            require("dask.dataframe" if self.engine == "dask" else "pyspark", self.engine, f"--engine {self.engine}")

    def buckets(self, texts: Texts, rows: Positions) -> Iterator[Words]:
        """The sorted buckets of the texts in `rows`, in memory or from disk as the limit says."""
        keys = len(rows) * self.banding.bands * KEY_BYTES
        if self.memory is None or keys <= self.memory:
            return in_memory(texts, rows, self.banding, self.seed, self.threads)
        return on_disk(texts, rows, self.banding, self.seed, self.threads, self.memory, self.folder)


def in_memory(texts: Texts, rows: Positions, banding: Banding, seed: int, threads: int) -> Iterator[Words]:
    """Yield the sorted buckets (`lsh.sort_bucketed`) of one band after another; `threads` are sorted at a time."""
    keys = band_keys(texts, rows, banding, np.uint32, seed, threads)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, banding.bands, threads):
            yield from pool.map(sort_bucketed, keys[start : start + threads])


def on_disk(
    texts: Texts, rows: Positions, banding: Banding, seed: int, threads: int, memory: int, folder: Path | None
) -> Iterator[Words]:
    """Yield the same pairs' buckets as `in_memory` holding about `memory` bytes of keys, the rest in temporary files.

    Rows whose keys leave the same remainder share a file, so that a bucket is never split. The files are removed when
    the last bucket is read, or when reading stops.

    Raises:
        EmollmsError: the files cannot be written.
    """
    parts = -(-_ENTRY_BYTES * len(rows) // memory)
    try:
        with TemporaryDirectory(prefix="emollms-bands-", dir=folder) as name:
            # by the remainder of the key, not by row: equal keys meet in one file, so each file is sorted alone
            files = [[Path(name, f"{band}-{part}") for part in range(parts)] for band in range(banding.bands)]
            _write(texts, rows, banding, seed, threads, memory, files)
            for path in (path for band in files for path in band if path.exists()):
                packed = np.fromfile(path, np.uint64)
                packed.sort()
                path.unlink()
                yield packed
    except OSError as error:
        raise EmollmsError(f"band keys cannot be spilled to {folder or 'the temporary folder'}: {error}") from error


def _write(
    texts: Texts, rows: Positions, banding: Banding, seed: int, threads: int, memory: int, files: list[list[Path]]
) -> None:
    """Sign the rows in stretches that fit into `memory` and append each key to the file of its band and remainder."""
    stretch = max(BLOCK, memory // (banding.bands * KEY_BYTES + 3 * _ENTRY_BYTES))
    for start in range(0, len(rows), stretch):
        keys = band_keys(texts, rows[start : start + stretch], banding, np.uint32, seed, threads)
        positions = np.arange(start, start + keys.shape[1], dtype=np.uint64)
        for band, paths in zip(keys, files, strict=True):
            entries = band.astype(np.uint64) << np.uint64(32) | positions
            remainders = band % np.uint32(len(paths))
            for part, path in enumerate(paths):
                with path.open("ab") as file:
                    file.write(entries[remainders == part].tobytes())
