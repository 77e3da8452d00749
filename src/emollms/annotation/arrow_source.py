"""Tables that have types: Parquet files, and data sets of the Hub."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.annotation.frames import texts_in
from emollms.annotation.sources import Format, Rows, column_place
from emollms.errors import SourceError
from emollms.tables.files import TableFile


class ArrowSource:
    """A table that has types: Parquet, or a data set of the Hub.

    Args:
        batches: gives its batches anew each time.
        schema: its columns.
        rows: how many rows it has.
        text_column: the column of the texts.
        target_column: the column of what is asked about, if there is one.
        name: what errors call it.
    """

    format: Format | None = None

    def __init__(
        self,
        batches: Callable[[int], Iterator[pa.RecordBatch]],
        schema: pa.Schema,
        rows: int,
        text_column: str,
        target_column: str | None = None,
        name: str = "the table",
    ) -> None:
        self._batches, self._count = batches, rows
        self.columns: Sequence[str] = schema.names
        self.schema = schema
        for column in [text_column, *([target_column] if target_column else [])]:
            column_place(name, list(schema.names), column)
        self._text, self._target = text_column, target_column

    def check(self, on_rows: Callable[[int], None] = lambda rows: None) -> int:
        """See `Source.check`."""
        return self._count

    def windows(self, size: int) -> Iterator[Rows]:
        """See `Source.windows`."""
        for table in _regrouped(self._batches(size), self.schema, size):
            targets = texts_in(table, self._target) if self._target else [None] * table.num_rows
            none = [None] * table.num_rows
            yield Rows(texts_in(table, self._text), targets, none, None, [], lambda table=table: table)  # type: ignore[misc]


def parquet_source(file: TableFile, text_column: str, target_column: str | None = None) -> ArrowSource:
    """A Parquet file.

    Raises:
        SourceError: it is none.
        UsageError: it has no such column.
    """
    try:
        opened = pq.ParquetFile(file.path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(file.place(), f"no Parquet ({reason})", None, "write it again, or get it again") from None
    return ArrowSource(
        # Not buffered ahead, or memory would grow with the row groups of the file.
        lambda size: pq.ParquetFile(file.path, pre_buffer=False).iter_batches(size),
        opened.schema_arrow,
        opened.metadata.num_rows,
        text_column,
        target_column,
        file.name,
    )


def _regrouped(batches: Iterator[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """Batches of any length as tables of `size` rows, whose borders are the same however the file is written."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= size:
            table = pa.Table.from_batches(waiting, schema)
            yield table.slice(0, size)
            rest = table.slice(size)
            waiting, count = rest.to_batches(), rest.num_rows
    if count:
        yield pa.Table.from_batches(waiting, schema)
