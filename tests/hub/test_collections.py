"""`emollms collection` against the Hub on the loopback."""

import pytest

from hub.client import TestHub

CREATE = """
import sys
from huggingface_hub import HfApi
for kind, name in (pair.split(":") for pair in sys.argv[1:]):
    sdk = "gradio" if kind == "space" else None
    HfApi().create_repo(name, repo_type=kind, private=True, exist_ok=True, space_sdk=sdk)
"""


@pytest.fixture
def repos(hub: TestHub) -> dict[str, str]:
    """A data set, a model and a Space; a data set and a model share a name."""
    names = {kind: f"{hub.repo}-{kind}" for kind in ("dataset", "model", "space")}
    pairs = [f"{kind}:{name}" for kind, name in names.items()]
    hub.run(CREATE, *pairs, f"model:{hub.repo}", f"dataset:{hub.repo}")
    return names


def title(hub: TestHub) -> str:
    return f"Affect in text {hub.repo}"


def here(hub: TestHub) -> list[dict[str, object]]:
    """The collections of this test."""
    return [one for one in hub.collections() if one["title"] == title(hub)]


def changes(hub: TestHub, start: int) -> list[str]:
    return [f"{r['method']} {r['path']}" for r in hub.log()[start:] if r["method"] not in ("GET", "HEAD")]


def test_the_whole_way(hub: TestHub, repos: dict[str, str]) -> None:
    arguments = ("collection", "me", title(hub), repos["dataset"], repos["model"], "--about", "Data and models.")
    start = len(hub.log())
    plan = hub.emollms(*arguments)
    assert plan.out == f"what\tkind\trepo\nadd\tdataset\t{repos['dataset']}\nadd\tmodel\t{repos['model']}\n"
    assert f"to do: create the collection {title(hub)!r}, private\n" in plan.err
    assert plan.err.endswith("nothing was changed; add --yes to do it\n")
    assert changes(hub, start) == []
    done = hub.emollms(*arguments, "--yes")
    made = here(hub)[0]
    items = [(item["type"], item["id"]) for item in made["items"]]
    assert items == [("dataset", repos["dataset"]), ("model", repos["model"])]
    assert (made["private"], made["description"], made["owner"]) == (True, "Data and models.", "me")
    assert f"/collections/{made['slug']}\n" in done.err
    start = len(hub.log())
    again = hub.emollms(*arguments, "--yes")
    assert changes(hub, start) == []
    assert "was there already, unchanged" in again.err
    assert f"is there\tmodel\t{repos['model']}\n" in again.out


def test_more_is_added_and_nothing_taken_out(hub: TestHub, repos: dict[str, str]) -> None:
    hub.emollms("collection", "me", title(hub), repos["dataset"], "--yes")
    more = (f"models/{hub.repo}", f"datasets/{hub.repo}", repos["space"], repos["model"], f"spaces/{repos['space']}")
    said = hub.emollms("collection", "me", title(hub), *more, "--about", "More.", "--public", "--yes").err
    assert said.index(f"added space {repos['space']}") < said.index("changed the text") < said.index("made public")
    made = here(hub)
    assert len(made) == 1
    assert [(item["type"], item["id"]) for item in made[0]["items"]] == [
        ("dataset", repos["dataset"]), ("model", hub.repo), ("dataset", hub.repo), ("space", repos["space"]),
        ("model", repos["model"]),
    ]  # fmt: skip
    assert (made[0]["private"], made[0]["description"]) == (False, "More.")
    start = len(hub.log())
    hub.emollms("collection", "me", title(hub), *more, "--about", "More.", "--public", "--yes")
    assert changes(hub, start) == []


@pytest.mark.parametrize("how", [{"drop_answer": -1}, {"status": 503, "headers": {"Retry-After": "2"}}])
def test_faults_do_no_harm(how: dict[str, object], hub: TestHub, repos: dict[str, str]) -> None:
    """A lost answer and a busy Hub: there is one collection, with each item once."""
    hub.fault("POST /api/collections$", **how)
    hub.fault("POST /api/collections/.*/items", **how)
    hub.fault("PATCH /api/collections/", **how)
    hub.emollms("collection", "me", title(hub), repos["dataset"], repos["model"], "--public", "--yes")
    made = here(hub)
    assert len(made) == 1
    assert [item["id"] for item in made[0]["items"]] == [repos["dataset"], repos["model"]]
    assert made[0]["private"] is False


def test_a_failure_half_way_and_a_second_run(hub: TestHub, repos: dict[str, str]) -> None:
    hub.fault("POST /api/collections/.*/items", status=403, skip=1)
    arguments = ("collection", "me", title(hub), repos["dataset"], repos["model"], "--yes")
    said = hub.emollms(*arguments, code=1).err
    assert said.splitlines()[-1].startswith("error: collections of me: the Hub answered 403 (Forbidden)")
    assert f"added dataset {repos['dataset']}\n" in said
    hub.emollms(*arguments)
    assert [item["id"] for item in here(hub)[0]["items"]] == [repos["dataset"], repos["model"]]


def test_conflicts_pass_and_pages_of_a_portal_are_told(hub: TestHub, repos: dict[str, str]) -> None:
    arguments = ("collection", "me", title(hub), repos["dataset"], repos["model"], "--public", "--yes")
    hub.fault("GET /api/collections", status=200, headers={"Content-Type": "text/html"}, body="<html>")
    said = hub.emollms(*arguments, code=1).err
    assert said.startswith("error: the answer is not the Hub's: a sign-in page or a proxy of this network may")
    assert here(hub) == []
    hub.fault("POST /api/collections$", status=409)
    hub.fault("PATCH /api/collections/", status=412)
    hub.emollms(*arguments)
    assert (len(here(hub)), here(hub)[0]["private"]) == (1, False)


def test_wrong_calls(hub: TestHub, repos: dict[str, str]) -> None:
    def error(*arguments: str, code: int = 2, **how: str) -> str:
        return hub.emollms("collection", *arguments, "--yes", code=code, **how).err

    said = error("me", title(hub), hub.repo)
    assert f"error: there are several repos named {hub.repo}; name datasets/{hub.repo} or models/{hub.repo}" in said
    said = error("me", title(hub), "me/nothing")
    assert "error: there is no dataset or model or space me/nothing on the Hub that this account may see" in said
    assert "there is no model me/nothing" in error("me", title(hub), "models/me/nothing")
    assert "'nothing' is no repo; its name looks like OWNER/NAME" in error("me", title(hub), "nothing")
    assert "a title has 1 to 60 characters" in error("me", "x" * 61, repos["model"])
    said = error("someone", title(hub), repos["model"], code=1)
    assert "error: collections of someone: the Hub answered 403 (You don't have the rights" in said
    said = error("me", title(hub), repos["model"], code=1, token="hf_readonly")
    assert "the Hub answered 403" in said
    assert here(hub) == []
