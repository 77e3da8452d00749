"""Which row of a data set an answer is for, and the answer as the text that a model would have said."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from emollms.dataset.reader import TEST, Dataset, Row, asked_rows, choose_language
from emollms.errors import Place, SourceError, UsageError
from emollms.inference.predictions import Prediction, probabilities_of
from emollms.tasks import MultiLabelTask, get_task

ANSWER_KEYS = ("answer", "prediction", "output")


@dataclass(frozen=True)
class Answered:
    """An answer to a row.

    Args:
        id: the row's id.
        prediction: the answer; None where the file says that there is none.
        place: where it is.
    """

    id: str
    prediction: Prediction | None
    place: Place

    @property
    def said(self) -> tuple[str, Mapping[str, float] | None] | None:
        """The answer itself, without the time that it took."""
        return (self.prediction.answer, self.prediction.probabilities) if self.prediction else None


@dataclass(frozen=True)
class BenchmarkRows:
    """The rows that can be answered.

    Args:
        tasks: name of a task to its rows, in the order of the data set.
        asked_tasks: the names of the tasks that answers without ids are for.
        language: code of the language that they are for, or `all`; None for English, or the only one.
    """

    tasks: Mapping[str, Sequence[Row]]
    asked_tasks: Sequence[str]
    language: str | None = None

    @classmethod
    def of(cls, data: Dataset, names: Sequence[str] = (), language: str | None = None) -> "BenchmarkRows":
        """The test rows of a data set.

        Args:
            data: the data set.
            names: the tasks that answers without ids are for; empty for all.
            language: code of the language that they are for, or `all`; None for English, or the only one, or, of a
                benchmark in many, all.

        Raises:
            UsageError: there is no such task.
        """
        columns = ["id", "source_id", "emotion", "language"]
        tasks = {task.name: data.table(task.name, TEST, columns).to_pylist() for task in data.tasks(TEST)}
        return cls(tasks, [task.name for task in data.tasks(TEST, names)], language or data.default_language)

    @classmethod
    def of_ids(cls, known: Mapping[str, str]) -> "BenchmarkRows":
        """Rows of which no more is known than id and task."""
        tasks: dict[str, list[Row]] = {}
        for row_id, task in known.items():
            tasks.setdefault(task, []).append({"id": row_id, "language": "en"})
        return cls(tasks, list(tasks))

    @cached_property
    def asked(self) -> list[str]:
        """The ids of the rows that answers without ids are for, in order.

        Raises:
            UsageError: there is no row in the language, or there are several languages and English is none of them.
        """
        rows = [row for name in self.asked_tasks for row in self.tasks[name]]
        spoken = choose_language(rows, self.language, several=True)
        return [str(row["id"]) for row in asked_rows(rows, spoken, None)]

    @cached_property
    def task_of(self) -> dict[str, str]:
        """Every id, and the name of its task."""
        return {str(row["id"]): name for name, rows in self.tasks.items() for row in rows}

    @cached_property
    def by_source(self) -> dict[tuple[str, str, str | None], list[str]]:
        """The ids of the rows of a task, a text's id in its corpus, and an emotion."""
        found: dict[tuple[str, str, str | None], list[str]] = {}
        for name, rows in self.tasks.items():
            for row in rows:
                found.setdefault((name, str(row.get("source_id")), row.get("emotion")), []).append(row["id"])
        return found

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.casefold(): name for name in self.tasks}

    def id_of(self, values: Mapping[str, Any], place: Place) -> str | None:
        """The id that a row of a file names, by `id` or by `task` and `row`; None where it names none.

        Raises:
            SourceError: it names a row in a way that is none, or one that the task does not have.
        """
        if "id" in values:
            row_id = values["id"]
            if row_id is None or isinstance(row_id, list | dict | bool | float):
                raise SourceError(place, "no id", repr(row_id), "give the id of a row of the data set")
            return str(row_id)
        if "row" not in values:
            return None
        ids = self._ids_of(values.get("task"), place)
        number = values["row"]
        if isinstance(number, str) and number.isascii() and number.isdecimal():
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(ids):
            problem = f"no row of {values['task']}"
            raise SourceError(place, problem, repr(values["row"]), f"they are numbered 0 to {len(ids) - 1}")
        return ids[number]

    def _ids_of(self, task: object, place: Place) -> list[str]:
        """The ids of a task, or of several with commas between, one after another."""
        names = [name.strip().casefold() for name in task.split(",")] if isinstance(task, str) else [""]
        if any(name not in self._folded for name in names):
            raise SourceError(place, "no task of the data set", repr(task), f"it has {', '.join(self.tasks)}")
        return [str(row["id"]) for name in names for row in self.tasks[self._folded[name]]]


