"""What a build leaves out, and what it says of it; targets, scores, cards and comparisons of data sets."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import Value, concatenate_datasets, load_dataset
from tiny_corpus import Tiny, settings, write_corpus

from emollms.builders.tdt import TDT
from emollms.corpora.source import Record
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.schemes import SCHEMES
from emollms.prompts.template import prompt
from emollms.repository.build import build
from emollms.repository.diff import diff
from emollms.repository.specs import DATA_SETS, Settings
from emollms.tasks import get_task

TEXTS = ("the tram was late again and nobody told us why", "my sister baked a cake for all of us today")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Training rows that stand in the validation split."""
    rows = [(f"r{n}", text, "0.5") for n, text in enumerate(TEXTS)]
    root = write_corpus(tmp_path / "corpora", {"train": rows, "validation": [("v" + i, *rest) for i, *rest in rows]})
    monkeypatch.setattr("emollms.repository.screening._benchmark_corpora", lambda settings: [])
    return root


def test_a_task_of_which_nothing_is_left_is_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(EmollmsError, match=r"nothing is left of V-reg, train: all texts were dropped \(2: .*--tasks"):
        build(settings("aaid", "tiny"), tmp_path / "out", root=tiny, validate=False)
    assert not (tmp_path / "out").exists()


def test_a_corpus_in_another_language_says_which_option_is_missing(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiny, "meta", Tiny.meta.model_copy(update={"languages": ("it",)}))
    with pytest.raises(UsageError, match=r"^tiny: no English rows; add --languages it$"):
        settings("aeb", "tiny").check()


def test_what_is_left_out_is_listed_the_serious_first(tmp_path: Path) -> None:
    manifest = build(settings("aaid", "sample"), tmp_path / "aaid", validate=False).manifest
    manifest.counts[0].dropped = {"equal to a text of the benchmark": 3, "near-duplicate of a text of validation": 9}
    manifest.sources[0].left_out = {"no gold": 84_685, "5 columns instead of 4": 2}
    assert [(one.count, one.what, one.reason) for one in manifest.left_out()] == [
        (9, "texts", "near-duplicate of a text of validation"),
        (3, "texts", "equal to a text of the benchmark"),
        (2, "raw rows of sample", "5 columns instead of 4"),
        (84_685, "raw rows of sample", "no gold"),
    ]


def test_targets_are_in_a_column_and_in_release_prompts() -> None:
    record = Record(TDT.meta.files[0], 3, {"text": "$T$ ruined my day", "target": "the ferry", "class": "-1"})
    (release,), (paper,) = (list(TDT(profile).rows(record)) for profile in ("release", "paper"))
    assert (release.text, release.target) == ("the ferry ruined my day", "the ferry")
    assert (paper.text, paper.target) == ("the ferry ruined my day", None)
    asked = prompt(get_task("TDT"), release.text, target=release.target)
    assert asked.endswith("Text: the ferry ruined my day Target: the ferry. Intensity Class: ")


@pytest.mark.corpora
def test_the_real_targets(corpora_dir: Path, tmp_path: Path) -> None:
    rows = {}
    for profile in ("release", "paper"):
        out = tmp_path / profile
        build(Settings(DATA_SETS["aeb"], profile, corpora=("tdt",)), out, root=corpora_dir, validate=False)
        rows[profile] = pq.read_table(out / "data" / "TDT").to_pylist()
    for row in rows["release"]:
        assert row["target"]
        assert row["prompt"] == prompt(get_task("TDT"), row["text"], row["wording"], target=row["target"])
    assert {row["target"] for row in rows["paper"]} == {None}
    assert not any("Target:" in row["prompt"] for row in rows["paper"])


def test_scores_have_no_float_noise(tmp_path: Path) -> None:
    build(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    for path in (tmp_path / "aeb").glob("data/*/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            assert row["score"] is None or len(repr(row["score"]).partition(".")[2]) <= 12, row["score"]


def test_the_card_of_the_benchmark(tmp_path: Path) -> None:
    build(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    card = (tmp_path / "aeb" / "README.md").read_text(encoding="utf-8")
    assert "is tuned on" not in card
    assert "They are for scoring alone" in card
    for task in DATA_SETS["aeb"].tasks:
        line = next(line for line in card.splitlines() if line.startswith(f"| {task} |"))
        assert SCHEMES[task].main.title in line
    assert "### Baselines" not in card, "these are other rows than those that the figures are of"


@pytest.mark.corpora
def test_baselines_on_the_card_are_those_of_the_benchmark(corpora_dir: Path, tmp_path: Path) -> None:
    build(Settings(DATA_SETS["aeb"], corpora=("tdt",)), tmp_path / "aeb", root=corpora_dir, validate=False)
    card = (tmp_path / "aeb" / "README.md").read_text(encoding="utf-8")
    assert "| TDT | accuracy | 0.500 | 0.509 | 0.434 |" in card
    masked = Settings(DATA_SETS["aeb"], corpora=("tdt",), mask=True)
    build(masked, tmp_path / "masked", root=corpora_dir, validate=False)
    assert "### Baselines" not in (tmp_path / "masked" / "README.md").read_text(encoding="utf-8")


def test_different_data_sets_are_not_compared(tmp_path: Path) -> None:
    for name in ("aaid", "aeb"):
        build(settings(name, "sample"), tmp_path / name, validate=False)
    with pytest.raises(UsageError, match=r"aaid holds aaid and .*aeb holds aeb; compare two versions of one data set"):
        diff(tmp_path / "aaid", tmp_path / "aeb")


def test_tasks_are_put_into_one_table_as_the_card_says(tmp_path: Path) -> None:
    repo = str(tmp_path / "aeb")
    build(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    parts = [load_dataset(repo, name, split="test") for name in ("EI-oc", "V-oc", "E-c", "TDT")]
    table = concatenate_datasets([part.cast_column("label", Value("int64")) for part in parts])
    assert table.num_rows == sum(part.num_rows for part in parts)
    assert set(table["task"]) == {"EI-oc", "V-oc", "E-c", "TDT"}
    card = (tmp_path / "aeb" / "README.md").read_text(encoding="utf-8")
    assert 'concatenate_datasets([part.cast_column("label", Value("int64")) for part in parts])' in card
    assert json.loads((tmp_path / "aeb" / "manifest.json").read_text())["data_set"] == "aeb"
