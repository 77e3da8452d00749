"""Which rows people should label, with known probabilities."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emollms
from emollms.annotation.drawing import draw, sampling_probabilities
from emollms.annotation.estimands import LabelledOutcome, mean

ROWS = 1_500


@pytest.fixture(scope="module")
def annotated() -> pd.DataFrame:
    """Answers with calibrated intervals: the wider, the less sure."""
    random = np.random.default_rng(2)
    spread = random.gamma(1, 0.08, ROWS) + 0.02
    said = random.normal(0.5, 0.15, ROWS)
    gold = said - 0.05 + spread * random.normal(size=ROWS)
    frame = pd.DataFrame({"id": range(ROWS), "text": [f"text {row}" for row in range(ROWS)]})
    frame["group"] = np.where(random.random(ROWS) < 0.1, "rare", "common")
    frame = frame.assign(
        mood=said, mood_confidence=0.5, mood_low=said - 1.645 * spread, mood_high=said + 1.645 * spread
    )
    return frame.assign(truth=gold)


def test_rows_are_drawn_with_their_probabilities() -> None:
    chances = sampling_probabilities(np.array([1.0, 1, 2, 4, 30]), 3)
    assert chances.sum() == pytest.approx(3)
    assert chances.max() == 1
    drawn = np.zeros(5)
    for seed in range(4_000):
        own = draw(chances, np.random.default_rng(seed))
        assert len(own) == 3
        drawn[own] += 1
    assert drawn / 4_000 == pytest.approx(chances, abs=0.03)


def test_estimates_from_drawn_rows_hold_the_truth_and_are_narrower(annotated: pd.DataFrame) -> None:
    gold, said = annotated["truth"].to_numpy(), annotated["mood"].to_numpy()
    spread = (annotated["mood_high"] - annotated["mood_low"]).to_numpy()
    held, widths = {"even": [], "drawn": []}, {"even": [], "drawn": []}
    for seed in range(600):
        for way, errors in (("even", np.ones(ROWS)), ("drawn", spread)):
            chances = sampling_probabilities(errors, 100)
            own = draw(chances, np.random.default_rng(seed))
            found = mean(LabelledOutcome(said, gold[own], own, None if way == "even" else 1 / chances[own]))
            held[way].append(found.rectified.low <= gold.mean() <= found.rectified.high)
            widths[way].append(found.rectified.width)
    assert 0.92 <= np.mean(held["drawn"]) <= 0.975
    assert np.mean(widths["drawn"]) < 0.92 * np.mean(widths["even"])


def test_from_the_table_to_label_to_the_estimate(annotated: pd.DataFrame, tmp_path: Path) -> None:
    table = annotated.drop(columns="truth")
    drawn = emollms.sample(table, 200, by="group", out=tmp_path / "to-label.csv")
    assert drawn.drawn == 200
    written = pd.read_csv(tmp_path / "to-label.csv")
    assert list(written.columns) == ["id", "text", "group", "mood", "sampling_probability"]
    assert written["mood"].isna().all()
    assert 95 <= (written["group"] == "rare").sum() <= 105
    labelled = written.assign(mood=annotated["truth"][written["id"]].to_numpy())
    found = emollms.estimate(table, labelled, by="group")
    assert found.drawn == "with known probabilities"
    truth = annotated.groupby("group")["truth"].mean()
    for one in found.estimates[:2]:
        assert one.rectified.low <= truth[one.group] <= one.rectified.high
    # The same seed draws the same rows, and labels that are there stay and are certain.
    assert emollms.sample(table, 200, by="group").table["id"].tolist() == written["id"].tolist()
    more = emollms.sample(table, 50, gold=labelled).table
    assert len(more) == 250
    assert more["mood"].notna().sum() == 200
    assert (more["sampling_probability"][:200] == 1).all()
    assert not set(more["id"][200:]) & set(written["id"])


def test_widths_that_labels_give_are_those_that_were_expected(annotated: pd.DataFrame) -> None:
    expected = {one.labels: one for one in emollms.sample(annotated, 120).widths}[120]
    widths = []
    for seed in range(12):
        drawn = emollms.sample(annotated, 120, seed=seed).table
        labelled = drawn.assign(mood=annotated["truth"][drawn["id"]].to_numpy())
        widths.append(emollms.estimate(annotated, labelled)[0].rectified.width)
    assert expected.sample == pytest.approx(np.mean(widths), rel=0.15)
    assert expected.sample < expected.even < expected.people


def test_tasks_for_label_studio(
    emollms: Callable[..., tuple[int, str, str]], annotated: pd.DataFrame, tmp_path: Path
) -> None:
    annotated.drop(columns="truth").to_csv(tmp_path / "annotated.csv", index=False)
    out = tmp_path / "tasks.json"
    code, shown, _ = emollms(
        "sample", tmp_path / "annotated.csv", "--budget", "40", "--format", "label-studio", "--out", out
    )
    assert code == 0
    assert "40 of 1,500 rows, drawn by how uncertain mood is" in shown
    tasks = json.loads(out.read_text(encoding="utf-8"))
    assert len(tasks) == 40
    assert set(tasks[0]["data"]) == {"id", "text", "sampling_probability"}
    assert '<Number name="mood"' in (tmp_path / "tasks.xml").read_text(encoding="utf-8")


WRONG = {
    "budget": ({"budget": 2_000}, "--budget 2,000: there are 1,500 rows without labels; give 1 to 1,500"),
    "question": ({"budget": 9, "of": "moods"}, "unknown question of the annotated table 'moods'; did you mean mood"),
    "ids": ({"budget": 9, "id": "group"}, "group does not tell rows apart"),
    "format": ({"budget": 9, "format": "label-studio", "out": "x.csv"}, "writes JSON; name a file that ends in .json"),
    "group": ({"budget": 9, "by": "groups"}, "unknown column of the annotated table 'groups'; did you mean group"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_one_line(annotated: pd.DataFrame, name: str) -> None:
    options, message = WRONG[name]
    with pytest.raises(emollms.EmollmsError, match=message) as error:
        emollms.sample(annotated, **options)
    assert "\n" not in str(error.value)
