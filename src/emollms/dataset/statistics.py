"""Statistics of the texts of a data set, gathered batch by batch, and as tables for its card."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, get_task
from emollms.templates import bars

BINS = 10
Figures = Mapping[str, Mapping[str, Any]]
"""`statistics.json`: figures by `task/split`."""
Cells = tuple[str, ...]


@dataclass
class Statistics:
    """Figures on the texts of one task and split, each text counted once whatever the wordings.

    Args:
        texts: number of texts.
        rows: number of rows, over all wordings.
        longest_prompt: characters of the longest prompt.
    """

    texts: int = 0
    rows: int = 0
    longest_prompt: int = 0
    _characters: Counter[int] = field(default_factory=Counter)
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _scores: dict[str, "_Scores"] = field(default_factory=dict)

    def add(self, examples: pa.RecordBatch, rows: pa.RecordBatch) -> None:
        """Take in examples and the rows made of them."""
        self.texts += examples.num_rows
        self.rows += rows.num_rows
        self.longest_prompt = max(self.longest_prompt, pc.max(pc.utf8_length(rows["prompt"])).as_py() or 0)
        self._characters.update(pc.utf8_length(examples["text"]).to_pylist())
        for column in ("language", "corpus", "emotion"):
            self._count(column, examples[column])
        self._count("label", examples["labels"].flatten())
        self._count("class", examples["completion"].filter(examples["label"].is_valid()))
        self._add_scores(examples)

    def summary(self) -> dict[str, object]:
        """The figures, ready for JSON."""
        lengths = sorted(self._characters.elements())
        summary: dict[str, object] = {"texts": self.texts, "rows": self.rows, "longest_prompt": self.longest_prompt}
        if lengths:
            summary["characters"] = {
                "min": lengths[0],
                "median": lengths[len(lengths) // 2],
                "mean": round(sum(lengths) / len(lengths), 2),
                "max": lengths[-1],
            }
        summary |= {column: dict(sorted(counts.items())) for column, counts in self._counts.items() if counts}
        if self._scores:
            summary["score"] = {emotion: scores.summary() for emotion, scores in sorted(self._scores.items())}
        return summary

    def _count(self, column: str, values: pa.Array) -> None:
        counts = self._counts.setdefault(column, Counter())
        for item in pc.value_counts(values.drop_null()):
            counts[item["values"].as_py()] += item["counts"].as_py()

    def _add_scores(self, examples: pa.RecordBatch) -> None:
        regression = pc.and_(examples["score"].is_valid(), examples["label"].is_null())
        chosen = examples.filter(regression)
        emotions = pc.fill_null(chosen["emotion"], "all")
        for emotion in emotions.unique().to_pylist():
            scores = chosen["score"].filter(pc.equal(emotions, emotion)).to_numpy()
            self._scores.setdefault(emotion, _Scores()).add(scores)


@dataclass
class _Scores:
    """Moments and histogram of scores on 0..1."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = 1.0
    high: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, scores: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
        self.count += len(scores)
        self.total += float(scores.sum())
        self.squares += float((scores * scores).sum())
        self.low, self.high = min(self.low, float(scores.min())), max(self.high, float(scores.max()))
        found, _ = np.histogram(scores, bins=BINS, range=(0.0, 1.0))
        self.histogram = [old + int(new) for old, new in zip(self.histogram, found, strict=True)]

    def summary(self) -> dict[str, object]:
        mean = self.total / self.count
        deviation = max(self.squares / self.count - mean * mean, 0.0) ** 0.5
        figures = {"mean": mean, "deviation": deviation, "min": self.low, "max": self.high}
        return {name: round(value, 4) for name, value in figures.items()} | {"histogram": self.histogram}


@dataclass(frozen=True)
class StatisticsTables:
    """Rows of tables, each cell formatted.

    Args:
        texts: task, split, texts, rows, characters (least, median, most), characters of the longest prompt.
        scores: task, split, emotion, mean, deviation, least, most, histogram.
        classes: task, split, emotion, and the fraction of each class.
        labels: task, split, and the fraction of texts with each label, most common first.
    """

    texts: list[Cells]
    scores: list[Cells]
    classes: list[Cells]
    labels: list[Cells]


def statistics_tables(statistics: Figures) -> StatisticsTables:
    """The statistics of a data set as the tables of its card.

    Args:
        statistics: what `statistics.json` holds.
    """
    groups = {tuple(key.split("/")): figures for key, figures in statistics.items() if figures["texts"]}
    every = [(task, split, figures) for (task, split), figures in groups.items()]
    return StatisticsTables(
        texts=[_texts(task, split, figures) for task, split, figures in every],
        scores=[row for one in every for row in _scores(*one)],
        classes=[row for one in every for row in _classes(*one)],
        labels=[row for one in every for row in _labels(*one)],
    )


def _texts(task: str, split: str, figures: Mapping[str, Any]) -> Cells:
    lengths = figures["characters"]
    numbers = (figures["texts"], figures["rows"], lengths["min"], lengths["median"], lengths["max"])
    return task, split, *(f"{number:,}" for number in (*numbers, figures["longest_prompt"]))


def _scores(task: str, split: str, figures: Mapping[str, Any]) -> Iterable[Cells]:
    if not isinstance(get_task(task), RegressionTask):
        return
    for emotion, score in figures.get("score", {}).items():
        numbers = (score["mean"], score["deviation"], score["min"], score["max"])
        shown = "" if emotion == "all" else emotion
        yield task, split, shown, *(f"{number:.3f}" for number in numbers), bars(score["histogram"])


def _classes(task: str, split: str, figures: Mapping[str, Any]) -> Iterable[Cells]:
    asked = get_task(task)
    if not isinstance(asked, OrdinalTask):
        return
    counts = figures.get("class", {})
    for emotion in asked.emotions or (None,):
        own = {number: counts.get(asked.class_label(number, emotion), 0) for number in asked.classes}
        if total := sum(own.values()):
            yield task, split, emotion or "", " · ".join(f"{n}: {_fraction(count, total)}" for n, count in own.items())


def _labels(task: str, split: str, figures: Mapping[str, Any]) -> Iterable[Cells]:
    if isinstance(get_task(task), MultiLabelTask):
        counts = sorted(figures.get("label", {}).items(), key=lambda item: (-item[1], item[0]))
        yield task, split, " · ".join(f"{label} {_fraction(count, figures['texts'])}" for label, count in counts)


def _fraction(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.0%})"
