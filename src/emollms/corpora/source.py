"""Reading raw files: every line has a place, and every line that cannot be read is refused or counted."""

import csv
import hashlib
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from emollms.corpora.metadata import CorpusMetadata, SourceFile, Split
from emollms.errors import Place, SourceError, UsageError

Given = TypeVar("Given")
LONGEST_LINE = 1 << 20  # bytes; the longest real line is 3 KB, and a file without line ends must not fill memory
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")  # all but the tab and the line feed
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)
CHECK_AGAIN = "get the file again with `emollms corpora fetch`, or leave the row out with --quarantine"


class CellError(Exception):
    """A cell that cannot be read; `Record` raises it, the base class adds the place."""

    def __init__(self, problem: str, value: str | None) -> None:
        super().__init__(problem)
        self.problem, self.value = problem, value


@dataclass(frozen=True, slots=True)
class Record:
    """One raw row.

    Args:
        file: the file it stands in.
        line: its last line there, from 1.
        cells: column name to cell, as written.
    """

    file: SourceFile
    line: int
    cells: Mapping[str, str]

    @property
    def task(self) -> str:
        """The task of the row's file, which the table of files gives."""
        return _given(self.file.task)

    @property
    def split(self) -> Split:
        """The split of the row's file, which the table of files gives."""
        return _given(self.file.split)

    @property
    def language(self) -> str:
        """The language of the row's file, which the table of files gives."""
        return _given(self.file.language)

    def __getitem__(self, column: str) -> str:
        """The cell of a column, as written."""
        return self.cells[column]

    def number(self, column: str) -> float:
        """The cell of a column as a number, written in ASCII digits with a decimal point.

        Raises:
            CellError: it is none.
        """
        cell = self.cells[column]
        if not _NUMBER.fullmatch(cell):  # float() also takes 1_000, digits of other scripts, and spaces around
            raise CellError(f"{column} is not a number", cell)
        return float(cell)

    def flags(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of the 0/1 columns that hold 1.

        Raises:
            CellError: a cell is neither 0 nor 1.
        """
        for column in columns:
            if self.cells[column] not in ("0", "1"):
                raise CellError(f"{column} is neither 0 nor 1", self.cells[column])
        return tuple(column for column in columns if self.cells[column] == "1")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A raw row that was left out, and why.

    Args:
        place: where it stands.
        reason: why, in a few words.
        value: what stands there.
        source_id: its id, where it has one.
    """

    place: Place
    reason: str
    value: str | None
    source_id: str | None = None


@dataclass
class Source:
    """The folder of one corpus while it is read.

    Args:
        meta: the corpus.
        root: the folder that holds its files.
        quarantine: leave broken rows out, instead of stopping at the first.
        defects: how often each known defect was met and handled.
        left_out: rows left out since `take_left_out` was last called.
        refused: how many rows were refused in quarantine.
        first_refused: the first of them.
        hashes: SHA-256 of each file read so far, by path.
    """

    meta: CorpusMetadata
    root: Path
    quarantine: bool = False
    defects: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    refused: int = 0
    first_refused: LeftOut | None = None
    hashes: dict[str, str] = field(default_factory=dict)

    def refuse(self, place: Place, problem: str, value: str | None, remedy: str = CHECK_AGAIN) -> None:
        """Stop at a broken row, or, in quarantine, leave it out.

        Raises:
            SourceError: not in quarantine.
        """
        if not self.quarantine:
            raise SourceError(place, problem, value, remedy)
        self.refused += 1
        self.leave_out(LeftOut(place, problem, value))
        self.first_refused = self.first_refused or self.left_out[-1]

    def leave_out(self, row: LeftOut) -> None:
        """Leave a row out, for a reason that is no error of the file."""
        self.left_out.append(row)

    def take_left_out(self) -> list[LeftOut]:
        """The rows left out since the last call."""
        taken, self.left_out = self.left_out, []
        return taken

    def place(self, file: SourceFile, line: int = 0) -> Place:
        """The place of a line, as errors name it."""
        return Place(f"{self.meta.name}/{file.path}", line)

    def file(self, path: str) -> SourceFile:
        """The pinned file at `path`."""
        return next(file for file in self.meta.files if file.path == path)

    def check(self, file: SourceFile) -> None:
        """Hold a file against its pinned size and hash.

        Raises:
            UsageError: it is not there, or is no file.
            SourceError: it cannot be read, or differs; in quarantine that it differs is only counted, since each row
                is checked as well.
        """
        path = self.root / file.path
        if not path.is_file():
            state = "no file" if path.exists() else "missing"
            raise UsageError(f"{path} is {state}; run `emollms corpora show {self.meta.name}` to see how to get it")
        with self._open(file) as stream:
            found = self.hashes[file.path] = hashlib.file_digest(stream, "sha256").hexdigest()
        if found == file.sha256:
            return
        if not self.quarantine:
            raise SourceError(self.place(file), f"SHA-256 is not {file.sha256}", found, CHECK_AGAIN)
        self.defects["file differs from the pinned one"] += 1

    def size(self, path: str) -> int:
        """The size of a file in bytes."""
        return (self.root / path).stat().st_size

    @contextmanager
    def _open(self, file: SourceFile) -> Iterator[BinaryIO]:
        """Open a file; what the system says against it becomes an error of the source."""
        try:
            with (self.root / file.path).open("rb") as stream:
                yield stream
        except OSError as error:
            remedy = "see to the disk and the permissions, or get the file again with `emollms corpora fetch`"
            raise SourceError(self.place(file), "cannot be read", error.strerror or str(error), remedy) from error

    def lines(self, file: SourceFile) -> Iterator[tuple[int, str]]:
        """The lines of a UTF-8 file, with their numbers, without their ends.

        Lines with control characters, broken UTF-8 or more than 1 MiB are refused.
        """
        self.check(file)
        with self._open(file) as stream:
            number = 0
            while raw := stream.readline(LONGEST_LINE):
                number += 1
                if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                    self.refuse(self.place(file, number), "line is longer than 1 MiB", _as_text(raw))
                    _skip_line(stream)
                elif (line := self._decode(file, number, raw)) is not None:
                    yield number, line

    def _decode(self, file: SourceFile, number: int, raw: bytes) -> str | None:
        end = 2 if raw.endswith(b"\r\n") else 1 if raw.endswith(b"\n") else 0
        self.defects["CRLF line end"] += end == 2
        raw = raw[: len(raw) - end]
        if control := _CONTROL.search(raw):
            self.refuse(self.place(file, number), _name_of(control), _as_text(raw[max(0, control.start() - 20) :]))
            return None
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            problem = f"byte {error.start + 1} of the line is not UTF-8"
            self.refuse(self.place(file, number), problem, _as_text(raw[error.start : error.start + 40]))
            return None
        if number == 1 and line.startswith("\ufeff"):
            self.defects["byte order mark"] += 1
            line = line[1:]
        return line

    def table(
        self,
        file: SourceFile,
        columns: Sequence[str],
        *,
        delimiter: str = "\t",
        header: bool = True,
        quotes: bool = False,
        no_data: Callable[[Record], str | None] = lambda record: None,
    ) -> Iterator[Record]:
        """The rows of a delimited file; empty lines are passed over.

        Args:
            file: the file.
            columns: the columns it must have, in order.
            delimiter: what stands between cells.
            header: whether its first line names the columns.
            quotes: whether double quotes enclose cells (CSV), or are plain characters.
            no_data: why a row carries no data and is left out, or None; such rows are not among the pinned ones.
        """
        cells = self._quoted(file, delimiter) if quotes else self._plain(file, delimiter)
        if header and not self._header_is_right(file, next(cells, None), columns):
            self.defects["file left out as a whole"] += 1
            return
        rows = 0
        for line, row in cells:
            if len(row) != len(columns):
                problem = f"{len(row)} columns instead of {len(columns)}"
                self.refuse(self.place(file, line), problem, delimiter.join(row))
                continue
            record = Record(file, line, dict(zip(columns, row, strict=True)))
            if reason := no_data(record):
                self.leave_out(LeftOut(self.place(file, line), reason, row[1], source_id=row[0]))
                continue
            rows += 1
            yield record
        self.check_rows(file, rows)

    def check_rows(self, file: SourceFile, rows: int) -> None:
        """Hold the number of data rows against the pinned one.

        Raises:
            SourceError: it differs; in quarantine that is only counted.
        """
        if file.rows is None or rows == file.rows:
            return
        if not self.quarantine:
            raise SourceError(self.place(file), f"{rows} rows instead of {file.rows}", None, CHECK_AGAIN)
        self.defects["file has other rows than the pinned one"] += 1

    def _plain(self, file: SourceFile, delimiter: str) -> Iterator[tuple[int, list[str]]]:
        for number, line in self.lines(file):
            self.defects["double quote that is a plain character"] += '"' in line
            if line:
                yield number, line.split(delimiter)

    def _quoted(self, file: SourceFile, delimiter: str) -> Iterator[tuple[int, list[str]]]:
        """Rows whose cells may be quoted, and run over several lines, with the number of their last line.

        A quote that is not closed would take the rows after it along. So its line alone is refused, and reading goes
        on at the next one.
        """
        lines = _Lines(self._lines_with_quotes(file))
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.taken.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number, line = lines.give_back()
                self.refuse(self.place(file, number), f"broken quoting ({error})", line)
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
            else:
                if row:
                    yield lines.taken[-1][0], row

    def _lines_with_quotes(self, file: SourceFile) -> Iterator[tuple[int, str]]:
        for number, line in self.lines(file):
            self.defects["line with CSV quoting"] += '"' in line
            yield number, line

    def _header_is_right(self, file: SourceFile, first: tuple[int, list[str]] | None, columns: Sequence[str]) -> bool:
        if first is None:
            self.refuse(self.place(file), "the file is empty", None)
            return False
        missing = [column for column in columns if column not in first[1]]
        if missing:
            self.refuse(self.place(file, first[0]), f"column {missing[0]!r} is missing", "\t".join(first[1]))
        elif list(columns) != first[1]:
            self.refuse(self.place(file, first[0]), f"columns are not {', '.join(columns)}", "\t".join(first[1]))
        return list(columns) == first[1]


class _Lines:
    """Lines for `csv.reader`, which takes as many as a row needs.

    Args:
        lines: numbers and lines, without ends.
    """

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._waiting: deque[tuple[int, str]] = deque()
        self.taken: list[tuple[int, str]] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.taken.append(line)
        return line[1] + "\n"

    def give_back(self) -> tuple[int, str]:
        """Put back all taken lines but the first, and return that one."""
        first, *others = self.taken
        self._waiting.extendleft(reversed(others))
        return first


def _given(value: Given | None) -> Given:
    if value is None:
        raise TypeError("the table of files leaves this empty, and the builder asks for it")
    return value


def _name_of(control: re.Match[bytes]) -> str:
    code = control[0][0]
    names = {0: "NUL byte", 13: "carriage return inside the line"}
    return names.get(code, f"control character U+{code:04X}")


def _as_text(raw: bytes) -> str:
    return raw[:200].decode("utf-8", errors="backslashreplace").rstrip("\r\n")


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass
