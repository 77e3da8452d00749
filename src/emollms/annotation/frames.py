"""Texts as Python users have them: lists, columns and tables of pandas, polars, Arrow and `datasets`."""

import re
from collections.abc import Iterable, Mapping
from numbers import Number
from typing import Any

import pyarrow as pa

from emollms.errors import UsageError

_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def as_table(texts: Any, text_column: str, target_column: str | None = None) -> pa.Table:
    """A table of Arrow with the texts, and with all other columns where `texts` is a table.

    Args:
        texts: a table of pandas, polars, Arrow or `datasets`; a column of one of these; or any iterable of texts.
        text_column: the column of the texts; what a table of its own for plain texts calls it.
        target_column: a second column that is needed.

    Raises:
        UsageError: the table has no such column, or an element of an iterable is no text.
    """
    try:
        table = _table(texts)
    except (pa.ArrowException, UnicodeError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"the {type(texts).__name__} is no table that Arrow can hold: {reason}") from None
    if table is None:
        return pa.table({text_column: _texts(texts)})
    for name in [text_column, *([target_column] if target_column else [])]:
        if name not in table.column_names:
            shown = ", ".join(map(str, table.column_names))
            raise UsageError(f"no column {name!r}; there are {shown}; name the one with the texts as text_column")
    return table


def _table(texts: Any) -> pa.Table | None:
    """A table as one of Arrow; None for what is no table."""
    if isinstance(texts, pa.Table):
        return texts
    if isinstance(texts, pa.RecordBatch):
        return pa.Table.from_batches([texts])
    if isinstance(texts, pa.RecordBatchReader):
        return texts.read_all()
    if hasattr(texts, "collect") and hasattr(texts, "lazy"):  # polars, not computed yet
        texts = texts.collect()
    if hasattr(texts, "to_arrow") and hasattr(texts, "columns"):  # polars
        return texts.to_arrow()
    if hasattr(texts, "with_format") and hasattr(texts, "column_names"):  # datasets
        if isinstance(texts, Mapping):
            raise UsageError(f"give one split of {', '.join(texts)}, not all of them")
        # A stream has no length, and is read row by row.
        is_stream = not hasattr(texts, "__len__")
        return pa.Table.from_pylist(list(texts)) if is_stream else texts.with_format("arrow")[:]
    if hasattr(texts, "columns") and hasattr(texts, "iterrows"):  # pandas
        return pa.Table.from_pandas(_whole_signs(texts), preserve_index=False)
    return None


def _whole_signs(frame: Any) -> Any:
    """A frame of pandas without lone surrogates, which Arrow cannot hold."""
    for place, kind in enumerate(frame.dtypes):
        values = frame.iloc[:, place]
        if str(kind) == "object":  # other types of text are Arrow's
            mended = values.map(lambda value: readable(value) if isinstance(value, str) else value)
            frame = frame if mended.equals(values) else frame.assign(**{frame.columns[place]: mended})
    return frame


def _texts(texts: Iterable[Any]) -> pa.Array:
    if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
        raise UsageError(f"give a text, texts, or a table of them, not {type(texts).__name__}")
    values = list(texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else texts)
    for place, value in enumerate(values):
        if not isinstance(value, str) and not _is_missing(value):
            raise UsageError(f"element {place} is {type(value).__name__} and no text: {value!r}")
    return pa.array([readable(value) if isinstance(value, str) else None for value in values], pa.string())


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # comparing these gives no boolean
        return True
    return isinstance(value, Number) and bool(value != value)  # NaN is not itself


def readable(text: str) -> str:
    """A text that every program can read: bytes that are not in the encoding become the replacement character."""
    if text.isascii():
        return text
    # Lone surrogates that stand for no byte come from Python or from \ud800 in JSON.
    whole = _NO_BYTE.sub("\ufffd", text)
    return whole.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def texts_in(table: pa.Table, column: str) -> list[str | None]:
    """The texts of a column; what is no text is written as one (`7`), and null stays None.

    Raises:
        UsageError: the column holds lists or structs.
    """
    kind = table.schema.field(column).type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise UsageError(f"column {column!r} holds {kind} and no texts; name another one")
    values = table[column].to_pylist()
    return [value if isinstance(value, str) else None if _is_missing(value) else str(value) for value in values]


def is_table(texts: Any) -> bool:
    """Whether `texts` is a table, and no column or list."""
    return hasattr(texts, "columns") or hasattr(texts, "column_names")