def answered(row_id: str, values: Mapping[str, Any], rows: BenchmarkRows, place: Place) -> Answered:
    """The answer that a row of a file gives to the row of this id.

    Raises:
        SourceError: the file's row has none of `ANSWER_KEYS`, or several, or what it says is no answer.
    """
    keys = [key for key in ANSWER_KEYS if key in values]
    if len(keys) != 1:
        has = f"both {' and '.join(keys)}" if keys else f"none of {', '.join(ANSWER_KEYS)}"
        shown = ", ".join(map(str, values)) or None
        raise SourceError(place, f"a row with {has}", shown, "give the answer under one of these names")
    said = answer_text(values[keys[0]], rows.task_of.get(row_id), place)
    if said is None:
        return Answered(row_id, None, place)
    shares = values.get("probabilities")
    if isinstance(shares, dict):  # a struct of Parquet has all labels, also those that a row does not ask for
        shares = {name: share for name, share in shares.items() if share is not None}
    return Answered(row_id, Prediction(row_id, said, probabilities_of(shares, place), _seconds(values)), place)


def _seconds(values: Mapping[str, Any]) -> float:
    """The time of an answer, where the file is one of ours; what others call so may be anything."""
    seconds = values.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return 0.0
    return float(seconds) if math.isfinite(seconds) and seconds >= 0 else 0.0


def answer_text(value: object, task: str | None, place: Place) -> str | None:
    """An answer as text: numbers without exponent, labels with commas between; None for null.

    Args:
        value: what the file has.
        task: name of the task; an empty list of labels is its answer for no label, where it has one.
        place: where it is.

    Raises:
        SourceError: it is no text, no number and no list of labels.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # classes that went through a column of floats
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format(Decimal(repr(value)), "f") if math.isfinite(value) else str(value)
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        asked = get_task(task) if task else None
        nothing = asked.nothing if isinstance(asked, MultiLabelTask) else None
        return ", ".join(value) or nothing or ""
    remedy = "give a text, a number, or a list of labels"
    raise SourceError(place, "no answer", repr(value), remedy)


def by_place(name: str, values: Sequence[tuple[Place, Mapping[str, Any]]], rows: BenchmarkRows) -> Iterator[Answered]:
    """Answers without ids: those of the rows that are asked, in their order.

    Args:
        name: the file.
        values: the rows of the file.
        rows: the rows of the data set.

    Raises:
        UsageError: there are more or fewer than rows.
        SourceError: as `answered`.
    """
    if len(values) != len(rows.asked):
        count, tasks = len(rows.asked), rows.asked_tasks
        which = f"task {tasks[0]} has" if len(tasks) == 1 else f"the {len(tasks)} tasks of the data set have"
        remedy = "name it with --task" if len(tasks) > 1 else "give one answer a row, in order"
        hint = f"give an id with each answer, or answers to one task, and {remedy}" if len(tasks) > 1 else remedy
        raise UsageError(f"{name} has {len(values):,} answers without ids, and {which} {count:,} rows; {hint}")
    for row_id, (place, found) in zip(rows.asked, values, strict=True):
        yield answered(row_id, found, rows, place)
