"""Answers that were given elsewhere, in the files that people have: JSON, JSON Lines, CSV, TSV, one answer a line.

A row names its answer `answer`, `prediction` or `output`, and the row of the data set by `id`, by `task` and `row`, or
by its place. Sample logs of lm-evaluation-harness are in `lm_eval_logs`, submissions to SemEval-2018 in
`semeval_submissions`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.evaluation.answer_rows import Answered, BenchmarkRows, answer_text, answered, by_place
from emollms.evaluation.answer_sets import TABLES, is_answer_set
from emollms.evaluation.run_folder import PREDICTIONS
from emollms.inference.engine import first_line
from emollms.inference.predictions import Prediction
from emollms.tables.files import Dialect, TableFile, Warn, lines, no_warning, table_file
from emollms.tables.json_values import Values, json_values
from emollms.tables.read import TEXT, TableRow, table_rows
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


LOGS = "samples_*.jsonl"


def is_log(values: Mapping[str, Any]) -> bool:
    """Whether a row is a sample of a log."""
    return "doc" in values and ("resps" in values or "filtered_resps" in values)


def logged(file: TableFile, table: Iterable[TableRow], rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    """The answers of a log; as the harness scores them, by their first line.

    Raises:
        SourceError: a sample without a row of ours, or without a generated answer.
    """
    for row in table:
        place, doc = file.place(row.line), row.values.get("doc")
        row_id = doc.get("id") if isinstance(doc, dict) else None
        if not isinstance(row_id, str):
            remedy = "log tasks that `emollms export lm-eval` wrote"
            raise SourceError(place, "a sample whose doc has no id", None, remedy)
        said = _generated(row.values.get("filtered_resps"))
        said = _generated(row.values.get("resps")) if said is None else said
        if said is None:
            remedy = "log a task of output_type generate_until"
            raise SourceError(place, "a sample without a generated answer", None, remedy)
        yield Answered(row_id, Prediction(row_id, first_line(said)), place)


def _generated(value: object) -> str | None:
    """The text in lists of one; None where there are several, as the log-probabilities of choices are."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else None


SUBMISSION_HEADER = "ID\tTweet\t"
Reader = Callable[[TableFile, Iterable[TableRow], BenchmarkRows, Warn], Iterator[Answered]]


def read_answers(
    path: Path, rows: BenchmarkRows, dialect: Dialect | None = None, warn: Warn = no_warning
) -> dict[str, Prediction]:
    """The answers of a file by id, in the order of the file.

    Args:
        path: a file, or a folder: of a run, of sample logs of lm-evaluation-harness, or of files of a submission.
        rows: the rows that can be answered.
        dialect: how a text file is written, where its suffix does not say it.
        warn: is told what was left out.

    Raises:
        UsageError: there is no such file, it is empty, its ids are not those of the data set, or its answers without
            ids are not as many as the rows.
        SourceError: a row is no answer, or an id has two answers; the message tells file and line.
    """
    found: dict[str, Answered] = {}
    twice: dict[str, Answered] = {}
    for file in prediction_files(path, dialect):
        for one in _answers(file, rows, warn):
            before = found.setdefault(one.id, one)
            if before.said != one.said:
                twice.setdefault(one.id, one)
    if not found:
        raise UsageError(f"{path} is empty; give JSON Lines with id and answer")
    if unknown := [row_id for row_id in found if row_id not in rows.task_of]:
        raise UsageError(
            f"{path}: {len(unknown):,} of {len(found):,} ids are not in the data set, "
            f"the first one {unknown[0]!r}; give the data set that the answers belong to"
        )
    if twice:
        row_id, second = next(iter(twice.items()))
        raise SourceError(
            second.place,
            f"{len(twice):,} id{'s have' if len(twice) > 1 else ' has'} two answers, the first one also at "
            f"{found[row_id].place}",
            row_id,
            "keep one answer of each row",
        )
    said = {row_id: one.prediction for row_id, one in found.items() if one.prediction}
    if not said:
        raise UsageError(f"{path}: each of its {len(found):,} answers is null; give texts, numbers or lists of labels")
    return said


