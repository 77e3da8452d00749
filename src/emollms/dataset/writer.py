"""Parquet files of a data set, and a hash of what is in them."""

import hashlib
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.dataset.schema import ROW_SCHEMA

LEAST, MEAN_FURTHER, MOST = 1_000, 2_000, 8_000
"""Rows of a group: at least; how many follow these on average; at most."""
KEYS = ("id", "text", "text_a")
"""The column whose values decide where groups end: the first of these that a table has, else its first one."""


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


SHARD_ROWS = 1_000_000
REPEATING = (
    "task", "emotion", "perspective", "language", "corpus", "completion", "gold", "cluster", "reason", "kind",
    "labels.list.element", "overlaps.list.element",
)  # fmt: skip


class TableWriter:
    """Writes rows into `<stem>-00000.parquet`, and on into further files every million rows.

    Row groups are cut where the content says so, and hold a page a column, so that a few new rows change few bytes of a
    file and a version uploads quickly.

    Args:
        stem: path of the files without number and ending.
        schema: the columns.
        shard_rows: rows after which a new file begins.
    """

    def __init__(self, stem: Path, schema: pa.Schema, shard_rows: int = SHARD_ROWS) -> None:
        self.stem, self.schema, self.shard_rows = stem, schema, shard_rows
        self.files: list[Path] = []
        self.rows = 0
        self.bytes = 0
        self._content = ContentHash(schema)
        self._groups = RowGroups(schema)
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "TableWriter":
        """Make the folder; the first file comes with the first rows."""
        self.stem.parent.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits and close the open file; a table without rows gets one empty file."""
        if kind is None and self._writer is None:
            self._open()
        if self._writer is not None:
            if kind is None:
                self._write(self._groups.rest())
            self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        if self._writer is None or self.rows >= self.shard_rows * len(self.files):
            self._open()
        self._write(self._groups.add(batch))
        self._content.update(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def content_hash(self) -> str:
        """A hash of the rows written, in hexadecimal; it does not depend on how parquet stores them."""
        return self._content.hexdigest()

    def _write(self, groups: Iterable[pa.RecordBatch]) -> None:
        assert self._writer is not None
        for group in groups:
            self._writer.write_batch(group)
            del group
            pa.default_memory_pool().release_unused()  # else the pool keeps what the encoder of each group has taken

    def _open(self) -> None:
        if self._writer is not None:
            self._write(self._groups.rest())
            self._writer.close()
        path = self.stem.with_name(f"{self.stem.name}-{len(self.files):05d}.parquet")
        self.files.append(path)
        self._writer = pq.ParquetWriter(
            path,
            self.schema,
            compression="zstd",
            use_dictionary=[name for name in REPEATING if name.split(".")[0] in self.schema.names],
            write_statistics=[field.name for field in self.schema if _has_limits(field)],
        )


class LanguageTables:
    """The rows of a task and split, written into `<stem>-<language>-00000.parquet`: a table for each language.

    Args:
        stem: path of the files without language, number and ending.
        schema: the columns; one of them is `language`, where `write` is to tell the languages apart.

    Attributes:
        of_language: the tables by language.
    """

    def __init__(self, stem: Path, schema: pa.Schema) -> None:
        self.stem, self.schema = stem, schema
        self.of_language: dict[str, TableWriter] = {}
        self._open = ExitStack()

    def __enter__(self) -> "LanguageTables":
        """Begin; a table comes with the first rows of its language."""
        return self

    def __exit__(self, *raised: Any) -> None:
        """Close all tables."""
        self._open.__exit__(*raised)
        self.of_language = dict(sorted(self.of_language.items()))  # the order in which readers find the files

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows, each to the table of its language."""
        for language in pc.unique(batch["language"]).to_pylist():
            self.table(language).write(batch.filter(pc.equal(batch["language"], language)))

    def table(self, language: str) -> TableWriter:
        """The table of a language, to write its rows into."""
        if language not in self.of_language:
            table = TableWriter(self.stem.with_name(f"{self.stem.name}-{language}"), self.schema)
            self.of_language[language] = self._open.enter_context(table)
        return self.of_language[language]

    @property
    def files(self) -> list[Path]:
        """The files, in the order of the languages."""
        return [path for table in self.of_language.values() for path in table.files]

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return sum(table.rows for table in self.of_language.values())

    @property
    def bytes(self) -> int:
        """Their size in memory."""
        return sum(table.bytes for table in self.of_language.values())

    def content_hash(self) -> str:
        """A hash of the rows of all languages, in hexadecimal."""
        parts = "".join(f"{language}={table.content_hash()};" for language, table in self.of_language.items())
        return hashlib.sha256(parts.encode()).hexdigest()


