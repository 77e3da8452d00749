"""A tiny model with random weights, and a store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import ANNOTATES, Forks


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that answers at random, and always the same."""
    from emollms.training.tiny import make_tiny

    return make_tiny("smollm2", tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def annotate_forks() -> Iterator[Forks]:
    """Runs commands that annotate, without importing what models need each time."""
    with Forks(*ANNOTATES) as forks:
        yield forks


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path / "cache"))
