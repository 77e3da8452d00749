"""Rows for the card: one of each task, and some that were left out. No text that may not be passed on is among them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.corpora.base import Selection
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import folder as corpus_folder
from emollms.corpora.registry import get_corpus
from emollms.dataset.card_metadata import Tables
from emollms.dataset.examples import to_arrow
from emollms.dataset.render import word
from emollms.dataset.schema import ROW_SCHEMA
from emollms.pii.mask import find_sensitive
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, get_task
from emollms.templates import bars

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


SHORTEST, LONGEST = 40, 200
"""Characters of a text that is shown: enough to tell something, and few enough for a card."""
SEARCHED = 500
"""Rows of a table among which one is looked for."""
MADE_UP = "sample"
"""The corpus that comes with the package; its texts are made up."""
SHOWN = ("id", "text", "prompt", "completion", "gold", "score", "label", "labels", "emotion", "target")
"""Columns of a row that a card shows."""


@dataclass(frozen=True)
class CardRow:
    """A row of a task.

    Args:
        task: the task.
        origin: `real`, `made up`, or `id`, where only the id may be shown.
        json: the row.
    """

    task: str
    origin: str
    json: str


def card_rows(tables: Tables) -> list[CardRow]:
    """A row of each task: a real one where its text may be passed on, else a made-up one, else an id."""
    found: dict[str, CardRow] = {}
    for (task, _), table in tables.items():
        if task not in found and table.rows:
            found[task] = _card_row(task, _first_rows(table.files[0]))
    return list(found.values())


def may_show(row_id: str, *texts: str) -> bool:
    """Whether texts of a row may be shown: their corpus allows it, and nothing in them is sensitive."""
    return may_pass_on(row_id.split("/")[0]) and not any(find_sensitive(text) for text in texts)


def may_pass_on(corpus: str) -> bool:
    """Whether texts of a corpus may be passed on."""
    return get_corpus(corpus).meta.redistribution == "text"


def rejected_examples(path: Path, count: int = 2) -> list[dict[str, Any]]:
    """A few rows that were left out for each reason, those first whose text may be shown; of others it is None.

    Args:
        path: `rejected.parquet`.
        count: how many a reason.
    """
    table = pq.read_table(path)
    examples: list[dict[str, Any]] = []
    for reason in pc.unique(table["reason"]).to_pylist():
        rows = table.filter(pc.equal(table["reason"], reason)).slice(0, SEARCHED).to_pylist()
        examples += sorted(map(_shown, rows), key=lambda row: row["text"] is None)[:count]
    return examples


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    text = row["text"] or ""
    shown = bool(text) and len(text) <= LONGEST and may_show(row["corpus"], text)
    return row if shown else row | {"text": None}


def _first_rows(path: Path) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(SEARCHED), None)
    return batch.to_pylist() if batch else []


def _card_row(task: str, rows: list[dict[str, Any]]) -> CardRow:
    for row in rows:
        if SHORTEST <= len(row["text"]) <= LONGEST and may_show(row["id"], row["text"]):
            return CardRow(task, "real", _json(row, SHOWN))
    if may_pass_on(MADE_UP) and task in get_corpus(MADE_UP).meta.tasks:
        return CardRow(task, "made up", _made_up()[task])
    return CardRow(task, "id", _json(rows[0], ("id",)))


def _json(row: Mapping[str, Any], columns: Iterable[str]) -> str:
    shown = {name: round(row[name], 6) if isinstance(row[name], float) else row[name] for name in columns}
    return json.dumps(shown, ensure_ascii=False, indent=2)


@cache
def _made_up() -> dict[str, str]:
    """The first row of each task of the corpus that is made up."""
    return {task: _json(row, SHOWN) for task, row in _made_up_rows()}


def _made_up_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    corpus = get_corpus(MADE_UP)
    source = RawSource(corpus.meta, corpus_folder(corpus))
    seen = set()
    for example in corpus("release").examples(source, Selection(corpus.meta.tasks, corpus.meta.splits, ("en",))):
        if example.task not in seen:
            seen.add(example.task)
            row = to_arrow(example.task, [(MADE_UP, example)])
            row = row.append_column("cluster", pa.nulls(1, pa.string()))
            row = row.append_column("overlaps", pa.array([[]], ROW_SCHEMA.field("overlaps").type))
            yield example.task, word(get_task(example.task), row, "one").to_pylist()[0]
