"""Distributions of texts and gold labels, for the page of a check and the statistics of a corpus."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from emollms.expectations.report import Distribution
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
QUANTILES = {"min": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
LENGTHS = (0, 20, 40, 60, 80, 100, 120, 140, 160, 200, 300, 500)
"""Limits of the classes of text lengths, in characters; the last class is open."""


def distributions(texts: "pd.DataFrame") -> Iterator[Distribution]:
    """Gold labels, then lengths, of each task by split.

    Args:
        texts: a frame as of `tables.texts_frame`, with `split`.
    """
    for name, rows in texts.groupby("task", sort=False, observed=True):
        task = TASKS.get(str(name))
        if task is None:
            continue
        splits = {str(split): part for split, part in rows.groupby("split", sort=False, observed=True)}
        if isinstance(task, OrdinalTask):
            classes = [str(number) for number in task.classes]
            yield _distribution(task.name, "class", classes, {s: part["class"] for s, part in splits.items()})
        elif isinstance(task, MultiLabelTask):
            yield _distribution(
                task.name, "label", list(task.labels), {s: part["labels"] for s, part in splits.items()}
            )
        else:
            bins = [f"{low / BINS:.1f}" for low in range(BINS)]
            yield _distribution(task.name, "score", bins, {s: _bins(part["score"]) for s, part in splits.items()})
        lengths = {split: _length_classes(part["text"]) for split, part in splits.items()}
        yield _distribution(task.name, "characters", _length_names(), lengths)


def statistics(texts: "pd.DataFrame") -> dict[str, dict[str, object]]:
    """Figures on the texts of each task, split and language: `E-c/train/en`. They tell no text.

    Args:
        texts: a frame as of `tables.texts_frame`, with `split`.
    """
    groups = texts.groupby(["task", "split", "language"], sort=False, observed=True)
    return {"/".join(map(str, names)): _figures(str(names[0]), rows) for names, rows in groups}


def _figures(task_name: str, rows: "pd.DataFrame") -> dict[str, object]:
    lengths = np.quantile(rows["text"].str.len(), list(QUANTILES.values()))
    figures: dict[str, object] = {
        "texts": len(rows),
        "characters": dict(zip(QUANTILES, (round(float(length), 1) for length in lengths), strict=True)),
        "emotions": _counts(rows["emotion"].dropna()),
    }
    task = TASKS[task_name]
    if isinstance(task, OrdinalTask):
        figures["classes"] = _counts(rows["class"], [str(number) for number in task.classes])
    elif isinstance(task, MultiLabelTask):
        figures["labels"] = _counts(rows["labels"].explode().dropna(), list(task.labels))
    else:
        figures["score"] = {
            "mean": round(float(rows["score"].mean()), 4),
            "deviation": round(float(rows["score"].std()), 4),
            "histogram": np.histogram(rows["score"], bins=BINS, range=(0.0, 1.0))[0].tolist(),
        }
    return {name: value for name, value in figures.items() if value != {}}


def _counts(values: "pd.Series[Any]", order: list[str] | None = None) -> dict[str, int]:
    found = {str(value): int(count) for value, count in values.value_counts(sort=False).items()}
    return {value: found.get(value, 0) for value in order} if order else dict(sorted(found.items()))


def _distribution(task: str, of: Any, values: list[str], columns: "dict[str, pd.Series[Any]]") -> Distribution:
    shares = {}
    for split, column in columns.items():
        counts = _counts(column.explode().dropna(), values)
        shares[split] = {value: count / max(len(column), 1) for value, count in counts.items()}
    return Distribution(task, of, shares)


def _bins(scores: "pd.Series[Any]") -> "pd.Series[Any]":
    # The last bin has its upper end too: 1.0 is in the bin of 0.9.
    lower = (scores * BINS).clip(upper=BINS - 1).floordiv(1) / BINS
    return lower.map(lambda low: f"{low:.1f}", na_action="ignore")


def _length_names() -> list[str]:
    return [*(f"{low}–{high - 1}" for low, high in pairwise(LENGTHS)), f"{LENGTHS[-1]}+"]


def _length_classes(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    names = np.array(_length_names(), dtype=object)
    import pandas as pd

    return pd.Series(names[np.searchsorted(LENGTHS, texts.str.len(), side="right") - 1], index=texts.index)
