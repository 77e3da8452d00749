"""What a corpus can say: a range of its own, several raters, drawn splits, and what a package of one's own brings."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from contributed import Newcomer
from forks import Forks
from hypothesis import given
from hypothesis import strategies as st

from emollms.corpora.base import Example
from emollms.corpora.metadata import DrawnSplits
from emollms.corpora.ratings import on_task_scale, rated
from emollms.corpora.reader import CellError

ONE = Example("V-reg", "train", "1", "so be it", 5.0, "5")
SCORE = 'yield Example("V-reg", record.split, record["id"], record["text"], record.number("score"), record["score"])'


@given(value=st.floats(1, 9))
def test_a_range_of_its_own_is_converted(value: float) -> None:
    score, clipped = on_task_scale(replace(ONE, value=value), (1, 9))
    assert score == pytest.approx((value - 1) / 8)
    assert not clipped
    turned, _ = on_task_scale(replace(ONE, value=value), (9, 1))
    assert turned == pytest.approx(1 - score)


def test_a_hair_outside_is_clipped_and_more_is_refused() -> None:
    assert on_task_scale(replace(ONE, task="EmoBank", value=5.08), (1, 5)) == (5.0, True)
    assert on_task_scale(replace(ONE, task="EmoBank", value=0.81), (1, 5)) == (1.0, True)
    for value in (5.21, 0.79, float("nan"), True, "5"):
        with pytest.raises(CellError):
            on_task_scale(replace(ONE, task="EmoBank", value=value), (1, 5))


def test_votes_give_spread_and_number() -> None:
    found = rated(replace(ONE, votes=(3.0, 5.0, 7.0)), (1, 9))
    assert (found.raters, found.spread) == (3, pytest.approx((8 / 3) ** 0.5 / 8))
    assert rated(replace(ONE, spread=2.0, raters=12), (1, 9)).spread == 0.25
    classes = rated(replace(ONE, task="V-oc", value=1, votes=(0, 2)), None)
    assert classes.spread == pytest.approx(1 / 6)
    labels = rated(replace(ONE, task="E-c", value=("joy",), votes=(("joy",), ())), None)
    assert (labels.raters, labels.spread) == (2, None)
    assert rated(ONE, None) is ONE


@pytest.mark.parametrize(
    "change",
    [
        {"votes": ("x",)}, {"votes": (float("nan"),)}, {"raters": 0}, {"raters": 2.5}, {"spread": -0.1},
        {"spread": 8.5}, {"task": "V-oc", "votes": (9,)}, {"task": "E-c", "votes": (("rage",),)},
        {"task": "E-c", "spread": 0.1},
    ],
)  # fmt: skip
def test_raters_that_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(CellError):
        rated(replace(ONE, **change), (1, 9))


@given(validation=st.floats(0, 0.4), test=st.floats(0, 0.4))
def test_drawn_splits_have_their_fractions(validation: float, test: float) -> None:
    drawn = DrawnSplits(validation=validation, test=test)
    counts = Counter(drawn.split_of(f"corpus/{number}") for number in range(2000))
    assert counts["test"] / 2000 == pytest.approx(test, abs=0.05)
    assert counts["validation"] / 2000 == pytest.approx(validation, abs=0.05)


def test_a_draw_never_changes() -> None:
    assert [DrawnSplits().split_of(f"posts/{number}") for number in range(8)] == ["test", *["train"] * 7]


@pytest.fixture
def newcomer(tmp_path: Path, build_forks: Forks) -> Newcomer:
    """One to nine, two raters, a value a hair outside."""
    one = Newcomer(tmp_path, build_forks, about={"train.tsv": {"split": "train", "language": "it"}})
    rows = ["id\ttext\ta\tb", "1\tche bella serata\t9\t8", "2\tho perso il treno\t1\t2", "3\tva bene\t9.2\t9"]
    one.files = {"train.tsv": "\n".join(rows).encode()}
    one.change('("id", "text", "score")', '("id", "text", "a", "b")')
    one.change('languages=("en",)', 'languages=("it",), ranges={"V-reg": (1, 9)}')
    rated_rows = """votes = record.numbers(("a", "b"))
        name, text = record["id"], record["text"]
        yield Example("V-reg", "train", name, text, sum(votes) / 2, "x", language="it", votes=votes)"""
    return one.change(SCORE, rated_rows)


def test_a_package_with_raters_wordings_and_a_suite_of_its_own(newcomer: Newcomer) -> None:
    package = newcomer.root / "site/newcomer"
    for folder in ("instructions/it", "validation/corpora"):
        (package / folder).mkdir(parents=True)
    wordings = package / "instructions/it/V-reg.yaml"
    wordings.write_text(
        'wordings:\n  - "Da 0 ({low}) a 1 ({high}), quanto è positivo?"\nwords:\n  very negative: molto negativo\n'
    )
    suite = package / "validation/corpora/mine.yaml"
    suite.write_text("about: Mine.\ninclude: [texts]\nexpectations: []\n")
    info = newcomer.root / "site/newcomer-1.0.dist-info"
    done = newcomer.write().build("--instructions", "native")
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(newcomer.root / "out/data/V-reg").to_pylist()
    assert [(row["score"], row["spread"], row["raters"], row["votes"]) for row in rows] == [
        (0.9375, 0.0625, 2, ["9", "8"]), (0.0625, 0.0625, 2, ["1", "2"]), (1.0, 0.0125, 2, ["9.2", "9"]),
    ]  # fmt: skip
    assert rows[0]["prompt"].startswith("Task: Da 0 (molto negativo) a 1 (very positive), quanto è positivo? Tweet:")
    assert [row["id"] for row in rows] == [f"mine/V-reg/{number}/-/0" for number in (1, 2, 3)]
    card = (newcomer.root / "out/README.md").read_text(encoding="utf-8")
    assert "| score outside the range of its corpus by a hair, clipped | 1 |" in card
    assert "--instructions native" in card
    told = newcomer.run("build", "aaid", *WORDED, "--instructions", "de", "--out", newcomer.root / "de").stderr
    assert told.startswith("error: unknown language of instructions 'de'")
    (info / "entry_points.txt").write_text(
        "[emollms.builders]\nmine = newcomer:Mine\n[emollms.tasks]\nMood = mood:MOOD\n"
    )
    (newcomer.root / "site/mood.py").write_text(
        "from emollms.tasks import MultiLabelTask\n"
        'MOOD = MultiLabelTask(name="Mood", about="which mood", cue="Mood:", labels=("calm", "tense"))\n'
    )
    code = (
        f"import os; os.environ['EMOLLMS_CORPORA'] = {str(newcomer.root / 'raw')!r}; import emollms;"
        "print(emollms.tasks.get_task('Mood').labels, emollms.validate('mine'))"
    )
    listed = newcomer.python(code)
    assert listed.returncode == 0, listed.stderr
    assert re.search(r"\('calm', 'tense'\) corpora/mine 1 \(release\): \d+ passed", listed.stdout)


WORDED = ("--corpora", "sample", "--tasks", "V-reg")
