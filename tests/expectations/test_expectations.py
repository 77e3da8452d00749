"""Every expectation of our own: a good frame passes, a bad one fails with the count and the rows."""

from collections.abc import Callable

import pandas as pd
import pytest

from emollms.errors import EmollmsError
from emollms.expectations.engine import ExpectationCall, ask
from emollms.expectations.expectations import CompletionsParseBack, GoldLabelsOfTheirTask
from emollms.expectations.report import Row


def texts(*rows: dict[str, object]) -> pd.DataFrame:
    base = {
        "task": "V-reg",
        "emotion": None,
        "completion": "0.500",
        "score": 0.5,
        "label": None,
        "labels": (),
        "language": "en",
        "corpus": "brighter",
    }
    return pd.DataFrame(
        [{"id": f"r{number}", "text": "a text", "split": "train", **base, **row} for number, row in enumerate(rows)]
    )


E_C = {"task": "E-c", "completion": "anger, joy", "score": None, "labels": ("anger", "joy")}
V_OC = {
    "task": "V-oc",
    "completion": "2: moderately positive emotional state can be inferred",
    "score": 2.0,
    "label": 5,
}
EI = {"task": "EI-reg", "emotion": "joy"}
DISGUST = {**E_C, "task": "BRIGHTER-E-c", "labels": ("disgust",)}  # which BRIGHTER did not annotate in English
ANSWER = ["task", "emotion", "completion", "score", "label", "labels"]
GOLD = ["task", "emotion", "corpus", "split", "language", "score", "label", "labels"]
PAIR = {"column_A": "text", "column_B": "split"}
SCRIPT = {"column_A": "text", "column_B": "language"}

