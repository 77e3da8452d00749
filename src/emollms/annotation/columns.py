"""Answers as columns: flat for CSV, one struct a question for Parquet with `--nested`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import pyarrow as pa

from emollms.annotation.answers import Affect
from emollms.annotation.questions import Question

PREFIX = "emollms_"
"""What precedes the name of a column of ours where the input has one of that name."""
_TEXTS = pa.list_(pa.string())


class Annotations(Sequence[Affect]):
    """The answers about several texts, in their order.

    Args:
        questions: what was asked.
        rows: the answers, by text.
        table: the input's own columns, which `to_arrow` and `to_pandas` put first; None where there are none.
    """

    def __init__(self, questions: Sequence[Question], rows: Sequence[Affect], table: pa.Table | None = None) -> None:
        self.questions, self._rows, self._table = tuple(questions), list(rows), table

    @overload
    def __getitem__(self, place: int) -> Affect: ...

    @overload
    def __getitem__(self, place: slice) -> "Annotations": ...

    def __getitem__(self, place: int | slice) -> "Affect | Annotations":
        if isinstance(place, slice):
            return Annotations(self.questions, self._rows[place], self._table and self._table[place])
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def to_arrow(self, nested: bool = False) -> pa.Table:
        """As a table of Arrow: the input's columns, and then ours (see `docs/annotate.md`)."""
        own = affect_table(self.questions, self._rows, nested)
        if self._table is None:
            return own
        names = renamed(own.column_names, self._table.column_names)
        own = own.rename_columns([names.get(name, name) for name in own.column_names])
        table = self._table
        for name in own.column_names:
            table = table.append_column(name, own[name])
        return table

    def to_pandas(self, nested: bool = False) -> Any:
        """As a `pandas.DataFrame`, with the columns of `to_arrow`."""
        return self.to_arrow(nested).to_pandas()

    def __repr__(self) -> str:
        lines = [f"  {row!r}" for row in self._rows[:3]] + (["  …"] if len(self) > 3 else [])
        return "\n".join(
            [f"Annotations of {len(self):,} texts: {', '.join(one.name for one in self.questions)}", *lines]
        )


def affect_table(
    asked: Sequence[Question], rows: Sequence[Affect], nested: bool = False, probabilities: bool = False
) -> pa.Table:
    """The answers to `asked`, a row a text; then `abstained` and `note`.

    Args:
        asked: the questions.
        rows: the answers to all of them, by text.
        nested: whether each question is one struct column, instead of a column for each part of its answer.
        probabilities: whether classes have a column for the probability of each, as labels do.
    """
    columns: dict[str, pa.Array] = {}
    for question in asked:
        fields = answer_fields(question, probabilities)
        parts = {
            suffix: pa.array([part for row in rows for part in [_part(row, question, suffix)]], kind)
            for suffix, kind in fields.items()
        }
        if nested:
            names = [suffix.removeprefix("_") or "value" for suffix in parts]
            columns[question.name] = pa.StructArray.from_arrays(list(parts.values()), names=names)
        else:
            columns |= {question.name + suffix: array for suffix, array in parts.items()}
    columns["abstained"] = pa.array([any(one.abstained for one in row.values()) for row in rows], pa.bool_())
    columns["note"] = pa.array([note_of(row) for row in rows], pa.string())
    return pa.table(columns)


def answer_fields(question: Question, probabilities: bool = False) -> dict[str, pa.DataType]:
    """What follows the name of a question in the names of its columns, and the type of each; see `affect_table`."""
    if question.kind == "score":
        value, bound = pa.float64(), pa.float64()
    elif question.kind == "class":
        is_own = question.task.name == "own-class"
        value, bound = (pa.string() if is_own else pa.int64()), pa.int64()
    else:
        value = bound = _TEXTS
    fields = {"": value}
    if question.kind == "class":
        fields["_label"] = pa.string()
    fields |= {"_confidence": pa.float64(), "_low": bound, "_high": bound}
    if question.kind == "labels" or probabilities:
        fields |= {f"_{option}": pa.float64() for option in question.options}
    return fields


def column_names(asked: Sequence[Question], nested: bool = False, probabilities: bool = False) -> list[str]:
    """The names of the columns of `affect_table`."""
    own = [
        one.name if nested else one.name + suffix
        for one in asked
        for suffix in ([""] if nested else answer_fields(one, probabilities))
    ]
    return [*own, "abstained", "note"]


def renamed(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """New names for those of ours that the input has already."""
    others = set(taken)
    found: dict[str, str] = {}
    for name in names:
        if name in others:
            new = PREFIX + name
            while new in others:
                new = PREFIX + new
            found[name] = new
    return found


def note_of(row: Affect) -> str | None:
    """What must be said of a row: why cells are empty, and what was done to the text."""
    by_note: dict[str, list[str]] = {}
    for name, one in row.items():
        for note in [one.note, "the confidence is too low" if one.abstained else None]:
            if note:
                by_note.setdefault(note, []).append(name)
    notes = [note if len(names) == len(row) else f"{', '.join(names)}: {note}" for note, names in by_note.items()]
    return "; ".join(notes) or None


def cells(table: pa.Table) -> Iterator[list[str]]:
    """The rows of a table as text, for CSV: nothing for null, `a, b` for a list."""
    for row in table.to_pylist():
        yield [as_cell(value) for value in row.values()]


def as_cell(value: Any) -> str:
    """A value as a cell of CSV."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(as_cell, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {as_cell(one)}" for name, one in value.items())
    return str(value)


def _part(row: Affect, question: Question, suffix: str) -> Any:
    answer = row[question.name]
    if suffix in ("", "_low", "_high"):
        value = {"": answer.value, "_low": answer.low, "_high": answer.high}[suffix]
        return list(value) if isinstance(value, tuple) else value
    if suffix == "_label":
        return answer.label
    if suffix == "_confidence":
        return answer.confidence
    return None if answer.probabilities is None else answer.probabilities[suffix.removeprefix("_")]
