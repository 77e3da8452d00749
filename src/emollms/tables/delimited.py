"""CSV and TSV as RFC 4180 has them: every row has the cells of the header, or its line is refused."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from emollms.errors import SourceError, UsageError
from emollms.tables.files import LONGEST, TableFile, Warn, lines, no_warning

Cells = list[str]
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe"}
_OPTION = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


class DelimitedReader:
    """The header and the rows of a delimited file.

    Args:
        file: the file.
        warn: is told of rows that look as if a quote was missing.

    Attributes:
        columns: the names in the header.

    Raises:
        UsageError: the file is empty.
        SourceError: the header has another delimiter, an empty name, or one name twice; see also `files.lines`.
    """

    def __init__(self, file: TableFile, warn: Warn = no_warning) -> None:
        self.file, self._warn = file, warn
        self._rows = _rows(file)
        line, _, self.columns = next(self._rows, (0, 0, []))
        if not self.columns:
            raise UsageError(f"{file.name} is empty")
        self._check_header(line)

    def _check_header(self, line: int) -> None:
        delimiter, place = self.file.delimiter or "", self.file.place(line)
        shown = delimiter.join(self.columns)
        others = [other for other in _DELIMITERS if other != delimiter and other in shown]
        if len(self.columns) == 1 and others and self.file.dialect.delimiter is None:
            here = _DELIMITERS.get(delimiter, repr(delimiter))
            problem = f"the header has {_DELIMITERS[others[0]]}, and no {here.removeprefix('a ')}, between names"
            raise SourceError(place, problem, shown, f"give --delimiter {_OPTION[others[0]]}, if that separates cells")
        check_names(self.file, line, self.columns)

    def __iter__(self) -> Iterator[tuple[int, Cells]]:
        """The rows, each with the line where it begins; empty lines are passed over.

        Raises:
            SourceError: a row with more or fewer cells than the header, or broken quoting; see also `files.lines`.
        """
        width, delimiter, suspects, first = len(self.columns), self.file.delimiter or "", 0, 0
        for begin, end, cells in self._rows:
            if len(cells) != width:
                raise self._other_width(begin, end, cells)
            if end > begin and width > 1 and _looks_like_rows(delimiter.join(cells), delimiter, width):
                if delimiter == "\t":
                    raise self._swallowed(begin, end)
                suspects, first = suspects + 1, first or begin
            yield begin, cells
        if suspects:
            self._warn(
                f"{self.file.name}: {suspects:,} quoted cells run over lines that each look like a row, the first in "
                f"line {first}; if a quote is missing there, rows are lost (see --no-quotes)"
            )

    def _other_width(self, begin: int, end: int, cells: Cells) -> SourceError:
        delimiter = self.file.delimiter or ""
        where = f" in lines {begin} to {end}" if end > begin else ""
        problem = f"{len(cells)} cell{'s' * (len(cells) != 1)}{where}, the header has {len(self.columns)}"
        kind = _DELIMITERS.get(delimiter, repr(delimiter))
        remedy = f"put double quotes around a cell with {kind} in it"
        if len(cells) < len(self.columns):
            remedy = "add what is missing; an empty cell is written as nothing"
        if end > begin:
            remedy = "see whether a quote is missing, or give --no-quotes where quotes are plain characters"
        return SourceError(self.file.place(begin), problem, delimiter.join(cells), remedy)

    def _swallowed(self, begin: int, end: int) -> SourceError:
        problem = f"a quoted cell runs over lines {begin} to {end}, each of which looks like a row"
        remedy = "close the quote, or give --no-quotes where quotes are plain characters"
        return SourceError(self.file.place(begin), problem, None, remedy)


def check_names(file: TableFile, line: int, names: Sequence[str]) -> None:
    """Make sure that each column has a name of its own.

    Raises:
        SourceError: one has none, or the name of another.
    """
    for number, name in enumerate(names, 1):
        if not name.strip():
            remedy = "name it, or leave it out, as to_csv(index=False) of pandas does"
            raise SourceError(file.place(line), f"column {number} has no name", ", ".join(names), remedy)
        if name in names[: number - 1]:
            problem = f"columns {names.index(name) + 1} and {number} have one name"
            raise SourceError(file.place(line), problem, name, "give each column a name of its own")


def _rows(file: TableFile) -> Iterator[tuple[int, int, Cells]]:
    """First line, last line and cells of each row that is no empty line."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))  # of the process; the default, 128 KiB, cuts off posts
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if file.dialect.quotes else csv.QUOTE_NONE
    reader = csv.reader(lines(file), delimiter=file.delimiter or ",", quoting=quoting, strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _broken_row(file, begin, error) from None
        if cells:
            yield begin, reader.line_num, cells


def _looks_like_rows(row: str, delimiter: str, width: int) -> bool:
    """Whether each physical line of a row has as many cells as a row: perhaps a quote took the rows after it along."""
    return all(line.count(delimiter) == width - 1 for line in row.split("\n"))


def _broken_row(file: TableFile, begin: int, error: csv.Error) -> SourceError:
    """What is wrong with the row that begins at a line; the file is read again, up to there."""
    text, cut = _text_of(islice(lines(file), begin - 1, None))
    delimiter, at = re.escape(file.delimiter or ""), 0
    quoted = re.compile(r'"[^"]*(?:""[^"]*)*"')
    cell = re.compile(rf'(?:{quoted.pattern}|(?!")[^{delimiter}\r\n]*)(?={delimiter}|\r?\n|\Z)')
    while found := cell.match(text, at) if file.dialect.quotes else None:
        at = found.end() + 1
        if text[found.end() : at] != file.delimiter:
            break
    line = begin + text.count("\n", 0, at)
    shown = text[at : at + 60].split("\n")[0]
    if found or not text.startswith('"', at):
        problem = "carriage return inside the line" if "\r" in shown else str(error)
        return SourceError(file.place(line), problem, shown, "end lines with LF or CR LF, and quote cells with others")
    closed = quoted.match(text, at)
    if closed is None:
        never = f"does not close within {LONGEST >> 20} MiB" if cut else "never closes"
        remedy = "close it, or give --no-quotes where quotes are plain characters"
        return SourceError(file.place(line), f"the quote that opens here {never}", shown, remedy)
    end = begin + text.count("\n", 0, closed.end())
    rest = text[closed.end() : closed.end() + 20].split("\n")[0]
    problem = f"the quote that opens here closes in line {end}, before {rest!r}"
    remedy = "close it at the end of the cell, double the quotes inside, or give --no-quotes"
    return SourceError(file.place(line), problem, shown, remedy)


def _text_of(rest: Iterable[str]) -> tuple[str, bool]:
    """The lines up to the longest cell that is read, and whether there are more."""
    kept, size = [], 0
    for line in rest:
        kept.append(line)
        size += len(line)
        if size > LONGEST:
            return "".join(kept), True
    return "".join(kept), False
