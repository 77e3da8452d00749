"""The figures of `statistics.json` as tables of a card."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emollms.repository.card import bars
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, get_task

Statistics = Mapping[str, Mapping[str, Any]]
"""`statistics.json`: figures by `task/split`."""
Row = tuple[str, ...]


@dataclass(frozen=True)
class StatisticsTables:
    """Rows of tables, each cell ready.

    Args:
        texts: task, split, texts, rows, characters (least, median, most), characters of the longest prompt.
        scores: task, split, emotion, mean, deviation, least, most, histogram.
        classes: task, split, emotion, and the share of each class.
        labels: task, split, and the share of texts with each label, most common first.
    """

    texts: list[Row]
    scores: list[Row]
    classes: list[Row]
    labels: list[Row]


def statistics_tables(statistics: Statistics) -> StatisticsTables:
    """The tables.

    Args:
        statistics: what `statistics.json` holds.
    """
    every = [(*_group(key), figures) for key, figures in statistics.items() if figures["texts"]]
    return StatisticsTables(
        texts=[_texts(task, split, figures) for task, split, figures in every],
        scores=[row for one in every for row in _scores(*one)],
        classes=[row for one in every for row in _classes(*one)],
        labels=[row for one in every for row in _labels(*one)],
    )


def _group(key: str) -> tuple[str, str]:
    task, _, split = key.partition("/")
    return task, split


def _texts(task: str, split: str, figures: Mapping[str, Any]) -> Row:
    lengths = figures["characters"]
    numbers = (figures["texts"], figures["rows"], lengths["min"], lengths["median"], lengths["max"])
    return task, split, *(f"{number:,}" for number in (*numbers, figures["longest_prompt"]))


def _scores(task: str, split: str, figures: Mapping[str, Any]) -> Iterable[Row]:
    if not isinstance(get_task(task), RegressionTask):
        return
    for emotion, score in figures.get("score", {}).items():
        numbers = (score["mean"], score["deviation"], score["min"], score["max"])
        shown = "" if emotion == "all" else emotion
        yield task, split, shown, *(f"{number:.3f}" for number in numbers), bars(score["histogram"])


def _classes(task: str, split: str, figures: Mapping[str, Any]) -> Iterable[Row]:
    asked = get_task(task)
    if not isinstance(asked, OrdinalTask):
        return
    counts = figures.get("class", {})
    for emotion in asked.emotions or (None,):
        own = {number: counts.get(asked.class_label(number, emotion), 0) for number in asked.classes}
        if total := sum(own.values()):
            yield task, split, emotion or "", " · ".join(f"{n}: {_share(count, total)}" for n, count in own.items())


def _labels(task: str, split: str, figures: Mapping[str, Any]) -> Iterable[Row]:
    if isinstance(get_task(task), MultiLabelTask):
        counts = sorted(figures.get("label", {}).items(), key=lambda item: (-item[1], item[0]))
        yield task, split, " · ".join(f"{label} {_share(count, figures['texts'])}" for label, count in counts)


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.0%})"
