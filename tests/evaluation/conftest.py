"""A tiny model, made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest


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
