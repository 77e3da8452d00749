"""Tables of any format, row by row or as Arrow tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.errors import SourceError, UsageError
from emollms.tables.delimited import DelimitedReader, check_names
from emollms.tables.files import TableFile, Warn, no_warning, text_lines
from emollms.tables.json_values import Values, json_values

BATCH = 8_192
"""Rows of a batch; while rows are read, memory grows with it and not with the file."""
TEXT = "text"
Item = TypeVar("Item")
_UNTYPED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table.

    Args:
        line: the line where it begins, from 1; in Parquet the number of the row.
        values: column name to value: text in CSV, TSV and `.txt`, else what the file holds; without the keys that a
            row of JSON lacks.
    """

    line: int
    values: Mapping[str, Any]


def table_rows(file: TableFile, warn: Warn = no_warning) -> Iterator[TableRow]:
    """The rows of a table, one after another.

    Args:
        file: the file.
        warn: is told what was read, and may be meant otherwise.

    Raises:
        UsageError: the file is empty, or has a header and no rows.
        SourceError: a row or the header is broken; the message tells file and line.
    """
    found = False
    for row in _rows(file, warn):
        found = True
        yield row
    if not found:
        raise _no_rows(file)


def read_table(file: TableFile, warn: Warn = no_warning) -> pa.Table:
    """A whole table.

    Columns of CSV, TSV and `.txt` are strings, so that `007`, `1e5`, `NA` and an empty cell stay what they are. Columns
    of JSON have the type of their values; where a row lacks a key, its value is null. Otherwise as `table_rows`.

    Raises:
        UsageError: the file is empty, or has a header and no rows.
        SourceError: a row or the header is broken, or a column of JSON has values of several types.
    """
    if file.format == "parquet":
        table = _parquet(file).read()
    elif file.delimiter:
        reader = DelimitedReader(file, warn)
        schema = pa.schema([(name, pa.string()) for name in reader.columns])
        table = pa.Table.from_batches(_string_batches((cells for _, cells in reader), schema), schema)
    elif file.format == "text":
        schema = pa.schema([(TEXT, pa.string())])
        table = pa.Table.from_batches(_string_batches(([text] for _, text in _texts(file, warn)), schema), schema)
    else:
        table = _json_table(file)
    if not table.num_rows:
        raise _no_rows(file)
    return table


def _no_rows(file: TableFile) -> UsageError:
    return UsageError(f"{file.name} has a header, and no rows" if file.delimiter else f"{file.name} is empty")


def _rows(file: TableFile, warn: Warn) -> Iterator[TableRow]:
    if file.format == "parquet":
        return _parquet_rows(file)
    if file.delimiter:
        reader = DelimitedReader(file, warn)
        return (TableRow(line, dict(zip(reader.columns, cells, strict=True))) for line, cells in reader)
    if file.format == "text":
        return (TableRow(line, {TEXT: text}) for line, text in _texts(file, warn))
    return (TableRow(line, value) for line, value in _objects(file))


def _texts(file: TableFile, warn: Warn) -> Iterator[tuple[int, str]]:
    for number, text in text_lines(file):
        if number == 1 and "\t" in text:
            warn(f"{file.name} is read as one text a line, and line 1 has tabs; for a table give --delimiter tab")
        yield number, text


def _string_batches(rows: Iterable[Sequence[str]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in in_batches(rows):
        columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
        yield pa.record_batch(columns, schema=schema)


def in_batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Lists of `size` items, and of what is left at the end."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _objects(file: TableFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a JSON file: objects, in a list or one after another."""
    listed, values = json_values(file)
    if file.format == "json" and not listed:
        values = _several(file, values)
    known = frozenset[str]()
    for line, value in values:
        if not isinstance(value, dict):
            hint = "; for one list use the suffix .json" if isinstance(value, list) else ""
            remedy = f"give objects, whose keys are the names of columns{hint}"
            raise SourceError(file.place(line), f"{_type_name(value)} where a row is needed", None, remedy)
        if not value.keys() <= known:
            check_names(file, line, list(value))
            known |= value.keys()
        yield line, value


def _several(file: TableFile, values: Values) -> Values:
    """Values one after another, which must be more than one."""
    first = next(values)
    second = next(values, None)
    if second is None:
        remedy = "give a list of objects, or JSON Lines with the suffix .jsonl"
        raise SourceError(file.place(first[0]), f"{_type_name(first[1])} alone is no table", None, remedy)
    return chain((first, second), values)


def _json_table(file: TableFile) -> pa.Table:
    """The rows of JSON as a table; each batch is typed by its values, and then all alike."""
    batches: list[pa.Table] = []
    begins: list[int] = []
    names: dict[str, None] = {}
    for rows in in_batches(_objects(file)):
        names |= dict.fromkeys(name for _, row in rows for name in row)
        if not names:
            raise SourceError(file.place(rows[0][0]), "objects without any key", None, "name the columns")
        batches.append(pa.table({name: _typed(file, name, rows) for name in names}))
        begins.append(rows[0][0])
    try:
        return pa.concat_tables(batches, promote_options="permissive") if batches else pa.table({})
    except _UNTYPED as error:
        raise _mixed(file, batches, begins, error) from None


def _typed(file: TableFile, name: str, rows: Sequence[tuple[int, dict[str, Any]]]) -> pa.Array:
    values = [row.get(name) for _, row in rows]
    try:
        return pa.array(values)
    except _UNTYPED as error:
        first = next(_type_name(value) for value in values if value is not None)
        for (line, _), value in zip(rows, values, strict=True):
            kind = _type_name(value)
            if value is not None and kind != first:
                problem = f"column {name!r} holds {kind} here, and {first} before"
                raise SourceError(file.place(line), problem, str(value), "give one type a column") from None
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                remedy = "write it as a text, in double quotes"
                raise SourceError(file.place(line), f"column {name!r} has no room", str(value), remedy) from None
        problem = f"column {name!r} has no one type, here or in a row after it ({error})"
        raise SourceError(file.place(rows[0][0]), problem, None, "give one type a column") from None


def _mixed(file: TableFile, batches: Sequence[pa.Table], begins: Sequence[int], error: Exception) -> SourceError:
    """The error for a column whose type changes between batches."""
    seen: dict[str, pa.DataType] = {}
    for batch, line in zip(batches, begins, strict=True):
        for field in batch.schema:
            before = seen.get(field.name, pa.null())
            try:
                pa.unify_schemas([pa.schema([(field.name, before)]), pa.schema([field])], promote_options="permissive")
            except _UNTYPED:
                problem = f"column {field.name!r} holds {field.type} from about here on, and {before} before"
                return SourceError(file.place(line), problem, None, "give one type a column")
            if not pa.types.is_null(field.type):
                seen[field.name] = field.type
    return SourceError(file.place(), f"columns of several types ({error})", None, "give one type a column")


def _type_name(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    names = {str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return names[type(value)]


def _parquet(file: TableFile) -> pq.ParquetFile:
    try:
        opened = pq.ParquetFile(file.path)  # read_table would make columns of folders named key=value
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(file.place(), f"no Parquet ({reason})", None, "write it again, or get it again") from None
    check_names(file, 0, opened.schema_arrow.names)
    return opened


def _parquet_rows(file: TableFile) -> Iterator[TableRow]:
    numbers = count(1)
    for batch in _parquet(file).iter_batches(BATCH):
        yield from (TableRow(next(numbers), row) for row in batch.to_pylist())
