"""Texts as Python users have them: lists, columns and tables of pandas, polars, Arrow and `datasets`."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from emollms.errors import UsageError


def as_table(texts: Any, text_column: str, target_column: str | None = None) -> pa.Table:
    """A table of Arrow with the texts, and with all other columns where `texts` is a table.

    Args:
        texts: a table of pandas, polars, Arrow or `datasets`; a column of one of these; or any iterable of texts.
        text_column: the column of the texts; what a table of its own for plain texts calls it.
        target_column: a second column that is needed.

    Raises:
        UsageError: the table has no such column, or an element of an iterable is no text.
    """
    if isinstance(texts, pa.Table):
        table = texts
    elif hasattr(texts, "to_arrow") and hasattr(texts, "columns"):  # polars
        table = texts.to_arrow()
    elif hasattr(texts, "with_format") and hasattr(texts, "column_names"):  # datasets
        table = texts.with_format("arrow")[:]
    elif hasattr(texts, "columns") and hasattr(texts, "iterrows"):  # pandas
        table = pa.Table.from_pandas(texts, preserve_index=False)
    else:
        return pa.table({text_column: _texts(texts)})
    for name in [text_column, *([target_column] if target_column else [])]:
        if name not in table.column_names:
            shown = ", ".join(map(str, table.column_names))
            raise UsageError(f"no column {name!r}; there are {shown}; name the one with the texts as text_column")
    return table


def _texts(texts: Iterable[Any]) -> pa.Array:
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise UsageError(f"give a text, texts, or a table of them, not {type(texts).__name__}")
    values = list(texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else texts)
    for place, value in enumerate(values):
        if not isinstance(value, str) and not _is_missing(value):
            raise UsageError(f"element {place} is {type(value).__name__} and no text: {value!r}")
    return pa.array([value if isinstance(value, str) else None for value in values], pa.string())


def _is_missing(value: Any) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")  # NaN is not itself


def texts_in(table: pa.Table, column: str) -> list[str | None]:
    """The texts of a column; what is no text is written as one (`7`), and null stays None.

    Raises:
        UsageError: the column holds lists or structs.
    """
    kind = table.schema.field(column).type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise UsageError(f"column {column!r} holds {kind} and no texts; name another one")
    return [value if value is None or isinstance(value, str) else str(value) for value in table[column].to_pylist()]
