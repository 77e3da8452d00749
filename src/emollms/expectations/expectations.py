"""Expectations of rows that great_expectations does not have: real GX classes, with metrics on its pandas engine.

A suite names them like GX's own, in lower case: `expect_column_values_to_be_free_of_mojibake`. Importing this module
makes them known to GX, and takes the seconds that GX takes.
"""

# GX is typed, and does not export what it documents, nor type its decorators and the keys of its base classes.
# mypy: disable-error-code="attr-defined, untyped-decorator, assignment"

import re
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

import emollms.expectations.gx  # noqa: F401

# isort: split
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
    multicolumn_condition_partial,
)

from emollms.corpora.registry import corpora
from emollms.dedup.normalize import normalize
from emollms.prompts.answers import parse_answer
from emollms.prompts.cleaning import cut_surroundings
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task
from emollms.text_repair import fix_mojibake, unescape_entities

SPLIT_ORDER = {"train": 0, "validation": 1, "test": 2}
ROUNDING = 0.0005 + 1e-9  # answers have three decimals

_LATIN = "A-Za-z\u00aa-\u024f\u0250-\u02af\u1e00-\u1eff"
_OTHER_LETTERS = {
    **dict.fromkeys(("ar", "arq", "ary", "fa", "ur", "ps"), "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff"),
    **dict.fromkeys(("be", "bg", "kk", "ky", "mk", "mn", "ru", "tg", "tt", "uk"), "\u0400-\u052f"),
    # These are written in Cyrillic and in Latin.
    **dict.fromkeys(("az", "bs", "sr", "uz"), f"\u0400-\u052f{_LATIN}"),
    **dict.fromkeys(("hi", "mr", "ne"), "\u0900-\u097f"),
    **dict.fromkeys(("am", "ti"), "\u1200-\u139f"),
    "bn": "\u0980-\u09ff", "el": "\u0370-\u03ff\u1f00-\u1fff", "gu": "\u0a80-\u0aff", "he": "\u0590-\u05ff",
    "hy": "\u0530-\u058f", "ja": "\u3040-\u30ff\u3400-\u9fff", "ka": "\u10a0-\u10ff", "kn": "\u0c80-\u0cff",
    "ko": "\uac00-\ud7af\u3130-\u318f\u1100-\u11ff", "ml": "\u0d00-\u0d7f", "pa": "\u0a00-\u0a7f",
    "ta": "\u0b80-\u0bff", "te": "\u0c00-\u0c7f", "th": "\u0e00-\u0e7f", "zh": "\u3400-\u9fff",
}  # fmt: skip
# As GX has it, and the last one, without which GX does not pass it on to the metric.
_PAIR = ("batch_id", "column_A", "column_B", "row_condition", "condition_parser", "ignore_row_if")
_LETTER = re.compile(r"[^\W\d_]")


def _each_once(rows: pd.DataFrame, fits: Callable[..., bool]) -> "pd.Series[bool]":
    """Whether each row fits. Equal ones are looked at once: a text has a row for each question, and answers are few.

    Args:
        rows: whose columns are the arguments of `fits`; what is missing in them is None there.
        fits: whether one does.
    """
    known: dict[Hashable, bool] = {}
    found = []
    # NaN, which is equal to nothing, would make every row without a number another one.
    columns = [rows[name].astype(object).where(rows[name].notna(), None) for name in rows.columns]
    for row in zip(*columns, strict=True):
        if row not in known:
            known[row] = fits(**dict(zip(rows.columns, row, strict=True)))
        found.append(known[row])
    return pd.Series(found, index=rows.index, dtype=bool)


class ColumnValuesFreeOfMojibake(ColumnMapMetricProvider):
    """Whether a text would stay as it is when a misread encoding is undone."""

    condition_metric_name = "column_values.free_of_mojibake"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: "pd.Series[Any]", **_: object) -> "pd.Series[bool]":  # noqa: N805 - GX calls it on the class
        return column.map(lambda text: fix_mojibake(text) == text).astype(bool)  # of no rows `map` makes objects


