"""The code of the README and of every page in docs/ is run as it stands, but where the page gives a reason not to."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hub.client import Server
from pages import RUN, SHOWN, blocks, check_unrun, holds, same

import emollms
from emollms.inference.model_names import cache_folder, fetch_packaged
from emollms.training.tiny import make_tiny

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))}
FROM_SCRATCH = {"README.md", "python.md", "distill.md"}
"""Pages that begin in an empty folder, and make what they need."""
CHEAP = {"README.md", "annotate.md", "command-line.md", "near-duplicates.md", "provenance.md", "python.md", "scale.md"}
"""Pages that `make test` runs; the others take minutes together."""
WITH_EMOSMOL = {"README.md", "annotate.md", "distill.md"}
TINY = {
    "model_name_or_path": "tiny", "family": "llama", "learning_rate": 0.003, "per_device_train_batch_size": 4,
    "max_steps": 2, "bf16": False, "optim": "adamw_torch", "gradient_checkpointing": False, "eval_strategy": "no",
    "save_strategy": "no",
}  # fmt: skip
POSTS = """\
id,text,body
1,"I can't stop smiling, what a lovely evening!","I can't stop smiling, what a lovely evening!"
2,"Cold food, rude waiter. Never again.","Cold food, rude waiter. Never again."
3,The table was by the window.,The table was by the window.
4,,
"""


def with_code() -> list[str]:
    return [name for name, path in PAGES.items() if any(block.language in RUN for block in blocks(path.read_text()))]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pages speak of: texts, a tiny model, data sets of the sample corpus."""
    folder = tmp_path_factory.mktemp("prepared")
    for name in ("reviews.csv", "posts.csv", "monday.csv", "tuesday.csv"):
        (folder / name).write_text(POSTS, encoding="utf-8")
    make_tiny("smollm2", folder / "tiny")
    for name in ("OWNER/MODEL", "OWNER/A", "OWNER/B", "out/my-model"):
        shutil.copytree(folder / "tiny", folder / name)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "tiny-heads.yaml").write_text(yaml.safe_dump({**TINY, "objective": "heads", "features": "frozen"}))
    for data_set in ("aaid", "aeb"):
        emollms.build(data_set, folder / "out" / data_set, corpora="sample")
    return folder


@pytest.fixture(scope="module")
def hub_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with Server(tmp_path_factory.mktemp("hub")) as server:
        yield server.environment(xet=False, token="hf_write")


@pytest.fixture(scope="module")
def heads(prepared: Path) -> Path:
    """The same folder, with a one-pass classifier."""
    run = emollms.train(str(prepared / "tiny-heads.yaml"), data=prepared / "out" / "aaid", out=prepared / "out" / "my-heads")
    shutil.copytree(run.folder / "model", prepared / "OWNER" / "HEADS")
    return prepared


@pytest.fixture
def run_page(
    prepared: Path, hub_here: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], None]:
    def run(name: str) -> None:
        if name == "heads.md":
            request.getfixturevalue("heads")
        if name in WITH_EMOSMOL:  # fetched once a machine, and not for each page
            (tmp_path / "cache").mkdir()
            (tmp_path / "cache" / cache_folder().name).symlink_to(fetch_packaged(cache_folder()))
        names = ["tiny", "tiny.yaml", "tiny-heads.yaml"] if name in FROM_SCRATCH else os.listdir(prepared)
        for part in names:
            source = prepared / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / part)
        command = [sys.executable, str(ROOT / "tests" / "pages.py"), str(PAGES[name])]
        environment = {**hub_here, "EMOLLMS_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.parametrize(
    "name", [name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in with_code()]
)
def test_code_of_a_page_runs(name: str, run_page: Callable[[str], None]) -> None:
    run_page(name)


@pytest.mark.parametrize("name", PAGES)
def test_code_that_is_not_run_is_right(name: str) -> None:
    """It compiles, and has options that commands have; and each block is of a kind that is looked at."""
    for block in blocks(PAGES[name].read_text(encoding="utf-8")):
        assert block.language in (*RUN, *SHOWN), f"{name}:{block.line}: a block of {block.language or 'no language'}"
        if block.language in RUN:
            check_unrun(block)
