"""AAID+: the tasks of AAID as they are, five corpora more, and no text of any test."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pyarrow.parquet as pq
import pytest
from dataset.test_build import tree
from dataset.test_named import both
from tiny_corpus import Install, settings

from emollms.cli.datasets import build as build_command
from emollms.dataset.build import build_repo
from emollms.dataset.manifest import read_manifest
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.dedup.standalone import overlap
from emollms.errors import UsageError
from emollms.prompts.instructions import wordings
from emollms.tasks import training_tasks

FIVE = [task.name for task in training_tasks()]
TRAMS = ["two trams passed, both of them empty and lit", "the third tram of the morning was early and nobody was there"]


def rows_by_id(folder: Path, task: str) -> dict[str, object]:
    return {row["id"]: row for row in pq.read_table(folder / "data" / task).to_pylist()}


def test_the_command_knows_every_data_set() -> None:
    (names, *_) = get_args(get_type_hints(build_command, include_extras=True)["data_set"])
    assert set(get_args(names)) == set(DATA_SETS)


@pytest.mark.usefixtures("sample_alone")
def test_the_tasks_of_aaid_have_the_rows_of_aaid(tmp_path: Path) -> None:
    for name in ("aaid", "aaid-plus"):
        build_repo(settings(name, "sample"), tmp_path / name, validate=False)
    for task in FIVE:
        assert rows_by_id(tmp_path / "aaid-plus", task) == rows_by_id(tmp_path / "aaid", task)


def test_a_text_that_another_corpus_tests_is_left_out(install: Install, tmp_path: Path) -> None:
    """Whatever the task that is tested: here a film review, and a tweet with a target."""
    build_repo(settings("aeb", "sample", tasks=("SST", "TDT")), tmp_path / "aeb", validate=False)
    tested = [row["text"] for task in ("SST", "TDT") for row in rows_by_id(tmp_path / "aeb", task).values()]
    review, tweet = tested[0], tested[-1]
    train = [("a", f"RT @anna {review.upper()} !!", "0.1"), ("b", TRAMS[0], "0.5")]
    root = both(install({"train": train, "validation": [("c", tweet, "0.5"), ("d", TRAMS[1], "0.4")], "test": []}))
    build_repo(settings("aaid-plus", "tiny", "sample"), tmp_path / "plus", root=root, validate=False)
    rejected = pq.read_table(tmp_path / "plus" / "rejected.parquet").to_pylist()
    found = {row["source_id"]: (row["reason"], row["duplicate_of"].split("/")[1]) for row in rejected}
    reason = "near-duplicate of a text of the benchmark"
    assert (found["a"], found["c"]) == ((reason, "SST"), (reason, "TDT"))
    assert not {"b", "d"} & set(found)


def test_it_has_no_published_form(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^aaid-plus was never published; build it with --profile release$"):
        build_repo(settings("aaid-plus", "sample", profile="paper"), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("sample_alone")
def test_weights_are_those_of_tasks_above_the_limit(tmp_path: Path) -> None:
    built = [
        build_repo(
            Settings(replace(DATA_SETS["aaid-plus"], mixing_limit=limit), corpora=("sample",)),
            tmp_path / str(limit),
            validate=False,
        )
        for limit in (80, 10_000)
    ]
    small, large = (read_manifest(one.folder) for one in built)
    texts = {count.task: count.read - sum(count.dropped.values()) for count in small.counts if count.split == "train"}
    assert small.mixing_weights() == {name: pytest.approx(80 / texts[name]) for name in ("EI-reg", "EI-oc")}
    assert large.mixing_weights() == {}
    assert small.content_hash == large.content_hash  # the rows are all there: training draws among them
    plain = build_repo(settings("aaid", "sample"), tmp_path / "aaid", validate=False).manifest
    assert "mixing_limit" not in plain.model_dump()  # manifests of AAID and AEB stay as they were


@pytest.fixture(scope="module")
def real(real_repo: Callable[..., Path]) -> Path:
    """The folder of the real AAID, AAID+, AEB and AEB-multilingual."""
    (folder,) = {real_repo(name).parent for name in DATA_SETS}
    return folder


@pytest.mark.slow
@pytest.mark.corpora
def test_no_real_text_is_in_a_test_of_either_benchmark(real: Path) -> None:
    for benchmark in ("aeb", "aeb-multilingual"):
        found = overlap(str(real / "aaid-plus"), str(real / benchmark))
        assert {(one.split, one.equal, one.near) for one in found} == {("train", 0, 0), ("validation", 0, 0)}


@pytest.mark.slow
@pytest.mark.corpora
def test_no_real_text_in_arabic_or_spanish_is_in_a_test(real: Path, corpora_dir: Path, tmp_path: Path) -> None:
    """Development tweets that serve as tests are not read; training tweets near one are left out."""
    chosen = Settings(
        DATA_SETS["aaid-plus"], corpora=("semeval2018_task1",), tasks=("V-reg", "E-c"), languages=("ar", "es")
    )
    build_repo(chosen, tmp_path / "plus", root=corpora_dir, validate=False)
    found = overlap(str(tmp_path / "plus"), str(real / "aeb-multilingual"))
    assert {(one.split, one.equal, one.near) for one in found} == {("train", 0, 0)}
    rows = pq.read_table(tmp_path / "plus" / "data", partitioning=None, columns=["task", "language", "id"]).to_pylist()
    assert {(row["task"], row["language"]) for row in rows} == {
        (t, code) for t in ("V-reg", "E-c") for code in ("ar", "es")
    }
    rejected = pq.read_table(tmp_path / "plus" / "rejected.parquet").to_pylist()
    assert any(row["reason"] == "near-duplicate of a text of the benchmark" for row in rejected)


@pytest.mark.slow
@pytest.mark.corpora
def test_what_is_left_out_of_the_real_corpora(real: Path) -> None:
    """Film reviews of SST that VADER tests are most of it; nothing more of AAID than AAID itself leaves out."""
    for task in FIVE:
        plus, plain = (pq.read_table(real / name / "data" / task).sort_by("id") for name in ("aaid-plus", "aaid"))
        assert plus.equals(plain)
    rejected = pq.read_table(real / "aaid-plus" / "rejected.parquet").to_pylist()
    assert all(row["reason"] for row in rejected)
    hit = Counter((row["task"], row["duplicate_of"].split("/")[1]) for row in rejected if row["duplicate_of"])
    assert hit["SST", "V-M"] == hit["SST5", "V-M"] == 736
    assert sum(number for (task, tested), number in hit.items() if task == "TDT" and tested == "TDT") == 38


@pytest.mark.slow
@pytest.mark.corpora
def test_the_real_one_is_as_large_as_documented(real: Path) -> None:
    manifest = read_manifest(real / "aaid-plus")
    kept = {(one.task, one.split): one.read - sum(one.dropped.values()) for one in manifest.counts}
    assert (sum(kept.values()), manifest.redistribution) == (192_565, "ids")
    for one in manifest.counts:
        assert one.rows == kept[one.task, one.split] * len(wordings(one.task))
    weights = {name: round(weight, 3) for name, weight in manifest.mixing_weights().items()}
    assert weights == {"EmoBank": 0.424, "GoEmotions": 0.233, "GoEmotions-28": 0.233, "BRIGHTER-EI-oc": 0.727}


@pytest.mark.slow  # tests/dataset/test_build.py does the same with the sample
@pytest.mark.corpora
def test_the_real_one_is_built_again_byte_for_byte(real: Path, corpora_dir: Path, tmp_path: Path) -> None:
    build_repo(Settings(DATA_SETS["aaid-plus"]), tmp_path / "again", root=corpora_dir, validate=False)
    assert tree(tmp_path / "again") == tree(real / "aaid-plus")
