"""The benchmark as published, the made-up sample of it, and a tiny model, made once."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emollms.cli import main
from emollms.repository.build import build
from emollms.repository.specs import DATA_SETS, Settings


@pytest.fixture(scope="session")
def paper_aeb(corpora_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AEB with the published rows."""
    out = tmp_path_factory.mktemp("evaluation") / "aeb"
    build(Settings(DATA_SETS["aeb"], "paper"), out, root=corpora_dir)
    return out


@pytest.fixture(scope="session")
def sample_aeb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AEB of the corpus that comes with the package, in English and Spanish."""
    out = tmp_path_factory.mktemp("evaluation") / "aeb"
    build(Settings(DATA_SETS["aeb"], corpora=("sample",), languages=("en", "es")), out, validate=False)
    return out


@pytest.fixture(scope="session")
def sample_aaid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training data of the same corpus."""
    out = tmp_path_factory.mktemp("evaluation") / "aaid"
    build(Settings(DATA_SETS["aaid"], corpora=("sample",)), out, validate=False)
    return out


@pytest.fixture(scope="session")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model with short answers."""
    pytest.importorskip("torch", reason="models need the extra train")
    from evaluation.talkative import save

    return save(tmp_path_factory.mktemp("models") / "talkative")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for tiny models: on a busy machine, more of them wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
