"""Reading of raw files: lines, tables, and what is refused or counted in them."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import toys

from emollms.corpora.reader import CellError, RawSource, Record
from emollms.errors import SourceError, UsageError

Read = Callable[..., RawSource]
COLUMNS = ("id", "text")


@pytest.fixture
def source(tmp_path: Path) -> Read:
    """A function that makes a source of one file with these bytes."""

    def make(body: bytes, quarantine: bool = False, **about: object) -> RawSource:
        (tmp_path / "a.tsv").write_bytes(body)
        file = toys.pinned("a.tsv", body).model_copy(update=about)
        return RawSource(toys.corpus(file), tmp_path, quarantine)

    return make


def rows(source: RawSource, **how: object) -> list[tuple[int, ...]]:
    """Line and cells of each row."""
    records = source.table(source.meta.files[0], how.pop("columns", COLUMNS), **how)
    return [(record.line, *record.cells.values()) for record in records]


def error(source: RawSource, **how: object) -> str:
    with pytest.raises(SourceError) as caught:
        rows(source, **how)
    return str(caught.value)


def test_a_plain_table(source: Read) -> None:
    made = source("id\ttext\n1\tone\n\n2\ttwö 😀\n".encode())
    assert rows(made) == [(2, "1", "one"), (4, "2", "twö 😀")]
    assert {name for name, count in made.defects.items() if count} == set()


def test_windows_files(source: Read) -> None:
    made = source(b"\xef\xbb\xbfid\ttext\r\n1\tone\r\n2\ttwo")
    assert rows(made) == [(2, "1", "one"), (3, "2", "two")]
    assert made.defects["CRLF line end"] == 2
    assert made.defects["byte order mark"] == 1


def test_white_space_inside_a_line_stays(source: Read) -> None:
    assert rows(source("id\ttext\n1\ta\vb\fc\u2028d\x85e\n".encode())) == [(2, "1", "a\vb\fc\u2028d\x85e")]


def test_a_byte_order_mark_is_one_only_at_the_beginning(source: Read) -> None:
    assert rows(source("id\ttext\n\ufeff1\tone\n".encode())) == [(2, "\ufeff1", "one")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"1\ta\0b", r"NUL byte: '1\ta\x00b'"),
        (b"1\ta\x07b", r"control character U+0007: '1\ta\x07b'"),
        (b"1\ta\x7fb", r"control character U+007F: "),
        (b"1\ta\rb", r"carriage return inside the line: '1\ta\rb'"),
        (b"1\tcaf\xe9", r"byte 6 of the line is not UTF-8: '\\xe9'"),
        (b"1\t\xed\xa0\x80", "byte 3 of the line is not UTF-8"),
        (b"1\t\xc0\xaf", "byte 3 of the line is not UTF-8"),
        (b"1", "1 columns instead of 2: '1'"),
        (b"1\ta\tb", r"3 columns instead of 2: '1\ta\tb'"),
        (b"1\t" + b"x" * (1 << 20), "line is longer than 1 MiB: '1"),
    ],
)
def test_broken_lines_are_refused_or_left_out(line: bytes, problem: str, source: Read) -> None:
    body = b"id\ttext\n0\tzero\n" + line + b"\n2\ttwo\n"
    told = error(source(body))
    assert told.startswith(f"toy/a.tsv:3: {problem}")
    assert told.endswith(", or leave the row out with --quarantine")
    assert "fetch" not in told
    assert len(told.splitlines()) == 1
    made = source(body, quarantine=True)
    assert rows(made) == [(2, "0", "zero"), (4, "2", "two")]
    reason = re.sub(r"^byte \d+ ", "a byte ", told.removeprefix("toy/a.tsv:3: ").partition(": ")[0])
    assert [(row.place.line, row.reason) for row in made.take_left_out()] == [(3, reason)]
    assert made.refused == 1
    assert made.take_left_out() == []


def test_a_line_of_a_megabyte_is_read(source: Read) -> None:
    text = "x" * ((1 << 20) - 3)
    assert rows(source(f"id\ttext\n1\t{text}\n".encode())) == [(2, "1", text)]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"", "toy/a.tsv: the file is empty"),
        (b"\n\n", "toy/a.tsv: the file is empty"),
        (b"id\tTEXT\n", r"toy/a.tsv:1: column 'text' is missing: 'id\tTEXT'"),
        (b"text\tid\n", r"toy/a.tsv:1: columns are not id, text: 'text\tid'"),
        (b"id\ttext\tmore\n", r"toy/a.tsv:1: columns are not id, text: 'id\ttext\tmore'"),
    ],
)
def test_headers(header: bytes, problem: str, source: Read) -> None:
    assert error(source(header)).startswith(problem)
    made = source(header, quarantine=True)
    assert rows(made) == []
    assert made.defects["file left out as a whole"] == 1
    assert len(made.take_left_out()) == 1


def test_a_table_without_header(source: Read) -> None:
    assert rows(source(b"1\tone\n"), header=False) == [(1, "1", "one")]
    assert rows(source(b""), header=False) == []


def test_quotes_are_plain_characters_in_plain_tables(source: Read) -> None:
    made = source(b'id\ttext\n1\t"one\n2\ttwo"\n')
    assert rows(made) == [(2, "1", '"one'), (3, "2", 'two"')]
    assert made.defects["double quote that is a plain character"] == 2


def test_quoted_cells(source: Read) -> None:
    made = source(b'id,text\n1,"a, ""b""\r\nand c"\n2,two\n')
    assert rows(made, delimiter=",", quotes=True) == [(3, "1", 'a, "b"\nand c'), (4, "2", "two")]
    assert made.defects["line with CSV quoting"] == 2


@pytest.mark.parametrize("rest", [b"2,two\n3,three\n", b'2,"two"\n3,three\n', b'2,"two\nlines"\n3,three', b""])
def test_an_open_quote_costs_one_line(rest: bytes, source: Read) -> None:
    body = b'id,text\n0,zero\n1,"one\n' + rest
    assert error(source(body), delimiter=",", quotes=True).startswith("toy/a.tsv:3: a quote opens here and ")
    made = source(body, quarantine=True)
    found = rows(made, delimiter=",", quotes=True)
    sound = rows(source(b"id,text\n0,zero\n1,x\n" + rest), delimiter=",", quotes=True)
    assert found == [row for row in sound if row[1] != "1"]
    assert [(row.place.line, row.value) for row in made.take_left_out()] == [(3, '1,"one')]


def test_rows_without_data_are_left_out_and_not_counted(source: Read) -> None:
    made = source(b"id\ttext\n1\tone\n2\tprobe\n", rows=1)
    reason = rows(made, no_data=lambda record: "a probe" if record["text"] == "probe" else None)
    assert reason == [(2, "1", "one")]
    [left] = made.take_left_out()
    assert (left.place.line, left.reason, left.value, left.source_id) == (3, "a probe", "probe", "2")
    assert made.refused == 0


def test_other_numbers_of_rows(source: Read) -> None:
    body = b"id\ttext\n1\tone\n"
    assert error(source(body, rows=2)).startswith("toy/a.tsv: 1 rows instead of 2; ")
    made = source(body, rows=2, quarantine=True)
    assert rows(made) == [(2, "1", "one")]
    assert made.defects["file has other rows than the pinned one"] == 1
    made = source(b"id\ttext\n", rows=2, quarantine=True)
    assert rows(made) == []
    assert [row.reason for row in made.take_left_out()] == ["0 rows instead of 2"]


def test_other_bytes(source: Read) -> None:
    body, other = b"id\ttext\n1\tone\n", hashlib.sha256(b"other").hexdigest()
    found = hashlib.sha256(body).hexdigest()
    told = error(source(body, sha256=other))
    assert told.startswith(f"toy/a.tsv: SHA-256 is not {other}: '{found}'; put the pinned file back, or pin this one")
    told = error(source(body, sha256=other, address="https://example.org/a.tsv"))
    assert "get the file again with `emollms corpora fetch toy`" in told
    made = source(body, sha256=other, quarantine=True)
    assert rows(made) == [(2, "1", "one")]
    assert made.defects["file differs from the pinned one"] == 1
    assert made.hashes == {"a.tsv": found}
    assert made.size("a.tsv") == len(body)


def test_what_is_no_file(source: Read, tmp_path: Path) -> None:
    made = source(b"")
    (tmp_path / "a.tsv").unlink()
    with pytest.raises(UsageError, match=r"a.tsv is missing; run `emollms corpora show toy`"):
        rows(made)
    (tmp_path / "a.tsv").mkdir()
    with pytest.raises(UsageError, match=r"a.tsv is no file; run"):
        rows(made)


@pytest.mark.parametrize("quarantine", [False, True])
def test_a_file_that_cannot_be_read(quarantine: bool, source: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(b"", quarantine)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert error(made).startswith("toy/a.tsv: cannot be read: 'Permission denied'; see to the disk and the permissions")


class TestRecord:
    def record(self, cell: str) -> Record:
        return Record(toys.pinned("a.tsv"), 1, {"x": cell})

    @pytest.mark.parametrize(
        ("cell", "value"), [("0.5", 0.5), ("-3", -3.0), ("+.5", 0.5), ("1.", 1.0), ("1e-3", 0.001), ("5E+1", 50.0)]
    )
    def test_numbers(self, cell: str, value: float) -> None:
        assert self.record(cell).number("x") == value

    @pytest.mark.parametrize("cell", ["", " 1", "1 ", "1_0", "0,5", "٠.٥", "１", "0x1", "1e", ".", "one", "--1", "½"])
    def test_what_is_no_number(self, cell: str) -> None:
        with pytest.raises(CellError, match="x is not a number") as caught:
            self.record(cell).number("x")
        assert caught.value.value == cell

    def test_flags(self) -> None:
        record = Record(toys.pinned("a.tsv"), 1, {"joy": "1", "fear": "0", "awe": "x"})
        assert record.flags(("joy", "fear")) == ("joy",)
        with pytest.raises(CellError, match="awe is neither 0 nor 1"):
            record.flags(("joy", "awe"))

    def test_what_the_table_of_files_does_not_say(self) -> None:
        with pytest.raises(CellError, match=r"the table of files has no split for a\.tsv"):
            _ = self.record("1").split
