"""Annotated tables and gold, joined by id."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emollms.annotation.gold_tables import read_gold
from emollms.errors import EmollmsError

ANNOTATED = pd.DataFrame(
    {
        "id": range(6),
        "text": list("abcdef"),
        "valence": [0.1, 0.2, 0.3, 0.4, 0.5, None],
        "valence_confidence": [0.5] * 5 + [None],
        "emotions": ["joy", "", "joy, love", "anger", "anger", ""],
        "emotions_confidence": [0.4] * 5 + [None],
        "sentiment": [0, 1, 2, 3, 4, None],
        "sentiment_label": ["very negative", "negative", "neutral", "positive", "very positive", None],
        "sentiment_confidence": [0.2] * 5 + [None],
        "EmoBank_arousal": [3.0, 2.5, 1.0, 5.0, 2.0, None],
        "EmoBank_arousal_confidence": [0.5] * 5 + [None],
    }
)


@pytest.fixture(params=["csv", "parquet", "nested", "pandas"])
def annotated(request: pytest.FixtureRequest, tmp_path: Path):
    """The same table in all forms."""
    if request.param == "pandas":
        return ANNOTATED
    path = tmp_path / f"annotated.{'csv' if request.param == 'csv' else 'parquet'}"
    if request.param == "csv":
        ANNOTATED.to_csv(path, index=False)
        return path
    lists = ANNOTATED.assign(
        emotions=[
            [one for one in cell.split(", ") if one] if row < 5 else None
            for row, cell in enumerate(ANNOTATED["emotions"])
        ]
    )
    table = pa.Table.from_pandas(lists, preserve_index=False)
    if request.param == "nested":
        for name in ("valence", "emotions", "EmoBank_arousal"):
            parts = [table[name].combine_chunks(), table[f"{name}_confidence"].combine_chunks()]
            place = table.column_names.index(name)
            struct = pa.StructArray.from_arrays(parts, names=["value", "confidence"])
            table = table.drop([name, f"{name}_confidence"]).add_column(place, name, struct)
    pq.write_table(table, path)
    return path


def test_gold_of_all_kinds_meets_answers(annotated) -> None:
    gold = pd.DataFrame(
        {
            "id": ["4", "1", "2", "9"],
            "valence": ["0.6", ".2", "", "1"],
            "emotions": ["anger", "joy, love", "neutral or no emotion", "joy"],
            "sentiment": ["positive", "3", "1: negative", ""],
            "EmoBank_arousal": [5, 3, 1, 2],
        }
    )
    lines: list[str] = []
    found = read_gold(annotated, gold, warn=lines.append)
    assert found.labelled.tolist() == [1, 2, 4]
    assert found.unmatched == 1
    assert np.array_equal(found.questions["valence"].gold, [0.2, np.nan, 0.6], equal_nan=True)
    assert found.questions["sentiment"].gold.tolist() == [3, 1, 3]
    assert found.questions["EmoBank_arousal"].gold.tolist() == [0.5, 0, 1]
    assert found.questions["EmoBank_arousal"].asked.predicted[:3].tolist() == [0.5, 0.375, 0]
    emotions = found.questions["emotions"]
    told = [[label for label, one in zip(emotions.asked.options, row, strict=True) if one] for row in emotions.gold]
    assert told == [["joy", "love"], [], ["anger"]]
    # An answer without any label is one; a row without an answer has none.
    assert emotions.asked.predicted[1].sum() == 0
    assert np.isnan(emotions.asked.predicted[5]).all()
    assert any("'9'; left out" in line for line in lines)
    assert any("is on 1 to 5, the scale of EmoBank" in line for line in lines)


def test_raters_in_rows_and_in_columns() -> None:
    rows = pd.DataFrame({"id": [3, 3, 0], "annotator": ["b", "a", "a"], "valence": [0.2, 0.4, 0.9]})
    by_rows = read_gold(ANNOTATED, rows)
    assert by_rows.raters == ("b", "a")
    assert np.array_equal(by_rows.questions["valence"].ratings, [[np.nan, 0.9], [0.2, 0.4]], equal_nan=True)
    assert by_rows.questions["valence"].gold == pytest.approx([0.9, 0.3])
    columns = pd.DataFrame({"id": [0, 3], "valence_1": [None, 0.2], "valence_2": [0.9, 0.4]})
    by_columns = read_gold(ANNOTATED, columns)
    assert np.array_equal(by_columns.questions["valence"].ratings, by_rows.questions["valence"].ratings, equal_nan=True)


def test_flags_own_classes_and_named_columns() -> None:
    flags = pd.DataFrame({"id": [0, 1]} | {name: [0, 0] for name in ("anticipation", "disgust", "fear")})
    labels = ("anger", "joy", "love", "optimism", "pessimism", "sadness", "surprise", "trust")
    flags = flags.assign(**{name: ["1", "0"] for name in labels})
    assert read_gold(ANNOTATED, flags, of=["emotions"]).questions["emotions"].gold.sum(axis=1).tolist() == [8, 0]
    own = pd.DataFrame(
        {"key": ["a", "b"], "tone": ["calm", "tense"], "tone_label": ["calm", "tense"], "tone_confidence": 0.5}
    )
    lines: list[str] = []
    gold = pd.DataFrame({"key": ["a", "b"], "people": ["Calm", "bored"]})
    found = read_gold(own, gold, gold_column=["people"], warn=lines.append)
    assert found.questions["tone"].asked.options == ("calm", "tense", "bored")
    assert found.questions["tone"].gold.tolist() == [0, 2]
    assert lines == ["rows are joined by their 'key'"]


def test_weights_are_inverse_probabilities() -> None:
    gold = pd.DataFrame({"id": [0, 1, 2], "valence": 0.5, "sampling_probability": [1.0, 0.5, 0.25]})
    found = read_gold(ANNOTATED, gold)
    assert found.weights is not None
    assert found.weights == pytest.approx(np.array([1, 2, 4]) * 6 / 7)
    by_weight = read_gold(ANNOTATED, gold.drop(columns="sampling_probability").assign(w=[2, 4, 8]), weight="w")
    assert by_weight.weights == pytest.approx(found.weights)


GOLD = pd.DataFrame({"id": [0, 1], "valence": [0.1, 0.2]})
WRONG = {
    "scale": (GOLD.assign(EmoBank_arousal=[7, 2]), {}, "7 is neither on 0 to 1 nor on 1 to 5, the scale of EmoBank"),
    "class": (GOLD.assign(sentiment=["great", ""]), {}, "'great' is no class of sentiment; there are 0, 1, 2, 3, 4"),
    "model": (ANNOTATED[["id", "valence", "valence_confidence"]], {"of": ["valence"]}, "the model's own"),
    "nothing": (GOLD[["id"]], {}, "has no column of .*questions"),
    "twice": (GOLD.assign(id=0, rater="a"), {}, "rater 'a' labelled one row twice"),
    "two questions": (GOLD, {"gold_column": ["valence"]}, "--gold-column is of one question"),
    "probability": (GOLD.assign(p=2), {"probability": "p"}, "p of row 1 is 2; a probability is above 0, and at most 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(name: str) -> None:
    gold, options, message = WRONG[name]
    with pytest.raises(EmollmsError, match=message) as error:
        read_gold(ANNOTATED, gold, **options)
    assert "\n" not in str(error.value)


def test_doubled_ids_of_the_annotated_table_are_refused() -> None:
    with pytest.raises(EmollmsError, match="id '1' is there twice, in rows 1 and 2"):
        read_gold(ANNOTATED.assign(id=1), GOLD)
