import pytest
from loopback import Loopback

from emollms.corpora.download import Network
from emollms.retry import RetryPolicy


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    loopback = Loopback()
    yield loopback
    loopback.close()


@pytest.fixture
def waits():
    """The seconds that a download would have waited."""
    return []


@pytest.fixture
def network(waits):
    return Network(RetryPolicy(retries=3), sleep=waits.append)
