"""What people said: which columns of a gold table hold the labels of a question, and what these say."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from emollms.annotation.annotated_tables import AnnotatedTable
from emollms.annotation.answered_questions import AnsweredQuestion, split_labels
from emollms.annotation.columns import PREFIX
from emollms.annotation.table_frames import text_of
from emollms.errors import UsageError, shorten, unknown
from emollms.evaluation.metrics import Floats
from emollms.tables.files import Warn

_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


def questions_of_gold(
    table: AnnotatedTable, gold: pd.DataFrame, of: Sequence[str], gold_column: Sequence[str], gold_name: str
) -> list[AnsweredQuestion]:
    """The questions that gold has labels of.

    Args:
        table: the annotated table, whose questions they are.
        gold: the gold table.
        of: their names; empty for all.
        gold_column: the columns that the user named; with one question.
        gold_name: what errors call gold.

    Raises:
        UsageError: there are none, or several for the columns of one.
    """
    if of:
        found = [table.question(name) for name in of]
    else:
        every = list(table.questions.values())
        found = [one for one in every if len(every) == 1 or _columns(one, gold, len(every))]
        if gold_column and len(every) > 1:
            found = every if len(every) == 1 else []
    if gold_column and len(found) != 1:
        raise UsageError("--gold-column is of one question; name it with --of")
    if not found:
        asked = ", ".join(table.questions) or "nothing that has a column NAME_confidence"
        raise UsageError(
            f"{gold_name} has no column of {table.name}'s questions ({asked}); name the question with --of and the "
            "column of people's labels with --gold-column"
        )
    return found


def _columns(asked: AnsweredQuestion, gold: pd.DataFrame, questions: int) -> list[str]:
    """The columns of gold with labels of a question, by their names; empty where there are none."""
    for name in (f"{asked.name}_gold", f"gold_{asked.name}", PREFIX + asked.name, asked.name, f"{asked.name}_label"):
        if name in gold and not (name == asked.name and f"{name}_confidence" in gold):
            return [name]
    pattern = re.compile(rf"{re.escape(asked.name)}[_. -]?(rater|annotator|coder|r)?[_. -]?\d+", re.IGNORECASE)
    if numbered := [str(name) for name in gold.columns if pattern.fullmatch(str(name))]:
        return numbered
    if questions == 1:
        return [name for name in ("gold", "label", "labels", "score") if name in gold][:1]
    return []


def _flags(asked: AnsweredQuestion, gold: pd.DataFrame) -> list[str] | None:
    """The columns of 0 and 1 for the labels of a question; None where one has none."""
    for pattern in (f"{asked.name}_{{}}", "{}"):
        names = [pattern.format(option) for option in asked.options]
        if asked.kind == "labels" and names and all(name in gold for name in names):
            return names
    return None


def columns_of_question(
    asked: AnsweredQuestion, gold: pd.DataFrame, given: Sequence[str], gold_name: str, questions: int
) -> list[str]:
    """The columns of gold with the labels of a question; empty where these are columns of 0 and 1, one for each label.

    Args:
        asked: the question.
        gold: the gold table.
        given: the columns that the user named.
        gold_name: what errors call gold.
        questions: how many questions the annotated table has.

    Raises:
        UsageError: there is no such column.
    """
    for name in given:
        if name not in gold:
            raise unknown("column of gold", name, map(str, gold.columns))
    found = list(given) or _columns(asked, gold, questions)
    if not found and _flags(asked, gold) is None:
        raise UsageError(
            f"{gold_name} has no labels of {asked.name} by people: no column {asked.name} or {asked.name}_gold"
            + (" but the model's own" if f"{asked.name}_confidence" in gold else "")
            + "; name it with --gold-column"
        )
    return found


def read_labels(
    asked: AnsweredQuestion,
    gold: pd.DataFrame,
    columns: Sequence[str],
    gold_name: str,
    table: AnnotatedTable,
    warn: Warn,
    gold_range: tuple[float, float] | None,
) -> tuple[AnsweredQuestion, Floats]:
    """The question, with the classes that only people name, and what each row of gold says, a column for each rater.

    Args:
        asked: the question.
        gold: the gold table.
        columns: what `columns_of_question` gave.
        gold_name: what errors call gold.
        table: the annotated table.
        warn: is told where native scores were converted.
        gold_range: the lowest and the highest score of gold; None where scores are on 0..1 or on the scale of their
            task.

    Raises:
        UsageError: a value is no answer to the question.
    """
    if not columns:
        flags = [[_flag(value, f"{gold_name}, {name}") for value in gold[name]] for name in _flags(asked, gold) or ()]
        return asked, np.array(flags, np.float64).T[:, None, :]
    values = {name: gold[name].tolist() for name in columns}
    if asked.task is None and asked.kind != "score":
        single = asked.kind == "class"
        said = [text for own in values.values() for one in own for text in _named(one, single)]
        known = {option.casefold() for option in asked.options}
        own = tuple(dict.fromkeys(text for text in said if text.casefold() not in known))
        asked = replace(asked, options=(*asked.options, *own))
        predicted = table.frame[asked.column].tolist()
        asked = replace(
            asked, predicted=asked.read(predicted, table.name), probabilities=None if own else asked.probabilities
        )
    if asked.kind == "labels":  # who corrected a row and chose no label said that none applies
        chose = {name: f"{name}_changed" in gold for name in columns}
        values = {
            name: [() if chose[name] and _is_nothing(one) else one for one in own] for name, own in values.items()
        }
    if gold_range is not None and asked.kind == "score":
        scores = [asked.read(own, f"{gold_name}, column {name!r}", "unit") for name, own in values.items()]
        return asked, _to_unit(np.stack(scores, axis=1), gold_range, gold_name)
    read = [asked.read(own, f"{gold_name}, column {name!r}", warn=warn) for name, own in values.items()]
    return asked, np.stack(read, axis=1)


def _is_nothing(value: object) -> bool:
    return not isinstance(value, list | np.ndarray) and text_of(value) is None


def _to_unit(scores: Floats, gold_range: tuple[float, float], gold_name: str) -> Floats:
    """Scores on a range as scores on 0..1."""
    low, high = gold_range
    if not low < high:
        raise UsageError(f"--gold-range {low:g} {high:g}: the first number must be below the second")
    if (off := (scores < low) | (scores > high)).any():
        raise UsageError(f"{gold_name}: {scores[off][0]:g} is not on {low:g} to {high:g}; see --gold-range")
    return (scores - low) / (high - low)


def _named(value: object, single: bool) -> list[str]:
    text = text_of(value) if single else None
    return ([] if text is None else [text]) if single else split_labels(value) or []


def _flag(value: object, place: str) -> float:
    text = (text_of(value) or "").casefold()
    if text not in (*_TRUE, *_FALSE, ""):
        raise UsageError(f"{place}: {shorten(text)!r} does not say whether the label applies; give 0 or 1")
    return np.nan if not text else float(text in _TRUE)
