"""What the rows of a task show: predicted against gold, what could not be read, and where a model is worst."""

import math
from collections.abc import Sequence

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, to_classes
from emollms.evaluation.report_answers import NONE, UNREADABLE, Answers, errors, shown
from emollms.evaluation.report_content import Hexagons, Matrix, Unreadable, WorstRow
from emollms.evaluation.report_input import Benchmark, InvalidEntry
from emollms.evaluation.scoring import gold_of
from emollms.tasks import OrdinalTask, RegressionTask

ACROSS = 24
"""Hexagons from 0 to 1."""
EXAMPLES = 3


def hexagons(answers: Answers) -> Hexagons | None:
    """Gold and predictions of the answers that could be read, counted in hexagons that stand on a corner."""
    if not isinstance(answers.task, RegressionTask):
        return None
    sheet = answers.score.sheet
    gold, said = sheet.gold[sheet.valid], sheet.predicted[sheet.valid]
    width, height = 1 / ACROSS, math.sqrt(3) / ACROSS
    lattices = [_nearest(gold, said, width, height, shift) for shift in (0.0, 0.5)]
    squares = [(x - gold) ** 2 + (y - said) ** 2 for x, y in lattices]
    centres = np.column_stack([np.where(squares[0] <= squares[1], a, b) for a, b in zip(*lattices, strict=True)])
    cells, counts = np.unique(centres.round(5), axis=0, return_counts=True)
    cells_shown = [(float(x), float(y), int(n)) for (x, y), n in zip(cells, counts, strict=True)]
    return Hexagons(width, cells_shown, _tenths(gold, said))


def _nearest(x: Floats, y: Floats, width: float, height: float, shift: float) -> tuple[Floats, Floats]:
    """The nearest points of a lattice of rectangles that is moved by `shift` of its cells."""
    return (np.round(x / width - shift) + shift) * width, (np.round(y / height - shift) + shift) * height


def _tenths(gold: Floats, said: Floats) -> list[tuple[float, int, float]]:
    places = np.clip((said * 10 + 1e-9).astype(np.int64), 0, 9)
    return [(int(i) / 10, int((places == i).sum()), float(gold[places == i].mean())) for i in np.unique(places)]


def matrix(answers: Answers) -> Matrix | None:
    """Gold against answers, for classes or labels."""
    if isinstance(answers.task, RegressionTask):
        return None
    gold, said, names = _columns(answers)
    valid = answers.score.sheet.valid
    said = np.column_stack([said & valid[:, None], ~valid])
    counts = gold.T.astype(np.int64) @ said.astype(np.int64)
    rows = np.flatnonzero(gold.any(axis=0))
    columns = np.flatnonzero(np.append(gold.any(axis=0), False) | said.any(axis=0))
    heads = [*names, UNREADABLE]
    return Matrix(
        [names[row] for row in rows],
        [heads[column] for column in columns],
        counts[rows][:, columns].tolist(),
        gold.sum(axis=0)[rows].tolist(),
    )


def _columns(answers: Answers) -> tuple[Flags, Flags, list[str]]:
    """Gold and predictions as truth values, a column a class or label; one more for no label."""
    sheet = answers.score.sheet
    if isinstance(answers.task, OrdinalTask):
        classes = np.array(list(answers.task.classes))
        gold, said = (to_classes(values)[:, None] == classes for values in (sheet.gold, sheet.predicted))
        return gold, said, [str(number) for number in classes]
    gold, said = (np.column_stack([flags, ~flags.any(axis=1)]) for flags in (sheet.gold, sheet.predicted))
    return gold, said, [*sheet.labels, NONE]


def unreadable(answers: Answers, entry: InvalidEntry, benchmark: Benchmark, show: bool) -> Unreadable:
    """How many answers could not be read, with some of them."""
    examples: dict[str, list[str]] = {}
    for place, reading in enumerate(answers.readings):
        if reading.value is None:
            said = answers.said(place, show or benchmark.may_show(answers.rows[place]))
            known = examples.setdefault((reading.reason or "").split(": ")[0], [])
            if said not in known and len(known) < EXAMPLES:
                known.append(said)
    return Unreadable(entry.rate, entry.n, entry.policy, entry.reasons, examples)


def worst(
    all_answers: Sequence[Answers | None], run: int, count: int, benchmark: Benchmark, show: bool
) -> list[WorstRow]:
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
    order = sorted(range(len(off)), key=lambda place: (-off[place], own.share_of_gold(place), place))
    rows = []
    for place in order[:count]:
        row = own.rows[place]
        visible = show or benchmark.may_show(row)
        said = [
            other.said(other.places[row["id"]], visible) if other and row["id"] in other.places else None
            for other in all_answers
        ]
        gold = shown(own.task, gold_of(own.task, row), row["emotion"])
        text = row["text"] if visible else None
        rows.append(WorstRow(row["id"], text, row["emotion"], gold, said, float(off[place])))
    return rows
