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

from emollms.corpora.catalogue import folder as corpus_folder
from emollms.corpora.catalogue import get_corpus
from emollms.corpora.corpus import Selection
from emollms.corpora.source import Source
from emollms.quality.sensitive.find import find_sensitive
from emollms.repository.card_metadata import Tables
from emollms.repository.examples import to_arrow
from emollms.repository.schema import ROW_SCHEMA
from emollms.repository.wording import word
from emollms.tasks import get_task

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
    source = Source(corpus.meta, corpus_folder(corpus))
    seen = set()
    for example in corpus("release").examples(source, Selection(corpus.meta.tasks, corpus.meta.splits, ("en",))):
        if example.task not in seen:
            seen.add(example.task)
            row = to_arrow(example.task, [(MADE_UP, example)])
            row = row.append_column("cluster", pa.nulls(1, pa.string()))
            row = row.append_column("overlaps", pa.array([[]], ROW_SCHEMA.field("overlaps").type))
            yield example.task, word(get_task(example.task), row, "one").to_pylist()[0]
