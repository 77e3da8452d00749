"""Rows with their new columns, as files of every format: in parts while a run goes, and then one whole file."""

import csv
import gzip
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.annotation.columns import as_cell
from emollms.annotation.sources import WIDE, DelimitedSource, Format, JsonLinesSource, Rows, Source, TextFile
from emollms.errors import UsageError

_DELIMITERS: Mapping[str, str] = {"csv": ",", "tsv": "\t"}


class Writer:
    """Rows with their new columns, as bytes of a part of the output; parts follow each other.

    Args:
        format: what is written.
        source: what is read.
        names: the new columns, by the names that they get in the output.
        encoding: of text; that of the input where it is text of the same format.
    """

    def __init__(self, format: Format, source: Source, names: Sequence[str], encoding: str = "utf-8") -> None:
        self.format, self.source, self.names, self.encoding = format, source, list(names), encoding
        self.keeps = source.format == format and isinstance(source, DelimitedSource | JsonLinesSource)
        if isinstance(source, DelimitedSource | JsonLinesSource) and self.keeps:
            self.encoding = source.file.dialect.encoding
        self._begin = b""
        if self.encoding in WIDE:
            # Written once, in the order of the input: the codec itself would write it before every part.
            little, big = WIDE[self.encoding]
            self._begin = big if isinstance(source, TextFile) and source.begins_with(big) else little
            self.encoding += "-be" if self._begin == big else "-le"

    def header(self) -> bytes:
        """What precedes the first part.

        Raises:
            UsageError: the encoding of the input has no signs for the new names.
        """
        if self.format not in _DELIMITERS:
            return self._begin
        if isinstance(self.source, DelimitedSource) and self.keeps:
            header = self.source.header if not self._begin else self.source.header.removeprefix("\ufeff")
            return self._begin + self._bytes(header + self._tail(self.names) + self.source.end)
        return self._begin + self._bytes(self._line([*self.source.columns, *self.names]))

    def part(self, rows: Rows, own: pa.Table) -> bytes:
        """The bytes of some rows: a whole Parquet file, or lines.

        Args:
            rows: the rows of the input.
            own: the new columns, in the order of `names`.
        """
        if self.format == "parquet":
            table = rows.table()
            for name, column in zip(self.names, own.columns, strict=True):
                table = table.append_column(name, column)
            sink = io.BytesIO()
            pq.write_table(table, sink, compression="zstd")
            return sink.getvalue()
        values = own.to_pylist()
        if self.format == "jsonl":
            added = [dict(zip(self.names, row.values(), strict=True)) for row in values]
            if self.keeps and rows.raw is not None:
                shown = [json.dumps(row, ensure_ascii=False, allow_nan=False)[1:] for row in added]
                return self._bytes(
                    "".join(f"{raw[:-1].rstrip()}, {new}\n" for raw, new in zip(rows.raw, shown, strict=True))
                )
            before = rows.table().to_pylist()
            lines = (
                json.dumps({**row, **new}, ensure_ascii=False, default=str)
                for row, new in zip(before, added, strict=True)
            )
            return self._bytes("".join(f"{line}\n" for line in lines))
        cells = [[as_cell(value) for value in row.values()] for row in values]
        if self.keeps and rows.raw is not None:
            pairs = zip(rows.raw, cells, rows.ends, strict=True)
            return self._bytes("".join(f"{raw}{self._tail(new)}{end}" for raw, new, end in pairs))
        before_cells = ([as_cell(value) for value in row.values()] for row in rows.table().to_pylist())
        return self._bytes("".join(self._line([*row, *new]) for row, new in zip(before_cells, cells, strict=True)))

    def _tail(self, cells: Sequence[str]) -> str:
        assert isinstance(self.source, DelimitedSource)
        delimiter = self.source.file.delimiter or ","
        return delimiter + self._line(cells, delimiter, self.source.file.dialect.quotes).removesuffix("\n")

    def _line(self, cells: Sequence[str], delimiter: str | None = None, quotes: bool = True) -> str:
        delimiter = delimiter or _DELIMITERS[self.format]
        if not quotes:
            return delimiter.join(" ".join(cell.replace(delimiter, " ").split()) for cell in cells) + "\n"
        line = io.StringIO()
        csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(cells)
        return line.getvalue()

    def _bytes(self, text: str) -> bytes:
        try:
            return text.encode(self.encoding, "surrogateescape")
        except UnicodeEncodeError as error:
            sign = text[error.start : error.end][:20]
            raise UsageError(
                f"the encoding of the input, {self.encoding}, has no {sign!r}; write .parquet, or another format"
            ) from None


def write_parts(parts: Sequence[Path], header: bytes, format: Format, out: Path, gzipped: bool) -> None:
    """Put the parts of an output together in one file.

    Parts of Parquet become its row groups. The same parts give the same bytes, those of gzip too.
    """
    if format == "parquet":
        schema = pa.unify_schemas([pq.read_schema(part) for part in parts], promote_options="permissive")
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            for part in parts:
                writer.write_table(pq.read_table(part).cast(schema))
        return
    with out.open("wb") as raw:
        # No name and no time of writing in the header, or the bytes would differ from run to run.
        stream: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if gzipped else raw
        stream.write(header)
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, stream)
        if gzipped:
            stream.close()


def table_bytes(table: pa.Table, format: Format, gzipped: bool = False) -> bytes:
    """A table as a file of a format."""
    if format == "parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue()
    rows = table.to_pylist()
    if format == "jsonl":
        text = "".join(f"{json.dumps(row, ensure_ascii=False, default=str)}\n" for row in rows)
    else:
        lines = io.StringIO()
        writer = csv.writer(lines, delimiter=_DELIMITERS[format], lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows([as_cell(value) for value in row.values()] for row in rows)
        text = lines.getvalue()
    return gzip.compress(text.encode(), mtime=0) if gzipped else text.encode()


def format_of(out: Path) -> tuple[Format, bool]:
    """The format that an output's name asks for, and whether it is compressed.

    Raises:
        UsageError: its suffix is none that is written.
    """
    name = out.name.lower()
    stem, gzipped = (name[:-3], True) if name.endswith(".gz") else (name, False)
    for suffix, found in {
        ".csv": "csv",
        ".tsv": "tsv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".parquet": "parquet",
    }.items():
        if stem.endswith(suffix) and not (gzipped and found == "parquet"):
            return found, gzipped  # type: ignore[return-value]
    raise UsageError(
        f"--out {out}: its ending is none that is written; take .csv, .tsv or .jsonl, plain or with .gz, or .parquet"
    )
