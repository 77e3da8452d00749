"""Benchmarks and their leaderboards: `eval.yaml` of data sets, `.eval_results/*.yaml` of models.

Every data set with an `eval.yaml` has a leaderboard here; on the real Hub its owners list benchmarks by hand.
"""

from typing import TYPE_CHECKING, Any

import yaml

from hub.store import Commit, File, HubError, Repo
from hub.web import Answer, Request, readable, route

if TYPE_CHECKING:
    from hub.server import Hub

EVAL_YAML, RESULTS = "eval.yaml", ".eval_results/"
FRAMEWORKS = ("inspect-ai", "math-arena", "mteb", "harbor", "swe-bench")
"""Some of those that the real Hub knows."""


def check_pushed(hub: "Hub", kind: str, files: dict[str, File]) -> None:
    """Refuse a commit whose `eval.yaml` or results have another form than the Hub's page lists."""
    if kind == "datasets" and EVAL_YAML in files:
        _benchmark(hub, files[EVAL_YAML])
    for path, file in files.items():
        if kind == "models" and path.startswith(RESULTS):
            try:
                _entries(hub, file)
            except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
                raise HubError(400, f"{path} is invalid: {error!r}") from None


def _text(hub: "Hub", file: File) -> str:
    return hub.store.blobs[file.sha256].decode()


def _benchmark(hub: "Hub", file: File) -> list[dict[str, str]]:
    """The tasks of an `eval.yaml`."""
    try:
        found = yaml.safe_load(_text(hub, file))
        tasks = [{"config": "default", "split": "test", **task} for task in found["tasks"]]
        ids = [task["id"] for task in tasks]
        good = bool(found["name"] and found["description"] and ids) and len(set(ids)) == len(ids)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise HubError(400, f"{EVAL_YAML} is invalid: {error!r}") from None
    framework = found.get("evaluation_framework")
    if not good or (framework is not None and framework not in FRAMEWORKS):
        raise HubError(400, f'{EVAL_YAML} is invalid: "evaluation_framework" must be one of {", ".join(FRAMEWORKS)}')
    return tasks


def _entries(hub: "Hub", file: File) -> list[dict[str, Any]]:
    """The results of a file; each names a data set and a task, and has a value."""
    found = yaml.safe_load(_text(hub, file))
    for entry in found:
        if not (entry["dataset"]["id"].count("/") == 1 and entry["dataset"]["task_id"]):
            raise ValueError("no dataset.id and dataset.task_id")
        float(entry["value"])
    return list(found)


def results_of(hub: "Hub", commit: Commit) -> list[dict[str, Any]]:
    """What `evalResults` of a model is."""
    return [
        {"filename": path, "verified": False, "data": entry}
        for path, file in commit.files.items()
        if path.startswith(RESULTS)
        for entry in _entries(hub, file)
    ]


@route("GET", "/api/datasets/{repo}/leaderboard")
def leaderboard(hub: "Hub", request: Request, repo: str) -> Answer:
    """The results of models that the user may see, task by task, ranked; without tuned ones unless asked for."""
    benchmark = readable(hub, request, "datasets", repo).resolve("main")
    if EVAL_YAML not in benchmark.files:
        raise HubError(404, "This dataset does not have a leaderboard")
    with_tuned = request.query.get("base_model", ["true"])[0].lower() == "false"
    found = []
    for task in _benchmark(hub, benchmark.files[EVAL_YAML]):
        own = [one for model in _models(hub, request, with_tuned) for one in _of(hub, model, repo, task["id"])]
        ranked = sorted(own, key=lambda one: -one["value"])
        found += [{"rank": number, **one} for number, one in enumerate(ranked, 1)]
    return Answer(found)


def _models(hub: "Hub", request: Request, with_tuned: bool) -> list[Repo]:
    models = [repo for (kind, _), repo in hub.store.repos.items() if kind == "models"]
    seen = [one for one in models if not one.private or (request.user and request.user.owns(one.name))]
    return [one for one in seen if with_tuned or "base_model" not in hub.store.card(one.resolve("main"))]


def _of(hub: "Hub", model: Repo, repo: str, task: str) -> list[dict[str, Any]]:
    return [
        {
            "modelId": model.name,
            "value": one["data"]["value"],
            "filename": one["filename"],
            "verified": False,
            "author": {"type": "user", "name": model.name.split("/")[0], "fullname": "", "avatarUrl": ""},
            **({"notes": one["data"]["notes"]} if "notes" in one["data"] else {}),
        }
        for one in results_of(hub, model.resolve("main"))
        if (one["data"]["dataset"]["id"], one["data"]["dataset"]["task_id"]) == (repo, task)
    ]
