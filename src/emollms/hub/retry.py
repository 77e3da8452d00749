"""Calls to the Hub that are made again when it is busy or the line is bad, and what is said of those that fail."""

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
from huggingface_hub import get_session
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError
from huggingface_hub.utils._http import hf_raise_for_status, parse_ratelimit_headers

from emollms.errors import EmollmsError

BUSY = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""Statuses that may pass: a conflict (409) and a precondition (412) as well, since every call here can be repeated."""
TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds; each wait is twice the one before
LONGEST_ASKED = 600.0  # seconds: a Hub that asks for more is not waited for
SLOW = 15.0  # seconds after which a request says that it is waiting, and again after as many
CONFLICT = 409
FULL = ("No space left on device", "Not enough disk space")
"""What libraries say of a full disk where they drop the number of the error."""
CREATION, VALIDATION = "/api/repos/create", "/api/validate-yaml"

Result = TypeVar("Result")
log = logging.getLogger("emollms")


class ForeignAnswerError(EmollmsError):
    """An answer that cannot be the Hub's, such as the sign-in page of a network."""

    def __init__(self) -> None:
        super().__init__(
            "the answer is not the Hub's: a sign-in page or a proxy of this network may have answered in its place; "
            "open the network, and run it again"
        )


def retrying(call: Callable[[], Result], tries: int = TRIES, doing: str = "an answer") -> Result:
    """Make a call, and again where it fails for a reason that may pass; waits as `Retry-After` asks.

    Args:
        call: what to call; it must do no harm if it is done twice.
        tries: how often it is called at most.
        doing: what is waited for, in the message of a request that takes long.

    Raises:
        Exception: what the last call raised.
        EmollmsError: the Hub asks to wait for longer than ten minutes.
    """
    _look_at_answers()
    with telling(doing):
        for attempt in range(1, tries):
            try:
                return call()
            except Exception as error:
                if not may_pass(error):
                    raise
                wait(error, attempt)
        return call()


@contextmanager
def telling(doing: str, after: float | None = None) -> Iterator[None]:
    """Say on the log `emollms` that something is still waited for, again and again, while a block runs.

    Args:
        doing: what is waited for.
        after: seconds between two messages; `SLOW` by default.
    """
    over, seconds = threading.Event(), SLOW if after is None else after

    def tell() -> None:
        times = 1
        while not over.wait(seconds):
            log.warning("still waiting for the Hub: %s (%.0f s)", doing, times * seconds)
            times += 1

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _look_at_answers() -> None:
    """See to it that the client shows each answer to `_refuse`; it makes a new session after some errors."""
    session = get_session()
    hooks = session.event_hooks
    if _refuse not in hooks["response"]:
        session.event_hooks = {**hooks, "response": [*hooks["response"], _refuse]}


def _refuse(response: httpx2.Response) -> None:
    """Refuse answers that the client would misread: it waits for hours if asked to, and takes a web page for a yes.

    Raises:
        ForeignAnswerError: a web page where the Hub answers with JSON.
        EmollmsError: the Hub asks to wait for longer than ten minutes.
        HfHubHTTPError: the Hub is too busy to look at a card, which the client would take for a broken answer; or to
            create a repo, which the client would ask for again at once, without end.
    """
    path = response.request.url.path
    if response.status_code in BUSY:
        _refuse_long_wait(_asked_in(response.headers))
        if path == VALIDATION or (path == CREATION and not _exists_already(response)):
            hf_raise_for_status(response)
    is_page = "text/html" in response.headers.get("Content-Type", "").lower()
    is_file = path.startswith("/api/resolve-cache/")
    if response.is_success and is_page and not is_file and (path.startswith("/api/") or "/info/lfs/" in path):
        raise ForeignAnswerError


def _exists_already(response: httpx2.Response) -> bool:
    """Whether a conflict may be that what is to be created is there; another one is a job of the Hub's in its way."""
    return response.status_code == CONFLICT and b"another conflicting operation" not in response.read()


def wait(error: BaseException, attempt: int) -> None:
    """Wait before the next try: as long as the Hub asks, else longer from try to try.

    Raises:
        EmollmsError: the Hub asks to wait for longer than ten minutes.
    """
    answers = [cause.response for cause in causes(error) if isinstance(cause, HfHubHTTPError)]
    asked = _asked_in(answers[0].headers) if answers else None
    _refuse_long_wait(asked)
    time.sleep(min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT) if asked is None else asked)


def _refuse_long_wait(asked: float | None) -> None:
    if asked is not None and asked > LONGEST_ASKED:
        raise EmollmsError(f"the Hub is busy and asks to wait {asked:,.0f} seconds; run it again after that")


def _asked_in(headers: httpx2.Headers) -> float | None:
    """The seconds that an answer asks to wait: by `Retry-After`, a number or a date, or by the Hub's own header."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdecimal():
        return float(asked)
    try:
        return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
    except ValueError:
        limit = parse_ratelimit_headers(headers)
        return float(limit.reset_in_seconds) if limit and not limit.remaining else None


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later: the Hub is busy, or the connection broke."""
    return any(
        cause.response.status_code in BUSY
        if isinstance(cause, HfHubHTTPError)
        else isinstance(cause, httpx2.TransportError | ConnectionError | TimeoutError)
        for cause in causes(error)
    )


def is_foreign(error: BaseException) -> bool:
    """Whether an error comes from an answer that is not of the Hub's form: no JSON, or JSON that says other things."""
    strange = (FileMetadataError, ValueError, KeyError, TypeError, AttributeError, ForeignAnswerError)
    found = list(causes(error))
    return any(isinstance(cause, strange) for cause in found) and not any(
        isinstance(cause, HfHubHTTPError) for cause in found
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether something failed since a disk is full, or a quota is used up."""
    return any(
        getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(words in str(cause) for words in FULL)
        for cause in causes(error)
    )


def describe(error: BaseException) -> str:
    """What went wrong, in one line."""
    answers = [cause for cause in causes(error) if isinstance(cause, HfHubHTTPError)]
    if not answers and is_foreign(error):
        return str(ForeignAnswerError())
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
