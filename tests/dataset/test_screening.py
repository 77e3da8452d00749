"""Near-duplicates in a build and in any data set: what is flagged, what is dropped, and what is said of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_corpus import Install, settings

from emollms.dataset.build import build_repo
from emollms.dataset.manifest import read_manifest
from emollms.dedup.schema import TEXT_SCHEMA
from emollms.dedup.screen import screen
from emollms.dedup.search import Search
from emollms.dedup.standalone import find_duplicates, overlap
from emollms.errors import SourceError, UsageError

SEA = "the sea was calm and we sat on the rocks all evening"
HILL = "we walked up the long hill and never once looked back"
TRAIN_HOME = "the last train home was full of tired and happy people"


def rows_of(folder: Path, split: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(folder / "data" / "V-reg" / f"{split}-00000.parquet").to_pylist()
    return rows


@pytest.fixture
def built(install: Install, tmp_path: Path) -> Path:
    root = install(
        {
            "train": [
                ("a", SEA, "0.9"),
                ("b", f"RT @anna: {SEA.upper()}!! https://t.example/1", "0.2"),
                ("c", HILL, "0.5"),
                ("d", f"{TRAIN_HOME} #finally", "0.6"),
                ("e", "nothing here is like anything else at all", "0.4"),
            ],
            "validation": [("f", f"{HILL}...", "0.5")],
            "test": [("g", TRAIN_HOME, "0.7")],
        }
    )
    build_repo(settings("aaid", "tiny"), tmp_path / "out", root=root)
    return tmp_path / "out"


def test_duplicates_inside_a_split_stay_in_a_cluster(built: Path) -> None:
    clusters = {row["source_id"]: row["cluster"] for row in rows_of(built, "train")}
    assert clusters == {"a": "tiny/V-reg/a/-", "b": "tiny/V-reg/a/-", "e": None}


def test_training_gives_way_to_validation_and_test(built: Path) -> None:
    rejected = pq.read_table(built / "rejected.parquet").to_pylist()
    assert [(row["source_id"], row["split"], row["reason"], row["duplicate_of"]) for row in rejected] == [
        ("c", "train", "near-duplicate of a text of test or validation", "tiny/V-reg/f/-"),
        ("d", "train", "near-duplicate of a text of the benchmark", "tiny/V-reg/g/-"),
    ]
    assert rejected[0]["similarity"] == 1.0
    assert 0.7 <= rejected[1]["similarity"] < 1.0


def test_pairs_tell_how_far_their_answers_are_apart(built: Path) -> None:
    pairs = pq.read_table(built / "duplicates.parquet").to_pylist()
    found = {pair["kind"]: (pair["id_a"], pair["id_b"], pair["equal"], pair["disagreement"]) for pair in pairs}
    assert found["within split"] == ("tiny/V-reg/a/-", "tiny/V-reg/b/-", True, pytest.approx(0.7))
    assert found["between splits"] == ("tiny/V-reg/c/-", "tiny/V-reg/f/-", True, 0.0)


def test_manifest_and_card_say_what_was_done(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    train = next(count for count in manifest["counts"] if count["split"] == "train")
    assert train["read"] == 5
    assert sum(train["dropped"].values()) == 2
    assert train["rows"] == 30
    assert "tiny" in manifest["screening"]["benchmark"]
    card = (built / "README.md").read_text()
    reasons = "near-duplicate of a text of the benchmark | near-duplicate of a text of test or validation"
    assert f"| texts dropped | split | {reasons} |\n| --- | --- | ---: | ---: |\n| V-reg | train | 1 | 1 |" in card
    assert "| within split | V-reg | train/train | 1 | 0 | 1 | 0.700 |" in card


def test_paper_is_not_screened(install: Install, tmp_path: Path) -> None:
    root = install({"train": [("a", SEA, "0.9"), ("b", SEA, "0.2")], "validation": [("c", SEA, "0.5")]})
    build_repo(settings("aaid", "tiny", profile="paper"), tmp_path / "out", root=root)
    assert len(rows_of(tmp_path / "out", "train")) == 20
    assert not (tmp_path / "out" / "duplicates.parquet").exists()


def table(*rows: dict[str, object]) -> pa.Table:
    base = {"task": "V-reg", "split": "train", "emotion": None, "answer": "", "score": None, "labels": []}
    return pa.Table.from_pylist([base | row for row in rows], TEXT_SCHEMA)


def test_tasks_and_emotions_of_one_tweet_are_no_duplicates() -> None:
    texts = table(
        {"id": "1", "text": SEA, "task": "EI-reg", "emotion": "joy"},
        {"id": "2", "text": SEA, "task": "EI-reg", "emotion": "fear"},
        {"id": "3", "text": SEA, "task": "V-reg"},
    )
    assert screen(texts).cluster == [None, None, None]


def test_overlaps_name_the_other_tasks_of_a_test_text() -> None:
    texts = table(
        {"id": "1", "text": SEA, "task": "SST", "split": "test"},
        {"id": "2", "text": f"{SEA} !", "task": "SST5", "split": "test"},
        {"id": "3", "text": SEA.replace("evening", "morning"), "task": "V-M", "split": "test"},
        {"id": "4", "text": HILL, "task": "V-M", "split": "test"},
    )
    assert screen(texts).overlaps == [["SST5", "V-M"], ["SST", "V-M"], ["SST", "SST5"], []]


def test_a_row_that_is_dropped_takes_no_other_with_it() -> None:
    """Validation goes for the benchmark's sake; training that only duplicates that validation row stays."""
    middle = "we sat on the rocks all evening and talked about the sea and the boats"
    texts = table({"id": "t", "text": middle, "split": "train"}, {"id": "v", "text": SEA, "split": "validation"})
    benchmark = table({"id": "b", "text": SEA, "split": "test"})
    found = screen(texts, benchmark, search=Search(0.3))
    assert found.reason[1] == "near-duplicate of a text of the benchmark"
    alone = screen(texts, search=Search(0.3))
    assert alone.reason[0] == "near-duplicate of a text of test or validation"
    close_to_benchmark = found.similarity[0] is not None
    assert bool(found.reason[0]) == close_to_benchmark


