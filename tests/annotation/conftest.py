"""A tiny model with random weights, and a store of its own for each test."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that answers at random, and always the same."""
    from emollms.training.tiny import make_tiny

    return make_tiny("smollm2", tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path / "cache"))
