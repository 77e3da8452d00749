"""lm-evaluation-harness, with tasks that `export` writes, gives the scores of `evaluate` with greedy decoding."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from emollms.dataset.reader import Dataset
from emollms.errors import UsageError
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.export import export
from emollms.evaluation.model_predictor import ModelPredictor
from emollms.evaluation.predictors import FilePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.tasks import benchmark_tasks

pytestmark = pytest.mark.usefixtures("one_thread")
TASKS = {"EI-oc": "emollms_ei_oc", "V-reg": "emollms_v_reg", "E-c": "emollms_e_c", "TDT": "emollms_tdt"}


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The harness, with no Hub and a cache of its own."""
    if not os.environ.get("CI"):
        pytest.importorskip("lm_eval", reason="the harness is in the extra dev")
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    import lm_eval

    return lm_eval


@pytest.fixture(scope="module")
def data(sample_aeb: Path) -> Dataset:
    return Dataset(sample_aeb)


def test_the_harness_gives_the_scores_of_evaluate(offline: Any, talkative: Path, data: Dataset, tmp_path: Path) -> None:
    from lm_eval.tasks import TaskManager

    exported = export(data, tmp_path / "tasks", "lm-eval")
    evaluated = offline.simple_evaluate(
        model="hf",
        model_args=f"pretrained={talkative},dtype=float32",
        tasks=list(TASKS.values()),
        task_manager=TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False),
        device="cpu",
        batch_size=16,
        bootstrap_iters=0,
        log_samples=True,
    )
    found = evaluated["results"]
    source = ModelPredictor(str(talkative), decode="greedy")
    run_benchmark(source, data, tmp_path / "run", EvaluationOptions(tasks=tuple(TASKS), decode="greedy"))
    scores = json.loads((tmp_path / "run" / "scores.json").read_text(encoding="utf-8"))["tasks"]
    for task, name in TASKS.items():
        assert exported.tasks[task] == name
        ours = {metric: one["value"] for metric, one in scores[task]["metrics"].items()}
        ours["invalid_rate"] = scores[task]["invalid"]["rate"]
        theirs = {metric: found[name][f"{metric},none"] for metric in ours}
        assert theirs == pytest.approx(ours, abs=1e-12), task
    rates = [scores[task]["invalid"]["rate"] for task in TASKS]
    assert any(0 < rate < 1 for rate in rates), "some answers, and not all, can be read"
    assert scores_of_logs(evaluated["samples"], data, tmp_path) == scores


def scores_of_logs(samples: dict[str, Any], data: Dataset, folder: Path) -> Any:
    """The scores of the sample logs that the harness writes of its answers, as `--predictions` reads them."""
    from lm_eval.loggers import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(folder / "logs"))
    tracker.general_config_tracker.model_name_sanitized, tracker.date_id = "talkative", "2026-01-02T03-04-05.678"
    for name, logged in samples.items():
        tracker.save_results_samples(name, logged)
    rows = BenchmarkRows.of(data)
    source = FilePredictor(folder / "logs", rows.task_of, rows=rows)
    assert source.name == "logs"
    run_benchmark(source, data, folder / "again", EvaluationOptions(tasks=tuple(TASKS), decode="greedy"))
    return json.loads((folder / "again" / "scores.json").read_text(encoding="utf-8"))["tasks"]


def test_every_task_of_the_benchmark_is_written_in_one_group(data: Dataset, tmp_path: Path) -> None:
    exported = export(data, tmp_path / "tasks", "lm-eval", "chat", "es")
    spanish = [task for task in benchmark_tasks() if any(r["language"] == "es" for r in data.rows(task.name, "test"))]
    assert list(exported.tasks) == [task.name for task in spanish]
    group = yaml.safe_load((tmp_path / "tasks" / "emollms_aeb.yaml").read_text(encoding="utf-8"))
    assert group == {"group": "emollms_aeb", "task": list(exported.tasks.values())}
    utils = (tmp_path / "tasks" / "utils.py").read_text(encoding="utf-8")
    assert "doc_to_text = hooks.plain" in utils
    assert "process_docs = hooks.rows_in('es')" in utils
    with pytest.raises(UsageError, match="is there already"):
        export(data, tmp_path / "tasks", "lm-eval")


def test_data_without_test_rows_is_refused(sample_aaid: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no rows in split test"):
        export(Dataset(sample_aaid), tmp_path / "tasks", "lm-eval")
    assert not (tmp_path / "tasks").exists()
