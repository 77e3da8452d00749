"""The Python code of the README's first screen, of docs/python.md and of docs/annotate.md is run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hub.client import Server

from emollms.training.tiny import make_tiny

ROOT = Path(__file__).parents[1]
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OUTPUT = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TINY = {
    "model_name_or_path": "tiny", "family": "llama", "learning_rate": 0.003, "per_device_train_batch_size": 4,
    "max_steps": 2, "bf16": False, "optim": "adamw_torch", "gradient_checkpointing": False, "eval_strategy": "no",
    "save_strategy": "no",
}  # fmt: skip


def run(code: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_screen_prints_what_it_shows(tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    code, shown = re.search(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE).groups()
    printed = run(code, tmp_path)
    assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in shown.splitlines()]


@pytest.fixture
def hub_here(tmp_path_factory: pytest.TempPathFactory):
    with Server(tmp_path_factory.mktemp("hub")) as server:
        yield server.environment(xet=False, token="hf_write")


def test_the_python_page(tmp_path: Path, hub_here: dict[str, str]) -> None:
    """With the recipe of a tiny random model in place of the one that takes minutes."""
    make_tiny("smollm2", tmp_path / "tiny")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    script = "\n".join(CODE.findall(page))
    long = '"emosmol-135m", data="out/aaid", out="out/run", set={"tasks": "V-reg"}, minutes=10'
    assert long in script
    quick = long.replace("emosmol-135m", "tiny.yaml").replace(", minutes=10", "")
    printed = run(script.replace(long, quick), tmp_path, {**hub_here, "EMOLLMS_CACHE": str(tmp_path / "cache")})
    for shown in OUTPUT.findall(page):
        assert shown in printed


def test_the_page_on_distillation(tmp_path: Path) -> None:
    """With the recipe of a tiny random model in place of the one that takes an hour."""
    make_tiny("smollm2", tmp_path / "tiny")
    heads = {**TINY, "objective": "heads", "features": "frozen"}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(heads))
    script = "\n".join(CODE.findall(page := (ROOT / "docs" / "distill.md").read_text(encoding="utf-8")))
    assert "emosmol-135m-heads" in script
    quick = script.replace("emosmol-135m-heads", "tiny.yaml")
    printed = run(quick, tmp_path, {**os.environ, "EMOLLMS_CACHE": str(tmp_path / "cache")})
    assert OUTPUT.findall(page) == [printed]


def test_the_page_on_agreement(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "agree.md").read_text(encoding="utf-8")
    printed = run("\n".join(CODE.findall(page)), tmp_path, {**os.environ, "EMOLLMS_CACHE": str(tmp_path / "cache")})
    assert OUTPUT.findall(page) == [printed]
    assert (tmp_path / "out" / "agreement.html").is_file()


REVIEWS = """\
id,body
1,"I can't stop smiling, what a lovely evening!"
2,"Cold food, rude waiter. Never again."
3,The table was by the window.
4,
"""


def test_the_page_on_annotation(tmp_path: Path) -> None:
    """With a tiny random model in a folder of the name that the page uses."""
    make_tiny("smollm2", tmp_path / "OWNER" / "MODEL")
    (tmp_path / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    page = (ROOT / "docs" / "annotate.md").read_text(encoding="utf-8")
    printed = run("\n".join(CODE.findall(page)), tmp_path, {**os.environ, "EMOLLMS_CACHE": str(tmp_path / "cache")})
    assert printed.startswith("Affect(valence=")
    for shown in OUTPUT.findall(page):
        assert shown in printed
