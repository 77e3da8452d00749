"""Reading raw files: every line has a place, and every line that cannot be read is refused or counted."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from emollms.corpora.lines import Line, read_lines
from emollms.corpora.metadata import SourceFile
from emollms.corpora.quoting import QuotedRows
from emollms.corpora.record import CellError, Record
from emollms.corpora.sniff import json_cells
from emollms.corpora.source_folder import LeftOut, SourceFolder

__all__ = ["CellError", "LeftOut", "RawSource", "Record"]  # all that a builder needs, in one place

WHOLE = "file left out as a whole"
COLUMNS_IN_BUILDER = "name the file's own columns in the builder, or correct its first line"


class RawSource(SourceFolder):
    """The raw files of one corpus, and the readers for their formats; arguments as for `SourceFolder`."""

    def lines(self, file: SourceFile, encoding: str | None = None) -> Iterator[tuple[int, str]]:
        """The lines of a file, with their numbers, without their ends.

        Lines with control characters, bytes that are not of the encoding, or more than 1 MiB are refused.

        Args:
            file: the file.
            encoding: its encoding; None for the one that the table of files says, or UTF-8.
        """
        for line in self._read(file, encoding):
            if self._is_sound(file, line):
                yield line.number, line.text

    def groups(self, file: SourceFile, size: int, encoding: str | None = None) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Lines of a file in groups that make a row each, with the number of the last one.

        A group with a line that is refused is left out as a whole.

        Args:
            file: the file.
            size: how many lines make a row.
            encoding: as for `lines`.
        """
        group: list[Line] = []
        for line in self._read(file, encoding):
            group.append(line)
            if len(group) == size:
                if all(self._is_sound(file, one) for one in group):
                    yield line.number, tuple(one.text for one in group)
                group = []
        if group:
            problem = f"the last row has {len(group)} of {size} lines"
            self.refuse(self.place(file, group[-1].number), problem, group[0].text)

    def side_by_side(self, *, encoding: str | None = None, **files: SourceFile) -> Iterator[Record]:
        """The rows of files that are read in step, such as one of texts and one of labels: a line of each is a row.

        A row with a line that is refused is left out as a whole, and so are files of unequal length in quarantine,
        since any row before the end may be a pair that does not belong together.

        Args:
            encoding: as for `lines`, of all of them.
            files: the files by the name of the column that they become; records are about the first.
        """
        first = next(iter(files.values()))
        if not self._are_equally_long(list(files.values()), encoding):
            self.defects[WHOLE] += len(files)
            return
        rows = 0
        for lines in zip(*(self._read(file, encoding) for file in files.values()), strict=True):
            rows += 1
            if all(self._is_sound(file, line) for file, line in zip(files.values(), lines, strict=True)):
                cells = {name: line.text for name, line in zip(files, lines, strict=True)}
                yield Record(first, lines[0].number, cells)
        for file in files.values():
            self.check_rows(file, rows)

    def _are_equally_long(self, files: Sequence[SourceFile], encoding: str | None) -> bool:
        lengths = {}
        for file in files:
            self.check(file)
            with self._open(file) as stream:
                lengths[file.path] = sum(1 for _ in read_lines(stream, self._encoding(file, encoding), Counter()))
        shortest = min(files, key=lambda file: lengths[file.path])
        for file in files:
            if lengths[file.path] > lengths[shortest.path]:
                there = f"{self.place(shortest)}, which has {lengths[shortest.path]} lines"
                problem = f"line without a partner in {there}; this file has {lengths[file.path]}"
                remedy = "files that are read side by side must have the same number of lines; see where one is missing"
                self.refuse(self.place(file, lengths[shortest.path] + 1), problem, None, remedy)
        return len(set(lengths.values())) == 1

    def table(
        self,
        file: SourceFile,
        columns: Sequence[str] | None = None,
        *,
        delimiter: str = "\t",
        header: bool = True,
        quotes: bool = False,
        line_breaks: bool = False,
        encoding: str | None = None,
        no_data: Callable[[Record], str | None] = lambda record: None,
    ) -> Iterator[Record]:
        """The rows of a delimited file; empty lines are passed over.

        Args:
            file: the file.
            columns: the columns it must have, in order; None for those that its header names.
            delimiter: what is between cells.
            header: whether its first line names the columns.
            quotes: whether double quotes enclose cells (CSV), or are plain characters.
            line_breaks: whether a quoted cell over several lines is right even where most of these lines would make a
                row of their own. Without it such a row is refused: a quote that opens by accident looks the same.
            encoding: as for `lines`.
            no_data: why a row carries no data and is left out, or None; such rows are not among the pinned ones.

        Raises:
            ValueError: the columns are no sequence of different names, or neither they nor a header are there.
        """
        if columns is None:
            columns = self._header(file, delimiter, quotes, encoding) if header else ()
        if isinstance(columns, str) or len(set(columns)) < len(columns) or not columns:
            raise ValueError(f"columns must be a tuple of different names, not {columns!r}")
        lines = self._read(file, encoding)
        if quotes:
            cells = self._quoted(file, QuotedRows(self._with_quotes(lines), delimiter, len(columns), line_breaks))
        else:
            cells = self._plain(file, lines, delimiter)
        if header and not self._header_is_right(file, next(cells, None), columns):
            self.defects[WHOLE] += 1
            return
        rows = 0
        for line, row in cells:
            if len(row) != len(columns):
                problem = f"{len(row)} columns instead of {len(columns)}"
                self.refuse(self.place(file, line), problem, delimiter.join(row))
                continue
            record = Record(file, line, dict(zip(columns, row, strict=True)))
            if reason := no_data(record):
                self.leave_out(LeftOut(self.place(file, line), reason, row[min(1, len(row) - 1)], source_id=row[0]))
                continue
            rows += 1
            yield record
        self.check_rows(file, rows)

    def objects(
        self,
        file: SourceFile,
        *,
        encoding: str | None = None,
        no_data: Callable[[Record], str | None] = lambda record: None,
    ) -> Iterator[Record]:
        """The rows of JSON Lines, an object a line: numbers as written, lists joined by commas, null as nothing.

        What an object inside has is named by both: `{"scores": {"joy": 3}}` is the column `scores.joy`.

        Args:
            file: the file.
            encoding: as for `lines`.
            no_data: as for `table`.
        """
        rows = 0
        for number, line in self.lines(file, encoding):
            try:
                found = json.loads(line, parse_int=str, parse_float=str) if line.strip() else None
            except json.JSONDecodeError as error:
                self.refuse(self.place(file, number), f"no JSON ({error.msg})", line, reason="no JSON")
                continue
            if found is None:
                continue
            if not isinstance(found, dict):
                self.refuse(self.place(file, number), "a line is no JSON object", line)
                continue
            record = Record(file, number, json_cells(found))
            if reason := no_data(record):
                self.leave_out(LeftOut(self.place(file, number), reason, line))
                continue
            rows += 1
            yield record
        self.check_rows(file, rows)

    def _header(self, file: SourceFile, delimiter: str, quotes: bool, encoding: str | None) -> Sequence[str]:
        """The cells of the first line of a file."""
        self.check(file)
        with self._open(file) as stream:
            first = next(read_lines(stream, self._encoding(file, encoding), Counter()), None)
        if first is None or not first.text:
            return (file.path,)  # `table` will say what is wrong
        return next(csv.reader([first.text], delimiter=delimiter)) if quotes else first.text.split(delimiter)

    def check_rows(self, file: SourceFile, rows: int) -> None:
        """Compare the number of data rows with the pinned one.

        Raises:
            SourceError: it differs; in quarantine that is only counted, and a file without rows is noted.
        """
        if file.rows is None or rows == file.rows:
            return
        if not rows or not self.quarantine:
            remedy = "correct its rows in the table of files, or the way in which the builder reads it"
            self.refuse(self.place(file), f"{rows} rows instead of {file.rows}", None, remedy)
        self.defects["file has other rows than the pinned one"] += 1

    def _plain(self, file: SourceFile, lines: Iterator[Line], delimiter: str) -> Iterator[tuple[int, list[str]]]:
        for line in lines:
            if self._is_sound(file, line) and line.text:
                self.defects["double quote that is a plain character"] += '"' in line.text
                yield line.number, line.text.split(delimiter)

    def _quoted(self, file: SourceFile, rows: QuotedRows) -> Iterator[tuple[int, list[str]]]:
        for row in rows:
            if self._is_sound(file, Line(row.line, "", row.fault)):
                yield row.line, row.cells

    def _with_quotes(self, lines: Iterator[Line]) -> Iterator[Line]:
        for line in lines:
            self.defects["line with CSV quoting"] += '"' in line.text
            yield line

    def _header_is_right(self, file: SourceFile, first: tuple[int, list[str]] | None, columns: Sequence[str]) -> bool:
        if first is None:
            self.refuse(self.place(file), "the file is empty", None, "put the whole file there, and pin it again")
            return False
        if missing := [column for column in columns if column not in first[1]]:
            problem = f"column {missing[0]!r} is missing"
            self.refuse(self.place(file, first[0]), problem, "\t".join(first[1]), COLUMNS_IN_BUILDER)
        elif list(columns) != first[1]:
            problem = f"columns are not {', '.join(columns)}"
            self.refuse(self.place(file, first[0]), problem, "\t".join(first[1]), COLUMNS_IN_BUILDER)
        return list(columns) == first[1]
