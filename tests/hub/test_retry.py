"""Which failures are waited out, and for how long."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from types import SimpleNamespace

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from emollms import retry
from emollms.errors import EmollmsError
from emollms.hub import client
from emollms.hub.client import POLICY, call_hub, describe, is_foreign, may_pass, telling

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
    assert call_hub(failing(*[answer(503)] * 7), policy=replace(POLICY, retries=7)) == "done"
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_the_hub_says_how_long(waits: list[float]) -> None:
    date = formatdate(NOW + 42, usegmt=True)
    errors = answer(429, Retry_After="7"), answer(503, Retry_After=date), answer(429, Retry_After="soon")
    assert call_hub(failing(*errors)) == "done"
    assert waits == [7, 42, 4]


def test_the_limits_of_the_hub_say_how_long(waits: list[float]) -> None:
    limits = {"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    assert call_hub(failing(answer(429, **limits), answer(429, RateLimit='"api";r=3;t=55'))) == "done"
    assert waits == [55, 2]


def test_it_is_bounded(waits: list[float]) -> None:
    with pytest.raises(HfHubHTTPError):
        call_hub(failing(*[answer(500)] * 6))
    assert len(waits) == 5
    with pytest.raises(EmollmsError, match=r"asks to wait 601 seconds; run it again after that"):
        call_hub(failing(answer(429, Retry_After="601")))


@pytest.mark.parametrize("error", [answer(400), answer(403), answer(404), answer(422), ValueError("no"), OSError("no")])
def test_what_cannot_pass_is_raised_at_once(error: Exception, waits: list[float]) -> None:
    with pytest.raises(type(error)):
        call_hub(failing(error))
    assert waits == []


@pytest.mark.parametrize("status", [408, 409, 412, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int, waits: list[float]) -> None:
    assert call_hub(failing(answer(status))) == "done"
    assert waits == [1]


def test_what_takes_long_says_so_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    """The block ends when two messages came; with a clock of no seconds, so that nothing waits."""
    told = threading.Event()

    class Counter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if len(caplog.messages) >= 2:
                told.set()

    client.log.addHandler(counter := Counter())
    try:
        with caplog.at_level("WARNING", "emollms"), telling("sending 3 files", after=0.0):
            assert told.wait(60)
    finally:
        client.log.removeHandler(counter)
    assert caplog.messages[0] == "still waiting for the Hub: sending 3 files (0 s)"


def test_every_call_is_watched(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A call that lasts until its message has come; 15 seconds are the limit, here none."""
    monkeypatch.setattr(client, "SLOW", 0.0)
    came = threading.Event()
    monkeypatch.setattr(client.log, "warning", lambda *words: came.set())
    assert call_hub(lambda: came.wait(60), doing="tagging")


def test_quick_calls_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    call_hub(lambda: "done")
    assert caplog.messages == []


@pytest.mark.parametrize(
    "error", [json.JSONDecodeError("x", "<html>", 0), KeyError("url"), TypeError("x"), ValueError("x")]
)
def test_answers_that_are_not_the_hubs(error: Exception) -> None:
    assert is_foreign(error)
    assert describe(error).startswith(
        "the answer is not the Hub's: a sign-in page or a proxy of this network may have "
    )
    assert not may_pass(error)


def test_errors_of_the_hub_and_of_the_line_are_its_own() -> None:
    assert not is_foreign(answer(503))
    assert not is_foreign(httpx2.ConnectError("refused"))


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
