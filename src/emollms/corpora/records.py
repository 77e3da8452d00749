"""A raw row, and what can be wrong with it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from emollms.corpora.metadata import SourceFile, Split
from emollms.errors import Place

Given = TypeVar("Given")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)


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


def _given(value: Given | None) -> Given:
    if value is None:
        raise TypeError("the table of files leaves this empty, and the builder asks for it")
    return value
