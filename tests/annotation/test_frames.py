"""Texts as Python has them: every kind of table, column and iterable, and what is missing in it."""

import datetime

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import emollms
from emollms.annotation.frames import as_table
from emollms.errors import UsageError

TEXTS = ["so good", None, "", "so bad 😀"]


@pytest.fixture(scope="module")
def vader() -> emollms.Annotator:
    return emollms.Annotator.from_pretrained(baseline="vader", task="valence", fresh=True)


def polars(kind: str):
    made = pytest.importorskip("polars").DataFrame({"text": TEXTS, "n": [1, 2, 3, 4]})
    return {"frame": made, "lazy": made.lazy(), "column": made["text"]}[kind]


TABLES = {
    "pandas": lambda: pd.DataFrame({"text": TEXTS, "n": [1, 2, 3, 4]}, index=[9, 8, 7, 6]),
    "pandas, objects": lambda: pd.DataFrame({"text": pd.Series(TEXTS, dtype=object), "n": [1, 2, 3, 4]}),
    "polars": lambda: polars("frame"),
    "polars, lazy": lambda: polars("lazy"),
    "arrow": lambda: pa.table({"text": TEXTS, "n": [1, 2, 3, 4]}),
    "arrow, batch": lambda: pa.RecordBatch.from_pydict({"text": TEXTS, "n": [1, 2, 3, 4]}),
    "arrow, reader": lambda: pa.table({"text": TEXTS, "n": [1, 2, 3, 4]}).to_reader(),
    "datasets": lambda: datasets.Dataset.from_dict({"text": TEXTS, "n": [1, 2, 3, 4]}),
    "datasets, stream": lambda: datasets.Dataset.from_dict({"text": TEXTS, "n": [1, 2, 3, 4]}).to_iterable_dataset(),
}
COLUMNS = {
    "list": lambda: TEXTS,
    "tuple": lambda: tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "numpy": lambda: np.array(TEXTS, dtype=object),
    "pandas": lambda: pd.Series(TEXTS),
    "pandas, NA": lambda: pd.Series(["so good", pd.NA, "", "so bad 😀"], dtype="string", index=[5, 5, 1, 0]),
    "pandas, NaN": lambda: pd.Series(["so good", float("nan"), "", "so bad 😀"], dtype=object),
    "pandas, NaT": lambda: ["so good", pd.NaT, "", "so bad 😀"],
    "pandas, category": lambda: pd.Series(TEXTS, dtype="category"),
    "polars": lambda: polars("column"),
    "arrow": lambda: pa.array(TEXTS),
    "arrow, chunks": lambda: pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
    "datasets": lambda: datasets.Dataset.from_dict({"text": TEXTS})["text"],
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_keeps_its_columns(name: str, vader: emollms.Annotator) -> None:
    found = vader(TABLES[name]())
    table = found.to_arrow()
    assert table.column_names[:3] == ["text", "n", "valence"]
    assert table["text"].to_pylist() == TEXTS
    assert table["n"].to_pylist() == [1, 2, 3, 4]
    assert [value is None for value in table["valence"].to_pylist()] == [False, True, True, False]
    assert list(found.to_pandas()["n"]) == [1, 2, 3, 4]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_gives_an_answer_an_element(name: str, vader: emollms.Annotator) -> None:
    found = vader(COLUMNS[name]())
    assert [one["valence"].note for one in found] == [None, "no text", "no text", None]
    assert found[0].valence > 0.5 > found[3].valence - 0.5
    assert found.to_arrow().column_names[0] == "valence"


def test_one_text_and_none_at_all(vader: emollms.Annotator) -> None:
    assert vader("so good").valence == vader(["so good"])[0].valence
    assert len(vader([])) == len(vader(pd.DataFrame({"text": []}))) == vader([]).to_arrow().num_rows == 0


def test_slices_keep_the_columns(vader: emollms.Annotator) -> None:
    part = vader(TABLES["arrow"]())[1:3]
    assert part.to_arrow()["n"].to_pylist() == [2, 3]
    assert vader(TEXTS)[:2].to_arrow().num_rows == 2


@pytest.mark.parametrize("signs", ["\ud800", "\udcff", "\udfff", "a\ud83d b", "\ude00\ud83d"])  # noqa: PT014 (they differ)
def test_lone_surrogates(signs: str, vader: emollms.Annotator, tiny) -> None:
    text = f"so good {signs}"
    assert vader(text).valence > 0.5
    for given in (
        [text],
        pd.DataFrame({"text": [text], "other": [signs]}, dtype=object),
        pd.Series([text], dtype=object),
    ):
        found = vader(given)
        assert found[0].valence > 0.5
        found.to_arrow()
    with emollms.Annotator.from_pretrained(str(tiny), task="valence", fresh=True) as annotator:
        assert 0 <= annotator(text).valence <= 1
        assert annotator([text]).to_arrow().num_rows == 1


def test_numbers_and_dates_of_a_column_are_read_as_texts(vader: emollms.Annotator) -> None:
    frame = pd.DataFrame({"text": [1.5, float("nan")], "when": [datetime.date(2020, 1, 2)] * 2})
    assert [one["valence"].note for one in vader(frame)] == [None, "no text"]
    assert vader(frame, text_column="when")[0]["valence"].note is None
    table = pa.table({"text": pa.array([float("nan"), 2.0])})
    assert [one["valence"].note for one in vader(table)] == ["no text", None]


WRONG = {
    "a number": (lambda: 7, "not int"),
    "bytes": (lambda: b"good", "not bytes"),
    "a mapping": (lambda: {"text": ["good"]}, "not dict"),
    "a number in a list": (lambda: ["good", 7], "element 1 is int and no text: 7"),
    "a list in a list": (lambda: [["good"]], "element 0 is list and no text"),
    "an array in a list": (lambda: [np.array([1, 2])], "element 0 is ndarray and no text"),
    "no such column": (lambda: pd.DataFrame({"body": ["good"]}), "no column 'text'; there are body"),
    "two columns of a name": (lambda: pd.DataFrame([["a", "b"]], columns=["text", "text"]), "no table that Arrow"),
    "mixed column": (lambda: pd.DataFrame({"text": ["a", "b"], "x": [1, ["c"]]}), "no table that Arrow can hold"),
    "lists": (lambda: pa.table({"text": [["a"]]}), "holds list"),
    "bytes in a column": (lambda: pa.table({"text": [b"a"]}), "holds binary and no texts"),
    "splits": (lambda: datasets.DatasetDict(a=datasets.Dataset.from_dict({"text": []})), "give one split of a"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_text_is_refused_in_one_line(name: str, vader: emollms.Annotator) -> None:
    make, message = WRONG[name]
    with pytest.raises(UsageError, match=message) as error:
        vader(make())
    assert "\n" not in str(error.value)


def test_as_table_takes_the_name_of_the_column() -> None:
    assert as_table(["a"], "body").column_names == ["body"]
