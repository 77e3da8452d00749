"""Calls to the Hub that are made again when it is busy or the line is bad."""

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from emollms.errors import EmollmsError

BUSY = (408, 429, 500, 502, 503, 504)
TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds; each wait is twice the one before
LONGEST_ASKED = 600.0  # seconds: a Hub that asks for more is not waited for

Result = TypeVar("Result")


def retrying(call: Callable[[], Result], tries: int = TRIES) -> Result:
    """Make a call, and again where it fails for a reason that may pass; waits as `Retry-After` asks.

    Args:
        call: what to call; it must do no harm if it is done twice.
        tries: how often it is called at most.

    Raises:
        Exception: what the last call raised.
        EmollmsError: the Hub asks to wait for longer than ten minutes.
    """
    for attempt in range(1, tries):
        try:
            return call()
        except Exception as error:
            if not may_pass(error):
                raise
            wait(error, attempt)
    return call()


def wait(error: BaseException, attempt: int) -> None:
    """Wait before the next try: as long as the Hub asks, else longer from try to try.

    Raises:
        EmollmsError: the Hub asks to wait for longer than ten minutes.
    """
    asked = _retry_after(error)
    if asked is not None and asked > LONGEST_ASKED:
        raise EmollmsError(f"the Hub is busy and asks to wait {asked:,.0f} seconds; run it again after that") from error
    time.sleep(min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT) if asked is None else asked)


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later: the Hub is busy, or the connection broke."""
    return any(
        cause.response.status_code in BUSY
        if isinstance(cause, HfHubHTTPError)
        else isinstance(cause, httpx2.TransportError | ConnectionError | TimeoutError)
        for cause in causes(error)
    )


def describe(error: BaseException) -> str:
    """What went wrong, in one line."""
    answers = [cause for cause in causes(error) if isinstance(cause, HfHubHTTPError)]
    if not answers:
        last = list(causes(error))[-1]
        return f"{type(last).__name__}: {' '.join(str(last).split())}".rstrip(": ")
    response = answers[0].response
    message = response.headers.get("X-Error-Message") or answers[0].server_message or response.reason_phrase
    return f"the Hub answered {response.status_code} ({' '.join(message.split())}){_hint(response.status_code)}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def _hint(status: int) -> str:
    if status == 401:
        return "; log in with `hf auth login`, or set HF_TOKEN"
    return "; the token must have write access to this namespace" if status == 403 else ""


def _retry_after(error: BaseException) -> float | None:
    for cause in causes(error):
        if isinstance(cause, HfHubHTTPError) and (asked := cause.response.headers.get("Retry-After")):
            if asked.strip().isdigit():
                return float(asked)
            try:
                return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
            except ValueError:
                return None
    return None
