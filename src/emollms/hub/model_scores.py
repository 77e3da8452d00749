"""Scores of a model for its card: in tables, beside the published ones, and as the Hub's `model-index`."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import Any

from emollms.dataset.specs import ALL_LANGUAGES
from emollms.evaluation.published import published_main, published_scores
from emollms.evaluation.scores import Scores
from emollms.evaluation.task_metrics import POLICIES
from emollms.evaluation.task_scores import Figure, MetricScore, TaskScores
from emollms.tasks import TASKS, get_task

HUB_METRICS = {
    "pearson": "pearsonr", "pearson_upper_half": "pearsonr", "pearson_nonzero": "pearsonr", "accuracy": "accuracy",
    "macro_f1": "f1", "micro_f1": "f1", "kappa": "cohen_kappa", "kappa_nonzero": "cohen_kappa",
}  # fmt: skip
"""The Hub's names for metrics; others keep ours."""
DECODING = {
    "expected_value": "expected value over all valid answers",
    "expectation": "expected value over all valid answers",  # in scores of earlier versions
    "greedy": "greedy",
    "sample": "sampling, as in the paper",
}


@dataclass(frozen=True)
class ScoreRow:
    """A task in a table of scores.

    Args:
        task, metric: display names.
        value: the score.
        interval: its 95 % interval in words; empty where it is undefined and counts as 0.
        rows: how many rows were asked, and of how many if not of all.
        invalid: how many answers could not be parsed.
        error: expected calibration error on these rows, where it is known.
    """

    task: str
    metric: str
    value: float
    interval: str
    rows: str
    invalid: int
    error: float | None


@dataclass(frozen=True)
class ScoreTable:
    """An evaluation.

    Args:
        title: what it is about.
        how: how it was asked and scored, in a sentence.
        rows: a row a task.
        emotions: task, and the values for each emotion asked for.
        command: what makes it again.
    """

    title: str
    how: str
    rows: list[ScoreRow]
    emotions: list[tuple[str, str]]
    command: str


@dataclass(frozen=True)
class PublishedRow:
    """A task beside the published scores.

    Args:
        task: name of the task.
        value: the score here.
        interval: its 95 % interval in words; empty where it is undefined and counts as 0.
        best: the best published score of each kind of model, with the model's name, by kind.
        against: how the score compares with the best of the models tuned on the same data.
        known: all published scores, by model.
    """

    task: str
    value: float
    interval: str
    best: Mapping[str, tuple[float, str]]
    against: str
    known: Mapping[str, float]


def score_tables(scores: Sequence[Scores]) -> list[ScoreTable]:
    """A table for each evaluation.

    Args:
        scores: what each `scores.json` holds.
    """
    return [_table(one) for one in scores]


def _table(scores: Scores) -> ScoreTable:
    settings, data = scores.run.settings, scores.run.data
    decode = DECODING.get(settings.decode or "", "answers as they were given")
    how = f"Decoding: {decode}. An invalid answer counts as: {POLICIES[settings.policy]}."
    tempered = " Probabilities are calibrated, see below." if settings.calibration else ""
    spoken = "all languages" if settings.language == ALL_LANGUAGES else f"language {settings.language}"
    title = f"{data['title']} {data['version']}, profile {data['profile']}, {spoken}"
    tasks = [(task, scores.tasks[task]) for task in TASKS if task in scores.tasks]
    return ScoreTable(
        title=title,
        how=how + _how_read(scores) + tempered,
        rows=[_row(task, entry) for task, entry in tasks],
        emotions=[(task, found) for task, entry in tasks if (found := _emotions(task, entry) or _languages(entry))],
        command=command_line(scores.run.command),
    )


def _how_read(scores: Scores) -> str:
    """What is unusual in how answers were parsed; empty where nothing is."""
    lenient = " Answers are parsed leniently." if scores.run.settings.parse == "lenient" else ""
    scales = {task: scores.tasks[task].scale for task in TASKS if task in scores.tasks}
    native = [task for task, scale in scales.items() if scale and scale.name == "native"]
    return lenient + (f" Answers to {', '.join(native)} are parsed on the native range of the task." if native else "")


def _row(task: str, entry: TaskScores) -> ScoreRow:
    main = entry.main_metric
    asked, there = (entry.sample.rows, entry.sample.of) if entry.sample else (entry.n, entry.n)
    rows = f"{asked:,}" + (f" of {there:,}" if asked < there else "")
    error = entry.calibration.error if entry.calibration else None
    return ScoreRow(task, main.title, main.value, _interval(main), rows, entry.invalid.n, error)


