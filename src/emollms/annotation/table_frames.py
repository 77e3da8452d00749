"""Tables as frames: files, tables of Arrow, pandas, polars or `datasets`, and what `annotate` returned."""

import re
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from emollms.annotation.columns import Annotations
from emollms.annotation.frames import as_table
from emollms.errors import UsageError
from emollms.tables.files import Dialect, table_file
from emollms.tables.read import read_table

TableLike: TypeAlias = str | Path | pa.Table | pd.DataFrame | Annotations | Any
"""A file by its name, or a table of Arrow, pandas, polars or `datasets`."""


def read_frame(table: TableLike, what: str, dialect: Dialect | None = None) -> tuple[pd.DataFrame, str]:
    """A table as a frame, and what errors call it; structs of `annotate --nested` become flat columns.

    Args:
        table: the table.
        what: what it is, such as `the annotated table`, for one without a file.
        dialect: how a text file is written.

    Raises:
        UsageError: there is no such file, it is no table, or it has no row.
        SourceError: a row of it is broken.
    """
    if isinstance(table, str | Path):
        found, name = read_table(table_file(Path(table), dialect)), str(table)
    elif isinstance(table, Annotations):
        found, name = table.to_arrow(), what
    else:
        names = table.column_names if hasattr(table, "column_names") else getattr(table, "columns", ())
        found, name = as_table(table, next(iter(map(str, names)), "text")), what
    if not found.num_rows:
        raise UsageError(f"{name} has no row")
    flat = _flat(found)
    return pd.DataFrame({column: _typed(flat[column].to_pylist()) for column in flat.column_names}), name


def text_of(value: Any) -> str | None:
    """A value as it is compared with others, such as an id: `7`, 7 and 7.0 are the same; None for nothing."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip() or None


def _flat(table: pa.Table) -> pa.Table:
    for place, one in reversed(list(enumerate(table.schema))):
        if pa.types.is_struct(one.type) and {"value", "confidence"} <= {part.name for part in one.type}:
            column = table.column(place).combine_chunks()
            table = table.remove_column(place)
            for offset, part in enumerate(one.type):
                name = one.name if part.name == "value" else f"{one.name}_{part.name}"
                table = table.add_column(place + offset, name, pa.chunked_array([column.field(offset)]))
    return table


def _typed(values: list[Any]) -> Any:
    """A column: of texts that are all numbers, the numbers."""
    if any(isinstance(value, list | dict) for value in values):
        return pd.Series(values, dtype=object)
    texts = [value.strip() if isinstance(value, str) else value for value in values]
    if any(isinstance(value, str) and value for value in texts):
        try:
            # Not "nan" and "inf": pandas would take these for numbers, too.
            numbers = [np.nan if text in (None, "") else _number(text) for text in texts]
            whole = all(re.fullmatch(r"[+-]?\d{1,15}", str(text)) for text in texts)
            return pd.Series(numbers, dtype=np.int64 if whole else np.float64)
        except (ValueError, TypeError):
            return pd.Series([None if text in (None, "") else str(text) for text in texts], dtype=object)
    return pd.Series([None if value == "" else value for value in values]).infer_objects()


def _number(text: Any) -> float:
    number = float(text)
    if not np.isfinite(number) or re.match(r"[+-]?0\d", str(text)):  # 007 is a name
        raise ValueError(text)
    return number
