"""A raw row, and a cell of it that cannot be read."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from emollms.corpora.lines import MEND, QUARANTINE
from emollms.corpora.metadata import SourceFile, Split

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

    @property
    def line_id(self) -> str:
        """An id for rows that have none: path and line, `de/train.csv` and 7 giving `de-train-7`.

        It stays what it is as long as the pinned file does.
        """
        return self.id_in_file(str(self.line))

    def id_in_file(self, own: str) -> str:
        """An id for rows whose own ids repeat from file to file: `de/train.csv` and 12 give `de-train-12`."""
        return f"{self.file.path.rpartition('.')[0].replace('/', '-')}-{own}"

    def number(self, column: str, decimal: str = ".") -> float:
        """The cell of a column as a number, written in ASCII digits with a decimal point.

        Args:
            column: the column.
            decimal: the sign before the decimals, `,` in many countries.

        Raises:
            CellError: it is none.
        """
        cell = self[column].replace(decimal, ".") if decimal != "." else self[column]
        if not _NUMBER.fullmatch(cell):  # float() also takes 1_000, digits of other scripts, and spaces around
            raise CellError(f"{column} is not a number", self[column])
        return float(cell)

    def numbers(self, columns: Sequence[str], decimal: str = ".") -> tuple[float, ...]:
        """The cells of several raters as numbers; the empty ones, of raters who did not see the text, are left out.

        Args:
            columns: the columns, one a rater.
            decimal: as for `number`.

        Raises:
            CellError: one is no number, or all are empty.
        """
        given = [column for column in columns if self[column].strip()]
        if not given:
            raise CellError(f"no rater's value in {', '.join(columns)}", None)
        return tuple(self.number(column, decimal) for column in given)

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
