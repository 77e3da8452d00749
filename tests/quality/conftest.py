import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("compiled", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("compiled")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of the real corpora; a test that asks for it is skipped where there is none."""
    folder = os.environ.get("EMOLLMS_CORPORA")
    if not folder:
        pytest.skip("EMOLLMS_CORPORA is not set")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "corpora" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.corpora)
