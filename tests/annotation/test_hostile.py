"""Texts of every kind through the real command: as many rows, in order, what was there equal to the byte."""

import csv
import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forks import Forks

COMMAND = [sys.executable, "-m", "emollms", "annotate"]
VADER = ["--baseline", "vader", "--task", "valence"]
TEXTS = [
    "", " ", "\t", "good", "GOOD!!!", "not good", "😀😭 🏳️‍🌈 👩‍👩‍👧‍👦",
    "\u202eright to left\u202c", "שלום טוב", "مرحبا 👍",
    'a "quoted, cell"', "comma, semicolon; tab\tend", "two\nlines", "three\r\nlines",
    "=1+1", "NULL", "nan", "None", "007",
    "e\u0301 é", "\ufeffmark", "\u2028separator\u0085", "zero\u200bwidth", "\x1b[31mred\x7f",
    "\\N \\", "'", "{", "[1, 2]",
]  # fmt: skip
LENGTH = 50_000


def hostile(count: int, seed: int = 13) -> list[str]:
    """Texts with duplicates, and a few very long ones."""
    draw = random.Random(seed)
    texts = [draw.choice(TEXTS) if draw.random() < 0.5 else f"{draw.choice(TEXTS)} {n}" for n in range(count)]
    long = ["It was a good day. " * (LENGTH // 19), "x" * LENGTH, "😀" * LENGTH, "word " * (LENGTH // 5)]
    for n, text in enumerate(long):
        texts[(n + 1) * count // 5] = text
    return texts


class Annotate(Protocol):
    """Writes the annotations of a table to another."""

    def __call__(self, path: Path, out: Path, *options: str) -> None: ...


@pytest.fixture
def annotate(annotate_forks: Forks, tmp_path: Path) -> Annotate:
    def call(path: Path, out: Path, *options: str) -> None:
        done = annotate_forks.emollms("annotate", path, *VADER, *options, "--out", out, folder=tmp_path / "printed")
        assert done.returncode == 0, done.stderr[-2000:]

    return call


COUNTS = pytest.mark.parametrize("count", [pytest.param(2000), pytest.param(100_000, marks=pytest.mark.slow)])
OWN = 6


def delimited(texts: list[str], delimiter: str, end: str) -> list[bytes]:
    """A header and rows, each as bytes with its line end; every seventh has bytes that are no UTF-8."""
    rows = []
    for n, cells in enumerate([["id", "text", "rest"], *([f"{n:05}", text, "1.50"] for n, text in enumerate(texts))]):
        line = io.StringIO()
        csv.writer(line, delimiter=delimiter, lineterminator=end).writerow(cells)
        # A bare carriage return outside quotes ends a row for Python's writer and for nobody else.
        raw = line.getvalue().encode()
        rows.append(raw.replace(b"1.50", b"caf\xe9\xff") if n and n % 7 == 0 else raw)
    return rows


@COUNTS
@pytest.mark.parametrize(
    ("suffix", "delimiter", "end"), [("csv", ",", "\n"), ("tsv", "\t", "\r\n"), ("csv.gz", ",", "\n")]
)
def test_delimited(suffix: str, delimiter: str, end: str, count: int, annotate: Annotate, tmp_path: Path) -> None:
    rows = delimited(hostile(count), delimiter, end)
    path, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    content = b"".join(rows)
    path.write_bytes(gzip.compress(content, 1) if suffix.endswith("gz") else content)
    annotate(path, out)
    after = gzip.decompress(out.read_bytes()) if suffix.endswith("gz") else out.read_bytes()
    place = 0
    for raw in rows:
        body = raw.removesuffix(end.encode()) + delimiter.encode()
        assert after.startswith(body, place), (raw[:80], after[place : place + 80])
        place = after.index(end.encode(), place + len(body)) + len(end)  # what is added has no line end
    assert place == len(after)
    read = list(csv.reader(io.StringIO(after.decode("utf-8", "surrogateescape"), newline=""), delimiter=delimiter))
    assert {len(row) for row in read} == {3 + OWN}
    assert len(read) == count + 1
    notes = {row[1]: row[-1] for row in read[1:]}
    assert notes[""].startswith("no text")
    assert "parts" in notes["x" * LENGTH]
    assert all(("not in its encoding" in row[-1]) == (n % 7 == 0) for n, row in enumerate(read) if n)


@COUNTS
@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_json_lines(suffix: str, count: int, annotate: Annotate, tmp_path: Path) -> None:
    odd = [None, 7, 1.50, True, ["a"], {"a": None}, "\ud800 lone", 10**400, float("nan")]
    texts: list[object] = [*odd, *hostile(count - len(odd))]
    lines = [json.dumps({"n": n, "text": text}, ensure_ascii=n % 2 == 0 or n == 6) for n, text in enumerate(texts)]
    content = "\n".join(lines).encode("utf-8").replace(b"GOOD", b"G\xffOD")
    path, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    path.write_bytes(gzip.compress(content, 1) if suffix.endswith("gz") else content)
    annotate(path, out)
    after = gzip.decompress(out.read_bytes()) if suffix.endswith("gz") else out.read_bytes()
    got = after.removesuffix(b"\n").split(b"\n")
    assert len(got) == count
    for before, new in zip(content.split(b"\n"), got, strict=True):
        assert new.startswith(before[:-1] + b", "), before[:80]
    read = [json.loads(line.decode("utf-8", "surrogateescape")) for line in got]
    assert [row["n"] for row in read] == list(range(count))
    assert all(list(row)[2:] == ["valence", "valence_confidence", "valence_low", "valence_high", "abstained", "note"]
               for row in read)  # fmt: skip


@COUNTS
def test_parquet(count: int, annotate: Annotate, tmp_path: Path) -> None:
    texts: list[str | None] = [*hostile(count - 2), None, None]
    table = pa.table({
        "text": texts,
        "struct": [{"a": n, "b": [str(n)]} if n % 3 else None for n in range(count)],
        "bytes": pa.array([b"\xff\x00" if n % 2 else None for n in range(count)], pa.binary()),
        "double": pa.array([float("nan") if n % 5 == 0 else n / 3 for n in range(count)]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=max(1, count // 3))
    annotate(tmp_path / "in.parquet", tmp_path / "out.parquet")
    after = pq.read_table(tmp_path / "out.parquet")
    kept = after.select(["text", "struct", "bytes"])
    assert kept.equals(table.select(["text", "struct", "bytes"]))
    # NaN is not equal to itself; its bits are.
    assert [str(one) for one in after["double"].to_pylist()] == [str(one) for one in table["double"].to_pylist()]
    assert after["note"].to_pylist()[-1] == "no text"
    assert after["valence"].null_count == sum(not (text or "").strip() for text in texts)


@pytest.mark.parametrize("end", [".csv", ".jsonl", ".parquet"])
def test_from_one_format_to_another_no_row_is_lost(end: str, annotate: Annotate, tmp_path: Path) -> None:
    texts = hostile(300)
    (tmp_path / "in.tsv").write_bytes(b"".join(delimited(texts, "\t", "\n")))
    annotate(tmp_path / "in.tsv", tmp_path / f"out{end}")
    out = tmp_path / f"out{end}"
    if end == ".csv":
        found = [row[1] for row in csv.reader(io.StringIO(out.read_bytes().decode(), newline=""))][1:]
    elif end == ".jsonl":
        found = [json.loads(line)["text"] for line in out.read_text("utf-8").split("\n")[:-1]]
    else:
        found = pq.read_table(out)["text"].to_pylist()
    assert found == texts


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_utf16_keeps_its_byte_order(encoding: str, suffix: str, annotate: Annotate, tmp_path: Path) -> None:
    header = "\ufefftext\n" if suffix == "csv" else "\ufeff"
    row = "{}\n" if suffix == "csv" else '{{"text": "{}"}}\n'
    content = header + "".join(row.format(text) for text in ["good", "שלום", "😀"])
    (tmp_path / f"in.{suffix}").write_bytes(content.encode(encoding))
    annotate(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", "--encoding", "utf-16")
    after = (tmp_path / f"out.{suffix}").read_bytes().decode(encoding)
    assert after.count("\ufeff") == 1
    assert [line.split(",")[0].rstrip("}") for line in after.splitlines()] == [
        line.rstrip("}") for line in content.splitlines()
    ]


@pytest.mark.parametrize("form", ["lines", "csv", "jsonl"])
def test_standard_input_to_standard_output(form: str) -> None:
    texts = [text for text in TEXTS if "\n" not in text and "\r" not in text]
    given = {
        "lines": "".join(f"{text}\n" for text in texts).encode() + b"caf\xe9",
        "csv": b"".join(delimited(texts, ",", "\n")),
        "jsonl": "".join(json.dumps({"text": text}) + "\n" for text in texts).encode(),
    }[form]
    done = subprocess.run([*COMMAND, "-", *VADER], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    if form == "csv":
        rows = list(csv.reader(io.StringIO(done.stdout.decode("utf-8", "surrogateescape"), newline="")))
        assert [row[1] for row in rows[1:]] == texts
        return
    found = [json.loads(line)["text"] for line in done.stdout.decode().split("\n")[:-1]]
    assert found == ([*(text.removeprefix("\ufeff") for text in texts), "caf\ufffd"] if form == "lines" else texts)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("in.csv.gz", gzip.compress(b"text\ngood\n", mtime=0)[:-12] + b"\0" * 12, [], "not whole gzip"),
        ("in.csv", "text\nschön\n".encode("utf-16-le")[:-1], ["--encoding", "utf-16-le"], "not utf-16-le"),
        ("in.csv", b"text\ngood\n", ["--encoding", "cp1252", "--labels", "ja,öß,нет", "--multi"], "cp1252, has no"),
    ],
    ids=["gzip", "utf-16", "cp1252"],
)  # fmt: skip
def test_what_cannot_be_read_or_written_is_one_line(
    name: str, content: bytes, options: list[str], message: str, annotate_forks: Forks, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    asked = ["--model", str(tiny)] if "--labels" in options else VADER
    words = ("annotate", tmp_path / name, *asked, *options, "--out", tmp_path / "out.csv")
    done = annotate_forks.emollms(*words, folder=tmp_path / "printed")
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.csv").exists()


GROWTH = """
import random, resource, sys
from pathlib import Path
from emollms.cli import main
path, rows = Path(sys.argv[1]), int(sys.argv[2])
words = "good bad day night happy sad rain sun train late smile never".split()
draw = random.Random(1)
with path.open("w") as stream:
    stream.write("id,text\\n")
    stream.writelines(f"{n},{' '.join(draw.choices(words, k=8))} {n}\\n" for n in range(rows))
sys.argv = ["emollms", "annotate", str(path), "--baseline", "vader", "--task", "valence", *sys.argv[3:]]
try:
    main()
except SystemExit as end:
    assert not end.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--out"], ["--fresh", "--out"]])
def test_memory_does_not_grow_with_the_rows(options: list[str], tmp_path: Path) -> None:
    peaks = []
    for rows in (10_000, 1_000_000):
        command = [sys.executable, "-c", GROWTH, str(tmp_path / "in.csv"), str(rows)]
        done = subprocess.run(
            [*command, *options, str(tmp_path / f"{rows}.parquet")], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout.split()[-1]))
        assert pq.read_metadata(tmp_path / f"{rows}.parquet").num_rows == rows
    assert peaks[1] <= 1.1 * peaks[0], peaks
