"""Where a table is cut into row groups: where its rows say so, not after so many of them.

A row put into the middle of a table changes the group that it falls into, and perhaps the next one; the bytes of all
others stay as they were, so that a new version of a data set sends little to a Hub that knows the old one.
"""

import zlib
from collections.abc import Iterator

import pyarrow as pa

LEAST, MEAN_FURTHER, MOST = 1_000, 2_000, 8_000
"""Rows of a group: at least; how many follow these on average; at most."""
KEYS = ("id", "text", "text_a")
"""The column that is looked at: the first of these that a table has, else its first one."""


class RowGroups:
    """Rows in, row groups out; the groups do not depend on the batches in which the rows came.

    Args:
        schema: the columns of the table.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._key = next((name for name in KEYS if name in schema.names), schema.names[0])
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Take in rows; gives each group that is complete."""
        start = 0
        for end in self._ends(batch):
            self._waiting.append(batch.slice(start, end - start))
            yield from self.rest()
            start = end
        if start < batch.num_rows:
            self._waiting.append(batch.slice(start))

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The rows that wait, as the last group; nothing if there are none."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if waiting:
            yield pa.concat_batches(waiting)

    def _ends(self, batch: pa.RecordBatch) -> Iterator[int]:
        """The rows of a batch at which a group ends, each the first one that is not of it."""
        for row, value in enumerate(batch[self._key].cast(pa.binary()).to_pylist()):
            cut = self._rows >= LEAST and zlib.crc32(value or b"") % MEAN_FURTHER == 0
            if cut or self._rows == MOST:
                yield row
            self._rows += 1
