"""Data sets built from corpora that tests write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_corpus import Install, write_corpus

from emollms.corpora import registry
from emollms.dataset.pipeline import Pipeline


@pytest.fixture(autouse=True)
def _no_gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds leave the quality gate out, except in tests marked `gate`: it takes seconds, and has tests of its own."""
    if "gate" not in request.keywords:
        monkeypatch.setattr(Pipeline, "check_suite", lambda self, manifest: None)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A function that writes the corpus `tiny` with rows by split, and gives the folder of corpora."""
    monkeypatch.setattr(registry, "_from_other_packages", registry._from_other_packages)
    yield lambda rows: write_corpus(tmp_path / "corpora", rows)
    registry.corpora.cache_clear()
