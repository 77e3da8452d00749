"""Rows of several lines, and files side by side: a broken line costs its whole row, and shifts none."""

from collections.abc import Callable
from pathlib import Path

import pytest
import toys

from emollms.corpora.reader import RawSource
from emollms.errors import SourceError

Read = Callable[..., RawSource]
TEXTS, LABELS = b"one\ntwo\n\nfour\n", b"0\n1\n2\n3\n"


@pytest.fixture
def source(tmp_path: Path) -> Read:
    """A function that makes a source of files with these bytes by name."""

    def make(bodies: dict[str, bytes], quarantine: bool = False, **about: object) -> RawSource:
        for name, body in bodies.items():
            (tmp_path / name).write_bytes(body)
        files = [toys.pinned(name, body).model_copy(update=about) for name, body in bodies.items()]
        return RawSource(toys.corpus(*files), tmp_path, quarantine)

    return make


def pairs(made: RawSource, **how: object) -> list[tuple[int, str, str]]:
    texts, labels = made.meta.files
    records = list(made.side_by_side(text=texts, label=labels, **how))
    assert all(record.file is texts for record in records)
    return [(record.line, record["text"], record["label"]) for record in records]


def test_two_files_side_by_side(source: Read) -> None:
    made = source({"t": TEXTS, "l": LABELS}, rows=4)
    assert pairs(made) == [(1, "one", "0"), (2, "two", "1"), (3, "", "2"), (4, "four", "3")]


def test_separators_of_other_kinds_end_no_line(source: Read) -> None:
    made = source({"t": "a\u2028b\vc\x85d\ntwo\n".encode(), "l": b"0\n1\n"})
    assert pairs(made) == [(1, "a\u2028b\vc\x85d", "0"), (2, "two", "1")]


def test_encodings_hold_for_all(source: Read) -> None:
    made = source({"t": "café\n".encode("utf-16"), "l": "1\n".encode("utf-16")})
    assert pairs(made, encoding="utf-16") == [(1, "café", "1")]


@pytest.mark.parametrize(
    ("texts", "labels", "told"),
    [
        (TEXTS, b"0\n1\n", "toy/t:3: line without a partner in toy/l, which has 2 lines; this file has 4; "),
        (b"one", LABELS, "toy/l:2: line without a partner in toy/t, which has 1 lines; this file has 4; "),
        (TEXTS, b"", "toy/t:1: line without a partner in toy/l, which has 0 lines; this file has 4; "),
    ],
)
def test_files_of_other_lengths(texts: bytes, labels: bytes, told: str, source: Read) -> None:
    with pytest.raises(SourceError) as caught:
        pairs(source({"t": texts, "l": labels}))
    assert str(caught.value).startswith(told)
    made = source({"t": texts, "l": labels}, quarantine=True)
    assert pairs(made) == []  # any pair before the end may be a wrong one
    assert made.defects["file left out as a whole"] == 2
    assert len(made.take_left_out()) == 1


def test_a_broken_line_costs_its_pair(source: Read) -> None:
    bodies = {"t": b"one\ncaf\xe9\nthree\nfour\n", "l": b"0\n1\n\x00\n3\n"}
    with pytest.raises(SourceError, match="toy/t:2: byte 4 of the line is not UTF-8"):
        pairs(source(bodies))
    made = source(bodies, quarantine=True)
    assert pairs(made) == [(1, "one", "0"), (4, "four", "3")]
    assert [str(row.place) for row in made.take_left_out()] == ["toy/t:2", "toy/l:3"]


def test_numbers_of_rows_are_checked(source: Read) -> None:
    with pytest.raises(SourceError, match=r"toy/t: 4 rows instead of 5; correct its rows in the table of files"):
        pairs(source({"t": TEXTS, "l": LABELS}, rows=5))


def test_a_broken_line_costs_its_group(source: Read) -> None:
    """Without this the lines after it would be shifted: a target in place of a text."""
    body = b"a\nx\n1\nb\n\xff\n0\nc\nz\n-1\n"
    file = source({"t": body}).meta.files[0]
    with pytest.raises(SourceError, match="toy/t:5: byte 1 of the line is not UTF-8"):
        list(source({"t": body}).groups(file, 3))
    made = source({"t": body}, quarantine=True)
    assert list(made.groups(file, 3)) == [(3, ("a", "x", "1")), (9, ("c", "z", "-1"))]
    assert [row.place.line for row in made.take_left_out()] == [5]


def test_a_group_that_is_cut(source: Read) -> None:
    made = source({"t": b"a\nx\n1\nb\ny\n"})
    with pytest.raises(SourceError, match="toy/t:5: the last row has 2 of 3 lines: 'b'"):
        list(made.groups(made.meta.files[0], 3))
