"""The published tables are those of the paper, and every column is a metric of ours."""

import json
from pathlib import Path

import pytest

from emollms.evaluation.published import COLUMNS, published, published_scores, source
from emollms.evaluation.task_metrics import TASK_METRICS
from emollms.tasks import benchmark_tasks, get_task

SAME_MODEL = {"GPT4": "GPT-4", "LLaMA2-chat-13B": "LLaMA2-13B-chat"}


@pytest.mark.corpora
def test_every_cell(reference_dir: Path) -> None:
    tables = json.loads((reference_dir / "published_tables.json").read_text(encoding="utf-8"))
    expected = {
        (SAME_MODEL.get(model, model), *COLUMNS[column], value)
        for table in ("table5", "table6")
        for model, cells in tables[table]["rows"].items()
        for column, value in cells.items()
        if value is not None
    }
    found = {(one.model, one.task, one.metric, one.part, one.value) for one in published_scores()}
    assert found == expected
    assert len(published_scores()) == len(expected) == 459


def test_every_column_is_a_metric() -> None:
    for task, metric, part in COLUMNS.values():
        assert TASK_METRICS[task].get(metric), (task, metric)
        assert part is None or part in get_task(task).emotions
    assert {task for task, _, _ in COLUMNS.values()} == {task.name for task in benchmark_tasks()}


def test_look_up() -> None:
    assert published("EI-reg", "pearson")["EmoLLaMA-chat-13B"] == 0.831
    assert published("EmoBank", "pearson", "dominance")["GPT-4"] == 0.193
    assert published("TDT", "accuracy")["VADER"] == 0.510
    assert published("EmoBank", "pearson") == {}
    assert "2401.08508" in source()
