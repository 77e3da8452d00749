"""Data sets built from corpora that tests write."""

import pytest

from emollms.dataset.pipeline import Pipeline


@pytest.fixture(autouse=True)
def _no_gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds leave the quality gate out, except in tests marked `gate`: it takes seconds, and has tests of its own."""
    if "gate" not in request.keywords:
        monkeypatch.setattr(Pipeline, "check_suite", lambda self, manifest: None)
