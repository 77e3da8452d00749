"""Files that are not UTF-8: the table of files, or the builder, says what they are."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
import toys

from emollms.corpora.lines import check_encoding
from emollms.corpora.reader import RawSource
from emollms.errors import SourceError

Read = Callable[..., RawSource]
COLUMNS = ("id", "text")
TEXTS = {
    "latin-1": "the café on the corner",
    "cp1252": "“naïve” – 5 €",
    "cp1256": "فرحت اليوم",
    "koi8-r": "радость",
    "shift_jis": "今日は表情が良い",  # 表 ends in the byte of a backslash
    "gb18030": "今天很高兴 😀",
    "mac_roman": "déjà vu",
    "utf-16": "naïve 😀 \u0a0a \u000b",  # a character whose units look like line ends
    "utf-16-le": "naïve \u0a0a",
    "utf-16-be": "naïve \u0a0a \u0d0a",
    "utf-32": "naïve 😀",
    "utf-32-be": "naïve",
    "utf-8-sig": "naïve",
}


@pytest.fixture
def source(tmp_path: Path) -> Read:
    """A function that makes a source of one file with these bytes."""

    def make(body: bytes, quarantine: bool = False, **about: object) -> RawSource:
        (tmp_path / "a.tsv").write_bytes(body)
        return RawSource(toys.corpus(toys.pinned("a.tsv", body).model_copy(update=about)), tmp_path, quarantine)

    return make


def rows(made: RawSource, **how: object) -> list[tuple[object, ...]]:
    records = made.table(made.meta.files[0], COLUMNS, **how)
    return [(record.line, *record.cells.values()) for record in records]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("encoding", "text"), TEXTS.items())
def test_a_file_in_its_encoding(encoding: str, text: str, end: str, source: Read) -> None:
    body = end.join(["id\ttext", f"1\t{text}", "", f"2\t{text} again", ""]).encode(encoding)
    expected = [(2, "1", text), (4, "2", f"{text} again")]
    said = source(body)
    assert rows(said, encoding=encoding) == expected
    assert said.defects["CRLF line end"] == (4 if end == "\r\n" else 0)
    if encoding != "utf-8-sig":  # what the table of files says is checked there
        assert rows(source(body, encoding=encoding)) == expected


def test_what_the_builder_says_counts_more_than_the_table(source: Read) -> None:
    assert rows(source("id\ttext\n1\t“so”\n".encode("cp1252"), encoding="latin-1"), encoding="cp1252") == [
        (2, "1", "“so”")
    ]


def test_long_files_in_units_of_two_bytes(source: Read) -> None:
    """More than one piece is read at a time, and a unit may be cut between two."""
    lines = [f"{number}\t{'Ċ' * (number % 50)}" for number in range(5_000)]  # Ċ is U+010A
    body = codecs.BOM_UTF16_LE + "\n".join(["id\ttext", *lines]).encode("utf-16-le")
    assert [f"{name}\t{text}" for _, name, text in rows(source(body, encoding="utf-16"))] == lines


@pytest.mark.parametrize(
    ("encoding", "line", "problem"),
    [
        ("cp1252", b"1\ta \x81 b", "byte 5 of the line is not cp1252"),
        ("latin-1", b"1\t\x93so\x94", "U+0093, a control character if the line is latin-1"),
        ("latin-1", b"1\ta\x00b", "NUL byte"),
        ("shift_jis", b"1\t\x81", "byte 3 of the line is not shift_jis"),
        ("cp1252", b"1\ta\rb", "carriage return inside the line"),
        ("utf-16-le", "1\ta".encode("utf-16-le") + b"\x00\xd8", "is not UTF-16-LE"),
        ("utf-16-be", "1\ta\x07".encode("utf-16-be"), "control character U+0007"),
        ("utf-16-le", ("1\t" + "x" * (1 << 19)).encode("utf-16-le"), "line is longer than 1 MiB"),
    ],
)
def test_lines_that_are_not_of_the_encoding(encoding: str, line: bytes, problem: str, source: Read) -> None:
    def encoded(text: str) -> bytes:
        return text.encode(encoding)

    body = encoded("id\ttext\n0\tzero\n") + line + encoded("\n2\ttwo\n")
    with pytest.raises(SourceError) as caught:
        rows(source(body, encoding=encoding))
    assert str(caught.value).startswith("toy/a.tsv:3: ")
    assert problem in str(caught.value)
    made = source(body, quarantine=True, encoding=encoding)
    assert rows(made) == [(2, "0", "zero"), (4, "2", "two")]
    assert [row.place.line for row in made.take_left_out()] == [3]


def test_utf_8_that_is_none_names_the_way_out(source: Read) -> None:
    with pytest.raises(SourceError, match=r"byte 6 of the line is not UTF-8: .*say its encoding in the table of files"):
        rows(source(b"id\ttext\n1\tcaf\xe9\n"))


def test_utf_16_without_a_mark_says_which(source: Read) -> None:
    body = "id\ttext\n1\tone\n".encode("utf-16-le")
    with pytest.raises(SourceError, match=r"no byte order mark, which utf-16 needs: .*say utf-16-le or utf-16-be"):
        rows(source(body, encoding="utf-16"))
    with pytest.raises(SourceError, match=r"NUL byte.*where the file is UTF-16"):
        rows(source(body))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("latin1x", "unknown encoding 'latin1x'; did you mean latin1?"),
        ("klingon", "unknown encoding 'klingon'; common ones are utf-8, latin-1, cp1252, utf-16"),
        ("a\0b", "unknown encoding"),
        ("rot13", "files in 'rot13' cannot be read line by line; convert them to utf-8"),
        ("iso2022_jp", "cannot be read line by line"),
        ("cp037", "cannot be read line by line"),
        ("idna", "cannot be read line by line"),
    ],
)
def test_encodings_that_are_none(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"encoding|line by line") as caught:
        check_encoding(name)
    assert problem in str(caught.value)


@pytest.mark.parametrize(("name", "usual"), [("Latin1", "latin-1"), ("UTF8", "utf-8"), ("windows-1252", "cp1252")])
def test_encodings_by_other_names(name: str, usual: str) -> None:
    assert check_encoding(name) == usual
