"""Which failures are waited out, and for how long."""

from collections.abc import Callable
from email.utils import formatdate
from types import SimpleNamespace

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from emollms.errors import EmollmsError
from emollms.publishing import retry
from emollms.publishing.retry import describe, may_pass, retrying

NOW = 1_000_000.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited; no time passes."""
    waited: list[float] = []
    monkeypatch.setattr(retry, "time", SimpleNamespace(sleep=waited.append, time=lambda: NOW))
    return waited


def answer(status: int, **headers: str) -> HfHubHTTPError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(status, headers=named, request=httpx2.Request("GET", "https://example.org"))
    return HfHubHTTPError("no", response=response)


def failing(*errors: Exception) -> Callable[[], str]:
    """A call that raises each of these, and then gives `done`."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_waits_double_up_to_a_limit(waits: list[float]) -> None:
    assert retrying(failing(*[answer(503)] * 7), tries=8) == "done"
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_the_hub_says_how_long(waits: list[float]) -> None:
    date = formatdate(NOW + 42, usegmt=True)
    errors = answer(429, Retry_After="7"), answer(503, Retry_After=date), answer(429, Retry_After="soon")
    assert retrying(failing(*errors)) == "done"
    assert waits == [7, 42, 4]


def test_it_is_bounded(waits: list[float]) -> None:
    with pytest.raises(HfHubHTTPError):
        retrying(failing(*[answer(500)] * 6))
    assert len(waits) == 5
    with pytest.raises(EmollmsError, match=r"asks to wait 601 seconds; run it again after that"):
        retrying(failing(answer(429, Retry_After="601")))


@pytest.mark.parametrize("error", [answer(400), answer(403), answer(404), answer(422), ValueError("no"), OSError("no")])
def test_what_cannot_pass_is_raised_at_once(error: Exception, waits: list[float]) -> None:
    with pytest.raises(type(error)):
        retrying(failing(error))
    assert waits == []


def test_causes_count() -> None:
    error = RuntimeError("Error while uploading 'a'")
    assert not may_pass(error)
    error.__cause__ = httpx2.ReadError("reset by peer")
    assert may_pass(error)
    assert describe(error) == "ReadError: reset by peer"


def test_errors_are_one_line() -> None:
    assert describe(answer(403, X_Error_Message="no\nrights")) == (
        "the Hub answered 403 (no rights); the token must have write access to this namespace"
    )
    assert describe(answer(502)) == "the Hub answered 502 (Bad Gateway)"
    assert describe(httpx2.ConnectTimeout("")) == "ConnectTimeout"
