"""The benchmark as published, built once."""

from pathlib import Path

import pytest

from emollms.repository.build import build
from emollms.repository.specs import DATA_SETS, Settings


@pytest.fixture(scope="session")
def paper_aeb(corpora_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The AEB with the published rows."""
    out = tmp_path_factory.mktemp("evaluation") / "aeb"
    build(Settings(DATA_SETS["aeb"], "paper"), out, root=corpora_dir)
    return out
