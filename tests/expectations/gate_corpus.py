"""Data sets from made-up corpora, and damage done to them after they were built."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, object]


def rewrite(path: Path, change: Callable[[list[Row]], list[Row]]) -> None:
    """Change the rows of a parquet file."""
    table = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), table.schema), path)


def edit(number: int, **values: object) -> Callable[[list[Row]], list[Row]]:
    """A change of one row."""

    def change(rows: list[Row]) -> list[Row]:
        rows[number] |= values
        return rows

    return change
