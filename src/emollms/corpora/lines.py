"""Lines of raw files: cut, decoded, and what may not be in one."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from typing import NamedTuple, TypeVar

from emollms.corpora.encodings import CONTROL_CHARACTER, UTF_8, WIDE, endian, wide_lines
from emollms.corpora.metadata import SourceFile, Split
from emollms.errors import Place

LONGEST = 1 << 20  # bytes; the longest real line is 3 KB, and a file without line ends must not fill memory
CONTROL = re.compile(rb"[\x00-\x08\x0d-\x1f\x7f]")
"""Control characters, but for those that are white space inside a line: tab, vertical tab, form feed."""
QUARANTINE = "or leave the row out with --quarantine"
MEND = f"mend the line, or let the builder read it otherwise, {QUARANTINE}"
SAY_ENCODING = f"say its encoding in the table of files (column encoding; latin-1 and cp1252 are common), {QUARANTINE}"

MAYBE_WIDE = f"where the file is UTF-16 or UTF-32, say so in the table of files (column encoding), {QUARANTINE}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line, or a row, cannot be read.

    Args:
        problem: what is wrong, in a few words.
        value: what is there; None where nothing is.
        remedy: what a contributor can do.
        reason: the problem without what is of this line alone; None for the problem itself.
    """

    problem: str
    value: str | None
    remedy: str = MEND
    reason: str | None = None


class Line(NamedTuple):
    """A line of a file.

    Args:
        number: its number, from 1.
        text: its text without its end; of a broken line what can be read of it, so that quotes can be followed.
        fault: why it is broken, if it is.
    """

    number: int
    text: str
    fault: Fault | None = None


def raw_lines(stream: BufferedReader, encoding: str) -> Iterator[bytes]:
    """The lines of a file with their ends; one that is too long is cut to `LONGEST` bytes."""
    if encoding in WIDE:
        yield from wide_lines(stream, encoding, LONGEST)
        return
    while raw := stream.readline(LONGEST):
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            skip_line(stream)
        yield raw


def read_lines(stream: BufferedReader, encoding: str, defects: Counter[str]) -> Iterator[Line]:
    """The lines of a file, from its beginning.

    Args:
        stream: the file.
        encoding: its encoding, as `check_encoding` names it.
        defects: counts what was met and handled.
    """
    found = endian(encoding, stream)
    if found is None:
        problem = f"no byte order mark, which {encoding} needs"
        remedy = f"say {encoding}-le or {encoding}-be in the table of files"
        yield Line(1, "", Fault(problem, as_text(stream.read(40)), remedy))
        return
    defects["byte order mark"] += found != encoding
    for number, raw in enumerate(raw_lines(stream, found), 1):
        line = _decode(number, raw, found, defects)
        if number == 1 and line.text.startswith("\ufeff") and line.fault is None:
            defects["byte order mark"] += 1
            line = line._replace(text=line.text[1:])
        yield line


def _decode(number: int, raw: bytes, encoding: str, defects: Counter[str]) -> Line:
    newline = b"\n" if encoding not in WIDE else "\n".encode(encoding)
    if len(raw) >= LONGEST and not raw.endswith(newline):
        return Line(number, as_text(raw), Fault("line is longer than 1 MiB", as_text(raw)))
    if raw.endswith(newline):
        carriage = b"\r" if newline == b"\n" else "\r".encode(encoding)
        crlf = raw.endswith(carriage + newline)
        defects["CRLF line end"] += crlf
        raw = raw[: len(raw) - len(newline) - crlf * len(carriage)]
    if encoding == UTF_8 and (control := CONTROL.search(raw)):
        code, value = control[0][0], as_text(raw[max(0, control.start() - 20) :])
        return _broken(number, raw, encoding, name_of(code), value, MEND if code else MAYBE_WIDE)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = f"of the line is not {encoding.upper() if encoding in _UPPER else encoding}"
        value = as_text(raw[error.start : error.start + 40])
        fault = Fault(f"byte {error.start + 1} {wrong}", value, SAY_ENCODING, f"a byte {wrong}")
        return Line(number, _readable(raw, encoding), fault)
    if encoding != UTF_8 and (strange := CONTROL_CHARACTER.search(text)):
        return _strange(number, raw, text, encoding, strange)
    return Line(number, text)


_UPPER = (UTF_8, *WIDE)


