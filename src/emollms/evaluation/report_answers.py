"""A run's answers to a task beside the rows, and how golds and answers look to people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emollms.errors import EmollmsError, shorten
from emollms.evaluation.data import Row
from emollms.evaluation.metrics import Floats
from emollms.evaluation.readings import NO_ANSWER, read_all
from emollms.evaluation.report_input import Run
from emollms.evaluation.results import TaskScore
from emollms.evaluation.scoring import gold_of, score, unannotated_of
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import Reading
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

UNREADABLE, NONE = "unreadable", "none"
QUOTED = "(repeats the text)"
_QUOTE, _SHOWN = 16, 160


@dataclass(frozen=True)
class Answers:
    """A run's answers to a task.

    Args:
        task: the task.
        rows: the rows that were answered, in the order of the data set.
        predictions: the answers; None where there is none.
        readings: what they say.
        score: their score from these readings, with intervals that are worth nothing.
        places: the place of each row, by id.
    """

    task: Task
    rows: Sequence[Row]
    predictions: Sequence[Prediction | None]
    readings: Sequence[Reading]
    score: TaskScore
    places: Mapping[str, int]

    def share_of_gold(self, place: int) -> float:
        """The probability that the prediction gives to the gold class; 0.5 where nobody knows."""
        said = self.predictions[place]
        if said is None or not said.probabilities or not isinstance(self.task, OrdinalTask):
            return 0.5
        return said.probabilities.get(str(int(self.rows[place]["score"])), 0.0)

    def said(self, place: int, visible: bool) -> str:
        """What the answer says; the answer itself where it cannot be read.

        Args:
            place: the row's place.
            visible: whether its text may be shown; if not, an answer that repeats it is not shown either.
        """
        row, reading, prediction = self.rows[place], self.readings[place], self.predictions[place]
        if reading.value is not None:
            return shown(self.task, reading.value, row["emotion"])
        if prediction is None:
            return NO_ANSWER
        raw = " ".join(prediction.answer.split())
        return f"“{shorten(raw, _SHOWN)}”" if visible or not repeats(raw, row["text"]) else QUOTED


def answers_of(run: Run, task: Task, rows: Sequence[Row]) -> Answers:
    """The answers of `run` to the rows of a task, read as its evaluation read them.

    Raises:
        EmollmsError: its scores are not about these rows, or not about these answers.
    """
    entry, settings = run.scores.tasks[task.name], run.settings
    fitted = settings.calibration.tasks.get(task.name) if settings.calibration else None
    mode = settings.decode or "greedy"  # a baseline has answers alone
    scale = entry.scale.name if entry.scale else "unit"
    read = read_all(task, rows, run.predictions, mode, fitted, entry.parse, scale)
    readings = read.readings
    golds, emotions = [gold_of(task, row) for row in rows], [row["emotion"] for row in rows]
    policy, unannotated = entry.invalid.policy, unannotated_of(rows)
    scored = score(task, golds, readings, emotions, policy, unannotated=unannotated, resamples=1)
    if len(rows) != entry.n or not math.isclose(scored.value, entry.value, abs_tol=1e-9):
        raise EmollmsError(
            f"{run.folder}: scores.json has {entry.value:.6f} for {entry.n} rows of {task.name}, but predictions.jsonl "
            f"gives {scored.value:.6f} for {len(rows)}; evaluate again into another folder"
        )
    predictions = [run.predictions.get(row["id"]) for row in rows]
    return Answers(task, rows, predictions, readings, scored, {row["id"]: place for place, row in enumerate(rows)})


def errors(answers: Answers) -> Floats:
    """How far each answer is off: on 0..1, in classes, or 1 - the Jaccard index of the labels."""
    sheet = answers.score.sheet
    if isinstance(answers.task, MultiLabelTask):
        both, either = (sheet.gold & sheet.predicted).sum(axis=1), (sheet.gold | sheet.predicted).sum(axis=1)
        return np.asarray(1 - np.where(either, both / np.maximum(either, 1), 1.0), dtype=np.float64)
    off = np.abs(sheet.gold - sheet.predicted)
    farthest = float(np.ptp(list(answers.task.classes))) if isinstance(answers.task, OrdinalTask) else 1.0
    return np.where(np.isnan(off), farthest, off)


def repeats(answer: str, text: str) -> bool:
    """Whether `answer` repeats a stretch of `text`."""
    said, whole = answer.casefold(), " ".join(text.casefold().split())
    return any(said[start : start + _QUOTE] in whole for start in range(len(said) - _QUOTE + 1))


def shown(task: Task, value: object, emotion: str | None) -> str:
    """A gold or a reading, for people."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    number = float(str(value))
    if isinstance(task, RegressionTask):
        return f"{number:.3f}"
    if not isinstance(task, OrdinalTask) or not number.is_integer():
        return f"{number:.2f}"
    name = task.class_name(int(number), emotion)
    return f"{int(number)}: {name.removesuffix(' can be inferred').removesuffix(' emotional state')}"