class ExpectColumnValuesToBeFreeOfMojibake(ColumnMapExpectation):
    """No text has UTF-8 that was read as Latin-1 or Windows-1252, `cafÃ©` for `café`."""

    map_metric = "column_values.free_of_mojibake"


class ColumnValuesFreeOfHtmlEntities(ColumnMapMetricProvider):
    """Whether a text would stay as it is when HTML entities are resolved."""

    condition_metric_name = "column_values.free_of_html_entities"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: "pd.Series[Any]", **_: object) -> "pd.Series[bool]":  # noqa: N805
        return column.map(lambda text: unescape_entities(text) == text).astype(bool)


class ExpectColumnValuesToBeFreeOfHtmlEntities(ColumnMapExpectation):
    """No text has an HTML entity, `&amp;`. What only looks like one, `&truthfulness;`, is none."""

    map_metric = "column_values.free_of_html_entities"


class ColumnPairValuesInScriptOfLanguage(ColumnPairMapMetricProvider):
    """Whether at least half of a text's letters are of the script that its language is written in."""

    condition_metric_name = "column_pair_values.in_script_of_language"

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_A: "pd.Series[Any]", column_B: "pd.Series[Any]", **_: object) -> "pd.Series[bool]":  # noqa: N803, N805
        own = {language: re.compile(f"[{_OTHER_LETTERS.get(language, _LATIN)}]") for language in column_B.unique()}

        def fits(text: str, language: str) -> bool:
            # All letters of ASCII are Latin, and most texts are ASCII: the search is for the others.
            if language not in _OTHER_LETTERS and text.isascii():
                return True
            return 2 * len(own[language].findall(text)) >= len(_LETTER.findall(text))

        return _each_once(pd.DataFrame({"text": column_A, "language": column_B}), fits)


class ExpectColumnPairValuesToBeInScriptOfLanguage(ColumnPairMapExpectation):
    """Texts (`column_A`) are written in the script of their language (`column_B`): at least half of their letters are.

    A text without letters passes. `mostly` leaves room for languages that are also written in Latin letters.
    """

    map_metric = "column_pair_values.in_script_of_language"
    ignore_row_if: Literal["either_value_is_missing"] = "either_value_is_missing"
    domain_keys = _PAIR


class ColumnPairValuesInOneSplit(ColumnPairMapMetricProvider):
    """Whether a text appears in no split that comes after its own: train, validation, test."""

    condition_metric_name = "column_pair_values.in_one_split"
    condition_value_keys = ("compare",)

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(
        cls,  # noqa: N805
        column_A: "pd.Series[Any]",  # noqa: N803
        column_B: "pd.Series[Any]",  # noqa: N803
        compare: str = "exact",
        **_: object,
    ) -> "pd.Series[bool]":
        compared = column_A
        if compare == "normalized":
            bare = normalize(pa.array(column_A, pa.string())).to_pandas()
            # Of links and user names alone nothing is left: such texts are equal only if they are equal as they are.
            compared = bare.set_axis(column_A.index).where(lambda text: text != "", column_A)
        order = column_B.astype(str).map(SPLIT_ORDER)
        return order == order.groupby(compared).transform("max")


class ExpectColumnPairValuesToBeInOneSplit(ColumnPairMapExpectation):
    """No text (`column_A`) of train or validation is in a later split (`column_B`) as well; the earlier side fails.

    Args:
        compare: `exact`, or `normalized` for texts without links, user names, case and punctuation.
    """

    compare: Literal["exact", "normalized"] = "exact"
    ignore_row_if: Literal["either_value_is_missing"] = "either_value_is_missing"
    domain_keys = _PAIR
    map_metric = "column_pair_values.in_one_split"
    success_keys = ("compare", "mostly")


