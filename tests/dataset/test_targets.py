"""Targets: in a column of their own, repaired, masked and put on one line as their texts are."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_corpus import Install, Tiny, settings

from emollms.corpora.base import Example
from emollms.dataset.build import build_repo
from emollms.dataset.examples import mask_texts
from emollms.errors import SourceError
from emollms.prompts.template import prompt
from emollms.tasks import get_task
from emollms.text_repair import ENTITIES, OUTER_SPACE

SAMPLE_TARGETS = {"zephyr phone", "marlo vance", "tramline app", "quarrybrook"}


@pytest.fixture
def targets(install: Install, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that installs test texts, each with what stands before ` | ` as its target."""

    def rows(self, record):
        target, _, text = record["text"].partition(" | ")
        yield Example("TDT", record.split, record["id"], text, 1, "1", target=target)

    def write(texts: list[str]) -> Path:
        root = install({"test": [(str(number), text, "1") for number, text in enumerate(texts)]})
        files = tuple(file.model_copy(update={"task": "TDT"}) for file in Tiny.meta.files)
        monkeypatch.setattr(Tiny, "meta", Tiny.meta.model_copy(update={"tasks": ("TDT",), "files": files}))
        return root

    monkeypatch.setattr(Tiny, "rows", rows)
    monkeypatch.setattr(Tiny, "repairs", (ENTITIES, OUTER_SPACE))
    return write


def built(root: Path, out: Path, **options: object) -> list[dict[str, object]]:
    build_repo(settings("aeb", "tiny", **options), out, root=root)
    rows: list[dict[str, object]] = pq.read_table(out / "data" / "TDT").to_pylist()
    return rows


def test_every_target_of_the_sample_is_in_its_text_and_prompt(tmp_path: Path) -> None:
    build_repo(settings("aeb", "sample"), tmp_path / "out", validate=False)
    for path in (tmp_path / "out").glob("data/*/*.parquet"):
        rows = pq.read_table(path).to_pylist()
        if path.parent.name != "TDT":
            assert {row["target"] for row in rows} == {None}
            continue
        assert {row["target"] for row in rows} == SAMPLE_TARGETS
        for row in rows:
            assert row["target"] in row["text"]
            assert row["prompt"].endswith(f" Target: {row['target']}. Intensity Class: ")
    assert " Target: " in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_targets_are_repaired_as_their_texts_are_and_stay_in_the_paper(targets, tmp_path: Path) -> None:
    root = targets(["AT&amp;T | AT&amp;T was down again", "the\u2028ferry | all aboard the\u2028ferry"])
    release, paper = built(root, tmp_path / "out"), built(root, tmp_path / "paper", profile="paper")
    assert [row["target"] for row in release] == ["AT&T", "the\u2028ferry"]
    for row in release:
        assert row["target"] in row["text"]
        assert row["prompt"] == prompt(get_task("TDT"), row["text"], row["wording"], target=row["target"])
        assert len(row["prompt"].splitlines()) == 1
    assert [row["target"] for row in paper] == ["AT&amp;T", "the\u2028ferry"]
    assert not any("Target:" in row["prompt"] for row in paper)


def test_a_target_without_a_letter_is_refused(targets, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"tiny/test.tsv:2: the target is empty: 'nobody here'"):
        built(targets(["  | nobody here"]), tmp_path / "out")


def test_masked_targets_are_the_placeholders_of_their_texts(targets, tmp_path: Path) -> None:
    texts = ["@ben | @anna met @ben today", "anna | @anna is off", "the ferry | the ferry of @ben is late"]
    rows = built(targets(texts), tmp_path / "out", mask=True)
    assert [(row["target"], row["text"]) for row in rows] == [
        ("@user2", "@user1 met @user2 today"),
        (None, "@user1 is off"),  # a part of a name that is hidden names it
        ("the ferry", "the ferry of @user1 is late"),
    ]
    assert "Target:" not in rows[1]["prompt"]
    assert not any("anna" in str(row) or "ben" in str(row) for row in rows)


def test_masking_without_targets_changes_texts_alone() -> None:
    rows = pa.record_batch({"text": ["write to @anna"], "target": pa.nulls(1, pa.string())})
    assert mask_texts(rows).to_pylist() == [{"text": "write to @user1", "target": None}]
