"""The scores that the paper gives (Liu et al., 2024, EmoLLMs, Tables 5 and 6), to compare measured ones with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any

from emollms.evaluation.task_metrics import metrics_of
from emollms.tasks import BASIC_FOUR, Task, get_task

COLUMNS: Mapping[str, tuple[str, str, str | None]] = {
    **{f"{task}.ave": (task, "pearson", None) for task in ("EI-reg", "EI-oc")},
    **{f"{task}.{emotion}": (task, "pearson", emotion) for task in ("EI-reg", "EI-oc") for emotion in BASIC_FOUR},
    **{f"{task}.valence": (task, "pearson", None) for task in ("V-reg", "V-oc")},
    "E-c.acc": ("E-c", "jaccard_weighted", None),
    "E-c.mi-F1": ("E-c", "micro_f1", None),
    "E-c.ma-F1": ("E-c", "macro_f1", None),
    **{f"{task}.pcc": (task, "pearson", None) for task in ("V-A", "V-M", "V-NYT", "V-T", "SST")},
    **{
        f"EmoBank.{dimension[0].upper()}-pcc": ("EmoBank", "pearson", dimension)
        for dimension in get_task("EmoBank").emotions
    },
    "GoEmotion.acc": ("GoEmotions", "jaccard_weighted", None),
    "GoEmotion.ma-F1": ("GoEmotions", "macro_f1", None),
    **{f"{task}.acc": (task, "accuracy", None) for task in ("SST5", "TDT")},
    **{f"{task}.ma-F1": (task, "macro_f1", None) for task in ("SST5", "TDT")},
}
"""The paper's column to task, metric and part here."""


@dataclass(frozen=True)
class PublishedScore:
    """One cell of a table of the paper.

    Args:
        model: name of the model there.
        group: what kind of model it is.
        task: the task.
        metric: the metric, as in `task_metrics`.
        part: the emotion or dimension; None for the whole task.
        value: the score.
    """

    model: str
    group: str
    task: str
    metric: str
    part: str | None
    value: float


def source() -> str:
    """Where the scores come from."""
    return str(_tables()["source"])


def explanations() -> tuple[str, ...]:
    """What a reader must know before comparing a score with these, a sentence each."""
    return tuple(_tables()["explanations"])


@cache
def published_scores() -> tuple[PublishedScore, ...]:
    """Every score of the two tables, in the paper's order of models."""
    return tuple(
        PublishedScore(row["model"], row["group"], *COLUMNS[column], value)
        for row in _tables()["models"]
        for column, value in row["scores"].items()
    )


def published(task: str, metric: str, part: str | None = None) -> dict[str, float]:
    """The models' scores in one metric of a task; empty where the paper has none.

    Args:
        task: name of the task.
        metric: name of the metric.
        part: the emotion or dimension; None for the whole task. EmoBank is published by dimension only.
    """
    return {
        score.model: score.value
        for score in published_scores()
        if (score.task, score.metric, score.part) == (task, metric, part)
    }


def published_main(task: Task) -> dict[str, float]:
    """The published scores in the main metric; their mean where a task is published by dimension only, as EmoBank."""
    main = metrics_of(task).main.name
    if whole := published(task.name, main):
        return whole
    parts = [published(task.name, main, emotion) for emotion in task.emotions]
    models = [model for model in parts[0] if all(model in part for part in parts)] if parts else []
    return {model: fmean(part[model] for part in parts) for model in models}


@cache
def _tables() -> Mapping[str, Any]:
    text = (files("emollms.evaluation") / "published.json").read_text(encoding="utf-8")
    tables: Mapping[str, Any] = json.loads(text)
    return tables
