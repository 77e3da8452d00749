"""`emollms dedup` and `emollms overlap` on tables as people have them."""

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emollms.cli import main

Run = Callable[..., tuple[int, str, str]]
SEA = "the sea was calm and we sat on the rocks all evening"
HILL = "we walked up the long hill and never once looked back"


@pytest.fixture
def emollms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in this process, in a folder of its own, where any request to the Hub fails the test."""
    monkeypatch.chdir(tmp_path)

    def no_request(*arguments: object, **options: object) -> None:
        raise AssertionError("the Hub was asked")

    def call(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["emollms", *map(str, words)])
        monkeypatch.setattr("httpx.Client.send", no_request, raising=False)
        monkeypatch.setattr("socket.socket.connect", no_request)
        with pytest.raises(SystemExit) as done:
            main()
        said = capsys.readouterr()
        return int(done.value.code or 0), said.out, said.err

    return call


def rows(path: str) -> list[dict[str, object]]:
    table: list[dict[str, object]] = pq.read_table(path).to_pylist()
    return table


def test_a_comma_that_is_not_quoted_is_refused(emollms: Run) -> None:
    """pandas takes the first column of `comma.csv` for an index, and moves or cuts all others."""
    Path("comma.csv").write_text(f'text,label\nwe missed it, and slept on the pier,sadness\n"{SEA}",joy\n')
    assert emollms("dedup", "comma.csv", "--out", "out") == (
        1,
        "",
        "error: comma.csv:2: 3 cells, the header has 2: 'we missed it, and slept on the pier,sadness'; put double "
        "quotes around a cell with a comma in it\n",
    )
    assert not Path("out").exists()
    Path("bench.csv").write_text(f"text\n{SEA}\n")
    code, _, err = emollms("overlap", "comma.csv", "bench.csv")
    assert (code, err.startswith("error: comma.csv:2: 3 cells")) == (1, True)
    Path("comma.csv").write_text(f'text,label\n"we missed it, and slept on the pier",sadness\n"{SEA}",joy\n')
    code, out, err = emollms("overlap", "comma.csv", "bench.csv")
    assert (code, out.splitlines()[1].split("\t")) == (0, ["train", "train", "2", "1", "0", "1"])


def test_words_for_nothing_are_texts_and_an_empty_cell_is_no_text(emollms: Run) -> None:
    Path("na.csv").write_text(f"id,text,label\n1,NA,0\n2,null,0\n3,nan,1\n4,None,1\n5,{SEA},0\n6,,1\n7,   ,0\n")
    code, out, err = emollms("dedup", "na.csv", "--out", "out", "--policy", "drop")
    assert (code, out) == (0, "split\trows\tkept\ntrain\t7\t5\n")
    assert err.startswith("dropped 2 rows: no text\npairs: none; clusters inside splits: 0;")
    kept = rows("out/data/train-00000.parquet")
    assert [(row["id"], row["text"], row["label"]) for row in kept] == [
        ("1", "NA", "0"), ("2", "null", "0"), ("3", "nan", "1"), ("4", "None", "1"), ("5", SEA, "0"),
    ]  # fmt: skip
    assert [(row["id"], row["text"], row["reason"]) for row in rows("out/rejected.parquet")] == [
        ("6", "", "no text"),
        ("7", "   ", "no text"),
    ]


def test_rows_of_json_without_a_text(emollms: Run) -> None:
    lines = [{"text": SEA, "label": 1}, {"text": None, "label": 2}, {"label": 3}, {"text": SEA, "label": None}]
    Path("a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, err = emollms("dedup", "a.jsonl", "--out", "out")
    assert (code, out.splitlines()[1]) == (0, "train\t4\t2")
    assert "dropped 2 rows: no text\n" in err
    code, out, err = emollms("overlap", "a.jsonl", "a.jsonl")
    assert (code, out.splitlines()[1]) == (0, "train\ttrain\t1\t1\t0\t1")
    assert err == "a.jsonl, split train: 2 of 4 rows have no text\n" * 2
    Path("a.jsonl").write_text('{"text": null}\n')
    code, out, err = emollms("dedup", "a.jsonl", "--out", "none")
    assert (code, out.splitlines()[1]) == (0, "train\t1\t0")


def test_files_that_are_here_are_read_or_refused_at_once(emollms: Run) -> None:
    Path("data").mkdir()
    Path("data/tab.tsv").write_text(f"text\tlabel\n{SEA}\t0\n")
    Path("g.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": SEA}).encode()))
    Path("lines.txt.gz").write_bytes(gzip.compress(f"{SEA}\n{HILL}\n".encode(), mtime=0))
    for number, (name, count) in enumerate((("data/tab.tsv", 1), ("g.jsonl.gz", 1), ("lines.txt.gz", 2))):
        code, out, _ = emollms("dedup", name, "--out", f"out{number}")
        assert (code, out.splitlines()[1]) == (0, f"train\t{count}\t{count}")
    Path("data/x.xml").write_text("<text>x</text>")
    for words, message in (
        (("dedup", "data/x.xml", "--out", "out"), "data/x.xml is a file here, but its suffix is none that is read"),
        (("overlap", "data/tab.tsv", "data/x.xml"), "data/x.xml is a file here, but"),
        (("dedup", "data/tab.csv", "--out", "out"), "there is no file data/tab.csv"),
        (("dedup", "./data/tab", "--out", "out"), "there is no folder ./data/tab"),
        (("validate", "data/tab.tsv"), "data/tab.tsv is a file; a data set is a folder that `emollms build` wrote"),
        (("dedup", "data/tab.tsv", "--out", "out", "--text-column", "words"), "has no column 'words'; it has text"),
        (("dedup", "data/tab.tsv", "--out", "out", "--encoding", "utf9"), "--encoding 'utf9' is no text encoding"),
    ):
        code, out, err = emollms(*words)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert message in err
    assert not Path("out").exists()


def test_dialects_can_be_stated(emollms: Run) -> None:
    Path("a.csv").write_bytes(f'text;label\n"Café; {SEA}";1\n'.encode("cp1252"))
    code, _, err = emollms("dedup", "a.csv", "--out", "out", "--encoding", "cp1252")
    assert (code, "give --delimiter semicolon" in err) == (1, True)
    options = ("--delimiter", "semicolon", "--encoding", "cp1252")
    assert emollms("dedup", "a.csv", "--out", "out", *options)[0] == 0
    assert rows("out/data/train-00000.parquet")[0]["text"] == f"Café; {SEA}"
    Path("b.tsv").write_text(f'text\tlabel\n"{SEA}\t1\n')
    code, _, err = emollms("overlap", "b.tsv", "b.tsv")
    assert (code, "b.tsv:2: the quote that opens here never closes" in err) == (1, True)
    assert emollms("overlap", "b.tsv", "b.tsv", "--no-quotes")[0] == 0


def test_a_folder_of_csv_is_read_as_exactly(emollms: Run) -> None:
    Path("f").mkdir()
    Path("f/train.csv").write_text(f"text,label\n{SEA},007\nNA,1\n")
    Path("f/test.csv").write_text(f"text,label\n{SEA}!,\n")
    code, out, _ = emollms("dedup", "f", "--out", "out")
    assert (code, sorted(out.splitlines()[1:])) == (0, ["test\t1\t1", "train\t2\t1"])
    assert rows("out/data/train-00000.parquet") == [{"text": "NA", "label": "1", "cluster": None}]
    assert rows("out/rejected.parquet")[0]["label"] == "007"
    Path("f/test.csv").write_text(f"text,label\n{SEA}, too,1\n")
    code, _, err = emollms("dedup", "f", "--out", "again")
    assert code == 1
    assert "f/test.csv:2: 3 cells, the header has 2" in err


NAMES = ("id", "cluster", "overlaps", "split", "wording", "label", "corpus", "task", "emotion", "answer", "completion",
         "score", "labels", "reason", "duplicate_of", "similarity", "from_split", "language")  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_columns_of_the_user_mean_nothing_whatever_they_are_called(emollms: Run, suffix: str) -> None:
    """Equal ids, tasks that differ and wordings: in a data set of ours they would say that nothing is a duplicate."""
    values = [["1", "1", ""], ["2", "2", "2"]] if suffix == "csv" else [[1, 1, None], [2, 2, 2]]
    theirs = [dict.fromkeys(NAMES, values[n == 1][n]) | {"text": text} for n, text in enumerate((SEA, f"{SEA}!", HILL))]
    if suffix == "csv":
        lines = [",".join(theirs[0]), *(",".join(row.values()) for row in theirs)]
        Path("a.csv").write_text("\n".join(lines) + "\n")
    elif suffix == "jsonl":
        Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in theirs))
    else:
        pq.write_table(pa.Table.from_pylist(theirs), "a.parquet")
    code, out, err = emollms("dedup", f"a.{suffix}", "--out", "out", "--policy", "drop")
    assert (code, out.splitlines()[1]) == (0, "train\t3\t2")
    for name in ("cluster", "reason", "duplicate_of", "similarity", "from_split"):
        said = f"the data has a column {name!r} of its own, which stays as it is; ours is called 'emollms_{name}'\n"
        assert said in err
    kept, rejected = rows("out/data/train-00000.parquet"), rows("out/rejected.parquet")
    assert kept == [theirs[0] | {"emollms_cluster": "train/0"}, theirs[2] | {"emollms_cluster": None}]
    assert [{name: row[name] for name in theirs[1]} for row in rejected] == [theirs[1]]
    assert rejected[0]["emollms_reason"] == "near-duplicate in its split"
    assert rejected[0]["emollms_duplicate_of"] == "train/0"
    pair = rows("out/duplicates.parquet")[0]
    assert (pair["id_a"], pair["id_b"], pair["answer_a"], pair["disagreement"]) == ("train/0", "train/1", None, None)
    code, out, err = emollms("dedup", "out", "--out", "twice")
    assert (code, "ours is called 'emollms_cluster_2'" in err) == (0, True)


def test_wordings_of_ours_keep_their_meaning_when_dedup_is_run_again(emollms: Run) -> None:
    code, _, err = emollms("build", "aaid", "--corpora", "sample", "--tasks", "V-reg", "--out", "aaid")
    assert code == 0, err
    for source, out in (("aaid", "once"), ("once", "twice")):
        code, printed, err = emollms("dedup", source, "--out", out, "--policy", "drop")
        assert code == 0, err
        assert all(read == kept for _, read, kept in map(str.split, printed.splitlines()[1:]))
        assert "of its own" not in err


def test_the_texts_of_a_benchmark_are_in_its_own_column(emollms: Run) -> None:
    code, _, err = emollms("build", "aeb", "--corpora", "sample", "--tasks", "SST", "--out", "aeb")
    assert code == 0, err
    text = rows("aeb/data/SST/test-00000.parquet")[0]["text"]
    pq.write_table(pa.table({"tweet": pa.array([text, HILL]).dictionary_encode(), "text": [1, 2]}), "a.parquet")
    code, out, err = emollms("dedup", "a.parquet", "--against", "aeb", "--out", "out", "--text-column", "tweet")
    assert (code, out.splitlines()[1:]) == (0, ["train\t2\t1"])
    code, out, err = emollms("overlap", "a.parquet", "aeb", "--text-column", "tweet")
    assert (code, out.splitlines()[1].split("\t")[:4]) == (0, ["train", "test", "2", "1"])
