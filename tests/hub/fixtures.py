"""The fixtures of tests that talk to the Hub; a `conftest.py` imports them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.client import Server, TestHub


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, for all tests."""
    with Server(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(params=[pytest.param("lfs", marks=pytest.mark.slow), "xet"])
def hub(hub_server: Server, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestHub]:
    """The Hub, once with uploads by Xet, as its client has them, and once, with the slow tests, by LFS."""
    (tmp_path / "hub").mkdir()
    seen = TestHub(hub_server, tmp_path / "hub", request.param == "xet")
    yield seen
    seen.close()
