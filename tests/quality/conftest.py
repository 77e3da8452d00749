import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the real corpora; a test that asks for it is skipped where there is none."""
    folder = os.environ.get("EMOLLMS_CORPORA")
    if not folder:
        pytest.skip("EMOLLMS_CORPORA is not set")
    return Path(folder)
