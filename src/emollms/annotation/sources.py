"""Tables of texts as they are read: every row in its place, the input's columns to the byte.

A row of CSV, TSV or JSON Lines is kept as it was written, and what is added follows it, so that quotes, numbers and
bytes that are not UTF-8 come out as they went in. Where the output has another format than the input, values are kept.
"""

import codecs
import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Literal, Protocol

import pyarrow as pa

from emollms.annotation.frames import readable
from emollms.errors import SourceError, UsageError
from emollms.tables.delimited import check_names
from emollms.tables.files import LONGEST, TableFile
from emollms.tables.read import TEXT, in_batches

Format = Literal["csv", "tsv", "jsonl", "parquet"]
_RETURN = "\udfff"
"""What a carriage return inside a line is for the reader, which takes no bare one; no file can hold this one."""
WIDE = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
"""Encodings whose byte order a file begins with."""
BROKEN = "the row has bytes that are not in its encoding"


@dataclass(frozen=True)
class Rows:
    """Some rows of an input.

    Args:
        texts: the text of each; None where there is none.
        targets: what is asked about, where the input has a column of that.
        notes: what must be said of a row.
        raw: each row as it was written, without its line end; None for Parquet and data sets.
        ends: the line end of each row of `raw`.
        table: makes a table of Arrow of the rows.
    """

    texts: Sequence[str | None]
    targets: Sequence[str | None]
    notes: Sequence[str | None]
    raw: Sequence[str] | None
    ends: Sequence[str]
    table: Callable[[], pa.Table]


class Source(Protocol):
    """An input: its columns, and its rows in windows."""

    columns: Sequence[str]
    """The names of its columns."""
    format: Format | None
    """How its rows are written; None where they are not text."""

    def check(self, on_rows: Callable[[int], None] = lambda rows: None) -> int:
        """Read it once without keeping anything; gives the number of rows.

        Raises:
            SourceError: a row is broken.
        """
        ...

    def windows(self, size: int) -> Iterator[Rows]:
        """Its rows, so many at a time."""
        ...


class TextFile:
    """Lines of a file, with a byte that is not in the encoding as a lone surrogate, which is written back as it was."""

    def __init__(self, file: TableFile) -> None:
        self.file = file

    @contextmanager
    def _open(self) -> Iterator[IO[str]]:
        opened: Any = gzip.open if self.file.gzipped else open
        encoding = self.file.dialect.encoding
        errors = (
            "strict" if encoding.startswith(tuple(WIDE)) else "surrogateescape"
        )  # a lone byte of these cannot be written back
        try:
            with opened(self.file.path, "rt", encoding=encoding, errors=errors, newline="\n") as stream:
                yield stream
        except UnicodeError as error:
            raise SourceError(self.file.place(), f"not {encoding} ({error})", None, "give its --encoding") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise SourceError(self.file.place(), "not whole gzip", str(error), "compress it again") from None

    def begins_with(self, mark: bytes) -> bool:
        """Whether the file begins with these bytes."""
        opened: Any = gzip.open if self.file.gzipped else open
        with opened(self.file.path, "rb") as stream:
            return bool(stream.read(len(mark)) == mark)


class DelimitedSource(TextFile):
    """CSV or TSV with a header.

    Args:
        file: the file.
        text_column: the column of the texts.
        target_column: the column of what is asked about, if there is one.

    Raises:
        UsageError: the file is empty, or has no such column.
    """

    format: Format | None

    def __init__(self, file: TableFile, text_column: str, target_column: str | None = None) -> None:
        super().__init__(file)
        self.format = "tsv" if file.delimiter == "\t" else "csv"
        with self._open() as stream:
            header = next(self._records(stream), None)
        if header is None:
            raise UsageError(f"{file.name} is empty")
        self.header, self.end, cells = header[1], header[2], list(header[3])
        cells[0] = cells[0].removeprefix("\ufeff")
        self.columns: Sequence[str] = cells
        check_names(file, 1, cells)
        self._text = column_place(file.name, cells, text_column)
        self._target = column_place(file.name, cells, target_column) if target_column else None

    def _records(self, stream: IO[str]) -> Iterator[tuple[int, str, str, list[str]]]:
        """Line, raw text, line end and cells of each record."""
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in stream:
                taken.append(line)
                body = line.removesuffix("\n").removesuffix("\r")
                yield body.replace("\r", _RETURN) + line[len(body) :]

        quoting: Any = csv.QUOTE_MINIMAL if self.file.dialect.quotes else csv.QUOTE_NONE
        reader = csv.reader(lines(), delimiter=self.file.delimiter or ",", quoting=quoting, strict=True)
        line = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                remedy = "close the quote, or give --no-quotes where quotes are plain characters"
                raise SourceError(self.file.place(line), str(error), taken[0][:80] if taken else None, remedy) from None
            if cells is None:
                return
            cells = [cell.replace(_RETURN, "\r") for cell in cells]
            whole = "".join(taken)
            raw = whole.removesuffix("\n").removesuffix("\r") if cells else ""
            yield line, raw, whole[len(raw) :] or "\n", cells
            line += len(taken)
            taken.clear()

    def _rows(self) -> Iterator[tuple[str, str, list[str]]]:
        width = len(self.columns)
        with self._open() as stream:
            records = self._records(stream)
            next(records)
            for line, raw, end, cells in records:
                if not cells and width > 1:  # an empty line is no row, but for a table of one column
                    continue
                if len(cells) > width:
                    remedy = "put double quotes around a cell with the delimiter in it"
                    problem = f"{len(cells)} cells, the header has {width}"
                    raise SourceError(self.file.place(line), problem, raw[:80], remedy)
                if len(cells) < width:
                    remedy = "add what is missing; an empty cell is written as nothing"
                    problem = f"{len(cells)} cells, the header has {width}"
                    if cells or width > 1:
                        raise SourceError(self.file.place(line), problem, raw[:80], remedy)
                yield raw, end, cells or [""]

    def check(self, on_rows: Callable[[int], None] = lambda rows: None) -> int:
        """See `Source.check`."""
        rows = 0
        for rows, _ in enumerate(self._rows(), 1):
            if not rows % 100_000:
                on_rows(rows)
        return rows

    def windows(self, size: int) -> Iterator[Rows]:
        """See `Source.windows`."""
        for some in in_batches(self._rows(), size):
            cells = [row for _, _, row in some]

            def table(cells: list[list[str]] = cells) -> pa.Table:
                columns = zip(*cells, strict=True)
                return pa.table(
                    {
                        name: pa.array([readable(value) for value in values], pa.string())
                        for name, values in zip(self.columns, columns, strict=True)
                    }
                )

            yield Rows(
                texts=[row[self._text] for row in cells],
                targets=[None if self._target is None else row[self._target] for row in cells],
                notes=[_note(raw) for raw, _, _ in some],
                raw=[raw for raw, _, _ in some],
                ends=[end for _, end, _ in some],
                table=table,
            )


