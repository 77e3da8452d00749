"""The errors that users see: one line each, with what, where and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class EmollmsError(Exception):
    """A check that failed. The command line prints the message as one line and exits with `exit_code`."""

    exit_code = 1


class UsageError(EmollmsError):
    """The call itself is wrong: an unknown name, a missing folder, options that do not go together."""

    exit_code = 2


@dataclass(frozen=True)
class Place:
    """A position in a source: the file, and its line counted from 1 (0 for the whole file)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class SourceError(EmollmsError):
    """A raw file that is not what its corpus says.

    Args:
        place: the file and line.
        problem: what is wrong, in a few words.
        value: what is there, cut to a readable length; None where nothing is.
        remedy: what the reader can do.
    """

    def __init__(self, place: Place, problem: str, value: str | None, remedy: str) -> None:
        self.place, self.problem, self.value, self.remedy = place, problem, value, remedy
        shown = "" if value is None else f": {shorten(value)!r}"
        super().__init__(f"{place}: {problem}{shown}; {remedy}")


def shorten(value: str, length: int = 80) -> str:
    """Cut `value` to `length` characters, with an ellipsis where something was cut."""
    return value if len(value) <= length else value[: length - 1] + "…"


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for an unknown name; suggests the near ones."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    return UsageError(f"unknown {kind} {name!r}; {hint}")
