"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest


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