def prediction_files(path: Path, dialect: Dialect | None = None) -> list[TableFile]:
    """The files of answers that a path names.

    Raises:
        UsageError: there is none, or none that can be read.
    """
    if not path.exists():
        raise UsageError(f"there is no file {path}; give JSON Lines with id and answer")
    if not path.is_dir():
        return [_as_submission(table_file(path, dialect))]
    if (path / PREDICTIONS).is_file():
        return [table_file(path / PREDICTIONS, dialect)]
    if is_answer_set(path):
        return [table_file(table, dialect) for table in sorted(path.glob(TABLES))]
    if logs := sorted(path.rglob(LOGS)):
        return [table_file(log, dialect) for log in logs]
    texts = [_as_submission(table_file(text, dialect)) for text in sorted(path.glob("*.txt"))]
    if texts and all(text.delimiter for text in texts):
        return texts
    raise UsageError(
        f"{path} is a folder, and neither that of a run ({PREDICTIONS}), nor of logs of lm-evaluation-harness "
        f"({LOGS}), of published answers, nor of a submission to SemEval-2018 (*.txt); give a file"
    )


def _as_submission(file: TableFile) -> TableFile:
    """The file; one of a submission has tabs, and its quotes are those of tweets."""
    if file.format in ("text", "tsv") and file.dialect.delimiter is None:
        try:
            first = next(lines(file), "")
        except EmollmsError:
            return file  # the error comes, with its line, when the file is read
        if first.startswith(SUBMISSION_HEADER):
            return replace(file, dialect=replace(file.dialect, delimiter="tab", quotes=False))
    return file


def _answers(file: TableFile, rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    if file.format in ("json", "jsonl"):
        return _json_answers(file, rows, warn)
    if file.format == "text" and not file.delimiter:
        values = [(file.place(row.line), {"answer": row.values[TEXT]}) for row in table_rows(file)]
        return by_place(file.name, values, rows)
    return _read(file, table_rows(file, warn), rows, warn)


def _json_answers(file: TableFile, rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    listed, values = json_values(file)
    if file.format == "json" and not listed:
        values = _by_id(list(values))
    table = (TableRow(line, value if isinstance(value, Mapping) else {"answer": value}) for line, value in values)
    return _read(file, table, rows, warn)


def _by_id(values: list[tuple[int, Any]]) -> Values:
    """The values of a file that is no list; one object alone has the answers by id."""
    line, first = values[0]
    if len(values) > 1 or not isinstance(first, dict):
        yield from values
        return
    for row_id, value in first.items():
        yield line, {**value, "id": row_id} if isinstance(value, dict) else {"id": row_id, "answer": value}


def _read(file: TableFile, table: Iterable[TableRow], rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    """The answers of rows, which are of one kind by the first of them."""
    rest = iter(table)
    first = next(rest, None)
    if first is None:
        return
    reader: Reader = _plain
    if is_log(first.values):
        reader = logged
    elif is_submission(first.values):
        reader = submitted
    yield from reader(file, chain([first], rest), rows, warn)


def _plain(file: TableFile, table: Iterable[TableRow], rows: BenchmarkRows, warn: Warn) -> Iterator[Answered]:
    """Rows that name the row of the data set; or do not, one and all."""
    places = []
    named = 0
    for row in table:
        place = file.place(row.line)
        row_id = rows.id_of(row.values, place)
        if row_id is None:
            places.append((place, row.values))
        else:
            named += 1
            yield answered(row_id, row.values, rows, place)
        if named and places:
            raise SourceError(place, "some rows name a row of the data set, and some do not", None, "give all an id")
    if places:
        yield from by_place(file.name, places, rows)
