"""Texts as the kernels see them: UTF-8 bytes in an Arrow buffer, read as tokens and as character 4-grams.

A gram is four consecutive Unicode code points; a text of one to three code points is a gram by itself, an empty text
has none. Code points have 21 bits, so a gram fills two words: the first three code points in one, the fourth in the
other. Comparing the words compares the grams exactly, in any script.
"""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emollms.errors import UsageError

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


Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]

GRAM = 4
MAX_ROWS = 1 << 32
"""Rows that one search can number; beyond it the band and verify kernels run inside an engine for many machines."""

MAX_BYTES = 1 << 24
"""The longest text that can be compared; the room for its grams is about a hundred times as much."""

_ABSENT = 0x1FFFFF  # stands for the missing code points of a short text; Unicode ends at 0x10FFFF
_SPACE = 0x20
_NO_DATA = np.frombuffer(b"\0", np.uint8)  # read-only as Arrow's buffers are, so that the kernels compile once


@dataclass(frozen=True)
class Texts:
    """A column of texts without a copy: text i is the UTF-8 in `data[offsets[i]:offsets[i + 1]]`.

    Attributes:
        data: uint8 of shape (bytes,).
        offsets: int64 of shape (texts + 1,), ascending.
    """

    data: Bytes
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, column: Any) -> "Texts":
        """View an Arrow string array (or chunked array, or a list of str) as texts; null is an empty text.

        Raises:
            UsageError: the column holds something else than strings, or more rows than one search can number.
        """
        array = string_array(column)
        if len(array) >= MAX_ROWS:
            raise UsageError(f"{len(array):,} texts are too many for one search; the limit is {MAX_ROWS - 1:,}")
        _, offsets, data = array.buffers()
        view = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        texts = cls(np.frombuffer(data, np.uint8) if data is not None and data.size else _NO_DATA, view)
        if texts.longest > MAX_BYTES:
            row = int(np.diff(view).argmax())
            raise UsageError(f"row {row} has {texts.longest:,} bytes of text; at most {MAX_BYTES:,} can be compared")
        return texts

    def column(self) -> pa.LargeStringArray:
        """The texts as an Arrow array, without a copy."""
        return pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(self.offsets), pa.py_buffer(self.data))

    @property
    def longest(self) -> int:
        """The most bytes any text has."""
        return int(np.diff(self.offsets).max(initial=0))


def string_array(column: Any) -> Any:
    """One Arrow large_string array, nulls empty, out of a string array, a chunked array or a list of str."""
    array = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column, pa.large_string())
    kind = array.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UsageError(f"a column of strings is needed to compare texts, got one of type {kind}")
    array = array.cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count:
        array = array.fill_null("")
    return array if len(array) else pa.array([""], pa.large_string())[:0]


class Scratch:
    """Room for the grams of one text, one set a worker.

    Attributes:
        first, rest: the two words of each gram, uint64.
        begins: the byte at which each code point begins, then the end of the text, int64.
    """

    def __init__(self, longest: int) -> None:
        room = longest + 16
        self.first, self.rest = np.empty(room, np.uint64), np.empty(room, np.uint64)
        self.begins = np.empty(room, np.int64)


@kernel
def code_point(data: Bytes, at: int) -> tuple[Whole, int]:
    """The code point at byte `at` of valid UTF-8, and its length in bytes."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | np.int64(data[at + 1]) & 0x3F, 2
    tail = np.int64(data[at + 1]) & 0x3F, np.int64(data[at + 2]) & 0x3F
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | tail[0] << 6 | tail[1], 3
    return (lead & 0x07) << 18 | tail[0] << 12 | tail[1] << 6 | np.int64(data[at + 3]) & 0x3F, 4


@kernel
def pack_grams(data: Bytes, start: int, stop: int, first: Words, rest: Words, begins: Positions) -> int:
    """Write the grams of the text in `data[start:stop]`, repeated ones too, and return how many there are.

    `begins` gets the start of every code point and the end of the text, so gram g is the UTF-8 from `begins[g]` to
    `begins[min(g + 4, code points)]`.
    """
    oldest = older = old = new = np.int64(_ABSENT)
    seen, at = 0, start
    while at < stop:
        point, width = code_point(data, at)
        begins[seen] = at
        at += width
        seen += 1
        oldest, older, old, new = older, old, new, np.int64(point)
        if seen >= GRAM:
            first[seen - GRAM] = np.uint64(oldest | older << 21 | old << 42)
            rest[seen - GRAM] = np.uint64(new)
    begins[seen] = at
    if seen == 0 or seen >= GRAM:
        return max(seen - GRAM + 1, 0)
    first[0] = np.uint64(oldest | older << 21 | old << 42)
    rest[0] = np.uint64(new)
    return 1


@kernel
def is_unspaced(point: Whole) -> bool | np.bool:
    """Whether a code point belongs to a script written without spaces: Han, kana, Thai, Lao, Burmese, Khmer."""
    if point < 0x0E00:
        return False
    if point < 0x3040:
        return point < 0x0F00 or 0x1000 <= point < 0x10A0 or 0x1780 <= point < 0x1800
    return point < 0x3100 or 0x31F0 <= point < 0xA000 or 0xF900 <= point < 0xFB00 or 0x20000 <= point < 0x40000


@kernel
def count_tokens(data: Bytes, offsets: Offsets, tokens: npt.NDArray[np.int32]) -> None:
    """Count the tokens of each normalised text into `tokens` (int32, one a text).

    A token is a word between spaces; in a script without spaces, two characters (the length of a common Chinese word),
    so that the least text compared has about as many grams there as in English.
    """
    for row in range(len(offsets) - 1):
        words = unspaced = 0
        inside = False
        at = offsets[row]
        while at < offsets[row + 1]:
            point, width = code_point(data, at)
            at += width
            if is_unspaced(point):
                unspaced += 1
            elif point == _SPACE:
                inside = False
            elif not inside:
                inside = True
                words += 1
        tokens[row] = words + unspaced // 2
