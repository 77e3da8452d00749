"""What a card says of scores: the metric of each task, and what simple baselines reach on the benchmark."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
MEAN = "mean"
"""The key of the mean over languages, among codes of languages."""


@dataclass(frozen=True)
class BaselineRow:
    """The baselines' scores of one task with their intervals; empty where a baseline does not answer it."""

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
class LanguageBaselineRow:
    """The scores of one task in one language; those of what has no answer to it are empty."""

    task: str
    language: str
    scores: tuple[str, ...]


@dataclass(frozen=True)
class LanguageBaselines:
    """What baselines, and a small model, reach in each language.

    Args:
        about: how it was made.
        metrics: the metric of each task.
        names: what answered.
        rows: a row for each task and language, and for the mean of a task that has several.
    """

    about: str
    metrics: Mapping[str, str]
    names: tuple[str, ...]
    rows: tuple[LanguageBaselineRow, ...]


def language_baselines(tables: Tables) -> LanguageBaselines | None:
    """The scores by language of tasks whose test rows are those that they were made on; None where there are none.

    Args:
        tables: the tables of a data set.
    """
    figures = _figures().get("languages", {})
    tests = {task: table.files for (task, split), table in tables.items() if split == "test"}
    same = [task for task in figures.get("scores", {}) if task in tests]
    same = [task for task in same if rows_hash(tests[task]) == figures["rows"][task]]
    if not same:
        return None
    names = tuple(figures["names"])
    rows = tuple(row for task in same for row in _language_rows(task, figures["scores"][task], names))
    return LanguageBaselines(figures["about"], {task: figures["metrics"][task] for task in same}, names, rows)


def _language_rows(
    task: str, scores: Mapping[str, Mapping[str, str]], names: Sequence[str]
) -> Iterator[LanguageBaselineRow]:
    """The mean over languages, where there is one, and then the languages by name."""
    codes = {code for own in scores.values() for code in own} - {MEAN}
    titles = {code: f"{language_name(code)} ({code})" for code in sorted(codes, key=language_name)}
    if any(MEAN in own for own in scores.values()):
        titles = {MEAN: f"mean of {len(codes)}", **titles}
    for code, title in titles.items():
        yield LanguageBaselineRow(task, title, tuple(scores.get(name, {}).get(code, "") for name in names))


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
