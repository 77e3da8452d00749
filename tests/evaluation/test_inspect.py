"""Inspect, with tasks that `export` writes, gives the scores of `evaluate` with greedy decoding.

It runs in an environment of its own, which `make test-all` sets up in `.venv-inspect`.
"""

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from emollms.dataset.reader import Dataset
from emollms.evaluation.export import export
from emollms.evaluation.export_hooks import ASKS, framed, metric, read, rows_in, samples_of
from emollms.evaluation.export_plan import ExportTemplate, plan_export
from emollms.evaluation.model_predictor import ModelPredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.inference.decoding import Decode
from emollms.prompts.framing import model_input

INSPECT = Path(__file__).parents[2] / ".venv-inspect" / "bin" / "inspect"
TASKS = {"EI-oc": "emollms_ei_oc", "V-reg": "emollms_v_reg", "E-c": "emollms_e_c", "TDT": "emollms_tdt"}


@pytest.fixture(scope="module")
def data(sample_aeb: Path) -> Dataset:
    return Dataset(sample_aeb)


@pytest.mark.slow
@pytest.mark.skipif(not INSPECT.is_file(), reason="`make test-all` puts inspect-ai into .venv-inspect")
@pytest.mark.usefixtures("one_thread")
def test_inspect_gives_the_scores_of_evaluate(talkative: Path, data: Dataset, tmp_path: Path) -> None:
    exported = export(data, tmp_path / "tasks", "inspect")
    logs = evaluated(tmp_path, talkative)
    source = ModelPredictor(str(talkative), decode=Decode.greedy)
    scores = run_benchmark(source, data, tmp_path / "run", EvaluationOptions(tasks=tuple(TASKS), decode=Decode.greedy))
    for task, name in TASKS.items():
        assert exported.tasks[task] == name
        log, found = logs[name], scores.tasks[task]
        ours = {metric: one.value for metric, one in found.metrics.items()} | {"invalid_rate": found.invalid.rate}
        theirs = {metric: one["value"] for metric, one in log["results"]["scores"][0]["metrics"].items()}
        assert theirs == pytest.approx(ours, abs=1e-6), task
        rows = {row["id"]: row for row in data.rows(task, "test")}
        for sample in log["samples"]:
            asked = model_input(None, rows[sample["id"]]["prompt"], "frame")
            assert sample["input"] == asked
            assert sample["messages"][0]["content"] == asked
    rates = [scores.tasks[task].invalid.rate for task in TASKS]
    assert any(0 < rate < 1 for rate in rates), "some answers, and not all, can be read"


def evaluated(folder: Path, model: Path) -> dict[str, Any]:
    """The logs of `inspect eval`, by task."""
    file, own = folder / "tasks" / "emollms_aeb.py", folder / "tasks" / "hf.yaml"
    command = [INSPECT, "eval", *(f"{file}@{name}" for name in TASKS.values()), "--model", "hf/local"]
    command += ["-M", f"model_path={model}", "-M", "dtype=float32", "--model-config", own, "--display", "plain"]
    command += ["--log-format", "json", "--log-dir", folder / "logs"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "INSPECT_TRACE_FILE": "trace.log"}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    logs = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "logs").glob("*.json")]
    assert [log["status"] for log in logs] == ["success"] * len(TASKS)
    return {log["eval"]["task"]: log for log in logs}


@pytest.mark.parametrize("template", ["frame", "chat"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_both_harnesses_ask_the_rows_of_the_data_set(template: ExportTemplate, language: str, data: Dataset) -> None:
    import datasets

    for exported in plan_export(data, template, language).tasks:
        rows = [row for row in data.rows(exported.task.name, "test") if row["language"] == language]
        expected = {row["id"]: framed(row) if template == "frame" else row["prompt"] for row in rows}
        inspected = list(samples_of(template, language, {})(exported.files))
        assert {one["id"]: one["input"] for one in inspected} == expected
        docs = rows_in(language)(datasets.Dataset.from_parquet(list(exported.files)))
        assert {doc["id"]: ASKS[template](doc) for doc in docs} == expected
        assert [one["target"] for one in inspected] == [doc["completion"] for doc in docs]
        gold = [(doc, doc["completion"]) for doc in docs]
        assert [metric(name)(gold) for name in exported.metrics] == [
            metric(name)([(one["metadata"], one["target"]) for one in inspected]) for name in exported.metrics
        ]


@pytest.mark.parametrize("template", ["frame", "chat"])
def test_both_harnesses_are_told_the_same_of_a_task(template: ExportTemplate, data: Dataset, tmp_path: Path) -> None:
    assert export(data, tmp_path / "one", "inspect", template) == export(data, tmp_path / "two", "lm-eval", template)
    tree = ast.parse((tmp_path / "one" / "emollms_aeb.py").read_text(encoding="utf-8"))
    calls = {
        one.name: one.body[0].value
        for one in tree.body
        if isinstance(one, ast.FunctionDef) and isinstance(one.body[0], ast.Return)
    }
    for name, call in calls.items():
        files, metrics = map(ast.literal_eval, call.args)
        config = yaml.load((tmp_path / "two" / f"{name}.yaml").read_text(encoding="utf-8"), Loader=Lenient)
        assert config["dataset_kwargs"]["data_files"] == {"test": files}
        assert [one["metric"] for one in config["metric_list"]] == metrics
        assert config["generation_kwargs"]["max_gen_toks"] == ast.literal_eval(call.keywords[0].value)
    settings = yaml.safe_load((tmp_path / "one" / "hf.yaml").read_text(encoding="utf-8"))
    assert settings["do_sample"] is False
    assert ("chat_template" in settings) == (template == "frame")


class Lenient(yaml.SafeLoader):
    """Reads the names of functions as text."""


Lenient.add_constructor("!function", lambda loader, node: node.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("0.25\nbecause", ("0.25", True, "read as 0.25")),
        ("\n<think>hm</think> 0.5", ("0.5", True, "read as 0.5")),
        ("I cannot tell", ("I cannot tell", False, "invalid: no number")),
    ],
)
def test_an_answer_is_read_as_evaluate_reads_it(said: str, expected: tuple[str, bool, str]) -> None:
    assert read({"task": "V-reg", "emotion": None}, said)[:2] == expected[:2]
    assert read({"task": "V-reg", "emotion": None}, said)[2].startswith(expected[2])
