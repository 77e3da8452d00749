"""Which files are read as tables, and what is said of the others."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emollms.errors import SourceError, UsageError
from emollms.tables.files import has_table_suffix, table_file
from emollms.tables.read import read_table, table_rows


@pytest.mark.parametrize("name", ["a.gz", "a.xlsx", "a", "a.parquet.gz", "a.csv.bz2", "csv", ".csv"])
def test_a_file_that_is_no_table_is_refused_with_those_that_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"text\nx\n")
    with pytest.raises(UsageError, match=r"is a file here, but its suffix is none.*CSV \(\.csv\), TSV.*Parquet"):
        table_file(tmp_path / name)
    assert not has_table_suffix(name)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(UsageError, match=r"a\.csv is a folder"):
        table_file(tmp_path / "a.csv")
    with pytest.raises(UsageError, match=r"there is no file .*b\.csv"):
        table_file(tmp_path / "b.csv")


@pytest.mark.parametrize(
    "data",
    [
        b"text\nx\n",
        gzip.compress(b"text\nx\n" * 99, mtime=0)[:-9],
        gzip.compress(b"text\nx\n" * 99, mtime=0)[:14] + b"\xff" * 30,
        b"",
    ],
)
def test_broken_gzip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.csv.gz").write_bytes(data)
    with pytest.raises((SourceError, UsageError), match=r"a\.csv\.gz(: not whole gzip| is empty)"):
        read_table(table_file(tmp_path / "a.csv.gz"))


def test_texts_one_a_line(tmp_path: Path) -> None:
    path, told = tmp_path / "a.txt", []
    path.write_bytes('NA\r\n\n"a, b"\nlast\u2028one'.encode())
    rows = [(row.line, row.values["text"]) for row in table_rows(table_file(path), told.append)]
    assert rows == [(1, "NA"), (2, ""), (3, '"a, b"'), (4, "last\u2028one")]
    assert told == []
    path.write_text("id\ttext\n1\tx\n")
    assert len(read_table(table_file(path), told.append)) == 2
    assert "line 1 has tabs; for a table give --delimiter tab" in told[0]
    path.write_bytes(b"old\rmac\r")
    with pytest.raises(SourceError, match=r"a\.txt:1: carriage return inside the line"):
        read_table(table_file(path))


def test_parquet(tmp_path: Path) -> None:
    folder = tmp_path / "year=2024"
    folder.mkdir()
    table = pa.table({"id": [1, 1, None], "text": ["NA", "", None], "": ["x", "y", "z"]})
    pq.write_table(table.select(["id", "text"]), folder / "a.parquet")
    file = table_file(folder / "a.parquet")
    assert read_table(file).to_pylist() == table.select(["id", "text"]).to_pylist()
    assert [row.line for row in table_rows(file)] == [1, 2, 3]
    pq.write_table(table, folder / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: column 3 has no name"):
        read_table(table_file(folder / "b.parquet"))
    pq.write_table(table.select([]).slice(0, 0), folder / "c.parquet")
    with pytest.raises(UsageError, match=r"c\.parquet is empty"):
        read_table(table_file(folder / "c.parquet"))
    (folder / "d.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(SourceError, match=r"d\.parquet: no Parquet"):
        list(table_rows(table_file(folder / "d.parquet")))