def _strange(number: int, raw: bytes, text: str, encoding: str, found: re.Match[str]) -> Line:
    """A control character in a text that is not UTF-8: where it is one of C1, the encoding is hardly the right one."""
    code = ord(found[0])
    remedy = SAY_ENCODING if code >= 0x80 else MEND if code else MAYBE_WIDE
    problem = name_of(code) if code < 0x80 else f"U+{code:04X}, a control character if the line is {encoding}"
    return _broken(number, raw, encoding, problem, text[max(0, found.start() - 20) :], remedy)


def _broken(number: int, raw: bytes, encoding: str, problem: str, value: str, remedy: str = MEND) -> Line:
    return Line(number, _readable(raw, encoding), Fault(problem, value, remedy))


def _readable(raw: bytes, encoding: str) -> str:
    return CONTROL_CHARACTER.sub("\ufffd", raw.decode(encoding, errors="replace"))


def name_of(code: int) -> str:
    """What errors call a control character."""
    names = {0: "NUL byte", 13: "carriage return inside the line"}
    return names.get(code, f"control character U+{code:04X}")


def as_text(raw: bytes) -> str:
    """The beginning of a line as errors show it, whatever its bytes."""
    return raw[:200].decode("utf-8", errors="backslashreplace").rstrip("\r\n")


def skip_line(stream: BufferedReader) -> None:
    """Read on to the end of a line that is too long, without keeping it."""
    while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


Given = TypeVar("Given")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)


class CellError(Exception):
    """A cell that cannot be read; `Record` and builders raise it, the base class adds the place.

    Args:
        problem: what is wrong, in a few words.
        value: what is there; None where nothing is.
        remedy: what a contributor can do.
    """

    def __init__(self, problem: str, value: str | None, remedy: str = MEND) -> None:
        super().__init__(problem)
        self.problem, self.value, self.remedy = problem, value, remedy


@dataclass(frozen=True, slots=True)
class Record:
    """One raw row.

    Args:
        file: the file it is in.
        line: its last line there, from 1.
        cells: column name to cell, as written.
    """

    file: SourceFile
    line: int
    cells: Mapping[str, str]

    @property
    def task(self) -> str:
        """The task of the row's file, which the table of files gives."""
        return self._given("task", self.file.task)

    @property
    def split(self) -> Split:
        """The split of the row's file, which the table of files gives."""
        return self._given("split", self.file.split)

    @property
    def language(self) -> str:
        """The language of the row's file, which the table of files gives."""
        return self._given("language", self.file.language)

    def _given(self, column: str, value: Given | None) -> Given:
        if value is None:
            problem = f"the table of files has no {column} for {self.file.path}, and the builder asks for it"
            raise CellError(problem, None, f"fill in the column {column} there, or let the builder say it")
        return value

    def __getitem__(self, column: str) -> str:
        """The cell of a column, as written.

        Raises:
            CellError: there is no such column.
        """
        if column not in self.cells:
            problem = f"the row has no column {column!r}; it has {', '.join(self.cells)}"
            raise CellError(problem, None, "correct the name in the builder")
        return self.cells[column]

    def number(self, column: str) -> float:
        """The cell of a column as a number, written in ASCII digits with a decimal point.

        Raises:
            CellError: it is none.
        """
        cell = self[column]
        if not _NUMBER.fullmatch(cell):  # float() also takes 1_000, digits of other scripts, and spaces around
            raise CellError(f"{column} is not a number", cell)
        return float(cell)

    def flags(
        self, columns: Sequence[str], yes: Collection[str] = ("1",), no: Collection[str] = ("0",)
    ) -> tuple[str, ...]:
        """Those of the columns that say yes.

        Args:
            columns: the columns.
            yes: the cells that say so.
            no: the cells that say the opposite.

        Raises:
            CellError: a cell is neither.
        """
        for column in columns:
            if self[column] not in yes and self[column] not in no:
                problem = f"{column} is neither {' or '.join(no)} nor {' or '.join(yes)}"
                remedy = (
                    f"say in the builder what the file writes, record.flags(columns, yes=(…,), no=(…,)), {QUARANTINE}"
                )
                raise CellError(problem, self[column], remedy)
        return tuple(column for column in columns if self[column] in yes)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A raw row that was left out, and why.

    Args:
        place: where it stands.
        reason: why, in a few words.
        value: what stands there.
        source_id: its id, where it has one.
        refused: whether the row could not be read, rather than carrying no data.
    """

    place: Place
    reason: str
    value: str | None
    source_id: str | None = None
    refused: bool = False
