"""Submissions to SemEval-2018 Task 1, Affect in Tweets: files as its participants sent them in.

Tab-separated, with the header `ID Tweet "Affect Dimension" "Intensity Score"` (EI-reg, V-reg), `… "Intensity Class"`
(EI-oc, V-oc), or `ID Tweet` and eleven emotions that are 0 or 1 (E-c). Mohammad et al., 2018;
competitions.codalab.org/competitions/17751.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emollms.errors import SourceError
from emollms.evaluation.answer_rows import Answered, BenchmarkRows, answer_text
from emollms.inference.predictions import Prediction
from emollms.tables.files import TableFile, Warn
from emollms.tables.read import TableRow
from emollms.tasks import PLUTCHIK_PLUS

ID, DIMENSION, SCORE, CLASS = "ID", "Affect Dimension", "Intensity Score", "Intensity Class"
VALENCE = "valence"
MYSTERY = "-mystery-"
"""Part of the ids of the sentences that were sent along to measure bias, and have no gold."""


def is_submission(values: Mapping[str, Any]) -> bool:
    """Whether the columns are those of a submission."""
    return ID in values and (DIMENSION in values or values.keys() >= set(PLUTCHIK_PLUS))


def submitted(file: TableFile, table: Iterable[TableRow], rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    """The answers of a submission.

    Raises:
        SourceError: a column is missing, an emotion or a flag is none, or the task is not in the data set.
    """
    mystery = 0
    for row in table:
        if MYSTERY in row.values[ID]:
            mystery += 1
            continue
        place = file.place(row.line)
        task, emotion, said = _answer(file, row)
        if task not in rows.tasks:
            raise SourceError(place, f"an answer to {task}, which the data set does not have", None, "give one with it")
        for row_id in rows.by_source.get((task, row.values[ID], emotion), [_unknown(row.values[ID], emotion)]):
            text = answer_text(said, task, place) or ""
            yield Answered(row_id, Prediction(row_id, text), place)
    if mystery:
        warn(f"{file.name}: {mystery:,} rows of the mystery set, which has no gold, are left out")


def _answer(file: TableFile, row: TableRow) -> tuple[str, str | None, object]:
    """Task, emotion and answer of a row."""
    values, place = row.values, file.place(row.line)
    if DIMENSION not in values:
        flags = {label: values[label] for label in PLUTCHIK_PLUS}
        for label, flag in flags.items():
            if flag not in ("0", "1"):
                raise SourceError(place, f"{label} is neither 0 nor 1", flag, "give 1 where the tweet shows it, else 0")
        return "E-c", None, [label for label, flag in flags.items() if flag == "1"]
    kinds = [name for name in (SCORE, CLASS) if name in values]
    if len(kinds) != 1:
        raise SourceError(place, f"no column {SCORE} or {CLASS}", ", ".join(values), "give one of them")
    kind = "reg" if kinds == [SCORE] else "oc"
    emotion = None if values[DIMENSION] == VALENCE else values[DIMENSION]
    return f"{'EI' if emotion else 'V'}-{kind}", emotion, values[kinds[0]]


def _unknown(tweet: str, emotion: str | None) -> str:
    return f"{tweet} ({emotion})" if emotion else tweet
