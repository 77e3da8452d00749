"""Builds whose filters drop all of something: what is refused, what is left out and told."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import get_dataset_config_names, load_dataset
from tiny_corpus import Install, Tiny, settings

from emollms.cli.datasets import _print_build
from emollms.corpora.base import Example
from emollms.corpora.reader import Record
from emollms.dataset.build import build_repo
from emollms.dataset.diff import diff
from emollms.dataset.screening import check_remaining
from emollms.errors import EmollmsError
from emollms.hub.ids import write_ids

BENCHMARK = "near-duplicate of a text of the benchmark"
SPOILT = "this tweet is in the benchmark as well, word for word"
ROWS = {
    "train": [("a", "the kettle sang and the cat went out", "0.5"), ("e1", SPOILT, "0.9")],
    "validation": [("b", "nobody came to the fair because of the rain", "0.4"), ("e2", SPOILT.upper(), "0.8")],
    "test": [("c", f"{SPOILT}!", "0.7")],
}


@pytest.fixture
def two_tasks(install: Install, monkeypatch: pytest.MonkeyPatch) -> Path:
    """V-reg, and E-c, whose texts for training are all in the benchmark."""

    def rows(self: Tiny, record: Record) -> Iterable[Example]:
        if record["id"].startswith("e"):
            yield Example("E-c", record.split, record["id"], record["text"], ("joy",), "joy")
        else:
            yield Example("V-reg", record.split, record["id"], record["text"], record.number("score"), record["score"])

    monkeypatch.setattr(Tiny, "rows", rows)
    root = install(ROWS)
    files = tuple(file.model_copy(update={"task": None}) for file in Tiny.meta.files)
    monkeypatch.setattr(Tiny, "meta", Tiny.meta.model_copy(update={"tasks": ("V-reg", "E-c"), "files": files}))
    return root


def test_a_task_that_nobody_named_is_left_out_and_told(
    two_tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    done = build_repo(settings("aaid", "tiny"), out, root=two_tasks)
    counts = {(one.task, one.split): (one.read, one.dropped, one.rows) for one in done.manifest.counts}
    assert counts["E-c", "train"] == counts["E-c", "validation"] == (1, {BENCHMARK: 1}, 0)
    assert not (out / "data" / "E-c").exists()
    assert set(get_dataset_config_names(str(out))) == {"default", "V-reg"}
    assert set(load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"]["task"]) == {"V-reg"}
    _print_build(done, out)
    told = capsys.readouterr().err
    assert "no text of E-c, train, is left: the data set has no such rows" in told
    assert f"  2 texts: {BENCHMARK}" in told
    assert f"| 2 | texts | {BENCHMARK} |" in (out / "README.md").read_text(encoding="utf-8")
    assert [row["source_id"] for row in pq.read_table(out / "rejected.parquet").to_pylist()] == ["e1", "e2"]


def test_a_data_set_without_one_of_its_tasks_has_an_id_only_form_and_a_diff(two_tasks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_repo(settings("aaid", "tiny"), out, root=two_tasks)
    write_ids(out, tmp_path / "ids")
    assert not (tmp_path / "ids" / "data" / "E-c").exists()
    assert json.loads((tmp_path / "ids" / "manifest.json").read_text())["counts"][-1]["rows"] == 0
    assert diff(out, out).step == "none"


def test_a_task_that_was_named_is_an_error(two_tasks: Path, tmp_path: Path) -> None:
    told = (
        r"^nothing is left of E-c train, E-c validation: all 2 texts were dropped "
        rf"\(2: {BENCHMARK}\); leave E-c out of --tasks, or choose other corpora"
    )
    with pytest.raises(EmollmsError, match=told):
        build_repo(settings("aaid", "tiny", tasks=("V-reg", "E-c")), tmp_path / "out", root=two_tasks)
    assert not (tmp_path / "out").exists()


def test_a_whole_batch_that_is_dropped_leaves_the_others(install: Install, tmp_path: Path) -> None:
    spoilt = [(f"s{number}", SPOILT, "0.5") for number in range(1_001)]  # examples go through filters 500 at a time
    root = install({"train": [*spoilt, *ROWS["train"][:1]], "test": ROWS["test"]})
    build_repo(settings("aaid", "tiny"), tmp_path / "out", root=root)
    rows = pq.read_table(tmp_path / "out" / "data" / "V-reg").to_pylist()
    assert {row["source_id"] for row in rows} == {"a"}


def test_reasons_are_added_up_the_most_serious_first() -> None:
    read = {("V-reg", "train"): 3, ("E-c", "train"): 4}
    dropped = {("V-reg", "train"): {"no text": 1, BENCHMARK: 2}, ("E-c", "train"): {"no text": 4}}
    told = rf"^nothing is left of V-reg train, E-c train: all 7 texts were dropped \(2: {BENCHMARK}; 5: no text\)"
    with pytest.raises(EmollmsError, match=told):
        check_remaining(read, dropped, ())