class CompoundColumnsUniqueOrMarked(MulticolumnMapMetricProvider):
    """Whether no other row has the same values, or all that have them bear the same mark."""

    condition_metric_name = "multicolumn_values.unique_or_marked"
    condition_value_keys = ("mark",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, mark: str, **_: object) -> "pd.Series[bool]":  # noqa: N805
        compared = [name for name in column_list.columns if name != mark]
        # A missing emotion or target is a value like another; groupby would drop such rows.
        marks = column_list.groupby(compared, dropna=False, sort=False)[mark]
        marked = column_list[mark].notna() & (marks.transform("nunique", dropna=False) == 1)
        return marked | ~column_list.duplicated(compared, keep=False)


class ExpectCompoundColumnsToBeUniqueOrMarked(MulticolumnMapExpectation):
    """No row appears twice, unless one column says which rows belong together, and says it of both.

    Args:
        mark: that column, one of `column_list`; the others are compared.
    """

    mark: str
    ignore_row_if: Literal["never"] = "never"
    map_metric = "multicolumn_values.unique_or_marked"
    success_keys = ("mark", "mostly")


class CompletionsParseBack(MulticolumnMapMetricProvider):
    """Whether reading an answer gives the score, label and labels beside it, and nothing surrounds it."""

    condition_metric_name = "multicolumn_values.completions_parse_back"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> "pd.Series[bool]":  # noqa: N805
        return _each_once(column_list, cls._fits)

    @classmethod
    def _fits(cls, **row: Any) -> bool:
        task, emotion = TASKS.get(row["task"]), row["emotion"]
        if task is None or not _has_emotion(task, emotion):
            return False
        value = parse_answer(task, row["completion"], emotion).value
        score, label, labels = row["score"], row["label"], tuple(row["labels"])
        if value is None or cut_surroundings(row["completion"], task, emotion) != row["completion"]:
            return False
        if isinstance(task, RegressionTask):
            return score is not None and abs(value - score) <= ROUNDING and label is None and not labels
        if isinstance(task, OrdinalTask):
            # `label` is the index of the class, as in a ClassLabel; `score` is its number, such as -3.
            return value == score == dict(enumerate(task.classes)).get(label) and not labels
        return value == labels and score is None and label is None


class ExpectCompletionsToParseBack(MulticolumnMapExpectation):
    """Answers read back to what stands beside them; columns task, emotion, completion, score, label and labels."""

    map_metric = "multicolumn_values.completions_parse_back"
    ignore_row_if: Literal["never"] = "never"


class GoldLabelsOfTheirTask(MulticolumnMapMetricProvider):
    """Whether task, emotion, score, class and labels are ones that the task knows and the corpus annotated."""

    condition_metric_name = "multicolumn_values.gold_labels_of_their_task"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: pd.DataFrame, **_: object) -> "pd.Series[bool]":  # noqa: N805
        return _each_once(column_list, cls._fits)

    @classmethod
    def _fits(cls, **row: Any) -> bool:
        task = TASKS.get(row["task"])
        if task is None or not _has_emotion(task, row["emotion"]):
            return False
        score, label, labels = row["score"], row["label"], tuple(row["labels"])
        if isinstance(task, RegressionTask):
            return score is not None and 0 <= score <= 1
        if isinstance(task, OrdinalTask):
            return score in task.classes and label in range(len(task.classes))
        left_out = _left_out(row["corpus"], task.name, row["split"], row["language"])
        known = task.labels_asked({"unannotated": left_out}) if isinstance(task, MultiLabelTask) else ()
        return set(labels) <= set(known) and len(set(labels)) == len(labels)


@cache
def _left_out(corpus: str, task: str, split: str, language: str) -> tuple[str, ...]:
    """The labels that a corpus did not annotate."""
    return corpora()[corpus].meta.left_out(task, split, language) if corpus in corpora() else ()


class ExpectGoldLabelsToBeOfTheirTask(MulticolumnMapExpectation):
    """Gold labels are known to their task; columns task, emotion, corpus, split, language, score, label and labels."""

    map_metric = "multicolumn_values.gold_labels_of_their_task"
    ignore_row_if: Literal["never"] = "never"


def _has_emotion(task: Task, emotion: str | None) -> bool:
    return emotion in task.emotions if task.emotions else emotion is None
