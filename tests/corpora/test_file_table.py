"""Tables of pinned files: every mistake in one is told with its line."""

import csv
import io
import os
import sys
from pathlib import Path

import pytest
import toys

from emollms.builders.sample import Sample
from emollms.corpora.file_table import pinned_files, read_table
from emollms.corpora.pin import pin
from emollms.errors import EmollmsError, UsageError
from emollms.storage import write_whole

HASH = "0" * 64
HEADER = "path,sha256,bytes,rows,split,language,task,emotion,address"
GOOD = f"a.tsv,{HASH},7,2,train,en,EI-reg,joy,"
MISTAKES = {
    "empty": ("", "files/mine.csv:1: column 'path' is missing; the columns are none"),
    "only a header": (HEADER, "files/mine.csv names no file"),
    "semicolons": (
        f"{HEADER}\n{GOOD}".replace(",", ";"),
        "files/mine.csv:1: column 'path' is missing; the columns are path;",
    ),
    "another name of a column": (f"{HEADER.replace('sha256', 'sha')}\n{GOOD}", ":1: column 'sha256' is missing"),
    "a column too many": (f"{HEADER},licens\n{GOOD},mit", ":1: unknown column 'licens'; known: address"),
    "a cell too few": (f"{HEADER}\n{GOOD[:-1]}", ":2: 8 cells instead of 9"),
    "a cell too many": (f"{HEADER}\n{GOOD}\n{GOOD.replace('a.tsv', 'b.tsv')},", ":3: 10 cells instead of 9"),
    "a hash that is none": (GOOD.replace(HASH, "abc"), ":2: sha256 is 'abc'; allowed: 64 hexadecimal digits"),
    "a hash in capitals": (GOOD.replace(HASH, "A" * 64), "; allowed: 64 hexadecimal digits, as sha256sum prints them"),
    "negative rows": (
        GOOD.replace(",2,", ",-2,"),
        ":2: rows is '-2' (str); input should be greater than or equal to 0",
    ),
    "rows that are no number": (
        GOOD.replace(",2,", ",two,"),
        ":2: rows is 'two' (str); input should be a valid integer",
    ),
    "no size": (GOOD.replace(",7,", ",,"), ":2: bytes is missing"),
    "a split": (GOOD.replace("train", "dev"), ":2: split is 'dev'; allowed: 'train', 'validation' or 'test'"),
    "a language": (GOOD.replace(",en,", ",EN,"), ":2: language is 'EN'; allowed: a code such as en, arq or pt-BR"),
    "a task": (GOOD.replace("EI-reg", "EI-rge"), ":2: task: unknown task 'EI-rge'; did you mean EI-reg"),
    "an emotion": (GOOD.replace("joy", "awe"), ":2: 'awe' is no label or emotion of EI-reg; known: anger, fear, joy"),
    "a path twice": (f"{HEADER}\n{GOOD}\n\n{GOOD}", ":4: 'a.tsv' is there twice, first at line 2"),
    "a path above": (GOOD.replace("a.tsv", "../a.tsv"), ":2: path: '../a.tsv' is no path below the corpus's folder"),
    "an absolute path": (GOOD.replace("a.tsv", "/a.tsv"), ":2: path: '/a.tsv' is no path below the corpus's folder"),
    "an encoding": (
        f"{HEADER},encoding\n{GOOD},latin-l",
        ":2: encoding: unknown encoding 'latin-l'; did you mean latin",
    ),
    "an open quote": (f'{HEADER}\n"{GOOD}', ":2: no CSV (unexpected end of data)"),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The table of a corpus `mine` in a package `holder`."""
    (tmp_path / "holder/files").mkdir(parents=True)
    (tmp_path / "holder/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "holder", raising=False)
    return tmp_path / "holder/files/mine.csv"


@pytest.mark.parametrize(("table", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake(table: str, told: str, package: Path) -> None:
    package.write_text(f"{HEADER}\n{table}" if table.startswith(("a.tsv", "../", "/a")) else table)
    with pytest.raises(UsageError) as caught:
        pinned_files("mine", "holder")
    assert str(caught.value).startswith("files/mine.csv")
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_another_encoding(package: Path) -> None:
    package.write_bytes(f"{HEADER}\ncaf\xe9.tsv{GOOD[5:]}".encode("latin-1"))
    with pytest.raises(UsageError, match=r"files/mine\.csv is not UTF-8 \(byte \d+\); save it as UTF-8"):
        pinned_files("mine", "holder")


def test_what_spreadsheets_add_is_no_mistake(package: Path) -> None:
    """A byte order mark, CRLF, spaces around cells, an empty line."""
    package.write_bytes(f"\ufeff{HEADER}\r\n{GOOD.replace(',en,', ', en ,')}\r\n\r\n".encode())
    (file,) = pinned_files("mine", "holder")
    assert (file.path, file.language, file.address, file.encoding) == ("a.tsv", "en", None, None)


def test_the_encoding_has_its_usual_name(package: Path) -> None:
    package.write_text(f"{HEADER},encoding\n{GOOD},Latin1\n")
    assert pinned_files("mine", "holder")[0].encoding == "latin-1"


class TestPin:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """The folder of the corpora."""
        (tmp_path / "raw/mine").mkdir(parents=True)
        (tmp_path / "raw/mine/a.tsv").write_bytes(b"id\ttext\n")
        return tmp_path / "raw"

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        return tmp_path / "mine.csv"

    def test_what_was_filled_in_stays(self, root: Path, out: Path) -> None:
        """Rows, split and so on, and columns that are not among the usual ones."""
        out.write_text(f'{HEADER},encoding,note\n{GOOD}https://example.org/a,latin-1,"one, two"\n')
        pinned = pin("mine", root, out=out)
        (row,) = csv.DictReader(io.StringIO(pinned.table))
        assert row["sha256"] == toys.pinned("a", b"id\ttext\n").sha256
        assert (row["rows"], row["split"], row["emotion"], row["encoding"]) == ("2", "train", "joy", "latin-1")
        assert (row["address"], row["note"]) == ("https://example.org/a", "one, two")
        assert (pinned.new, pinned.changed, pinned.gone) == ((), ("a.tsv",), ())
        write_whole(out, pinned.table)
        assert pin("mine", root, out=out) == type(pinned)(pinned.table, (), (), ())

    def test_a_table_that_is_damaged_is_not_replaced(self, root: Path, out: Path) -> None:
        for damaged in ("a note of mine\n", f"{HEADER}\na.tsv,1\n"):
            out.write_text(damaged)
            with pytest.raises(UsageError, match=r"mine\.csv:[12]: "):
                pin("mine", root, out=out)

    def test_a_folder_is_no_table(self, root: Path) -> None:
        with pytest.raises(UsageError, match="is a folder; --out takes the file of the table"):
            pin("mine", root, out=root)

    def test_a_write_that_fails_leaves_the_table_as_it_was(self, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        out.write_text("before")

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_whole(out, "x" * 100_000)
        assert out.read_text() == "before"
        assert [path.name for path in out.parent.iterdir()] == ["mine.csv"]

    def test_a_link_to_the_table_stays_one(self, out: Path, tmp_path: Path) -> None:
        out.write_text("before")
        out.chmod(0o640)
        (tmp_path / "link.csv").symlink_to(out)
        write_whole(tmp_path / "link.csv", "after")
        assert (tmp_path / "link.csv").is_symlink()
        assert (out.read_text(), out.stat().st_mode & 0o777) == ("after", 0o640)

    def test_rows_are_counted_as_the_builder_reads_them(self, tmp_path: Path) -> None:
        (tmp_path / "sample").mkdir()
        table = (Path(__file__).parents[2] / "builders/files/sample.csv").read_bytes()
        folder = Path(__file__).parents[2] / "builders/data/sample"
        for path in ("train.tsv", "validation.tsv", "test.tsv"):
            (tmp_path / "sample" / path).write_bytes((folder / path).read_bytes())
        with (tmp_path / "sample/test.tsv").open("ab") as stream:
            stream.write(b"new\ten\tV-reg\t\t\t0.5\tso so\n")
        before = {row["path"]: row["rows"] for _, row in read_table(table, "sample")}
        pinned = pin("sample", tmp_path, builder=Sample)
        after = {row["path"]: row["rows"] for _, row in read_table(pinned.table.encode(), "sample")}
        assert after == {**before, "test.tsv": str(int(before["test.tsv"]) + 1)}
        (tmp_path / "sample/new.tsv").write_bytes(b"x")
        with pytest.raises(EmollmsError, match=r"the builder does not know new\.tsv yet; pin without --count-rows"):
            pin("sample", tmp_path, builder=Sample)
