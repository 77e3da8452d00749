"""What a card says of scores: the metric of each task, and what simple baselines reach on the benchmark."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.corpora.languages import language_name
from emollms.dataset.card_metadata import Tables
from emollms.dataset.schema import ROW_SCHEMA
from emollms.dataset.writer import ContentHash

READ = ["text", "emotion", "language", "score", "labels"]


@dataclass(frozen=True)
class BaselineRow:
    """The baselines' scores of one task, three decimals each; empty where a baseline does not answer it."""

    task: str
    metric: str
    scores: tuple[str, ...]


@dataclass(frozen=True)
class Baselines:
    """A table of baselines.

    Args:
        about: how it was made.
        names: the baselines.
        rows: a row a task.
    """

    about: str
    names: tuple[str, ...]
    rows: tuple[BaselineRow, ...]


def metric_title(task: str) -> str:
    """The published metric of a task, for people; empty for a task without one."""
    return str(_figures()["metrics"].get(task, ""))


def baselines(tables: Tables) -> Baselines | None:
    """The baselines of the tasks whose test rows are those that the scores were made on; None where there are none.

    Args:
        tables: the tables of a data set.
    """
    figures = _figures()
    tests = {task: table.files for (task, split), table in tables.items() if split == "test"}
    same = [task for task in figures["scores"] if task in tests and rows_hash(tests[task]) == figures["rows"][task]]
    if not same:
        return None
    names = tuple(figures["names"])
    found = tuple(
        BaselineRow(task, metric_title(task), tuple(figures["scores"][task].get(name, "") for name in names))
        for task in same
    )
    return Baselines(figures["about"], names, found)


@dataclass(frozen=True)
class LanguageBaselines:
    """What baselines, and a small model, reach in each language.

    Args:
        about: how it was made.
        columns: task, metric and name of what answered.
        rows: code and name of each language, with three decimals in each column; empty where there are no rows.
    """

    about: str
    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


def language_baselines(tables: Tables) -> LanguageBaselines | None:
    """The scores by language of tasks whose test rows are those that they were made on; None where there are none.

    Args:
        tables: the tables of a data set.
    """
    figures = _figures().get("languages", {})
    tests = {task: table.files for (task, split), table in tables.items() if split == "test"}
    same = [
        task for task, digest in figures.get("rows", {}).items() if task in tests and rows_hash(tests[task]) == digest
    ]
    scores = {(task, name): own for task in same for name, own in figures["scores"].get(task, {}).items()}
    if not scores:
        return None
    columns = tuple((task, figures["metrics"][task], name) for task, name in scores)
    codes = sorted({code for own in scores.values() for code in own}, key=language_name)
    rows = tuple((code, language_name(code), tuple(own.get(code, "") for own in scores.values())) for code in codes)
    return LanguageBaselines(figures["about"], columns, rows)


def rows_hash(files: Sequence[Path]) -> str:
    """A hash of what a baseline reads, and is scored against, in the rows of a task; wordings are no part of it.

    Args:
        files: the parquet files of the rows, in order.
    """
    content = ContentHash(pa.schema([ROW_SCHEMA.field(name) for name in READ]))
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=READ):
                content.update(batch)
    return content.hexdigest()


@cache
def _figures() -> Mapping[str, Any]:
    """`cards/baselines.json`, which `benchmarks/baselines.py` writes."""
    text = (files("emollms.cards") / "baselines.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