def _emotions(task: str, entry: TaskScores) -> str:
    """The parts of the main metric, for a task that asks for one emotion at a time."""
    parts = entry.main_metric.parts if get_task(task).emotions else {}
    return ", ".join(
        f"{name} {part.value:.3f} ({_interval(part) or 'undefined, counted as 0'})" for name, part in parts.items()
    )


def _languages(entry: TaskScores) -> str:
    """The metric of the source of a task in each language, where each was scored by itself."""
    found = entry.source_metric.languages
    shown = (f"{code} {one.value:.3f}" if one.interval else f"{code} undefined" for code, one in found.items())
    return f"{entry.source_metric.title}: {', '.join(shown)}" if found else ""


def _interval(figure: Figure) -> str:
    """The 95 % interval of a figure; empty where it is undefined, such as the correlation of constant answers."""
    return "" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"


def published_table(scores: Sequence[Scores]) -> list[PublishedRow]:
    """The tasks of the paper, each in the first evaluation that has it, beside the published scores."""
    rows = []
    for task in TASKS:
        entry = next((one.tasks[task] for one in scores if task in one.tasks), None)
        known = published_main(TASKS[task]) if entry else {}
        if entry and known:
            main = entry.main_metric
            best = _best(known)
            rows.append(PublishedRow(task, main.value, _interval(main), best, _against(main, best), known))
    return rows


def published_models(rows: Sequence[PublishedRow]) -> list[str]:
    """The models that the rows have scores of, in the paper's order."""
    names = dict.fromkeys(one.model for one in published_scores())
    return [name for name in names if any(name in row.known for row in rows)]


def published_groups(rows: Sequence[PublishedRow]) -> list[str]:
    """The kinds of models that the rows have scores of, in the paper's order."""
    return [
        group
        for group in dict.fromkeys(one.group for one in published_scores())
        if any(group in row.best for row in rows)
    ]


def _best(known: Mapping[str, float]) -> dict[str, tuple[float, str]]:
    groups = {one.model: one.group for one in published_scores()}
    best: dict[str, tuple[float, str]] = {}
    for model, value in known.items():
        if groups[model] not in best or value > best[groups[model]][0]:
            best[groups[model]] = value, model
    return best


TUNED = "instruction-tuned on AAID"


def _against(main: Figure, best: Mapping[str, tuple[float, str]]) -> str:
    if TUNED not in best or main.interval is None:
        return ""
    value = best[TUNED][0]
    return "above" if main.interval.low > value else "below" if main.interval.high < value else "inside the interval"


def model_index(name: str, scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """The scores as the Hub reads them; every metric, the main one of a task first. Empty without scores.

    Args:
        name: of the model.
        scores: what each `scores.json` holds.
    """
    results = [result for one in scores for result in _results(one, several=len(scores) > 1)]
    return [{"name": name, "results": results}] if results else []


def _results(scores: Scores, several: bool) -> Iterator[dict[str, Any]]:
    settings, data = scores.run.settings, scores.run.data
    where = {"name": f"{data['title']} {data['version']}", "type": data.get("repo") or data["data_set"]}
    commit = {"revision": data["commit"]} if data.get("commit") else {}
    note = f", {settings.decode}, {settings.language}" if several else ""
    for task in TASKS:
        if task in scores.tasks:
            entry = scores.tasks[task]
            names = [entry.main, *(metric for metric in entry.metrics if metric != entry.main)]
            yield {
                "task": {"type": "text-classification", "name": TASKS[task].about},
                "dataset": {**where, "config": task, "split": settings.split, **commit},
                "metrics": [_metric(metric, entry.metrics[metric], note) for metric in names],
            }


def _metric(name: str, metric: MetricScore, note: str) -> dict[str, Any]:
    interval = f"95 % interval {found}" if (found := _interval(metric)) else "undefined, counted as 0"
    title = f"{metric.title} ({interval}, {metric.n:,} rows{note})"
    return {"type": HUB_METRICS.get(name, name), "value": round(metric.value, 4), "name": title, "config": name}


def command_line(words: Sequence[str]) -> str:
    """A command as it is shown: of paths that lead from the root of a machine, the last part."""
    return shlex.join(shown_word(word) for word in words)


def shown_word(word: str) -> str:
    """A word of a command or recipe without the folders of the machine that it was written on."""
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    for kind in (PurePath, PureWindowsPath):
        path = kind(value)
        if value.startswith("~") or (path.is_absolute() and len(path.parts) > 1):
            return f"{option}{equals}{path.name}"
    return word
