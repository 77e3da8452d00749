"""Fixtures that several tests share."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forks import BUILDS, Forks
from hypothesis import settings
from tiny_corpus import Install, write_corpus

from emollms.cli import main
from emollms.corpora import registry
from emollms.corpora.base import Profile
from emollms.dataset.build import build_repo
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.storage import locked

settings.register_profile("compiled", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("compiled")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "corpora_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.corpora)


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The folder of the real corpora."""
    named = os.environ.get("EMOLLMS_CORPORA")
    if not named:
        pytest.skip("EMOLLMS_CORPORA names no folder of corpora")
    return Path(named).resolve()


@pytest.fixture(scope="session")
def reference_dir(corpora_dir: Path) -> Path:
    """The published answers and tables, beside the corpora."""
    folder = corpora_dir.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="session")
def real_repo(corpora_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that gives a data set of the real corpora, built without the gate: once for all test processes.

    Nobody may change what is in its folder.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # each process of xdist has a base of its own

    def build(name: str, profile: Profile = "release") -> Path:
        folder = shared / "real" / profile
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f"{name}.lock"):
            if not (folder / name).exists():
                build_repo(Settings(DATA_SETS[name], profile), folder / name, root=corpora_dir, validate=False)
        return folder / name

    return build


@pytest.fixture
def sample_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the sample corpus is here: AAID+ reads the tests of every corpus that is."""
    monkeypatch.delenv("EMOLLMS_CORPORA", raising=False)


@pytest.fixture(scope="session")
def build_forks() -> Iterator[Forks]:
    """Runs commands that build, without importing what builds need each time."""
    with Forks(*BUILDS) as forks:
        yield forks


@pytest.fixture(scope="session")
def paper_aeb(real_repo: Callable[..., Path]) -> Path:
    """The AEB with the published rows."""
    return real_repo("aeb", "paper")


@pytest.fixture(scope="session")
def sample_aeb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AEB of the corpus that comes with the package, in English and Spanish."""
    out = tmp_path_factory.mktemp("evaluation") / "aeb"
    build_repo(Settings(DATA_SETS["aeb"], corpora=("sample",), languages=("en", "es")), out, validate=False)
    return out


@pytest.fixture(scope="session")
def sample_aaid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training data of the same corpus."""
    out = tmp_path_factory.mktemp("evaluation") / "aaid"
    build_repo(Settings(DATA_SETS["aaid"], corpora=("sample",)), out, validate=False)
    return out


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A function that writes the corpus `tiny` with rows by split, and gives the folder of corpora."""
    monkeypatch.setattr(registry, "_from_other_packages", registry._from_other_packages)
    yield lambda rows: write_corpus(tmp_path / "corpora", rows)
    registry.corpora.cache_clear()


@pytest.fixture
def local_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Ray of two workers on this machine; the test is skipped where Ray is not installed."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # no token in HOME
    settings["RAY_raylet_start_wait_time_s"] = "600"  # on a busy machine its processes take minutes to start
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    folder = tempfile.mkdtemp(prefix="ray")  # that of the test is too long for the names of sockets
    # By default Ray takes nearly a third of the memory for its objects.
    store = 256 * 1024 * 1024
    ray.init(num_cpus=2, object_store_memory=store, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def emollms(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command in this process: its exit code and what it wrote to stdout and stderr."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["emollms", *map(str, words)])
        with pytest.raises(SystemExit) as done:
            main()
        said = capsys.readouterr()
        return int(done.value.code or 0), said.out, said.err

    return call
