"""The scores of a report: runs beside each other and beside the published models."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from emollms.corpora.languages import language_name
from emollms.evaluation.ceiling import ceiling_of
from emollms.evaluation.comparison import Comparison, compare
from emollms.evaluation.published import published, published_main, published_scores
from emollms.evaluation.scoring import ScoredTask
from emollms.evaluation.task_metrics import PEARSON, metrics_of
from emollms.evaluation.task_scores import Figure, MetricScore, TaskScores
from emollms.report.inputs import ScoredFolder
from emollms.report.model import (
    LanguageScores,
    LeaderboardRow,
    MetricRow,
    ParseComparison,
    ScoreCell,
    ScoreDifference,
    Verdict,
)
from emollms.report.rows import AnswersToTask
from emollms.tasks import TASKS, Task

ROWS_FOR_A_VERDICT = 30
"""A bootstrap interval of fewer rows is too narrow to call one model better than another."""


def cell(entry: Figure | None) -> ScoreCell | None:
    """A score with its interval."""
    return ScoreCell(entry.value, entry.low, entry.high, entry.n) if entry else None


def board(runs: Sequence[ScoredFolder], tasks: Sequence[str], with_published: bool) -> list[LeaderboardRow]:
    """The main metric of every task: the runs, then the published models."""
    rows = []
    for number, run in enumerate(runs):
        cells = {name: cell(entry.main_metric) for name, entry in run.scores.tasks.items()}
        rows.append(
            LeaderboardRow(run.name, "in this report", number, {name: one for name, one in cells.items() if one})
        )
    return rows + (_published_rows(tasks) if with_published else [])


def _published_rows(tasks: Sequence[str]) -> list[LeaderboardRow]:
    groups = {one.model: one.group for one in published_scores()}
    scores = {name: published_main(TASKS[name]) for name in tasks}
    rows = []
    for model, group in groups.items():
        cells = {name: ScoreCell(models[model]) for name, models in scores.items() if model in models}
        if cells:
            rows.append(LeaderboardRow(model, group, None, cells))
    return rows


def metrics(
    entries: Mapping[int, TaskScores], task: Task, count: int, with_published: bool, corpora: Collection[str] = ()
) -> list[MetricRow]:
    """All metrics of a task, the main one first.

    Args:
        entries: the scores of the runs that have some, by number.
        task: the task.
        count: how many runs there are.
        with_published: whether the published scores are wanted.
        corpora: the corpora that its rows are from, which decide whether its human ceiling is known.
    """
    names = dict.fromkeys(name for entry in entries.values() for name in (entry.main, *entry.metrics))
    rows = []
    for name in names:
        found = {number: entry.metrics[name] for number, entry in entries.items() if name in entry.metrics}
        known = published_main(task) if name == metrics_of(task).main.name else published(task.name, name)
        title = next(iter(found.values())).title
        cells = [cell(found.get(number)) for number in range(count)]
        ceiling = ceiling_of(task, corpora) if name == PEARSON.name else None
        rows.append(MetricRow(name, title, cells, known if with_published else {}, ceiling))
    return rows


def by_language(entries: Mapping[int, TaskScores], task: str, count: int) -> LanguageScores | None:
    """The scores of a task by language; None where no run told languages apart.

    Args:
        entries: the scores of the runs that have some, by number.
        task: name of the task.
        count: how many runs there are.
    """
    found = {number: entry.source_metric for number, entry in entries.items() if entry.source_metric.languages}
    if not found:
        return None
    codes = sorted({code for metric in found.values() for code in metric.languages}, key=language_name)
    rows = [
        MetricRow(code, language_name(code), [_in_language(found.get(number), code) for number in range(count)], {})
        for code in codes
    ]
    means = [cell(found.get(number)) for number in range(count)]
    return LanguageScores(task, next(iter(found.values())).title, means, rows)


def _in_language(metric: MetricScore | None, code: str) -> ScoreCell | None:
    return cell(metric.languages.get(code)) if metric else None


def by_rule(entry: TaskScores) -> list[ParseComparison]:
    """Every metric of a task by each rule for parsing answers, and the answers that are invalid by it."""
    if not entry.by_parse:
        return []
    strict, lenient = entry.by_parse["strict"], entry.by_parse["lenient"]
    rows = [
        ParseComparison(entry.metrics[name].title, strict.metrics[name], lenient.metrics[name])
        for name in dict.fromkeys((entry.main, *strict.metrics))
    ]
    return [*rows, ParseComparison("invalid answers", strict.invalid, lenient.invalid, count=True)]


def parts(
    entries: Mapping[int, TaskScores], task: Task, count: int, with_published: bool, corpora: Collection[str] = ()
) -> tuple[str | None, list[MetricRow]]:
    """The values for each emotion, label or class of the first metric that has some, and its title.

    Titles tell how many rows each value is from, or, where all are from as many, the title of the metric does.
    """
    for name in dict.fromkeys(name for entry in entries.values() for name in (entry.main, *entry.metrics)):
        found = {number: entry.metrics[name] for number, entry in entries.items() if name in entry.metrics}
        names = dict.fromkeys(part for metric in found.values() for part in metric.parts)
        rows = []
        for part in names:
            cells = [cell(found[number].parts.get(part)) if number in found else None for number in range(count)]
            ceiling = ceiling_of(task, corpora, part) if name == PEARSON.name else None
            known = published(task.name, name, part) if with_published else {}
            rows.append(MetricRow(part, part, cells, known, ceiling))
        if rows:
            title, counts = next(iter(found.values())).title, [_rows_of(row) for row in rows]
            if len(set(counts)) == 1:
                return f"{title}, {counts[0]} each", rows
            return title, [replace(row, title=f"{row.title} ({n})") for row, n in zip(rows, counts, strict=True)]
    return None, []


def _rows_of(row: MetricRow) -> str:
    """The rows that the values of a line are from: `n = 1,002`, or `n = 5 to 1,002` where runs differ."""
    counts = sorted({one.n for one in row.cells if one and one.n is not None})
    return "n = " + " to ".join(f"{n:,}" for n in counts[:1] + counts[1:][-1:])


def differences(answers: Sequence[AnswersToTask | None]) -> list[ScoreDifference]:
    """The runs compared with the first on the rows that both answered, where they are scored by the same policy.

    A task in which the metric is undefined for either run, as the correlation of constants is, is left out.
    """
    first = answers[0]
    found = []
    for number, other in enumerate(answers[1:], 1):
        if first is None or other is None or first.score.policy != other.score.policy:
            continue
        own, against = _on_common_rows(other, first)
        if own.n < 2 or not own.pairs.same_rows(against.pairs):
            continue
        seen = compare(own, against)
        limits = seen.interval
        if limits is None:
            continue
        found.append(
            ScoreDifference(seen.task, number, seen.difference, limits.low, limits.high, verdict(seen), seen.n)
        )
    return found


def verdict(seen: Comparison) -> Verdict | None:
    """What may be said of the first of two models; None below `ROWS_FOR_A_VERDICT` rows."""
    if seen.n < ROWS_FOR_A_VERDICT:
        return None
    if not seen.above_noise:
        return "no clear difference"
    return "better" if seen.difference > 0 else "worse"


def _on_common_rows(one: AnswersToTask, other: AnswersToTask) -> tuple[ScoredTask, ScoredTask]:
    """The scores of two runs on the rows of both: a sample may be compared with a whole benchmark."""
    ones = np.array([row_id in other.places for row_id in one.places], dtype=np.bool_)
    others = np.array([row_id in one.places for row_id in other.places], dtype=np.bool_)
    return one.score.on(ones), other.score.on(others)
