"""Quotes that go wrong, and rows of several lines: what is refused, and that quarantine leaves out whole rows."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import toys

from emollms.corpora.reader import RawSource
from emollms.errors import SourceError

Read = Callable[..., RawSource]
COLUMNS = ("text", "labels", "id")
SWALLOWS = b"""\
"Nobody told me the pool was closed today\t9\tsw1
My neighbours sang for me this morning\t17\tsw2
I miss the dog so much it hurts\t25\tsw3
She is now 5 ft 6"\t27\tsw4
The parade made everyone cheer\t13\tsw5
"""
CLOSES = "toy/a.tsv:{}: a quote opens here and closes "


@pytest.fixture
def source(tmp_path: Path) -> Read:
    """A function that makes a source of one file with these bytes."""

    def make(body: bytes, quarantine: bool = False) -> RawSource:
        (tmp_path / "a.tsv").write_bytes(body)
        return RawSource(toys.corpus(toys.pinned("a.tsv", body)), tmp_path, quarantine)

    return make


def rows(made: RawSource, columns: tuple[str, ...] = COLUMNS, **how: object) -> list[tuple[str, ...]]:
    how = {"header": False, "quotes": True, **how}
    return [tuple(record.cells.values()) for record in made.table(made.meta.files[0], columns, **how)]


def error(made: RawSource, *args: object, **how: object) -> str:
    with pytest.raises(SourceError) as caught:
        rows(made, *args, **how)
    return str(caught.value)


def test_a_quote_that_takes_rows_along_is_refused_where_it_opens(source: Read) -> None:
    told = error(source(SWALLOWS))
    assert told.startswith(CLOSES.format(1) + "at line 4, and lines that could be rows are between: '\"Nobody told me")
    assert "read the table with quotes=False in the builder" in told
    assert "add line_breaks=True" in told


def test_quarantine_leaves_out_the_row_whose_quote_opens_and_no_other(source: Read) -> None:
    made = source(SWALLOWS, quarantine=True)
    assert [row[2] for row in rows(made)] == ["sw2", "sw3", "sw4", "sw5"]
    assert [row.value for row in made.take_left_out()] == ['"Nobody told me the pool was closed today\t9\tsw1']


def test_the_builder_can_say_what_quotes_are(source: Read) -> None:
    assert [row[2] for row in rows(source(SWALLOWS), quotes=False)] == ["sw1", "sw2", "sw3", "sw4", "sw5"]
    assert [row[2] for row in rows(source(SWALLOWS), line_breaks=True)] == ["sw4", "sw5"]


@pytest.mark.parametrize(
    "body",
    [
        b'1,"Look!\nIt snows in May",joy\n2,b,fear\n',
        b'1,"one\n\ntwo\nthree",joy\n',
        b'1,"one, two\nthree",joy\n',
        b'"1","so, ""this""\nis it, then\nand that",joy\n',
    ],
)
def test_texts_of_several_lines_are_texts(body: bytes, source: Read) -> None:
    assert rows(source(body), ("id", "text", "label"), delimiter=",")[0][2] == "joy"


def test_one_column_cannot_tell(source: Read) -> None:
    assert rows(source(b'"one\ntwo"\nthree\n'), ("text",)) == [("one\ntwo",), ("three",)]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'id,text,label\n1,"one,joy\n2,two,fear\n', 2),
        (b'id,text,label\n1,one,joy\n2,two,"fear\n', 3),
        (b'id,text,label\n1,"one\nmore","joy\n2,two,fear\n', 3),  # the first quote closes, the second does not
        (b'id,text,label\n1,"one ""two"" three,joy\n', 2),
    ],
)
def test_a_quote_that_never_closes_is_told_where_it_opens(body: bytes, line: int, source: Read) -> None:
    told = error(source(body), ("id", "text", "label"), header=True, delimiter=",")
    assert told.startswith(f"toy/a.tsv:{line}: a quote opens here and never closes: ")


def test_a_quote_that_never_closes_in_a_long_file(source: Read) -> None:
    body = b'0,"zero,joy\n' + b"".join(b"%d,a text,joy\n" % number for number in range(1, 20_000))
    assert error(source(body), ("id", "text", "label"), delimiter=",").startswith("toy/a.tsv:1: a quote opens here")
    made = source(body, quarantine=True)
    assert len(rows(made, ("id", "text", "label"), delimiter=",")) == 19_999
    assert [row.place.line for row in made.take_left_out()] == [1]


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (b'1,"one\nstill "one", joy\n', 1),
        (b'1,"one\nmore\nand "more" of it",joy\n', 1),
        (b'1,"one\ncaf\xe9\nthree",joy\n', 2),
        (b'1,"caf\xe9\nthree",joy\n', 1),
        (b'1,"one\nthree \x00",joy\n', 2),
        (b'1,"one\nthree",joy,more\n', 2),
        (b'1,"one\n\xff,x,y\nthree",joy\n', 2),
    ],
)
def test_quarantine_never_leaves_out_a_part_of_a_row(broken: bytes, line: int, source: Read) -> None:
    """Neither a line out of the middle, nor the lines after a quote that broke, as a row of their own."""
    columns = ("id", "text", "label")
    body = b"0,zero,joy\n" + broken + b"2,two,fear\n"
    made = source(body, quarantine=True)
    assert rows(made, columns, delimiter=",") == [("0", "zero", "joy"), ("2", "two", "fear")]
    assert [row.place.line - 1 for row in made.take_left_out()] == [line]


def test_a_cell_that_is_too_long_is_not_called_a_quote(source: Read) -> None:
    before = csv.field_size_limit(131_072)  # tables of users raise it for the whole process
    try:
        told = error(source(b"a\t1\tx\n" + b"y" * 200_000 + b"\t1\tx\n"))
    finally:
        csv.field_size_limit(before)
    assert told.startswith("toy/a.tsv:2: a cell has more than 131,072 characters: 'yyy")


def test_columns_that_are_none(source: Read) -> None:
    for columns in ("text", ("id", "id")):
        with pytest.raises(ValueError, match="columns must be a tuple of different names"):
            rows(source(b"a"), columns)
