"""A run's answers to a task beside the rows, and how gold labels and answers are shown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emollms.dataset.reader import Row
from emollms.dataset.specs import ALL_LANGUAGES
from emollms.errors import EmollmsError, shorten
from emollms.evaluation.metrics import Flags, Floats, to_classes
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.scoring import ScoredTask, gold_label, languages_of, score, unannotated_of
from emollms.evaluation.task_scores import NO_ANSWER, InvalidAnswers
from emollms.inference.decoding import Decode
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import ParsedAnswer
from emollms.report.inputs import ScoredData, ScoredFolder
from emollms.report.model import ConfusionMatrix, HexagonCounts, InvalidSummary, WorstAnswer
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

INVALID, NONE = "invalid", "none"
QUOTED = "(repeats the text)"
_QUOTE, _SHOWN = 16, 160


@dataclass(frozen=True)
class AnswersToTask:
    """A run's answers to a task.

    Args:
        task: the task.
        rows: the rows that were answered, in the order of the data set.
        predictions: the answers; None where there is none.
        parsed: what they say.
        score: their score from these parsed, with intervals that are worth nothing.
        places: the place of each row, by id.
    """

    task: Task
    rows: Sequence[Row]
    predictions: Sequence[Prediction | None]
    parsed: Sequence[ParsedAnswer]
    score: ScoredTask
    places: Mapping[str, int]

    def gold_probability(self, place: int) -> float:
        """The probability that the prediction gives to the gold class; 0.5 where it is unknown."""
        said = self.predictions[place]
        if said is None or not said.probabilities or not isinstance(self.task, OrdinalTask):
            return 0.5
        return said.probabilities.get(str(int(self.rows[place]["score"])), 0.0)

    def said(self, place: int, visible: bool) -> str:
        """What the answer says; the answer itself where it is invalid.

        Args:
            place: the row's place.
            visible: whether its text may be shown; if not, an answer that repeats it is not shown either.
        """
        row, answer, prediction = self.rows[place], self.parsed[place], self.predictions[place]
        if answer.value is not None:
            return shown(self.task, answer.value, row["emotion"])
        if prediction is None:
            return NO_ANSWER
        raw = " ".join(prediction.answer.split())
        return f"“{shorten(raw, _SHOWN)}”" if visible or not repeats(raw, row["text"]) else QUOTED


def answers_of(run: ScoredFolder, task: Task, rows: Sequence[Row]) -> AnswersToTask:
    """The answers of `run` to the rows of a task, read as its evaluation read them.

    Raises:
        EmollmsError: its scores are not about these rows, or not about these answers.
    """
    entry, settings = run.scores.tasks[task.name], run.settings
    fitted = settings.calibration.tasks.get(task.name) if settings.calibration else None
    mode = settings.decode or Decode.greedy  # a baseline has answers alone
    scale = entry.scale.name if entry.scale else "unit"
    read = parse_predictions(task, rows, run.predictions, mode, fitted, entry.parse, scale)
    parsed = read.parsed
    gold_labels, emotions = [gold_label(task, row) for row in rows], [row["emotion"] for row in rows]
    policy, unannotated = entry.invalid.policy, unannotated_of(rows)
    languages = languages_of(rows) if settings.language == ALL_LANGUAGES else None
    scored = score(
        task, gold_labels, parsed, emotions, policy, unannotated=unannotated, languages=languages, resamples=1
    )
    if len(rows) != entry.n or not math.isclose(scored.value, entry.value, abs_tol=1e-9):
        raise EmollmsError(
            f"{run.folder}: scores.json has {entry.value:.6f} for {entry.n} rows of {task.name}, but predictions.jsonl "
            f"gives {scored.value:.6f} for {len(rows)}; evaluate again into another folder"
        )
    predictions = [run.predictions.get(row["id"]) for row in rows]
    return AnswersToTask(task, rows, predictions, parsed, scored, {row["id"]: place for place, row in enumerate(rows)})


def errors(answers: AnswersToTask) -> Floats:
    """How far each answer is off: on 0..1, in classes, or 1 - the Jaccard index of the labels."""
    pairs = answers.score.pairs
    if isinstance(answers.task, MultiLabelTask):
        both, either = (pairs.gold & pairs.predicted).sum(axis=1), (pairs.gold | pairs.predicted).sum(axis=1)
        return np.asarray(1 - np.where(either, both / np.maximum(either, 1), 1.0), dtype=np.float64)
    off = np.abs(pairs.gold - pairs.predicted)
    farthest = float(np.ptp(list(answers.task.classes))) if isinstance(answers.task, OrdinalTask) else 1.0
    return np.where(np.isnan(off), farthest, off)


def repeats(answer: str, text: str) -> bool:
    """Whether `answer` repeats a stretch of `text`."""
    said, whole = answer.casefold(), " ".join(text.casefold().split())
    return any(said[start : start + _QUOTE] in whole for start in range(len(said) - _QUOTE + 1))


def shown(task: Task, value: object, emotion: str | None) -> str:
    """A gold label or an answer, for people."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    number = float(str(value))
    if isinstance(task, RegressionTask):
        return f"{number:.3f}"
    if not isinstance(task, OrdinalTask) or not number.is_integer():
        return f"{number:.2f}"
    name = task.class_name(int(number), emotion)
    return f"{int(number)}: {name.removesuffix(' can be inferred').removesuffix(' emotional state')}"


