"""What a build leaves out, and what it says of it; targets, scores, cards and comparisons of data sets."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import Value, concatenate_datasets, load_dataset
from tiny_corpus import Install, Tiny, settings

from emollms.builders.sample import Sample
from emollms.builders.tdt import TDT
from emollms.corpora.reader import Record
from emollms.dataset.baselines import rows_hash
from emollms.dataset.build import build_repo
from emollms.dataset.diff import diff
from emollms.dataset.reader import Dataset
from emollms.dataset.settings_checks import check_settings
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.predictors import BaselinePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.evaluation.task_metrics import TASK_METRICS
from emollms.prompts.template import prompt
from emollms.tasks import get_task

TEXTS = ("the tram was late again and nobody told us why", "my sister baked a cake for all of us today")


@pytest.fixture
def tiny(install: Install, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Training rows that stand in the validation split."""
    rows = [(f"r{n}", text, "0.5") for n, text in enumerate(TEXTS)]
    root = install({"train": rows, "validation": [("v" + i, *rest) for i, *rest in rows]})
    monkeypatch.setattr("emollms.dataset.screening._benchmark_corpora", lambda settings: [])
    return root


def test_a_task_of_which_nothing_is_left_is_one_line(tiny: Path, tmp_path: Path) -> None:
    told = r"^nothing is left of V-reg train: all 2 texts were dropped \(2: near-duplicate of .*\); choose other"
    with pytest.raises(EmollmsError, match=told):
        build_repo(settings("aaid", "tiny"), tmp_path / "out", root=tiny, validate=False)
    assert not (tmp_path / "out").exists()


def test_a_corpus_in_another_language_says_which_option_is_missing(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiny, "meta", Tiny.meta.model_copy(update={"languages": ("it",)}))
    with pytest.raises(UsageError, match=r"^tiny: no English rows; add --languages it$"):
        check_settings(settings("aeb", "tiny"))


def test_what_is_left_out_is_listed_the_serious_first(tmp_path: Path) -> None:
    manifest = build_repo(settings("aaid", "sample"), tmp_path / "aaid", validate=False).manifest
    near = "near-duplicate of a text of {}"
    train = {"no text": 50, near.format("validation"): 9, "near-duplicate in its split": 70}
    validation = {near.format("the benchmark"): 3, near.format("test or validation"): 5}
    raw = {"no gold": 84_685, "5 columns instead of 4": 90_000}
    counts = [
        count.model_copy(update={"dropped": dropped})
        for count, dropped in zip(manifest.counts[:2], (train, validation), strict=True)
    ]
    source = manifest.sources[0].model_copy(update={"left_out": raw, "refused": ["5 columns instead of 4"]})
    manifest = manifest.model_copy(update={"counts": counts, "sources": [source]})
    assert [str(one) for one in manifest.left_out()] == [
        "3 texts: near-duplicate of a text of the benchmark",
        "5 texts: near-duplicate of a text of test or validation",
        "9 texts: near-duplicate of a text of validation",
        "70 texts: near-duplicate in its split",
        "50 texts: no text",
        "90,000 raw rows of sample: 5 columns instead of 4",
        "84,685 raw rows of sample: no gold",
    ]


def test_targets_are_in_a_column_and_in_release_prompts() -> None:
    record = Record(TDT.meta.files[0], 3, {"text": "$T$ ruined my day", "target": "the ferry", "class": "-1"})
    (release,), (paper,) = (list(TDT(profile).rows(record)) for profile in ("release", "paper"))
    assert (release.text, release.target) == ("the ferry ruined my day", "the ferry")
    assert (paper.text, paper.target) == ("the ferry ruined my day", "the ferry")
    asked = prompt(get_task("TDT"), release.text, target=release.target)
    assert asked.endswith("Text: the ferry ruined my day Target: the ferry. Intensity Class: ")


@pytest.mark.corpora
def test_the_real_targets(corpora_dir: Path, tmp_path: Path) -> None:
    rows = {}
    for profile in ("release", "paper"):
        out = tmp_path / profile
        build_repo(Settings(DATA_SETS["aeb"], profile, corpora=("tdt",)), out, root=corpora_dir, validate=False)
        rows[profile] = pq.read_table(out / "data" / "TDT").to_pylist()
    for row in rows["release"]:
        assert row["target"]
        assert row["prompt"] == prompt(get_task("TDT"), row["text"], row["wording"], target=row["target"])
    for row, other in zip(rows["paper"], rows["release"], strict=True):
        assert row["target"] == other["target"]
        assert row["prompt"] == prompt(get_task("TDT"), row["text"], row["wording"])
    assert not any("Target:" in row["prompt"] for row in rows["paper"])


