"""Lines of raw files: what may not stand in one, how one is shown in an error, and lines for `csv.reader`."""

import re
from collections import deque
from collections.abc import Iterator
from io import BufferedReader

LONGEST = 1 << 20  # bytes; the longest real line is 3 KB, and a file without line ends must not fill memory
CONTROL = re.compile(rb"[\x00-\x08\x0d-\x1f\x7f]")
"""Control characters, but for those that are white space inside a line: tab, vertical tab, form feed."""


class CsvLines:
    """Lines for `csv.reader`, which takes as many as a row needs.

    Args:
        lines: numbers and lines, without ends.
    """

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._waiting: deque[tuple[int, str]] = deque()
        self.taken: list[tuple[int, str]] = []

    def __iter__(self) -> "CsvLines":
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


def name_of(control: re.Match[bytes]) -> str:
    """What errors call a match of `CONTROL`."""
    code = control[0][0]
    names = {0: "NUL byte", 13: "carriage return inside the line"}
    return names.get(code, f"control character U+{code:04X}")


def as_text(raw: bytes) -> str:
    """The beginning of a line as errors show it, whatever its bytes."""
    return raw[:200].decode("utf-8", errors="backslashreplace").rstrip("\r\n")


def skip_line(stream: BufferedReader) -> None:
    """Read on to the end of a line that is too long, without keeping it."""
    while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass
