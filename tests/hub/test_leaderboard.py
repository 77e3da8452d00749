"""From a benchmark and two models that were published to the leaderboard of the Hub, and to what is printed of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from emollms.dataset.eval_yaml import EvalTask, read_eval_yaml
from emollms.dataset.reader import Dataset
from emollms.errors import EmollmsError
from emollms.evaluation.scores import Scores
from emollms.evaluation.task_metrics import TASK_METRICS
from emollms.hub.ids import write_ids
from hub.client import Server, TestHub
from hub.tiny_release import merged

RESULTS = """
import json, sys
from dataclasses import asdict
from huggingface_hub import HfApi
print(json.dumps([asdict(one) for one in HfApi().model_info(sys.argv[1], expand=["evalResults"]).eval_results or []]))
"""
LISTED = """
import json, sys
from huggingface_hub import HfApi
found = HfApi().get_dataset_leaderboard(sys.argv[1], **json.loads(sys.argv[2]))
print(json.dumps([(one.rank, one.model_id, one.value, one.filename) for one in found]))
"""


def test_a_benchmark_names_config_split_and_metric_of_every_task(aeb: Path, tmp_path: Path) -> None:
    text = (aeb / "eval.yaml").read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)) == {"name", "description", "tasks"}
    tasks = read_eval_yaml(text, "eval.yaml")
    titles = {name: TASK_METRICS[name].main.title for name in (task.name for task in Dataset(aeb).tasks("test"))}
    assert [(one.id, one.config, one.split, one.metric) for one in tasks] == [
        (name, name, "test", titles[name]) for name in titles
    ]
    write_ids(aeb, tmp_path / "ids")
    assert (tmp_path / "ids" / "eval.yaml").read_text(encoding="utf-8") == text


def test_tasks_of_several_languages_have_a_leaderboard_each(sample_aeb: Path) -> None:
    tasks = read_eval_yaml((sample_aeb / "eval.yaml").read_text(encoding="utf-8"), "eval.yaml")
    ids = {(one.config, one.language): one.id for one in tasks}
    assert (ids["V-reg", "en"], ids["V-reg", "es"]) == ("V-reg/en", "V-reg/es")
    assert len(set(ids.values())) == len(tasks)


@pytest.mark.parametrize("text", ["", "tasks: 3", "tasks: [{config: x}]", "{", "name: x"])
def test_a_damaged_eval_yaml_is_one_line(text: str) -> None:
    with pytest.raises(EmollmsError, match=r"^me/x: eval\.yaml is damaged"):
        read_eval_yaml(text, "me/x: eval.yaml")


def test_what_others_write_into_an_eval_yaml_is_read() -> None:
    text = "name: x\ndescription: y\nevaluation_framework: inspect-ai\ntasks:\n- id: hle\n  field_spec: {input: q}\n"
    assert read_eval_yaml(text, "eval.yaml") == [EvalTask(id="hle")]


@pytest.fixture(scope="module")
def board(hub_server: Server, versions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHub]:
    """A published benchmark of two tasks, and two models with their scores on it, one of them from a folder."""
    folder = tmp_path_factory.mktemp("board")
    hub = TestHub(hub_server, folder, xet=False)
    hub.emollms("publish", "dataset", versions["1.1.0"], "--repo", hub.repo, "--yes")
    for seed, data in ((7, f"{hub.repo}@v1.1.0"), (8, str(versions["1.1.0"]))):
        model = merged(folder / f"model-{seed}", seed=seed)
        out = folder / f"scores-{seed}"
        hub.emollms("evaluate", "--model", model, "--data", data, "--out", out, "--decode", "greedy", models=True)
        named = () if seed == 7 else ("--benchmark-repo", hub.repo)
        options = ("--scores", out, "--license", "apache-2.0", "--yes", *named)
        hub.emollms("publish", "model", model, "--repo", f"{hub.repo}-{seed}", *options, models=True)
    yield hub
    hub.close()


def scores_of(hub: TestHub, seed: int) -> dict[str, float]:
    found = Scores.read(hub.folder / f"scores-{seed}" / "scores.json")
    return {name: task.value for name, task in found.tasks.items()}


@pytest.mark.parametrize("seed", [7, 8])
def test_scores_read_back_are_those_that_were_measured(board: TestHub, seed: int) -> None:
    found = parse_eval_result_entries([_data(one) for one in board.run(RESULTS, f"{board.repo}-{seed}").json()])
    assert {one.task_id: one.value for one in found} == scores_of(board, seed)
    assert {(one.dataset_id, one.dataset_revision) for one in found} == {(board.repo, board.state()["head"])}
    assert all("Pearson's r (" in one.notes and "decoding greedy" in one.notes for one in found)
    assert ".eval_results/aeb.yaml" in board.state(f"{board.repo}-{seed}", "models")["files"]
    card = board.run(
        "import sys; from huggingface_hub import HfApi; import json\n"
        "print(json.dumps([r.metric_value for r in HfApi().model_info(sys.argv[1]).card_data.eval_results or []]))",
        f"{board.repo}-{seed}",
    ).json()  # fmt: skip
    assert len(card) >= len(found), "model-index stays"


def _data(entry: dict[str, object]) -> dict[str, object]:
    dataset = {"id": entry["dataset_id"], "task_id": entry["task_id"], "revision": entry["dataset_revision"]}
    return {"dataset": dataset, "value": entry["value"], "notes": entry["notes"]}


def test_the_hub_ranks_them_and_hides_tuned_ones_unless_asked(board: TestHub) -> None:
    assert board.run(LISTED, board.repo, "{}").json() == []
    found = board.run(LISTED, board.repo, '{"base_model_only": false}').json()
    assert len(found) == 4
    assert {(model, value) for _, model, value, _ in found} == {
        (f"{board.repo}-{seed}", value) for seed in (7, 8) for value in scores_of(board, seed).values()
    }


def test_the_command_prints_it(board: TestHub) -> None:
    told = board.emollms("leaderboard", board.repo)
    header, *rows = [line.split("\t") for line in told.out.splitlines()]
    assert header == ["model", "mean rank", "V-reg", "SST"]
    assert {row[0]: row[2:] for row in rows} == {
        f"{board.repo}-{seed}": [f"{scores_of(board, seed)[task]:.3f}" for task in ("V-reg", "SST")] for seed in (7, 8)
    }
    assert [float(row[1]) for row in rows] == sorted(float(row[1]) for row in rows)
    assert f"2 models on {board.repo}, at commit {board.state()['head']}" in told.err

    found = json.loads(board.emollms("leaderboard", board.repo, "--json", "--task", "SST").out)
    assert [task["id"] for task in found["tasks"]] == ["SST"]
    assert {one["model"]: one["value"] for one in found["scores"]} == {
        f"{board.repo}-{seed}": scores_of(board, seed)["SST"] for seed in (7, 8)
    }


def test_wrong_calls_are_one_line(board: TestHub, small: Path) -> None:
    said = board.emollms("leaderboard", board.repo, "--task", "V-regg", code=2).err
    assert said.startswith("error: unknown task of ")
    assert "did you mean V-reg?" in said
    assert "there is no data set me/nope on the Hub" in board.emollms("leaderboard", "me/nope", code=2).err
    board.run("import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[1], repo_type='dataset')",
              f"{board.repo}-none")  # fmt: skip
    assert "is no benchmark: it has no eval.yaml" in board.emollms("leaderboard", f"{board.repo}-none", code=1).err
    board.fault("/leaderboard", status=404)
    assert "the Hub keeps no leaderboard of" in board.emollms("leaderboard", board.repo, code=1).err


def test_scores_that_come_into_no_leaderboard_are_told(board: TestHub, small: Path) -> None:
    model, sampled = board.folder / "model-7", board.folder / "sampled"
    how = ("--decode", "greedy", "--limit", "4", "--task", "V-reg")
    board.emollms("evaluate", "--model", model, "--data", small, "--out", sampled, *how, models=True)
    options = ("--license", "apache-2.0", "--scores", sampled)
    plan = board.emollms("publish", "model", model, "--repo", f"{board.repo}-new", *options, models=True)
    assert "are of a folder, and come into no leaderboard; name the benchmark on the Hub" in plan.err
    assert ".eval_results" not in plan.out
    named = (*options, "--benchmark-repo", board.repo)
    plan = board.emollms("publish", "model", model, "--repo", f"{board.repo}-new", *named, models=True, code=2)
    assert "are of rows with content hash" in plan.err
    again = ("--license", "apache-2.0", "--yes")
    said = board.emollms("publish", "model", model, "--repo", f"{board.repo}-7", *again, models=True, code=1).err
    assert "would be loaded together with these (.eval_results/aeb.yaml)" in said
    other = (*options, "--benchmark-repo", "me/nope")
    said = board.emollms("publish", "model", model, "--repo", f"{board.repo}-7", *other, models=True, code=2).err
    assert "there is no data set me/nope on the Hub that this account may see; publish it first" in said
