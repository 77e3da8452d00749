"""Lines of raw files: their encodings, how they are cut and decoded, and what may not be in one."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from encodings.aliases import aliases
from io import BufferedReader
from typing import NamedTuple

UTF_8 = "utf-8"
BREAKS = '\t\n\r",;|'
"""What cuts a file into lines and cells: an encoding must write it as ASCII does, or as whole code units."""
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
"""Encodings whose characters are units of several bytes, so that a byte 10 need not be the end of a line."""
_MARKS = {
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
}
_NAMES = {"utf-8-sig": UTF_8, "iso8859-1": "latin-1"}
# Here the bytes of BREAKS may also be parts of other characters.
_STATEFUL = ("utf-7", "iso2022", "hz", "unicode_escape", "raw_unicode_escape", "idna", "punycode")
_CHUNK = 1 << 16  # bytes
CONTROL_CHARACTER = re.compile("[\x00-\x08\x0d-\x1f\x7f-\x9f]")
"""As `CONTROL`, and C1: in text that was decoded as Latin-1 they are nearly always the quotes of cp1252."""
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


def _raw_lines(stream: BufferedReader, encoding: str) -> Iterator[bytes]:
    """The lines of a file with their ends; one that is too long is cut to `LONGEST` bytes."""
    if encoding in WIDE:
        yield from _wide_lines(stream, encoding, LONGEST)
        return
    while raw := stream.readline(LONGEST):
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass  # read on to the end of the line without keeping it
        yield raw


def read_lines(stream: BufferedReader, encoding: str, defects: Counter[str]) -> Iterator[Line]:
    """The lines of a file, from its beginning.

    Args:
        stream: the file.
        encoding: its encoding, as `check_encoding` names it.
        defects: counts what was met and handled.
    """
    found = _endian(encoding, stream)
    if found is None:
        problem = f"no byte order mark, which {encoding} needs"
        remedy = f"say {encoding}-le or {encoding}-be in the table of files"
        yield Line(1, "", Fault(problem, _as_text(stream.read(40)), remedy))
        return
    defects["byte order mark"] += found != encoding
    for number, raw in enumerate(_raw_lines(stream, found), 1):
        line = _decode(number, raw, found, defects)
        # Python decodes a mark of UTF-8, and one of UTF-16 whose byte order was given, as a character.
        if number == 1 and line.text.startswith("\ufeff") and line.fault is None:
            defects["byte order mark"] += 1
            line = line._replace(text=line.text[1:])
        yield line


def _decode(number: int, raw: bytes, encoding: str, defects: Counter[str]) -> Line:
    newline = b"\n" if encoding not in WIDE else "\n".encode(encoding)
    if len(raw) >= LONGEST and not raw.endswith(newline):
        return Line(number, _as_text(raw), Fault("line is longer than 1 MiB", _as_text(raw)))
    if raw.endswith(newline):
        carriage = b"\r" if newline == b"\n" else "\r".encode(encoding)
        crlf = raw.endswith(carriage + newline)
        defects["CRLF line end"] += crlf
        raw = raw[: len(raw) - len(newline) - crlf * len(carriage)]
    if encoding == UTF_8 and (control := CONTROL.search(raw)):
        code, value = control[0][0], _as_text(raw[max(0, control.start() - 20) :])
        return _broken(number, raw, encoding, _name_of(code), value, MEND if code else MAYBE_WIDE)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = f"of the line is not {encoding.upper() if encoding in _UPPER else encoding}"
        value = _as_text(raw[error.start : error.start + 40])
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
    problem = _name_of(code) if code < 0x80 else f"U+{code:04X}, a control character if the line is {encoding}"
    return _broken(number, raw, encoding, problem, text[max(0, found.start() - 20) :], remedy)


def _broken(number: int, raw: bytes, encoding: str, problem: str, value: str, remedy: str = MEND) -> Line:
    return Line(number, _readable(raw, encoding), Fault(problem, value, remedy))


def _readable(raw: bytes, encoding: str) -> str:
    return CONTROL_CHARACTER.sub("\ufffd", raw.decode(encoding, errors="replace"))


def _name_of(code: int) -> str:
    """What errors call a control character."""
    names = {0: "NUL byte", 13: "carriage return inside the line"}
    return names.get(code, f"control character U+{code:04X}")


def _as_text(raw: bytes) -> str:
    """The beginning of a line as errors show it, whatever its bytes."""
    return raw[:200].decode("utf-8", errors="backslashreplace").rstrip("\r\n")


def check_encoding(name: str) -> str:
    """The usual name of an encoding.

    Raises:
        ValueError: Python does not know it, or it cannot be cut into lines.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        known = [alias for alias in {*aliases, *aliases.values()} if alias != name.lower()]
        near = get_close_matches(name.lower().replace("-", "_"), known, n=1)
        common = "common ones are utf-8, latin-1, cp1252, utf-16"
        hint = f"did you mean {near[0].replace('_', '-')}?" if near else common
        raise ValueError(f"unknown encoding {name!r}; {hint}") from None
    found = _NAMES.get(codec.name, codec.name)
    # Python has no public name for it: base64 and rot13 are codecs too.
    if not (codec._is_text_encoding and _keeps_lines(found)):
        raise ValueError(f"files in {name!r} cannot be read line by line; convert them to utf-8")
    return found


def _keeps_lines(encoding: str) -> bool:
    if encoding in WIDE:
        return True
    if encoding.startswith(_STATEFUL):
        return False
    try:
        return BREAKS.encode(encoding) == BREAKS.encode("ascii")
    except UnicodeError:
        return False


def _endian(encoding: str, stream: BufferedReader) -> str | None:
    """Read the byte order mark of a UTF-16 or UTF-32 file, where its encoding asks for one.

    Returns:
        The encoding of what follows; None where the mark is missing.
    """
    if encoding not in _MARKS:
        return encoding
    for mark, found in _MARKS[encoding]:
        if stream.peek(len(mark))[: len(mark)] == mark:
            stream.read(len(mark))
            return found
    return None


def _wide_lines(stream: BufferedReader, encoding: str, longest: int) -> Iterator[bytes]:
    """The lines of a file in a wide encoding, with their ends; one above `longest` bytes is cut, its rest skipped."""
    newline = "\n".encode(encoding)
    # Up to `scanned` there is no line end: to search there again would take quadratic time in a long line.
    width, waiting, scanned, skipping = len(newline), bytearray(), 0, False
    while chunk := stream.read(_CHUNK):
        waiting += chunk
        while (at := _aligned(waiting, newline, scanned)) >= 0:
            if not skipping:
                yield bytes(waiting[: min(at + width, longest)])
            del waiting[: at + width]
            scanned, skipping = 0, False
        scanned = len(waiting) - len(waiting) % width  # a character may be cut between two chunks
        if len(waiting) > longest:
            if not skipping:
                yield bytes(waiting[:longest])
            skipping = True
            del waiting[:scanned]
            scanned = 0
    if waiting and not skipping:
        yield bytes(waiting)


def _aligned(data: bytearray, newline: bytes, start: int) -> int:
    """Where a line ends, -1 for nowhere; the bytes of a line end may also be parts of two other characters."""
    at = data.find(newline, start)
    while at >= 0 and at % len(newline):
        at = data.find(newline, at + 1)
    return at
