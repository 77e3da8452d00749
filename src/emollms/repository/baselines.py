"""What a card says of scores: the metric of each task, and what simple baselines reach on the benchmark."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from emollms.repository.manifest import Manifest


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


def baselines(manifest: Manifest) -> Baselines | None:
    """The baselines of the tasks whose test rows are those that the scores were made on; None where there are none."""
    figures = _figures()
    rows = {count.task: count.rows for count in manifest.counts if count.split == "test"}
    same = [task for task in figures["scores"] if rows.get(task) == figures["rows"][task]]
    settings = manifest.settings
    if manifest.data_set != "aeb" or settings["profile"] != figures["profile"] or settings["mask"] or not same:
        return None
    names = tuple(figures["names"])
    found = tuple(
        BaselineRow(task, metric_title(task), tuple(figures["scores"][task].get(name, "") for name in names))
        for task in same
    )
    return Baselines(figures["about"], names, found)


@cache
def _figures() -> Mapping[str, Any]:
    """`cards/baselines.json`, which `benchmarks/baselines.py` writes."""
    text = (files("emollms.cards") / "baselines.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