def test_rows_without_a_text_are_no_duplicates_of_each_other_nor_of_the_benchmark() -> None:
    texts = table(
        {"id": "1", "text": None}, {"id": "2", "text": " \n"}, {"id": "3", "text": "", "split": "test"},
        {"id": "4", "text": SEA}, {"id": "5", "text": ":-)"},
    )  # fmt: skip
    found = screen(texts, table({"id": "b", "text": ""}, {"id": "c", "text": "..."}), policy="drop")
    assert found.reason == ["no text", "no text", "no text", "", ""]
    assert (found.duplicate_of, found.pairs.num_rows) == ([None] * 5, 0)


def test_drop_leaves_one_of_each_cluster_in_training_alone() -> None:
    texts = table(
        {"id": "1", "text": SEA}, {"id": "2", "text": f"{SEA}!"}, {"id": "3", "text": HILL, "split": "test"},
        {"id": "4", "text": f"{HILL}!", "split": "test"},
    )  # fmt: skip
    assert screen(texts, policy="drop").reason == ["", "near-duplicate in its split", "", ""]


class TestAnyDataSet:
    def test_jsonl_is_split_into_kept_and_rejected(self, tmp_path: Path) -> None:
        rows = [{"tweet": SEA, "n": 1}, {"tweet": f"{SEA} :)", "n": 2}, {"tweet": HILL, "n": 3}]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "ref.jsonl").write_text(json.dumps({"tweet": HILL.title()}) + "\n")
        done = find_duplicates(
            tmp_path / "in.jsonl", tmp_path / "out", tmp_path / "ref.jsonl", policy="drop", text_column="tweet"
        ).counts
        assert (done.rows, done.kept) == ({"train": 3}, {"train": 1})
        from datasets import load_dataset

        kept = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
        assert kept["train"].to_list() == [{"tweet": SEA, "n": 1, "cluster": "train/0"}]
        rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
        assert [(row["n"], row["duplicate_of"]) for row in rejected] == [(2, "train/0"), (3, "train/0")]

    def test_wordings_of_a_text_stand_or_fall_together(self, tmp_path: Path) -> None:
        build_repo(settings("aaid", "sample"), tmp_path / "aaid")
        done = find_duplicates(tmp_path / "aaid", tmp_path / "out", policy="drop").counts
        assert done.kept == done.rows
        assert done.clusters == 0

    def test_overlap_counts_texts_of_both_sides(self, tmp_path: Path) -> None:
        for name, texts in (("a", [SEA, SEA, HILL]), ("b", [f"{SEA}!", TRAIN_HOME])):
            pq.write_table(pa.table({"text": texts}), tmp_path / f"{name}.parquet")
        found = overlap(str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet"))
        assert [(row.texts, row.equal, row.near, row.hit) for row in found] == [(2, 1, 0, 1)]

    def test_what_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"there is no folder .*nothing$"):
            find_duplicates(str(tmp_path / "nothing"), tmp_path / "out")
        (tmp_path / "folder").mkdir()
        with pytest.raises(UsageError, match="cannot be read as a data set"):
            find_duplicates(str(tmp_path / "folder"), tmp_path / "out")
        (tmp_path / "empty.jsonl").touch()
        with pytest.raises(UsageError, match=r"empty\.jsonl is empty"):
            find_duplicates(str(tmp_path / "empty.jsonl"), tmp_path / "out")
        (tmp_path / "latin.jsonl").write_bytes(b'{"text": "fine"}\n{"text": "caf\xe9"}\n')
        with pytest.raises(SourceError, match=r"latin\.jsonl:2: byte 14 of the line, 0xE9, is not utf-8"):
            find_duplicates(str(tmp_path / "latin.jsonl"), tmp_path / "out")
        pq.write_table(pa.table({"tweet": ["x"], "text": [1]}), tmp_path / "a.parquet")
        with pytest.raises(UsageError, match="holds int64, not text; see --text-column"):
            find_duplicates(str(tmp_path / "a.parquet"), tmp_path / "out")
        with pytest.raises(UsageError, match="has no column 'words'; it has tweet, text"):
            find_duplicates(str(tmp_path / "a.parquet"), tmp_path / "out", text_column="words")
        assert not (tmp_path / "out").exists()


@pytest.mark.corpora
def test_real_training_data_against_the_real_benchmark(real_repo: Callable[..., Path]) -> None:
    """AAID training and validation hit 5 SemEval test texts equally, 14 at 0.7."""
    aaid = real_repo("aaid")
    manifest = read_manifest(aaid)
    pairs = pq.read_table(aaid / "duplicates.parquet").to_pylist()
    semeval = [p for p in pairs if p["kind"] == "benchmark" and p["id_b"].startswith("semeval2018_task1/")]
    assert sum(count.rows for count in manifest.counts) == 280_010
    english = [pair for pair in semeval if "-En-" in pair["id_b"]]
    assert len({pair["text_b"] for pair in english}) == 14
    assert len({pair["text_b"] for pair in english if pair["equal"]}) == 5
    within = [p for p in pairs if p["kind"] == "within split" and p["id_a"].split("/")[1] == "E-c"]
    assert len(within) == pytest.approx(1_098, rel=0.06)
    assert sum(pair["disagreement"] == 0 for pair in within) == pytest.approx(183, rel=0.06)
