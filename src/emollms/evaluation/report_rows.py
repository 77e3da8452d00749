"""What the rows of a task show: predicted against gold, what could not be read, and where a model is worst."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emollms.errors import EmollmsError, shorten
from emollms.evaluation.metrics import NO_CLASS, Floats, to_classes
from emollms.evaluation.report_content import Hexagons, Matrix, WorstRow
from emollms.evaluation.report_input import Benchmark, Row, Run
from emollms.evaluation.results import TaskScore
from emollms.evaluation.scoring import gold_of, score
from emollms.inference.decoding import expected_class
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import Reading, read_answer
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

ACROSS = 24
UNREADABLE, NONE = "unreadable", "none"
QUOTED = "(the answer quotes the text)"
_QUOTE, _SHOWN = 16, 160
_HIGH = math.sqrt(3)


@dataclass(frozen=True)
class Answers:
    """A run's answers to a task, beside the rows.

    Args:
        task: the task.
        rows: the rows that were answered.
        predictions: the answers.
        readings: what they say.
        score: their scores, without intervals worth the name.
    """

    task: Task
    rows: Sequence[Row]
    predictions: Sequence[Prediction]
    readings: Sequence[Reading]
    score: TaskScore


def answers_of(run: Run, task: Task, rows: Sequence[Row]) -> Answers:
    """The answers of `run` to those of `rows` that it was asked.

    Raises:
        EmollmsError: predictions and scores are not about the same rows.
    """
    entry = run.scores.tasks[task.name]
    asked = [row for row in rows if row["id"] in run.predictions]
    if len(asked) != entry.n:
        raise EmollmsError(
            f"{run.folder}: scores.json tells of {entry.n} rows of {task.name}, but predictions.jsonl has answers to "
            f"{len(asked)} of this data set; evaluate again, or give the evaluated data set with --data"
        )
    said = [run.predictions[row["id"]] for row in asked]
    readings = [reading_of(task, row, one) for row, one in zip(asked, said, strict=True)]
    golds, emotions = [gold_of(task, row) for row in asked], [row["emotion"] for row in asked]
    languages = {row["language"] for row in asked}
    language = languages.pop() if len(languages) == 1 else "en"
    scored = score(task, golds, readings, emotions, entry.invalid.policy, language=language, resamples=1)
    return Answers(task, asked, said, readings, scored)


def reading_of(task: Task, row: Row, prediction: Prediction) -> Reading:
    """What a prediction says: the expected class where all classes have a probability, else what the answer says."""
    if isinstance(task, OrdinalTask) and prediction.probabilities and sum(prediction.probabilities.values()):
        return Reading(expected_class(prediction.probabilities), None)
    return read_answer(task, prediction.answer, row["emotion"])


def hexagons(answers: Answers) -> Hexagons:
    """Gold and predictions of the answers that could be read, counted in hexagons that stand on a corner."""
    sheet = answers.score.sheet
    gold, said = sheet.gold[sheet.valid], sheet.predicted[sheet.valid]
    width, height = 1 / ACROSS, _HIGH / ACROSS
    lattices = [_nearest(gold, said, width, height, shift) for shift in (0.0, 0.5)]
    squares = [(x - gold) ** 2 + (y - said) ** 2 for x, y in lattices]
    first = squares[0] <= squares[1]
    centres = np.column_stack([np.where(first, a, b) for a, b in zip(*lattices, strict=True)])
    cells, counts = np.unique(centres.round(6), axis=0, return_counts=True)
    shown = [(float(x), float(y), int(n)) for (x, y), n in zip(cells, counts, strict=True)]
    return Hexagons(width, shown, _tenths(gold, said))


def _nearest(x: Floats, y: Floats, width: float, height: float, shift: float) -> tuple[Floats, Floats]:
    """The nearest points of a lattice of rectangles that is moved by `shift` of its cells."""
    return (np.round(x / width - shift) + shift) * width, (np.round(y / height - shift) + shift) * height


def _tenths(gold: Floats, said: Floats) -> list[tuple[float, int, float]]:
    places = np.minimum((said * 10 + 1e-9).astype(np.int64), 9)
    return [(int(i) / 10, int((places == i).sum()), float(gold[places == i].mean())) for i in np.unique(places)]


def matrix(answers: Answers) -> Matrix:
    """Gold against answers, for classes or labels."""
    sheet = answers.score.sheet
    if isinstance(answers.task, OrdinalTask):
        classes = list(answers.task.classes)
        gold = to_classes(sheet.gold)[:, None] == classes
        said = (to_classes(sheet.predicted)[:, None] == classes) & sheet.valid[:, None]
        names = [str(number) for number in classes]
    else:
        gold, said, names = sheet.gold, sheet.predicted & sheet.valid[:, None], list(sheet.labels)
        gold = np.column_stack([gold, ~gold.any(axis=1)])
        said = np.column_stack([said, sheet.valid & ~said.any(axis=1)])
        names.append(NONE)
    said = np.column_stack([said, ~sheet.valid])
    counts = gold.T.astype(np.int64) @ said.astype(np.int64)
    rows, columns = gold.any(axis=0), gold.any(axis=0).tolist() + [True]
    columns = np.array(columns) | said.any(axis=0)
    columns[-1] = not sheet.valid.all()
    shown = counts[rows][:, columns]
    heads = [name for name, wanted in zip([*names, UNREADABLE], columns, strict=True) if wanted]
    totals = gold.sum(axis=0)[rows]
    return Matrix([n for n, wanted in zip(names, rows, strict=True) if wanted], heads, shown.tolist(), totals.tolist())


def worst(all_answers: Sequence[Answers | None], run: int, count: int, benchmark: Benchmark, show: bool) -> list[WorstRow]:
    """The rows that a run is worst at; where rows are equally bad, those first that it is surest of.

    Args:
        all_answers: the answers of each run to this task.
        run: number of the run.
        count: how many rows.
        benchmark: the data set, which tells what may be shown.
        show: whether texts are shown that may not be passed on.
    """
    own = all_answers[run]
    if own is None:
        return []
    off = errors(own)
    order = sorted(range(len(off)), key=lambda number: (-round(off[number], 9), _share_of_gold(own, number), number))
    known = [_by_id(answers) for answers in all_answers]
    rows = []
    for number in order[:count]:
        row = own.rows[number]
        visible = show or row["corpus"] in benchmark.public
        said = [
            said_there(answers, places[row["id"]], visible) if answers and row["id"] in places else None
            for answers, places in zip(all_answers, known, strict=True)
        ]
        gold = shown(own.task, gold_of(own.task, row), row["emotion"])
        rows.append(WorstRow(row["id"], row["text"] if visible else None, row["emotion"], gold, said, float(off[number])))
    return rows


def errors(answers: Answers) -> Floats:
    """How far each answer is off: on 0..1, in classes, or 1 - the Jaccard index of the labels."""
    sheet = answers.score.sheet
    if isinstance(answers.task, MultiLabelTask):
        either = (sheet.gold | sheet.predicted).sum(axis=1)
        return np.asarray(1 - np.where(either, (sheet.gold & sheet.predicted).sum(axis=1) / np.maximum(either, 1), 1.0))
    off = np.abs(sheet.gold - sheet.predicted)
    farthest = float(np.ptp(list(answers.task.classes))) if isinstance(answers.task, OrdinalTask) else 1.0
    return np.where(np.isnan(off), farthest, off)


def _share_of_gold(answers: Answers, number: int) -> float:
    """The probability that the prediction gives to the gold class; 0.5 where nobody knows."""
    shares, gold = answers.predictions[number].probabilities, answers.rows[number]["score"]
    known = isinstance(answers.task, OrdinalTask) and shares and gold is not None
    return shares.get(str(int(gold)), 0.0) if known and shares else 0.5


def _by_id(answers: Answers | None) -> dict[str, int]:
    return {row["id"]: number for number, row in enumerate(answers.rows)} if answers else {}


def said_there(answers: Answers, number: int, visible: bool) -> str:
    """What an answer says, or, where it cannot be read, the answer itself and why."""
    row, reading = answers.rows[number], answers.readings[number]
    if reading.value is not None:
        return shown(answers.task, reading.value, row["emotion"])
    raw = shorten(" ".join(answers.predictions[number].answer.split()), _SHOWN)
    return f"“{raw}” {UNREADABLE}" if visible or not quotes(raw, row["text"]) else f"{QUOTED} {UNREADABLE}"


def quotes(answer: str, text: str) -> bool:
    """Whether `answer` repeats a stretch of `text`."""
    said, whole = answer.casefold(), " ".join(text.casefold().split())
    return any(said[start : start + _QUOTE] in whole for start in range(max(1, len(said) - _QUOTE + 1)) if len(said) >= _QUOTE)


def shown(task: Task, value: object, emotion: str | None) -> str:
    """A gold or a reading, for people."""
    if isinstance(task, MultiLabelTask):
        assert isinstance(value, list | tuple)
        return ", ".join(value) or NONE
    number = float(value)  # type: ignore[arg-type]
    if isinstance(task, RegressionTask):
        return f"{number:.3f}"
    if number != int(number) or not isinstance(task, OrdinalTask):
        return f"{number:.2f}"
    name = task.class_name(int(number), emotion)
    return f"{int(number)}: {name.removesuffix(' can be inferred').removesuffix(' emotional state')}"