class JsonLinesSource(TextFile):
    """JSON Lines: an object a line."""

    format: Format | None = "jsonl"

    def __init__(self, file: TableFile, text_column: str, target_column: str | None = None) -> None:
        super().__init__(file)
        self._text, self._target = text_column, target_column
        self._kinds: dict[str, set[type]] = {}
        first = next(self._rows(), None)
        if first is None:
            raise UsageError(f"{file.name} is empty")
        self.columns: Sequence[str] = list(first[2])
        for name in [text_column, *([target_column] if target_column else [])]:
            column_place(file.name, list(self.columns), name)

    def _rows(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        with self._open() as stream:
            for number, line in enumerate(stream, 1):
                raw = line.strip(" \t\r\n\ufeff")
                if not raw:
                    continue
                try:
                    value = json.loads(raw)
                except (ValueError, RecursionError) as error:
                    raise SourceError(
                        self.file.place(number), f"no JSON ({error})", raw[:80], "each line is one JSON object"
                    ) from None
                if not isinstance(value, dict) or not value:
                    raise SourceError(self.file.place(number), "no object", raw[:80], "each line is one JSON object")
                yield raw, "\n", value

    def check(self, on_rows: Callable[[int], None] = lambda rows: None) -> int:
        """See `Source.check`; the columns of all rows, and the types of their values, are then known."""
        rows = 0
        kinds: dict[str, set[type]] = {name: set() for name in self.columns}
        for rows, (_, _, value) in enumerate(self._rows(), 1):
            for name, one in value.items():
                kinds.setdefault(name, set()).add(str if _is_endless(one) else float if _is_huge(one) else type(one))
            if not rows % 100_000:
                on_rows(rows)
        self.columns, self._kinds = list(kinds), {name: found - {type(None)} for name, found in kinds.items()}
        return rows

    def windows(self, size: int) -> Iterator[Rows]:
        """See `Source.windows`."""
        for some in in_batches(self._rows(), size):
            values = [value for _, _, value in some]

            def table(values: list[dict[str, Any]] = values) -> pa.Table:
                # JSON has no types of columns: a value that is no text or number is kept as its JSON.
                columns = {name: [one.get(name) for one in values] for name in self.columns}
                return pa.table({name: _json_column(own, self._kinds.get(name)) for name, own in columns.items()})

            yield Rows(
                texts=[_as_text(one.get(self._text)) for one in values],
                targets=[_as_text(one.get(self._target)) if self._target else None for one in values],
                notes=[_note(raw) for raw, _, _ in some],
                raw=[raw for raw, _, _ in some],
                ends=["\n" for _ in some],
                table=table,
            )


class LinesSource(TextFile):
    """One text a line, in a column `text`."""

    format: Format | None = None
    columns: Sequence[str] = (TEXT,)

    def check(self, on_rows: Callable[[int], None] = lambda rows: None) -> int:
        """See `Source.check`."""
        with self._open() as stream:
            return sum(1 for _ in stream)

    def windows(self, size: int) -> Iterator[Rows]:
        """See `Source.windows`."""
        with self._open() as stream:
            for some in in_batches((line.rstrip("\r\n").removeprefix("\ufeff") for line in stream), size):
                texts = list(some)
                none = [None for _ in texts]
                column = pa.array([readable(text) for text in texts], pa.string())
                notes = [_note(text) for text in texts]
                yield Rows(texts, none, notes, None, [], lambda column=column: pa.table({TEXT: column}))  # type: ignore[misc]


def column_place(name: str, columns: Sequence[str], column: str) -> int:
    """The place of a column.

    Raises:
        UsageError: there is none of this name.
    """
    if column not in columns:
        raise UsageError(f"{name} has no column {column!r}; name the one with the texts: {', '.join(columns)}")
    return list(columns).index(column)


def _note(raw: str) -> str | None:
    return BROKEN if not raw.isascii() and any("\ud800" <= sign <= "\udfff" for sign in raw) else None


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _is_endless(value: Any) -> bool:
    return _is_huge(value) and abs(value) > sys.float_info.max


def _json_column(values: list[Any], kinds: set[type] | None) -> pa.Array:
    """A column of one type: that of all its values in the file; values of several types are kept as JSON."""
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and not any(map(_is_huge, values)):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = (value if value is None or isinstance(value, str) else json.dumps(value) for value in values)
    return pa.array([None if text is None else readable(text) for text in texts], pa.string())
