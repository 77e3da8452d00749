"""CSV and TSV: every cell as it was written, every row that does not fit refused with its line."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.tables.files import Dialect, table_file
from emollms.tables.read import BATCH, read_table, table_rows

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ROWS = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8))


def rows_of(path: Path, **dialect: object) -> list[tuple[int, dict[str, object]]]:
    file = table_file(path, Dialect(**dialect))
    found = [(row.line, dict(row.values)) for row in table_rows(file)]
    assert read_table(file).to_pylist() == [row for _, row in found], "both ways of reading give the same"
    return found


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


@settings(deadline=None)
@given(ROWS, st.sampled_from([",", ";", "|", " "]), st.sampled_from(["\n", "\r\n"]))
def test_what_pythons_writer_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str, end: str
) -> None:
    header = [f"column {number}" for number in range(len(rows[0]) if rows else 1)]
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *rows])
    path = write(tmp_path_factory.mktemp("csv"), "a.csv", written.getvalue())
    if not rows:
        with pytest.raises(UsageError, match="has a header, and no rows"):
            rows_of(path, delimiter=delimiter)
        return
    lines = [1]
    for row in [header, *rows[:-1]]:
        lines.append(lines[-1] + 1 + sum(cell.count("\n") for cell in row))
    expected = [(line, dict(zip(header, row, strict=True))) for line, row in zip(lines[1:], rows, strict=True)]
    assert rows_of(path, delimiter=delimiter) == expected


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.CSV"])
def test_words_and_numbers_stay_as_people_wrote_them(tmp_path: Path, name: str) -> None:
    content = 'id,text,label\n007,NA,1e5\n1.10,"null",\n-0,nan,None\n+1,"he said ""no"", twice"," x "\n'
    assert rows_of(write(tmp_path, name, content)) == [
        (2, {"id": "007", "text": "NA", "label": "1e5"}),
        (3, {"id": "1.10", "text": "null", "label": ""}),
        (4, {"id": "-0", "text": "nan", "label": "None"}),
        (5, {"id": "+1", "text": 'he said "no", twice', "label": " x "}),
    ]


def test_byte_order_mark_crlf_empty_lines_and_lines_in_cells(tmp_path: Path) -> None:
    content = '\ufefftext,label\r\n\r\n"one\r\ntwo",a\r\nthree,b\r\n\r\n'
    assert rows_of(write(tmp_path, "a.csv", content)) == [
        (3, {"text": "one\r\ntwo", "label": "a"}),
        (5, {"text": "three", "label": "b"}),
    ]


def test_one_column_may_have_empty_cells(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, "a.tsv", 'text\na\n""\nb\n')) == [
        (2, {"text": "a"}),
        (3, {"text": ""}),
        (4, {"text": "b"}),
    ]


def test_a_large_file_is_read_in_batches(tmp_path: Path) -> None:
    count = 2 * BATCH + 3
    content = "n,text\n" + "".join(f'{number},"a, {"long " * (number % 50)}text"\n' for number in range(count))
    rows = rows_of(write(tmp_path, "a.csv.gz", content))
    assert [line for line, _ in rows] == list(range(2, count + 2))
    assert rows[BATCH + 1][1] == {"n": str(BATCH + 1), "text": f"a, {'long ' * ((BATCH + 1) % 50)}text"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "text,label\nwe, too,joy\n",
            r"a\.csv:2: 3 cells, the header has 2: 'we, too,joy'; put double quotes",
        ),
        ("a.csv", 'text,label\n"x\ny",joy\nz\n', r"a\.csv:4: 1 cell, the header has 2: 'z'; add what is missing"),
        ("a.csv", 'text,label\n"x\ny",a,b\n', r"a\.csv:2: 3 cells in lines 2 to 3, the header has 2"),
        ("a.csv", "text,label\na,b,\n", r"a\.csv:2: 3 cells"),
        ("a.tsv", "text\tlabel\na\tb\tc\n", r"a\.tsv:2: 3 cells.*with a tab in it"),
        ("a.csv", 'text,label\nx,y\n"a,b\nc,d\n', r"a\.csv:3: the quote that opens here never closes: '\"a,b'"),
        ("a.csv", 'a,b,c\n"1\n2","3\n4",x\n5,"6\n7,8"\n"9,\n', r"a\.csv:5: 2 cells in lines 5 to 6"),
        ("a.csv", 'a,b\n"1\n2",x\n3,"4\n5,6\n', r"a\.csv:4: the quote that opens here never closes"),
        ("a.csv", 'a,b\n1,"2\n3" x\n4,5\n', r"a\.csv:2: the quote that opens here closes in line 3, before ' x'"),
        ("a.csv", 'a,b\n"he said "no" twice",5\n', r"a\.csv:2: the quote that opens here closes in line 2, before 'no"),
        ("a.csv", "a,b\r1,2\r3,4\r", r"a\.csv:1: carriage return inside the line"),
        ("a.csv", "a,b\n1\r2,3\n", r"a\.csv:2: carriage return inside the line"),
        ("a.csv", "text;label\nx;y\n", r"a\.csv:1: the header has a semicolon, and no comma.*--delimiter semicolon"),
        ("a.csv", "text\tlabel\nx\ty\n", r"a\.csv:1: the header has a tab.*give --delimiter tab"),
        ("a.csv", "text|label\nx|y\n", r"--delimiter pipe"),
        ("a.tsv", "text,label\nx,y\n", r"a\.tsv:1: the header has a comma, and no tab.*--delimiter comma"),
        ("a.csv", ",text\n0,x\n", r"a\.csv:1: column 1 has no name.*index=False"),
        ("a.csv", "text,label,text\nx,y,z\n", r"a\.csv:1: columns 1 and 3 have one name: 'text'"),
        ("a.csv", b"text,label\nx,y\ncaf\xe9,z\n", r"a\.csv:3: byte 4 of the line, 0xE9, is not utf-8.*--encoding"),
        ("a.csv", b"text,label\nx\0,y\n", r"a\.csv:2: byte 2 of the line is NUL"),
        ("a.csv", "text\nä\n".encode("utf-16"), r"a\.csv: this is UTF-16; give --encoding utf-16"),
        ("a.csv", gzip.compress(b"text\nx\n", mtime=0), r"a\.csv: this is gzip; name it with \.gz"),
        ("a.csv", b"PK\x03\x04" + bytes(20), r"a\.csv: this is a zip archive, such as an Excel workbook"),
        ("a.tsv", 'n\ttext\tl\n1\t"the dog\ta\n2\tcat"\tb\n', r"a\.tsv:2: a quoted cell runs over lines 2 to 3, each"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        rows_of(write(tmp_path, name, content))
    assert "\n" not in str(raised.value)


def test_a_quote_that_never_closes_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\n"x,y\n' + "a line,and another cell\n" * 800_000)
    with pytest.raises(SourceError, match=r"a\.csv:2: the quote that opens here does not close within 16 MiB"):
        next(table_rows(table_file(path)))


def test_cells_that_took_rows_along_are_told(tmp_path: Path) -> None:
    """By RFC 4180 this is one row with a line break; only a person can tell."""
    path, told = write(tmp_path, "a.csv", 'n,text,label\n1,"the dog,joy\n2,cat",fear\n3,"one\ntwo",joy\n'), []
    assert len(list(table_rows(table_file(path), told.append))) == 2
    assert [line.removeprefix(str(path)) for line in told] == [
        ": 1 quoted cells run over lines that each look like a row, the first in line 2; if a quote is missing there, "
        "rows are lost (see --no-quotes)"
    ]


def test_quotes_can_be_plain_characters(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", 'id\ttext\n1\t"the dog\n2\tcat" and ""\n')
    assert [row["text"] for _, row in rows_of(path, quotes=False)] == ['"the dog', 'cat" and ""']


@pytest.mark.parametrize(("encoding", "text"), [("utf-16", "naïve"), ("utf-16-le", "日本"), ("cp1252", "“né”"),
                                                ("shift_jis", "表,予"), ("utf-8-sig", "ñ")])  # fmt: skip
def test_other_encodings_can_be_stated(tmp_path: Path, encoding: str, text: str) -> None:
    path = write(tmp_path, "a.csv.gz", f'text,label\n"{text}",1\nx,2\n'.encode(encoding))
    assert rows_of(path, encoding=encoding) == [(2, {"text": text, "label": "1"}), (3, {"text": "x", "label": "2"})]
    wrong = write(tmp_path, "b.csv", b"text\n\x81\xff\n")
    with pytest.raises(EmollmsError):
        rows_of(wrong, encoding=encoding)


@pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
def test_a_delimiter_can_be_named(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path, "a.txt", "text\tlabel\na, b\tc\n")
    assert rows_of(path, delimiter=delimiter) == [(2, {"text": "a, b", "label": "c"})]


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        ({"delimiter": "::"}, "--delimiter '::' separates no cells"),
        ({"delimiter": '"'}, "separates no cells"),
        ({"delimiter": "a"}, "separates no cells"),
        ({"delimiter": ""}, "separates no cells"),
        ({"encoding": "utf8000"}, "--encoding 'utf8000' is no text encoding"),
        ({"encoding": "hex"}, "is no text encoding"),
        ({"encoding": ""}, "is no text encoding"),
    ],
)
def test_dialects_that_cannot_be(dialect: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Dialect(**dialect)


def test_files_without_rows(tmp_path: Path) -> None:
    for content, message in (("", "is empty"), ("\n\n", "is empty"), ("a,b\n", "has a header, and no rows")):
        with pytest.raises(UsageError, match=message):
            rows_of(write(tmp_path, "a.csv", content))


def test_a_delimiter_that_is_stated_is_not_doubted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "this|that\nx|y\n")
    assert rows_of(path, delimiter=",") == [(2, {"this|that": "x|y"})]