MAPS = {
    "mojibake": (
        "expect_column_values_to_be_free_of_mojibake",
        {"column": "text"},
        texts({"text": "café"}, {"text": "CAFÉ…"}, {"text": "plain"}),
        texts({"text": "cafÃ©"}, {"text": "fine"}, {"text": "itâ€™s"}),
        [("r0", "cafÃ©"), ("r2", "itâ€™s")],
    ),
    "html entities": (
        "expect_column_values_to_be_free_of_html_entities",
        {"column": "text"},
        texts({"text": "AT&T"}, {"text": "#forgiveness &truthfulness;"}),
        texts({"text": "you &amp; me"}, {"text": "fine"}, {"text": "&#39;"}),
        [("r0", "you &amp; me"), ("r2", "&#39;")],
    ),
    "twice and not marked": (
        "expect_compound_columns_to_be_unique_or_marked",
        {"column_list": ["emotion", "text", "group"], "mark": "group"},
        texts({"group": "a"}, {"group": "a"}, {"text": "other", "group": None}, {"emotion": "joy", "group": "b"}),
        texts(
            {"group": None}, {"group": "a"}, {"text": "other", "group": "a"}, {"text": "other", "group": "b"},
            {"text": "alone", "group": None},
        ),
        [
            ("r0", "text a text, group none"), ("r1", "text a text, group a"), ("r2", "text other, group a"),
            ("r3", "text other, group b"),
        ],
    ),
    "script": (
        "expect_column_pair_values_to_be_in_script_of_language",
        SCRIPT,
        texts({"text": "مرحبا", "language": "ar"}, {"text": "Größe"}, {"text": "😀 1", "language": "ru"}),
        texts({"text": "hello", "language": "ar"}, {"text": "مرحبا"}, {"text": "привет you", "language": "ru"}),
        [("r0", "text hello, language ar"), ("r1", "text مرحبا, language en")],
    ),
    "one split": (
        "expect_column_pair_values_to_be_in_one_split",
        PAIR,
        texts({"text": "a"}, {"text": "a"}, {"text": "A", "split": "test"}),
        texts({"text": "a"}, {"text": "a", "split": "validation"}, {"text": "a", "split": "test"}),
        [("r0", "a"), ("r1", "a")],
    ),
    "one split, normalised": (
        "expect_column_pair_values_to_be_in_one_split",
        {**PAIR, "compare": "normalized"},
        texts({"text": "one"}, {"text": "two", "split": "test"}, {"text": "!!"}, {"text": "??", "split": "test"}),
        texts({"text": "@me So TRUE!"}, {"text": "so true https://t.co/x", "split": "test"}),
        [("r0", "@me So TRUE!")],
    ),
    "parse back": (
        "expect_completions_to_parse_back",
        {"column_list": ANSWER},
        texts({}, E_C, V_OC, {**E_C, "completion": "neutral or no emotion", "labels": ()}, EI),
        texts({"completion": "0.501"}, {**E_C, "labels": ("anger",)}, {**V_OC, "label": 4}, {"completion": "high"}, {},
              {"completion": "0.500</s>"}),
        [("r0", "0.501"), ("r1", "anger, joy"), ("r2", "moderately positive"), ("r3", "high"), ("r5", "0.500</s>")],
    ),
    "gold labels": (
        "expect_gold_labels_to_be_of_their_task",
        {"column_list": GOLD},
        texts({}, E_C, V_OC, EI),
        texts({"score": 1.2}, {**E_C, "labels": ("rage",)}, {**V_OC, "label": 7}, EI | {"emotion": "x"}, {"task": "X"}),
        [("r0", "1.2"), ("r1", "rage"), ("r2", "label 7"), ("r3", "score 0.5"), ("r4", "score 0.5")],
    ),
    "gold labels that were not annotated": (
        "expect_gold_labels_to_be_of_their_task",
        {"column_list": GOLD},
        texts({**DISGUST, "language": "de"}, {**DISGUST, "corpus": "unknown"}),
        texts(DISGUST, {**DISGUST, "labels": ("joy",)}),
        [("r0", "disgust")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs", "good", "bad", "rows"), MAPS.values(), ids=MAPS)
def test_rows_that_fail_are_counted_and_shown(
    name: str, kwargs: dict[str, object], good: pd.DataFrame, bad: pd.DataFrame, rows: list[tuple[str, str]]
) -> None:
    (passed,) = ask(good, [ExpectationCall(name, kwargs)])
    assert (passed.success, passed.checked, passed.failed, passed.rows) == (True, len(good), 0, ())
    (failed,) = ask(bad, [ExpectationCall(name, kwargs)])
    assert (failed.success, failed.checked, failed.failed) == (False, len(bad), len(rows))
    assert [row.id for row in failed.rows] == [name for name, _ in rows]
    assert all(part in row.value for row, (_, part) in zip(failed.rows, rows, strict=True))


@pytest.mark.parametrize(
    ("metric", "name", "columns"),
    [
        (CompletionsParseBack, "expect_completions_to_parse_back", ANSWER),
        (GoldLabelsOfTheirTask, "expect_gold_labels_to_be_of_their_task", GOLD),
    ],
)
def test_equal_answers_are_looked_at_once(
    metric: type, name: str, columns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing scores among them: NaN is equal to nothing."""
    looked: list[dict[str, object]] = []
    monkeypatch.setattr(metric, "_fits", lambda **row: looked.append(row) or True)
    (found,) = ask(texts(*[{}, E_C, V_OC] * 20), [ExpectationCall(name, {"column_list": columns})])
    assert (found.checked, found.failed, len(looked)) == (60, 0, 3)


def test_at_most_five_rows_are_shown_and_all_are_counted() -> None:
    (found,) = ask(
        texts(*[{"text": "&amp;"}] * 7),
        [ExpectationCall("expect_column_values_to_be_free_of_html_entities", {"column": "text"})],
    )
    assert found.failed == 7
    assert found.rows == tuple(Row(f"r{number}", "&amp;") for number in range(5))


def test_mostly_leaves_room() -> None:
    frame = texts(*[{"text": "fine"}] * 9, {"text": "привет"})
    name = "expect_column_pair_values_to_be_in_script_of_language"
    roomy, strict = ask(
        frame, [ExpectationCall(name, {**SCRIPT, "mostly": 0.9}), ExpectationCall(name, {**SCRIPT, "mostly": 0.95})]
    )
    assert (roomy.success, roomy.failed) == (True, 1)
    assert (strict.success, strict.failed) == (False, 1)


SHARES = "expect_column_value_shares_to_be_between"


@pytest.mark.parametrize(
    ("column", "shares", "failed", "observed"),
    [
        ("split", {"train": (0.7, 0.8), "test": (0.2, 0.3)}, 0, "train 0.750, test 0.250"),
        ("split", {"train": (0.7, 0.8), "test": (0.3, 0.4)}, 1, "test has 0.250, not 0.3 to 0.4"),
        ("split", {"train": (0.7, 0.8)}, 1, "test has 0.250 and is not expected"),
        ("labels", {"anger": (0.5, 0.5), "joy": (0.25, 0.25), "fear": (0, 0)}, 0, "anger 0.500, joy 0.250"),
        ("labels", {"anger": (0.5, 0.5), "joy": (0.25, 0.25), "fear": (0.1, 1)}, 1, "fear has 0.000, not 0.1 to 1"),
    ],
)
def test_shares(column: str, shares: dict[str, tuple[float, float]], failed: int, observed: str) -> None:
    frame = texts({"labels": ("anger", "joy")}, {"labels": ("anger",)}, {}, {"split": "test"})
    (found,) = ask(frame, [ExpectationCall(SHARES, {"column": column, "shares": shares})])
    assert (found.success, found.failed, found.observed) == (not failed, failed, observed)


def arrow(**columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in columns.items()})


def drop(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="b")


@pytest.mark.parametrize(
    ("change", "failed", "observed"),
    [
        (lambda frame: frame, 0, "2 columns"),
        (drop, 1, "b is missing"),
        (lambda frame: frame.assign(c=1), 1, "c is not expected"),
        (lambda frame: frame.astype({"b": "string[pyarrow]"}), 1, "b is string, not int64"),
        (lambda frame: frame[["b", "a"]], 1, "the order is b, a"),
    ],
)
def test_columns(change: Callable[[pd.DataFrame], pd.DataFrame], failed: int, observed: str) -> None:
    frame = change(arrow(a="double[pyarrow]", b="int64[pyarrow]"))
    question = ExpectationCall("expect_table_typed_columns_to_equal", {"columns": {"a": "double", "b": "int64"}})
    (found,) = ask(frame, [question])
    assert (found.success, found.failed) == (not failed, failed)
    assert found.observed.removesuffix("[pyarrow]") == observed


def test_what_cannot_be_worked_out_is_an_error() -> None:
    with pytest.raises(EmollmsError, match=r"expect_column_values_to_be_unique could not be worked out: .*nothing"):
        ask(texts({}), [ExpectationCall("expect_column_values_to_be_unique", {"column": "nothing"})])
