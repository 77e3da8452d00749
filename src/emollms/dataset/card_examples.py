"""The rows, pairs and rejects that a card shows: few, short, and none whose text may not be passed on."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
from emollms.dataset.render import render_rows
from emollms.dataset.schema import ROW_SCHEMA
from emollms.pii.mask import find_sensitive
from emollms.tasks import MultiLabelTask, RegressionTask, get_task

PAIRS = 3
"""How many pairs of a kind the card shows."""
SHORTEST, LONGEST = 40, 200
"""Characters of a text that is shown: enough to be informative, and few enough for a card."""
SEARCHED = 500
"""Rows of a table among which one is searched."""
MADE_UP = "sample"
"""The corpus that comes with the package; its texts are made up."""
SHOWN = ("id", "text", "prompt", "completion", "gold", "score", "label", "labels", "emotion", "target")
"""Columns of a row that a card shows."""


def chosen_pairs(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A few pairs of each kind, each pair of texts once, those first that may be shown."""
    different = {(pair["kind"], pair["text_a"], pair["text_b"]): pair for pair in reversed(pairs)}
    shown = sorted(map(_shown_pair, reversed(different.values())), key=lambda pair: pair["text_a"] is None)
    kinds = dict.fromkeys(pair["kind"] for pair in pairs)
    return [pair for kind in kinds for pair in [one for one in shown if one["kind"] == kind][:PAIRS]]


def _shown_pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    """A pair; its texts are None where one of them may not be shown."""
    both = all(may_show(pair[f"corpus_{side}"], pair[f"text_{side}"]) for side in "ab")
    return dict(pair) if both else {**pair, "text_a": None, "text_b": None}


@dataclass(frozen=True)
class CardRow:
    """A row of a task.

    Args:
        task: the task.
        origin: `real`, `made up`, or `id`, where only the id may be shown.
        columns: what is shown of it.
    """

    task: str
    origin: str
    columns: Mapping[str, Any]

    @property
    def json(self) -> str:
        """The columns that are not empty."""
        shown = {name: _rounded(value) for name, value in self.columns.items() if value not in (None, [])}
        return json.dumps(shown, ensure_ascii=False, indent=2)

    @property
    def kind(self) -> str:
        """What is asked for: `score`, `class` or `labels`."""
        task = get_task(self.task)
        if isinstance(task, RegressionTask):
            return "score"
        return "labels" if isinstance(task, MultiLabelTask) else "class"


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value


def card_rows(tables: Tables) -> list[CardRow]:
    """A row of each task, real ones first: where its text may not be passed on, a made-up one, or an id."""
    found: dict[str, CardRow] = {}
    for (task, _), table in tables.items():
        if task not in found and table.rows:
            found[task] = _card_row(task, _first_rows(table.files[0]))
    return sorted(found.values(), key=lambda row: row.origin != "real")


def may_show(corpus: str, text: str) -> bool:
    """Whether a text may be shown: its corpus allows redistribution, and nothing in it is sensitive."""
    return may_pass_on(corpus) and not find_sensitive(text)


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
        examples += sorted(map(_shown_row, rows), key=lambda row: row["text"] is None)[:count]
    return examples


def _shown_row(row: dict[str, Any]) -> dict[str, Any]:
    text = row["text"] or ""
    shown = bool(text) and len(text) <= LONGEST and may_show(row["corpus"], text)
    return row if shown else row | {"text": None}


def _first_rows(path: Path) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(SEARCHED), None)
    return batch.to_pylist() if batch else []


def _card_row(task: str, rows: list[dict[str, Any]]) -> CardRow:
    for row in rows:
        if SHORTEST <= len(row["text"]) <= LONGEST and may_show(row["corpus"], row["text"]):
            return CardRow(task, "real", _shown(row))
    if may_pass_on(MADE_UP) and task in get_corpus(MADE_UP).meta.tasks:
        return CardRow(task, "made up", _made_up()[task])
    return CardRow(task, "id", {"id": rows[0]["id"]})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN}


@cache
def _made_up() -> dict[str, dict[str, Any]]:
    """The first row of each task of the corpus that is made up."""
    return {task: _shown(row) for task, row in _made_up_rows()}


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
            yield example.task, render_rows(get_task(example.task), row, "one").to_pylist()[0]
