"""The encodings that raw files may have, and how a file in one is cut into lines."""

import codecs
import re
from collections.abc import Iterator
from difflib import get_close_matches
from encodings.aliases import aliases
from io import BufferedReader

UTF_8 = "utf-8"
BREAKS = '\t\n\r",;|'
"""What cuts a file into lines and cells: an encoding must write it as ASCII does, or as whole code units."""
WIDE = {
    "utf-16": 2, "utf-16-le": 2, "utf-16-be": 2, "utf-32": 4, "utf-32-le": 4, "utf-32-be": 4,
}  # fmt: skip
"""Encodings whose characters are units of several bytes, so that a byte 10 need not be the end of a line."""
_MARKS = {
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
}
_NAMES = {"utf-8-sig": UTF_8, "iso8859-1": "latin-1"}
_STATEFUL = ("utf-7", "iso2022", "hz", "unicode_escape", "raw_unicode_escape", "idna", "punycode")
_CHUNK = 1 << 16  # bytes
CONTROL_CHARACTER = re.compile("[\x00-\x08\x0d-\x1f\x7f-\x9f]")
"""As `lines.CONTROL`, and C1: in text that was decoded as Latin-1 they are nearly always the quotes of cp1252."""


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


def endian(encoding: str, stream: BufferedReader) -> str | None:
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


def wide_lines(stream: BufferedReader, encoding: str, longest: int) -> Iterator[bytes]:
    """The lines of a file in a wide encoding, with their ends; one above `longest` bytes is cut, its rest skipped."""
    newline = "\n".encode(encoding)
    width, waiting, scanned, skipping = len(newline), bytearray(), 0, False
    while chunk := stream.read(_CHUNK):
        waiting += chunk
        while (at := _aligned(waiting, newline, scanned)) >= 0:
            if not skipping:
                yield bytes(waiting[: min(at + width, longest)])
            del waiting[: at + width]
            scanned, skipping = 0, False
        scanned = max(0, len(waiting) - len(waiting) % width)
        if len(waiting) > longest:
            if not skipping:
                yield bytes(waiting[:longest])
            skipping = True
            del waiting[:scanned]
            scanned = 0
    if waiting and not skipping:
        yield bytes(waiting)


def _aligned(data: bytearray, newline: bytes, start: int) -> int:
    at = data.find(newline, start)
    while at >= 0 and at % len(newline):
        at = data.find(newline, at + 1)
    return at