def test_scores_have_no_float_noise(tmp_path: Path) -> None:
    build_repo(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    for path in (tmp_path / "aeb").glob("data/*/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            assert row["score"] is None or len(repr(row["score"]).partition(".")[2]) <= 12, row["score"]


def test_the_card_of_the_benchmark(tmp_path: Path) -> None:
    build_repo(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    card = (tmp_path / "aeb" / "README.md").read_text(encoding="utf-8")
    assert "is tuned on" not in card
    assert "For evaluation only" in card
    for task in DATA_SETS["aeb"].tasks:
        line = next(line for line in card.splitlines() if line.startswith(f"| {task} |"))
        assert TASK_METRICS[task].main.title in line
    assert "### Baselines" not in card, "these are other rows than those that the figures are of"


@pytest.mark.corpora
def test_baselines_on_the_card_are_those_of_the_benchmark(corpora_dir: Path, tmp_path: Path) -> None:
    build_repo(Settings(DATA_SETS["aeb"], corpora=("tdt",)), tmp_path / "aeb", root=corpora_dir, validate=False)
    card = (tmp_path / "aeb" / "README.md").read_text(encoding="utf-8")
    assert "| TDT | accuracy | 0.500 (0.462 to 0.538) | 0.509 (0.473 to 0.546) | 0.434 (0.397 to 0.468) |" in card
    data = Dataset(tmp_path / "aeb")
    for name, figure in (("majority", 0.5), ("vader", 0.509), ("textblob", 0.434)):
        done = run_benchmark(BaselinePredictor(name), data, tmp_path / name, EvaluationOptions())
        assert done.tasks["TDT"].value == pytest.approx(figure, abs=5e-4)
    masked = Settings(DATA_SETS["aeb"], corpora=("tdt",), mask=True)
    build_repo(masked, tmp_path / "masked", root=corpora_dir, validate=False)
    assert "### Baselines" not in (tmp_path / "masked" / "README.md").read_text(encoding="utf-8")


def test_baselines_are_of_the_same_rows_not_of_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_repo(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    of_sample = {
        "about": "By a command.", "metrics": {}, "names": ["VADER"], "scores": {"V-reg": {"VADER": "0.862"}},
        "rows": {"V-reg": rows_hash(sorted((tmp_path / "aeb" / "data" / "V-reg").glob("test-*")))},
    }  # fmt: skip
    monkeypatch.setattr("emollms.dataset.baselines._figures", lambda: of_sample)
    for name, options, shown in (("one", {"tasks": ("V-reg",)}, True), ("all", {"languages": ("all",)}, False)):
        build_repo(settings("aeb", "sample", **options), tmp_path / name, validate=False)
        assert ("| V-reg |  | 0.862 |" in (tmp_path / name / "README.md").read_text(encoding="utf-8")) == shown
    monkeypatch.setattr(Sample, "rows", shouted(Sample.rows))
    build_repo(settings("aeb", "sample", tasks=("V-reg",)), tmp_path / "other", validate=False)
    assert "### Baselines" not in (tmp_path / "other" / "README.md").read_text(encoding="utf-8")


def shouted(rows):
    """As many rows, with other texts."""
    return lambda self, record: [replace(one, text=one.text.upper()) for one in rows(self, record)]


def test_different_data_sets_are_not_compared(tmp_path: Path) -> None:
    for name in ("aaid", "aeb"):
        build_repo(settings(name, "sample"), tmp_path / name, validate=False)
    with pytest.raises(UsageError, match=r"aaid holds aaid and .*aeb holds aeb; compare two versions of one data set"):
        diff(tmp_path / "aaid", tmp_path / "aeb")


def test_tasks_are_put_into_one_table_as_the_card_says(tmp_path: Path) -> None:
    repo = str(tmp_path / "aeb")
    build_repo(settings("aeb", "sample"), tmp_path / "aeb", validate=False)
    parts = [load_dataset(repo, name, split="test") for name in ("EI-oc", "V-oc", "E-c", "TDT")]
    table = concatenate_datasets([part.cast_column("label", Value("int64")) for part in parts])
    assert table.num_rows == sum(part.num_rows for part in parts)
    assert set(table["task"]) == {"EI-oc", "V-oc", "E-c", "TDT"}
    card = (tmp_path / "aeb" / "README.md").read_text(encoding="utf-8")
    assert 'concatenate_datasets([part.cast_column("label", Value("int64")) for part in parts])' in card
    assert json.loads((tmp_path / "aeb" / "manifest.json").read_text())["data_set"] == "aeb"
