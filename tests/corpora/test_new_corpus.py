"""Corpora that the project has never seen, added by the commands alone: subtitles, an Italian table, posts."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from checkout import Checkout
from unseen import ITALIAN, LANGUAGES

from emollms.dedup.standalone import find_duplicates

HERE = Path(__file__).parent
NAMES = ("subtitles", "emoita", "posts")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("contributed") / "checkout")


@pytest.fixture(scope="module")
def found(checkout: Checkout) -> dict[str, Any]:
    script = (HERE / "contributions.py").read_text(encoding="utf-8")
    (checkout.root / "contributions.py").write_text(script, encoding="utf-8")
    (checkout.root / "unseen.py").write_text((HERE / "unseen.py").read_text(encoding="utf-8"), encoding="utf-8")
    return json.loads(checkout.python("contributions.py").stdout.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_each_step_succeeds(name: str, found: dict[str, Any]) -> None:
    for step in ("new", "check", "build"):
        assert found[name][step]["code"] in (0, None), found[name][step]
    assert f"(`{name}`): all passed" in found[name]["check"]["out"]
    assert "✗" not in found[name]["check"]["out"].split("\n\n✓ passed")[0]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_short_and_clean(name: str, checkout: Checkout, found: dict[str, Any]) -> None:
    root = checkout.root
    module = root / "builders" / f"{name}.py"
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 120
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--config", str(HERE.parents[1] / "pyproject.toml"), str(module)]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([*ruff, *command, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    written = found[name]["new"]["out"].split()[1:]
    assert all((root / path).is_file() for path in written)
    assert f"tests/builders/test_corpus_{name}.py" in written


def test_subtitles_in_thirty_languages(found: dict[str, Any]) -> None:
    rows = found["subtitles"]["rows"]
    assert {row["language"] for row in rows} == {*LANGUAGES} - {"cn", "pt_br"} | {"zh", "pt-BR"}
    assert {row["task"] for row in rows} == {"Subtitles-E-c"}
    first = next(row for row in rows if row["source_id"].endswith("-annotated-6"))
    assert first["labels"] == ["sadness", "trust"]  # 6 and 8
    assert "anger, anticipation, disgust, fear, joy, sadness, surprise, trust" in first["prompt"]
    assert {row["in"] for row in rows} == {"train", "validation"}


def test_an_italian_table_with_decimal_commas(found: dict[str, Any]) -> None:
    rows = {(row["source_id"], row["emotion"]): row for row in found["emoita"]["rows"]}
    row = rows["it_6", "valence"]
    assert (row["text"], row["gold"], row["language"], row["in"]) == (ITALIAN[6], "2,02", "it", "train")
    assert row["score"] == pytest.approx((2.02 - 1) / 4)
    assert rows["it_1", "arousal"]["text"] == "Ho perso il treno; di nuovo"
    assert rows["it_4", "valence"]["in"] == "validation"
    assert "1 values outside their range by a hair, clipped" in found["emoita"]["check"]["out"]


def test_posts_of_two_raters(found: dict[str, Any], tmp_path: Path) -> None:
    rows = found["posts"]["rows"]
    assert {row["emotion"] for row in rows} == {"valence", "arousal"}
    row = next(row for row in rows if row["source_id"] == "posts-3" and row["emotion"] == "valence")
    assert (row["votes"], row["raters"], row["gold"]) == (["2", "3"], 2, "2.5")
    assert row["score"] == pytest.approx((2.5 - 1) / 8)
    assert row["spread"] == pytest.approx(0.5 / 8)
    assert not any("â€™" in row["text"] or "Ã©" in row["text"] for row in rows)
    assert any("I don’t think anybody" in row["text"] for row in rows)
    assert Counter(row["in"] for row in rows)["validation"] > 0


def test_near_duplicates_are_in_one_split(checkout: Checkout, found: dict[str, Any]) -> None:
    """The first post and the last one differ by a `!`: whatever is drawn, they are in one split."""
    code = (
        "from emollms.corpora.registry import get_corpus\n"
        "from emollms.dataset.corpus_files import read_examples\n"
        "from pathlib import Path\n"
        "print({e.source_id: e.split for e in read_examples(get_corpus('posts'), Path('raw/posts'))})"
    )
    splits = eval(checkout.python("-c", code).stdout)
    assert splits["posts-2"] == splits["posts-62"]
    assert set(splits.values()) == {"train", "validation", "test"}
    assert len(find_duplicates(["the first post, by the bridge", "the first post, by the bridge!"]).pairs) == 1


def test_a_name_that_is_taken_and_a_file_that_changed(found: dict[str, Any]) -> None:
    assert found["again"]["code"] == 2
    assert found["again"]["err"].startswith("error: there is a corpus posts already")
    assert found["spoilt"]["code"] == 1
    assert "✗ | rows" in found["spoilt"]["out"]
    assert "24 rows instead of 25" in found["spoilt"]["out"]
