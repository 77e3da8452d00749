"""Every row in its place, and the input's columns to the byte, whatever they hold."""

import csv
import gzip
import io
import json
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import emollms
from emollms.annotation.inputs import open_input
from emollms.annotation.run import annotate_file
from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.tables.files import Dialect

CELL = st.text(st.sampled_from('aI love, "it"\n\r;\t😀א\u202e\''), max_size=12)
OWN = ["valence", "valence_confidence", "valence_low", "valence_high", "abstained", "note"]


def annotate(path: Path, out: Path, text_column: str = "text", window: int = 4096, **options: object) -> None:
    dialect = options.pop("dialect", Dialect())
    source = open_input(str(path), text_column, None, dialect, path.parent)  # type: ignore[arg-type]
    annotate_file(vader(), source.table, out, digest=source.digest, window=window, **options)  # type: ignore[arg-type]


@cache
def vader() -> emollms.Annotator:
    return emollms.Annotator.from_pretrained(baseline="vader", task="valence", fresh=True)


def written(rows: list[list[str]], **dialect: object) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, **dialect).writerows(rows)  # type: ignore[arg-type]
    return stream.getvalue().encode()


def records(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=9),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_csv_keeps_its_bytes(rows: list[tuple[str, str]], end: str, quoting: int, tmp_path: Path) -> None:
    dialect = {"lineterminator": end, "quoting": quoting}
    # A bare carriage return in an unquoted cell ends the row for the reader that this test compares with.
    bare = "" if quoting == csv.QUOTE_MINIMAL else "\r"
    before = [["id", "text"], *([cell.replace("\r", bare) for cell in row] for row in rows)]
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(written(before, **dialect))
    out.unlink(missing_ok=True)
    annotate(path, out, window=2)
    after = records(out.read_bytes())
    assert after[0] == ["id", "text", *OWN]
    raw = [written([row], **dialect).removesuffix(end.encode()) for row in before]
    added = [written([row[2:]], lineterminator="") for row in after]
    assert out.read_bytes() == b"".join(own + b"," + new + end.encode() for own, new in zip(raw, added, strict=True))


def test_bytes_that_are_not_utf8_stay_and_are_noted(tmp_path: Path) -> None:
    content = b'id,text\n1,caf\xe9 is good\n2,"fine\xff\xfe"\n3,good\n'
    (tmp_path / "in.csv").write_bytes(content)
    annotate(tmp_path / "in.csv", tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_bytes().split(b"\n")
    assert lines[1].startswith(b"1,caf\xe9 is good,0.")
    assert lines[2].startswith(b'2,"fine\xff\xfe",')
    assert [b"not in its encoding" in line for line in lines[1:4]] == [True, True, False]
    annotate(tmp_path / "in.csv", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == [
        "caf\ufffd is good",
        "fine\ufffd\ufffd",
        "good",
    ]


def test_a_byte_order_mark_semicolons_and_latin1(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbftext;n\ngood;1\n")
    annotate(tmp_path / "in.csv", tmp_path / "out.csv", dialect=Dialect(delimiter=";"))
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbftext;n;valence;")
    (tmp_path / "old.csv").write_bytes("text\nschön good\n".encode("latin-1"))
    annotate(tmp_path / "old.csv", tmp_path / "new.csv", dialect=Dialect(encoding="latin-1"))
    assert (tmp_path / "new.csv").read_bytes().splitlines()[1].startswith("schön good,".encode("latin-1"))


def test_json_lines_keep_numbers_as_they_are_written(tmp_path: Path) -> None:
    lines = ['{"id": 1.50, "text": "good", "big": 123456789012345678901234567890}', '{"text": null, "id": 2}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    annotate(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    got = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.startswith(before[:-1]) for line, before in zip(got, lines, strict=True)] == [True, True]
    assert [json.loads(line)["note"] for line in got] == [None, "no text"]


def test_parquet_keeps_types_and_takes_structs(tmp_path: Path) -> None:
    table = pa.table(
        {"text": ["good", None, ""], "when": pa.array([1, 2, None], pa.timestamp("us")), "l": [[1], [], None]}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    annotate(tmp_path / "in.parquet", tmp_path / "out.parquet", window=2)
    flat = pq.read_table(tmp_path / "out.parquet")
    assert flat.select(table.column_names).equals(table)
    assert flat.column_names[3:] == OWN
    annotate(tmp_path / "in.parquet", tmp_path / "nested.parquet", nested=True)
    nested = pq.read_table(tmp_path / "nested.parquet")
    assert nested.column_names == [*table.column_names, "valence", "abstained", "note"]
    assert nested["valence"].to_pylist()[0]["value"] == flat["valence"].to_pylist()[0]


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.gz", ".jsonl.gz"])
def test_compressed_files(suffix: str, tmp_path: Path) -> None:
    body = b'{"text": "good"}\n' if "json" in suffix else b"text\ngood\n"
    with gzip.open(tmp_path / f"in{suffix}", "wb") as stream:
        stream.write(body)
    for name in ("one", "two"):
        annotate(tmp_path / f"in{suffix}", tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    assert b"valence" in gzip.decompress((tmp_path / f"one{suffix}").read_bytes())


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
def test_one_text_a_line(out: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("good\n\nbad", encoding="utf-8")
    annotate(tmp_path / "in.txt", tmp_path / out)
    assert (tmp_path / out).is_file()


def test_a_column_of_the_input_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,valence,note\ngood,7,mine\n", encoding="utf-8")
    warned: list[str] = []
    annotate(tmp_path / "in.csv", tmp_path / "out.csv", warn=warned.append)
    row = dict(zip(*records((tmp_path / "out.csv").read_bytes()), strict=True))
    assert (row["valence"], row["note"]) == ("7", "mine")
    assert float(row["emollms_valence"]) > 0.5
    assert len(warned) == 2
    assert "'emollms_valence'" in warned[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,n\ngood\n", r"a.csv:2: 1 cells, the header has 2"),
        ("a.csv", b"text,n\ngood, but,1\n", r"a.csv:2: 3 cells, the header has 2"),
        ("a.csv", b'text,n\n"open,1\nx,2\n', "a.csv:2: "),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"body,n\nx,1\n", "no column 'text'"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "a.jsonl:2: no JSON"),
        ("a.jsonl", b"[1]\n", "a.jsonl:1: no object"),
        ("a.parquet", b"PAR1 no", "no Parquet"),
        ("a.csv.gz", b"\x1f\x8b\x08broken", "not whole gzip"),
    ],
)
def test_broken_input_is_one_line_and_nothing_is_asked(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((SourceError, UsageError), match=message):
        annotate(path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_file_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\ngood\n", encoding="utf-8")
    (tmp_path / "out.csv").write_text("precious,data\n1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has other columns"):
        annotate(tmp_path / "in.csv", tmp_path / "out.csv")
    with pytest.raises(UsageError, match="has other columns"):
        annotate(tmp_path / "in.csv", tmp_path / "in.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "precious,data\n1,2\n"
    with pytest.raises(EmollmsError, match="its ending is none that is written"):
        annotate(tmp_path / "in.csv", tmp_path / "out.xlsx")
