"""The demo of a published model: written, published, and opened in a browser."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browse

from emollms.errors import EmollmsError, UsageError
from emollms.hub.space import load_space_back, local_space
from hub.client import Server, TestHub
from hub.test_publish import changes, tree
from hub.tiny_release import merged


@pytest.fixture(scope="module")
def model(hub_server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A published model, whose licence is Apache 2.0."""
    folder = tmp_path_factory.mktemp("space")
    hub = TestHub(hub_server, folder, xet=False)
    here = merged(folder / "model")
    options = ("--repo", hub.repo, "--license", "apache-2.0", "--yes")
    hub.emollms("publish", "model", here, *options, models=True)
    return hub.repo


@pytest.fixture(scope="module")
def space(hub_server: Server, model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its demo."""
    hub = TestHub(hub_server, tmp_path_factory.mktemp("demo"), xet=False)
    said = hub.emollms("space", model, "--out", "demo", "--title", "How does it feel?").err
    assert said == f"wrote demo: {model} at v1.0.0, asked EI-reg, V-oc, E-c\n"
    return hub.folder / "demo"


@pytest.fixture(scope="module")
def address(space: Path, hub_server: Server) -> Iterator[str]:
    """Where the app runs, as on the Hub: in its own folder, with nothing of this package but what it brings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = hub_server.environment(xet=False, token="hf_write")
    own |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "OMP_NUM_THREADS": "1"}
    own["PYTHONPATH"] = ""
    app = subprocess.Popen(
        [sys.executable, "-u", "app.py"],
        cwd=space,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        told = []
        for line in app.stdout:
            told.append(line)
            if "Running on local URL" in line:
                break
        else:
            pytest.fail("".join(told))
        yield f"http://127.0.0.1:{port}/"
    finally:
        app.terminate()
        app.communicate()


def test_it_answers_in_a_browser(address: str, tmp_path: Path) -> None:
    with browse(address, tmp_path / "profile") as (page, told):
        page.get_by_role("heading", name="How does it feel?").wait_for()
        words = page.get_by_label("Text", exact=True)
        words.fill("They <b>cancelled</b> my train again!")
        page.get_by_role("button", name="Ask").click()
        result = page.locator("#result")
        result.locator(".bar").first.wait_for()
        assert re.match(r"[01]\.\d{3}", result.locator(".answer").inner_text())
        assert result.locator(".bar").count() == 11
        page.get_by_label("Question").click()
        page.get_by_role("option", name=re.compile("^E-c: ")).click()
        page.get_by_label("Emotion or dimension").wait_for(state="hidden")
        page.get_by_role("button", name="Ask").click()
        result.get_by_role("img", name=re.compile(r"^pessimism: \d+\.\d%$")).wait_for()
        assert result.locator(".bar").count() == 11
        page.get_by_label("Question").click()
        page.get_by_role("option", name=re.compile("^V-oc: ")).click()
        page.get_by_text("The meeting was moved from ten to eleven.").first.click()
        page.get_by_role("button", name="Ask").click()
        result.get_by_role("img", name=re.compile("^3: very positive emotional state can be inferred: ")).wait_for()
        shares = [float(text.rstrip("%")) for text in result.locator(".share").all_inner_texts()]
        assert len(shares) == 7
        assert sum(shares) == pytest.approx(100, abs=0.5)
        words.fill("  ")
        page.get_by_role("button", name="Ask").click()
        page.get_by_text("Type a text first.").wait_for()
    wrong = [one for one in told if one.startswith(("error:", "dialog:")) or "rror" in one.split("request:")[0]]
    assert wrong == []
    assert {
        one for one in told if one.startswith("request: http") and not one.startswith(f"request: {address}")
    } == set()


def test_it_answers_as_an_evaluation_does(address: str, model: str, hub_server: Server, tmp_path: Path) -> None:
    """Through its interface for programs."""
    text = "The house is so quiet since she moved out."
    ask = {"data": [text, "V-oc: which of seven degrees of feeling, negative to positive, the tweeter has", None]}
    request = urllib.request.Request(
        f"{address}gradio_api/call/ask", json.dumps(ask).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as begun:
        event = json.load(begun)["event_id"]
    with urllib.request.urlopen(f"{address}gradio_api/call/ask/{event}") as ended:
        said = ended.read().decode()
    answer = re.search(r'class=\\"answer\\">(.*?)<small>', said).group(1)
    script = """
import sys
from emollms.inference.decoding import decode
from emollms.inference.loading import load
from emollms.prompts.template import prompt
from emollms.tasks import get_task
task = get_task("V-oc")
row = {"id": "x", "prompt": prompt(task, sys.argv[2])}
print(next(iter(decode(load(sys.argv[1], revision="v1.0.0"), task, [row]))).answer)
"""
    (tmp_path / "hub").mkdir()
    hub = TestHub(hub_server, tmp_path / "hub", xet=False)
    assert hub.run(script, model, text, models=True).out == f"{answer}\n"


def test_a_space_brings_its_own_part_of_the_package(space: Path) -> None:
    script = (
        "import emollms, emollms.prompts.template, emollms.inference.decoding, emollms.inference.loading; "
        "print(emollms.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run([sys.executable, "-c", script], cwd=space, env=environment, capture_output=True, text=True)
    assert done.stdout == f"{space / 'emollms' / '__init__.py'}\n", done.stderr
    assert not (space / "emollms" / "corpora").exists()


def test_the_whole_way(hub: TestHub, space: Path, model: str) -> None:
    plan = hub.emollms("publish", "space", space, "--repo", hub.repo)
    assert "add\tapp.py\t" in plan.out
    assert f"note: {model} is private: the Space needs the secret HF_TOKEN" in plan.err
    assert hub.state(kind="spaces") is None
    hub.emollms("publish", "space", space, "--repo", hub.repo, "--yes")
    state = hub.state(kind="spaces")
    there = {path: file["sha256"] for path, file in state["files"].items() if path != ".gitattributes"}
    assert there == tree(space)
    assert (state["private"], state["tags"]) == (True, {"v1.0.0": state["head"]})
    sent = len(hub.log())
    said = hub.emollms("publish", "space", space, "--repo", hub.repo, "--yes").err
    assert "was published already, unchanged: How does it feel? v1.0.0" in said
    assert changes(hub, sent) == []
    assert hub.emollms("status", hub.repo, "--space", space).err.endswith(f"is the same as the Space in {space}\n")
    look = "import sys; from huggingface_hub import HfApi; print(HfApi().space_info(sys.argv[1]).card_data.sdk)"
    assert hub.run(look, hub.repo).out == "gradio\n"
    hub.emollms("space", model, "--out", "second", "--task", "SST", "--license", "mit")
    assert "differs\tspace.json" in hub.emollms("status", hub.repo, "--space", "second", code=1).out
    hub.emollms("publish", "space", "second", "--repo", hub.repo, "--yes", "--public")
    state = hub.state(kind="spaces")
    assert (state["private"], set(state["tags"])) == (False, {"v1.0.0", "v1.1.0"})


def test_a_lost_answer_and_a_broken_line_do_no_harm(hub: TestHub, space: Path) -> None:
    hub.fault("POST /api/repos/create", drop_answer=-1)
    hub.fault(f"POST /api/spaces/{hub.repo}/commit", drop_answer=-1)
    hub.fault(f"POST /api/spaces/{hub.repo}/tag", status=503)
    hub.emollms("publish", "space", space, "--repo", hub.repo, "--yes")
    state = hub.state(kind="spaces")
    assert [commit["title"] for commit in state["history"]] == ["How does it feel? 1.0.0", "initial commit"]
    assert state["tags"] == {"v1.0.0": state["head"]}


def test_wrong_calls(hub: TestHub, model: str, space: Path) -> None:
    said = hub.emollms("space", "me/nothing", "--out", "demo", code=2).err
    assert said == "error: there is no model me/nothing on the Hub that this account may see; publish it first\n"
    said = hub.emollms("space", f"{model}@v9.9.9", "--out", "demo", code=2).err
    assert said == f"error: {model} has no revision v9.9.9\n"
    said = hub.emollms("space", model, "--out", "demo", "--task", "V-og", code=2).err
    assert "error: unknown task 'V-og'; did you mean V-oc" in said
    assert (
        "the Hub knows no licence 'mitt'" in hub.emollms("space", model, "--out", "d", "--license", "mitt", code=2).err
    )
    (hub.folder / "thesis").mkdir()
    (hub.folder / "thesis" / "text").write_text("years of work")
    assert "exists and holds no Space" in hub.emollms("space", model, "--out", "thesis", code=2).err
    assert "--repo is missing" in hub.emollms("publish", "space", space, code=2).err
    assert not (hub.folder / "demo").exists()


def test_what_must_not_go_out(space: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no Space: space.json is missing; make one with `emollms space"):
        local_space(tmp_path)
    spoilt = tmp_path / "spoilt"
    subprocess.run(["cp", "-r", space, spoilt], check=True)
    (spoilt / ".env").write_text("x")
    with pytest.raises(UsageError, match=r"holds files that do not belong to the Space: \.env"):
        local_space(spoilt)
    (spoilt / ".env").unlink()
    (spoilt / "app.py").write_text("if")
    with pytest.raises(EmollmsError, match=r"app.py changed after the build"):
        local_space(spoilt)
    with pytest.raises(EmollmsError, match=r"app.py is not valid Python: invalid syntax; make the Space again"):
        load_space_back(spoilt, tmp_path)
