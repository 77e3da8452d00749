"""Buckets of band keys: all in memory, or, past a limit that the user sets, in files that are read one at a time.

On disk a text takes 8 bytes a band: 224 for the 28 bands of threshold 0.7.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from emollms.dedup.lsh import Banding, band_keys, sort_bucketed
from emollms.dedup.minhash import BLOCK
from emollms.dedup.shingles import Positions, Texts, Words
from emollms.errors import EmollmsError

KEY_BYTES = 4
_ENTRY_BYTES = 8


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
