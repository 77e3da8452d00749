"""How the compiled loops of this package are made and run on several cores."""

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

Whole = int | np.int64
"""A whole number inside a kernel, where numba has one type for both."""

Worker = Callable[[Iterator[slice]], None]
"""Takes blocks of rows from an iterator that it shares with the other workers, until none is left."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` to machine code, kept on disk, that runs without the interpreter lock.

    numba compiles again when the file of a function changes, not when that of a kernel it calls does: after an edit
    here, remove the `__pycache__` folders of this package.

    Not numba's own `parallel=True`: its thread pools stop the process when two Python threads or a forked child enter
    them, as the workers of Spark, Dask and pytest do; plain threads over blocks of rows have no such limit.
    """
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


def usable_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(worker: Worker, total: int, block: int, threads: int) -> None:
    """Run `threads` copies of `worker` over the rows 0..total in blocks of `block`.

    Which worker gets a block is chance, so a worker must write only to places that belong to its rows.
    """
    starts = itertools.count(0, block)  # next() on it is one step of the interpreter: no row is given out twice

    def blocks() -> Iterator[slice]:
        while (start := next(starts)) < total:
            yield slice(start, min(start + block, total))

    workers = min(threads, -(-total // block))
    if workers <= 1:
        worker(blocks())
        return
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(worker, blocks()) for _ in range(workers)]:
            done.result()