ACROSS = 24
"""Hexagons from 0 to 1."""
EXAMPLES = 3


def hexagons(answers: AnswersToTask) -> HexagonCounts | None:
    """Gold and predictions of the valid answers, counted in hexagons with a corner at the bottom."""
    if not isinstance(answers.task, RegressionTask):
        return None
    pairs = answers.score.pairs
    gold, said = pairs.gold[pairs.valid], pairs.predicted[pairs.valid]
    width, height = 1 / ACROSS, math.sqrt(3) / ACROSS
    lattices = [_nearest(gold, said, width, height, shift) for shift in (0.0, 0.5)]
    squares = [(x - gold) ** 2 + (y - said) ** 2 for x, y in lattices]
    centres = np.column_stack([np.where(squares[0] <= squares[1], a, b) for a, b in zip(*lattices, strict=True)])
    cells, counts = np.unique(centres.round(5), axis=0, return_counts=True)
    cells_shown = [(float(x), float(y), int(n)) for (x, y), n in zip(cells, counts, strict=True)]
    return HexagonCounts(width, cells_shown, _tenths(gold, said))


def _nearest(x: Floats, y: Floats, width: float, height: float, shift: float) -> tuple[Floats, Floats]:
    """The nearest points of a lattice of rectangles that is moved by `shift` of its cells."""
    return (np.round(x / width - shift) + shift) * width, (np.round(y / height - shift) + shift) * height


def _tenths(gold: Floats, said: Floats) -> list[tuple[float, int, float]]:
    places = np.clip((said * 10 + 1e-9).astype(np.int64), 0, 9)
    return [(int(i) / 10, int((places == i).sum()), float(gold[places == i].mean())) for i in np.unique(places)]


def matrix(answers: AnswersToTask) -> ConfusionMatrix | None:
    """Gold against answers, for classes or labels."""
    if isinstance(answers.task, RegressionTask):
        return None
    gold, said, names = _columns(answers)
    valid = answers.score.pairs.valid
    said = np.column_stack([said & valid[:, None], ~valid])
    counts = gold.T.astype(np.int64) @ said.astype(np.int64)
    rows = np.flatnonzero(gold.any(axis=0))
    columns = np.flatnonzero(np.append(gold.any(axis=0), False) | said.any(axis=0))
    heads = [*names, INVALID]
    return ConfusionMatrix(
        [names[row] for row in rows],
        [heads[column] for column in columns],
        counts[rows][:, columns].tolist(),
        gold.sum(axis=0)[rows].tolist(),
    )


def _columns(answers: AnswersToTask) -> tuple[Flags, Flags, list[str]]:
    """Gold and predictions as booleans, a column a class or label; one more for no label."""
    pairs = answers.score.pairs
    if isinstance(answers.task, OrdinalTask):
        classes = np.array(list(answers.task.classes))
        gold, said = (to_classes(values)[:, None] == classes for values in (pairs.gold, pairs.predicted))
        return gold, said, [str(number) for number in classes]
    gold, said = (np.column_stack([flags, ~flags.any(axis=1)]) for flags in (pairs.gold, pairs.predicted))
    return gold, said, [*pairs.labels, NONE]


def invalid_summary(answers: AnswersToTask, entry: InvalidAnswers, benchmark: ScoredData, show: bool) -> InvalidSummary:
    """The invalid answers of a run, with some of them."""
    examples: dict[str, list[str]] = {}
    for place, answer in enumerate(answers.parsed):
        if answer.value is None:
            said = answers.said(place, show or benchmark.may_show(answers.rows[place]))
            known = examples.setdefault((answer.reason or "").split(": ")[0], [])
            if said not in known and len(known) < EXAMPLES:
                known.append(said)
    return InvalidSummary(entry.rate, entry.n, entry.policy, entry.reasons, examples)


def worst(
    all_answers: Sequence[AnswersToTask | None], run: int, count: int, benchmark: ScoredData, show: bool
) -> list[WorstAnswer]:
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
    off = errors(own).round(9)
    order = sorted(range(len(off)), key=lambda place: (-off[place], own.gold_probability(place), place))
    rows = []
    for place in order[:count]:
        row = own.rows[place]
        visible = show or benchmark.may_show(row)
        said = [
            other.said(other.places[row["id"]], visible) if other and row["id"] in other.places else None
            for other in all_answers
        ]
        gold = shown(own.task, gold_label(own.task, row), row["emotion"])
        text = row["text"] if visible else None
        rows.append(WorstAnswer(row["id"], text, row["emotion"], gold, said, float(off[place])))
    return rows
