"""Reading raw files: every line has a place, and every line that cannot be read is refused or counted."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from emollms.corpora.lines import CONTROL, LONGEST, CsvLines, as_text, name_of, skip_line
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.corpora.records import CellError, LeftOut, Record
from emollms.errors import Place, SourceError, UsageError

__all__ = ["CHECK_AGAIN", "CellError", "LeftOut", "Record", "Source"]  # all that a builder needs, in one place

CHECK_AGAIN = "get the file again with `emollms corpora fetch`, or leave the row out with --quarantine"


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
    def _open(self, file: SourceFile) -> Iterator[BufferedReader]:
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
            while raw := stream.readline(LONGEST):
                number += 1
                if len(raw) == LONGEST and not raw.endswith(b"\n"):
                    self.refuse(self.place(file, number), "line is longer than 1 MiB", as_text(raw))
                    skip_line(stream)
                elif (line := self._decode(file, number, raw)) is not None:
                    yield number, line

    def _decode(self, file: SourceFile, number: int, raw: bytes) -> str | None:
        end = 2 if raw.endswith(b"\r\n") else 1 if raw.endswith(b"\n") else 0
        self.defects["CRLF line end"] += end == 2
        raw = raw[: len(raw) - end]
        if control := CONTROL.search(raw):
            self.refuse(self.place(file, number), name_of(control), as_text(raw[max(0, control.start() - 20) :]))
            return None
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            problem = f"byte {error.start + 1} of the line is not UTF-8"
            self.refuse(self.place(file, number), problem, as_text(raw[error.start : error.start + 40]))
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
            SourceError: it differs; in quarantine that is only counted, and a file without rows is noted.
        """
        if file.rows is None or rows == file.rows:
            return
        if not rows or not self.quarantine:
            self.refuse(self.place(file), f"{rows} rows instead of {file.rows}", None)
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
        lines = CsvLines(self._lines_with_quotes(file))
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
