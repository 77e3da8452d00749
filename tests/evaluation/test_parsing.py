"""`--parse` and `--scale` from the command to the report: both figures, one run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emollms.dataset.reader import TEST, Dataset
from emollms.evaluation.run_folder import RunSettings
from emollms.evaluation.scores import ScoredRun, Scores
from emollms.evaluation.scoring import gold_label
from emollms.evaluation.task_scores import InvalidAnswers, MetricScore, ParseScores, TaskScores
from emollms.inference.predictions import Prediction, PredictionFile
from emollms.prompts.answers import answer
from emollms.report.build import make_report
from emollms.tasks import RegressionTask, get_task

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(sample_aeb: Path, tmp_path: Path) -> Path:
    """Right answers; those to TDT under another number, those to V-A on their native range."""
    data, path = Dataset(sample_aeb), tmp_path / "said.jsonl"
    with PredictionFile(path) as file:
        for name in ("TDT", "V-A", "E-c"):
            task = get_task(name)
            for row in (one for one in data.rows(name, TEST) if one["language"] == "en"):
                gold = gold_label(task, row)
                if isinstance(task, RegressionTask):
                    text = f"{task.from_unit(float(str(gold))):.3f}"
                elif name == "TDT":
                    text = f"7: {task.class_name(int(float(str(gold))))}"
                else:
                    text = answer(task, gold)
                file.add([Prediction(row["id"], text)])
    return path


def scores_of(folder: Path) -> Any:
    return json.loads((folder / "scores.json").read_text(encoding="utf-8"))


def test_both_figures_come_from_one_run(emollms: Run, sample_aeb: Path, said: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--predictions", said, "--data", sample_aeb)
    code, _, err = emollms(*words, "--out", tmp_path / "strict")
    assert code == 0, err
    n = scores_of(tmp_path / "strict")["tasks"]["TDT"]["n"]
    assert (
        f"TDT: accuracy 0.000 strict, 1.000 lenient, macro-F1 0.000 strict, 1.000 lenient ({n} and 0 of {n} answers "
        "invalid); --parse lenient scores by the other rule\n"
    ) in err
    assert "E-c:" not in err
    code, _, err = emollms(*words, "--out", tmp_path / "lenient", "--parse", "lenient")
    assert code == 0, err
    assert "--parse strict scores by the other rule" in err
    strict, lenient = (scores_of(tmp_path / name) for name in ("strict", "lenient"))
    assert strict["run"]["settings"]["parse"] == "strict"
    assert lenient["run"]["settings"]["parse"] == "lenient"
    assert json.loads((tmp_path / "lenient" / "run.json").read_text())["settings"]["parse"] == "lenient"
    for name in ("TDT", "V-A", "E-c"):
        assert strict["tasks"][name]["by_parse"] == lenient["tasks"][name]["by_parse"]
    task = strict["tasks"]["TDT"]
    assert task["by_parse"]["strict"] == {"metrics": {"accuracy": 0.0, "macro_f1": 0.0}, "invalid": n}
    assert task["by_parse"]["lenient"] == {"metrics": {"accuracy": 1.0, "macro_f1": 1.0}, "invalid": 0}
    assert (task["value"], lenient["tasks"]["TDT"]["value"]) == (0.0, 1.0)


def test_the_scale_is_found_said_and_recorded(emollms: Run, sample_aeb: Path, said: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--predictions", said, "--data", sample_aeb, "--task", "V-A,TDT")
    code, _, err = emollms(*words, "--out", tmp_path / "auto")
    assert code == 0, err
    lines = [line for line in err.splitlines() if "native" in line]
    assert len(lines) == 1
    assert lines[0].startswith("answers look native: V-A (")
    assert "outside 0 to 1, read on -4 to 4); --scale unit reads them on 0 to 1" in lines[0]
    code, _, err = emollms(*words, "--out", tmp_path / "native", "--scale", "native")
    assert "look native" not in err
    code, _, err = emollms(*words, "--out", tmp_path / "unit", "--scale", "unit")
    assert "look native" not in err
    auto, native, unit = (scores_of(tmp_path / name) for name in ("auto", "native", "unit"))
    assert [one["run"]["settings"]["scale"] for one in (auto, native, unit)] == ["auto", "native", "unit"]
    assert [one["tasks"]["V-A"]["scale"]["name"] for one in (auto, native, unit)] == ["native", "native", "unit"]
    assert auto["tasks"]["V-A"]["value"] == native["tasks"]["V-A"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert unit["tasks"]["V-A"]["invalid"]["n"] > 0
    assert auto["tasks"]["TDT"]["scale"] is None


def test_a_run_with_another_rule_needs_another_folder(
    emollms: Run, sample_aeb: Path, said: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "--predictions", said, "--data", sample_aeb, "--out", tmp_path / "run")
    assert emollms(*words)[0] == 0
    code, _, err = emollms(*words, "--parse", "lenient")
    assert code == 2
    assert 'parse: "strict", not "lenient"' in err
    code, _, err = emollms(*words, "--scale", "unit")
    assert code == 2
    assert 'scale: "auto", not "unit"' in err


def test_the_report_shows_both_figures(emollms: Run, sample_aeb: Path, said: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--predictions", said, "--data", sample_aeb, "--parse", "lenient", "--name", "theirs")
    assert emollms(*words, "--out", tmp_path / "run")[0] == 0
    for ending in ("md", "html", "json"):
        report = make_report([tmp_path / "run"], tmp_path / f"report.{ending}")
    (task,) = [one for one in report.tasks if one.name == "TDT"]
    n = task.runs[0].n
    assert [(row.title, row.strict, row.lenient) for row in task.runs[0].by_rule] == [
        ("accuracy", 0.0, 1.0),
        ("macro-F1", 0.0, 1.0),
        ("invalid answers", n, 0),
    ]
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "scores by the rule that answers are parsed by (lenient above) | strict | lenient |" in markdown
    assert "(lenient above; native scale)" in markdown  # V-A
    assert "| accuracy | .000 | 1.000 |" in markdown
    assert '<td>accuracy</td><td class="n">.000</td><td class="n">1.000</td>' in (tmp_path / "report.html").read_text(
        encoding="utf-8"
    )


def test_small_differences_and_older_scores_are_not_remarked_on() -> None:
    def scores(**lenient: float) -> Scores:
        """Scores of tasks whose strict accuracy is .5; without a lenient one where it is below 0."""
        none = InvalidAnswers(policy="official", rate=0, n=0, reasons={})
        tasks = {
            name: TaskScores(
                main="accuracy",
                value=0.5,
                n=9,
                scored=9,
                invalid=none,
                metrics={"accuracy": MetricScore(title="accuracy", value=0.5, low=0.4, high=0.6, n=9)},
                by_parse={
                    "strict": ParseScores(metrics={"accuracy": 0.5}, invalid=1),
                    "lenient": ParseScores(metrics={"accuracy": value}, invalid=1),
                }
                if value >= 0
                else {},
            )
            for name, value in lenient.items()
        }
        run = ScoredRun(settings=RunSettings(decode=None), data={})
        return Scores(name="made up", kind="predictions", run=run, tasks=tasks)

    assert scores(TDT=0.504).remarks() == []
    assert len(scores(TDT=0.506, SST5=0.494).remarks()) == 2
    assert scores(TDT=-1).remarks() == []
