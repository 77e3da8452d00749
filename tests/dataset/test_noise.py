"""Scores without the noise of floats, in every file that has some."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_corpus import Install, settings

from emollms.corpora.base import Example
from emollms.dataset.build import build_repo
from emollms.dataset.examples import to_arrow

HILL = "we walked up the long hill and never once looked back"
NOISE = "0.30000000000000004"


def test_scores_and_golds_of_a_noisy_file(install: Install, tmp_path: Path) -> None:
    texts = [("a", HILL, NOISE), ("b", f"{HILL}!", "0.7999999999999999"), ("c", "so it goes", "0.08333333333")]
    root = install({"test": texts})
    build_repo(settings("aeb", "tiny"), tmp_path / "out", root=root)
    rows = pq.read_table(tmp_path / "out" / "data" / "V-reg").to_pylist()
    assert [(row["score"], row["gold"], row["completion"]) for row in rows] == [
        (0.3, "0.3", "0.300"),
        (0.8, "0.8", "0.800"),
        (0.08333333333, "0.08333333333", "0.083"),
    ]
    pairs = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    assert [pair["disagreement"] for pair in pairs] == [0.5]
    for path in (tmp_path / "out").iterdir():
        if path.is_file() and path.suffix != ".parquet":
            assert NOISE not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("task", "native", "unit"),
    [("EmoBank", 2.8, 0.45), ("V-T", -2.3, 0.2125), ("V-M", -1.66666666667, 0.291666666666), ("SST", 0.51389, 0.51389)],
)
def test_native_scores_become_short_ones(task: str, native: float, unit: float) -> None:
    emotion = "valence" if task == "EmoBank" else None
    example = Example(task, "test", "a", "text", native, str(native), emotion)
    (row,) = to_arrow(task, [("tiny", example)]).to_pylist()
    assert (row["score"], row["gold"]) == (unit, str(native))


def test_the_paper_keeps_its_scores_and_answers() -> None:
    example = Example("V-T", "test", "a", "text", -2.3, "-2.3")
    (row,) = to_arrow("V-T", [("tiny", example)], "paper").to_pylist()
    assert row["score"] == (-2.3 + 4) / 8 != 0.2125
    assert row["completion"] == "0.213"


def test_distances_of_answers(install: Install, tmp_path: Path) -> None:
    root = install({"test": [("a", HILL, "0.516"), ("b", HILL.upper(), "0.216")]})
    build_repo(settings("aeb", "tiny"), tmp_path / "out", root=root)
    (pair,) = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    assert 0.516 - 0.216 != 0.3
    assert pair["disagreement"] == 0.3
    assert (
        json.loads((tmp_path / "out" / "manifest.json").read_text())["screening"]["pairs"][0]["mean_disagreement"]
        == 0.3
    )
