"""The Hub on the loopback, and small data sets to publish."""

from pathlib import Path

import pytest
from tiny_corpus import settings

from emollms.dataset.build import build_repo
from hub.fixtures import hub, hub_server

__all__ = ["hub", "hub_server"]


@pytest.fixture(scope="session")
def aeb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark, from the sample corpus."""
    out = tmp_path_factory.mktemp("sample") / "aeb"
    build_repo(settings("aeb", "sample"), out)
    return out


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two versions of a part of the benchmark: one task, and two of it."""
    folder = tmp_path_factory.mktemp("versions")
    tasks = {"1.0.0": ("V-reg",), "1.1.0": ("V-reg", "SST")}
    for version, chosen in tasks.items():
        build_repo(settings("aeb", "sample", tasks=chosen), folder / version, version)
    return {version: folder / version for version in tasks}


@pytest.fixture
def small(versions: dict[str, Path]) -> Path:
    """The first version."""
    return versions["1.0.0"]