def open_table(stem: Path, by_language: bool, schema: pa.Schema = ROW_SCHEMA) -> TableWriter | LanguageTables:
    """The writer of a task and split, with a table for each language or one for all."""
    return LanguageTables(stem, schema) if by_language else TableWriter(stem, schema)


def language_of(path: Path) -> str | None:
    """The language that a file has to itself, by its name; None where it has all."""
    return path.stem.partition("-")[2].rpartition("-")[0] or None


def record_set(path: Path) -> str:
    """What a file holds, by its name: split, language where it has one of its own, and number beyond the first file."""
    stem, _, number = path.stem.rpartition("-")
    return f"{stem}-{int(number)}" if int(number) else stem


def _has_limits(field: pa.Field) -> bool:
    """Whether the least and the greatest value of a column help to find rows; those of long texts only take room."""
    return field.name in REPEATING or not (pa.types.is_string(field.type) or pa.types.is_list(field.type))


@contextmanager
def one_table(path: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """A writer for a table that is one file, `path`, however long it gets."""
    with TableWriter(path.with_suffix(""), schema, shard_rows=sys.maxsize) as table:
        yield table
    table.files[0].rename(path)


class ContentHash:
    """SHA-256 over the values of each column, whatever the batches they came in.

    Args:
        schema: the columns: strings, numbers and lists of strings.
    """

    def __init__(self, schema: pa.Schema) -> None:
        empty = pa.RecordBatch.from_pylist([], schema)
        self._columns = {name: [hashlib.sha256() for _ in _value_bytes(empty[name])] for name in schema.names}
        self._schema = schema

    def update(self, batch: pa.RecordBatch) -> None:
        """Take in rows."""
        for name, digests in self._columns.items():
            for digest, values in zip(digests, _value_bytes(batch[name]), strict=True):
                digest.update(values)

    def hexdigest(self) -> str:
        """The hash of all rows so far."""
        columns = {
            f"{name}:{self._schema.field(name).type}": [digest.hexdigest() for digest in digests]
            for name, digests in self._columns.items()
        }
        return hashlib.sha256(json.dumps(columns).encode()).hexdigest()


def _value_bytes(array: pa.Array) -> list[memoryview]:
    """Lengths or validity, and the values of an array: as many streams of bytes as its type asks for."""
    if pa.types.is_list(array.type):
        return [_raw(pc.fill_null(pc.list_value_length(array), -1)), *_value_bytes(array.flatten())]
    if pa.types.is_string(array.type):
        return [_raw(pc.fill_null(pc.binary_length(array), -1)), _text_bytes(array)]
    numbers = array.cast(pa.uint8()) if pa.types.is_boolean(array.type) else array
    return [_raw(array.is_valid().cast(pa.uint8())), _raw(pc.fill_null(numbers, 0))]


def _text_bytes(array: pa.StringArray) -> memoryview:
    """The bytes of all texts one after the other; Arrow keeps them so, in the third buffer, from offset to offset."""
    _, offsets, data = array.buffers()
    if data is None:
        return memoryview(b"")
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[array.offset] : ends[array.offset + len(array)]]


def _raw(array: pa.Array) -> memoryview:
    return memoryview(array.to_numpy(zero_copy_only=False)).cast("B")
