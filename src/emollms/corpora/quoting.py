"""Rows of tables whose cells may be quoted, as RFC 4180 has it, and what becomes of quotes that go wrong.

A quote that opens by accident takes the following rows along, up to the next quote or to the end. Such a row is refused
where the quote opens, and reading resumes at the next line at which a whole row begins.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from emollms.corpora.lines import QUARANTINE, Fault, Line

PLAIN = "where double quotes are plain characters, read the table with quotes=False in the builder"
MEANT = "where the cell does hold line breaks, add line_breaks=True"
NEVER_CLOSES = "a quote opens here and never closes"
SWALLOWS = ", and lines that could be rows are between"
_AHEAD = 100
"""Lines that are read to see whether a whole row begins at one; longer rows are left out with the broken one."""


@dataclass(frozen=True, slots=True)
class QuotedRow:
    """A row, or why it cannot be read.

    Args:
        line: the number of its last line; of a broken row the one that errors name.
        cells: its cells.
        fault: why it is broken, if it is.
    """

    line: int
    cells: list[str]
    fault: Fault | None = None


class QuotedRows:
    """The rows of a table with quoted cells.

    Args:
        lines: its lines.
        delimiter: what is between cells.
        width: how many cells a row has.
        line_breaks: whether a cell over several lines is right even where most of them would make a row of their own.
    """

    def __init__(self, lines: Iterator[Line], delimiter: str, width: int, line_breaks: bool) -> None:
        self._feed, self._delimiter, self._width, self._line_breaks = _Feed(lines), delimiter, width, line_breaks

    def __iter__(self) -> Iterator[QuotedRow]:
        """The rows; empty lines are passed over."""
        feed, reader = self._feed, self._reader()
        while True:
            feed.taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._leave_out(*self._what_is_wrong(str(error)))
                reader = self._reader()  # the old one is still inside the broken row
                continue
            # Broken lines went through the reader too: a quote that opens in one closes in another.
            if broken := next((line for line in feed.taken if line.fault), None):
                yield QuotedRow(broken.number, [], broken.fault)
            elif len(feed.taken) > 1 and not self._line_breaks and self._swallows():
                problem = f"a quote opens here and closes at line {feed.taken[-1].number}{SWALLOWS}"
                yield self._leave_out(problem, f"a quote that takes rows along{SWALLOWS}", f"{PLAIN}; {MEANT}")
            elif cells:
                yield QuotedRow(feed.taken[-1].number, cells)

    def _reader(self) -> "Iterator[list[str]]":
        return csv.reader(self._feed, delimiter=self._delimiter, strict=True)

    def _what_is_wrong(self, error: str) -> tuple[str, str]:
        """The problem, and the problem without numbers."""
        if "expected after" not in error:  # csv has one exception for all that is wrong, so its text must tell
            quoted = any(opens for _, _, opens in _quotes(self._feed.taken, self._delimiter))
            problem = NEVER_CLOSES if quoted else f"a cell has more than {csv.field_size_limit():,} characters"
            return problem, problem
        opens, closes = _opening(self._feed.taken, self._delimiter), self._feed.taken[-1].number
        problem = "a quote opens here and closes inside its cell"
        return problem + (f", at line {closes}" if closes != opens else ""), problem

    def _swallows(self) -> bool:
        """Whether most lines of a row would make a row of their own, as they do where a quote opened by accident."""
        taken = self._feed.taken
        rows = sum(self._is_row(line.text) for line in taken)
        # Any line is a row of a table with one column, so there nothing can be told.
        return self._width > 1 and rows > 1 and 2 * rows > len(taken)

    def _is_row(self, text: str) -> bool:
        try:
            alone = len(next(csv.reader([text], delimiter=self._delimiter), []))
        except csv.Error:
            return False
        # A plain split counts right in the lines where the stray quote opens and closes.
        return self._width in (alone, len(text.split(self._delimiter)))

    def _leave_out(self, problem: str, reason: str, remedy: str = PLAIN) -> QuotedRow:
        """The broken row that was begun, with the lines after it at which no whole row begins."""
        opens = _opening(self._feed.taken, self._delimiter)
        lost = [self._feed.give_back().text]
        while (line := self._feed.peek()) is not None and not self._begins_row():
            if len(lost) < _AHEAD:  # where no row begins any more this is the rest of the file
                lost.append(line.text)
            self._feed.drop()
        return QuotedRow(opens, [], Fault(problem, "\n".join(lost), f"{remedy}, {QUARANTINE}", reason))

    def _begins_row(self) -> bool:
        """Whether a whole row begins at the next line."""
        ahead = self._feed.ahead(_AHEAD)
        reader = csv.reader((line.text + "\n" for line in ahead), delimiter=self._delimiter, strict=True)
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            return False
        # csv takes a quote inside an unquoted cell as a plain character; there it is the end of the broken cell.
        return len(cells) == self._width and _is_proper(ahead[: reader.line_num], self._delimiter)


def _opening(lines: Sequence[Line], delimiter: str) -> int:
    """The number of the line where the last quoted cell of `lines` opens; the first one where there is none."""
    found = lines[0].number
    for number, _, opens in _quotes(lines, delimiter):
        found = number if opens else found
    return found


def _is_proper(lines: Sequence[Line], delimiter: str) -> bool:
    """Whether double quotes are only around cells, and doubled inside them."""
    return all(before for _, before, _ in _quotes(lines, delimiter))


def _quotes(lines: Sequence[Line], delimiter: str) -> Iterator[tuple[int, bool, bool]]:
    """Each quote that is not doubled: its line, whether it may be where it is, and whether it opens a cell."""
    quoted = False
    for line in lines:
        before, skip = delimiter if not quoted else "", False  # a line begins a cell, unless it continues one
        for at, sign in enumerate(line.text):
            if skip:
                skip = False
            elif sign == '"' and quoted and line.text[at + 1 : at + 2] == '"':
                skip = True
            elif sign == '"':
                opens = not quoted and before == delimiter
                yield line.number, opens or quoted, opens
                quoted = opens
            before = sign


class _Feed:
    """Lines for `csv.reader`, which takes as many as a row needs."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._waiting: deque[Line] = deque()
        self.taken: list[Line] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.taken.append(line)
        return line.text + "\n"

    def give_back(self) -> Line:
        """Put back all taken lines but the first, and return that one."""
        first, *others = self.taken
        self._waiting.extendleft(reversed(others))
        return first

    def ahead(self, count: int) -> list[Line]:
        """The next lines, without taking them."""
        self._waiting.extend(islice(self._lines, max(0, count - len(self._waiting))))
        return list(islice(self._waiting, count))

    def peek(self) -> Line | None:
        """The next line, without taking it."""
        return next(iter(self.ahead(1)), None)

    def drop(self) -> None:
        """Take the next line away."""
        self._waiting.popleft()
