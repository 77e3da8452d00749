"""Calls to the Hub: made again while it is busy or the line is bad; what is wrong with those that fail, in one line."""

import errno
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx2
from huggingface_hub import get_session
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError
from huggingface_hub.utils._http import hf_raise_for_status, parse_ratelimit_headers

from emollms import retry
from emollms.errors import EmollmsError

POLICY = retry.RetryPolicy(retries=5, first_wait=1.0, longest_wait=30.0)
ONCE = retry.RetryPolicy(retries=0)
LONGEST_ASKED = 600.0  # seconds: a Hub that asks for more is not waited for
SLOW = 15.0  # seconds after which a request says that it is waiting, and again after as many
CONFLICT = 409
BUSY = retry.BUSY | {CONFLICT, 412}
"""Statuses that may pass: a conflict and a failed precondition (412) as well, since every call here can be repeated."""
FULL = ("No space left on device", "Not enough disk space")
"""What libraries say of a full disk where they drop the number of the error."""
CREATION, VALIDATION = "/api/repos/create", "/api/validate-yaml"
FROM_THE_CLIENT = (
    HfHubHTTPError, httpx2.HTTPError, OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError,
)  # fmt: skip
"""What the client raises; the last four where an answer is not of the form that it expects."""

Result = TypeVar("Result")
log = logging.getLogger("emollms")


class ForeignAnswerError(EmollmsError):
    """An answer that cannot be the Hub's, such as the sign-in page of a network."""

    def __init__(self) -> None:
        super().__init__(
            "the answer is not the Hub's: a sign-in page or a proxy of this network may have answered in its place; "
            "sign in to the network, and run it again"
        )


def call_hub(call: Callable[[], Result], doing: str = "an answer", policy: retry.RetryPolicy = POLICY) -> Result:
    """Make a call, and again while it fails for a reason that may pass; waits as long as the Hub asks.

    Args:
        call: what to call; calling it twice must do no harm.
        doing: what is waited for, in the message about a request that takes long.
        policy: how often it is called, and after what waits.

    Raises:
        Exception: what the last call raised.
        EmollmsError: the Hub asks to wait for longer than ten minutes.
    """
    _check_answers()
    with telling(doing):
        return policy.call(call, may_pass, _asked)


@contextmanager
def telling(doing: str, after: float | None = None) -> Iterator[None]:
    """Say on the log `emollms` that something is still waited for, at intervals, while a block runs.

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


def _check_answers() -> None:
    """Make the client's session show each answer to `_refuse`; the client makes a new session after some errors."""
    session = get_session()
    hooks = session.event_hooks
    if _refuse not in hooks["response"]:
        session.event_hooks = {**hooks, "response": [*hooks["response"], _refuse]}


def _refuse(response: httpx2.Response) -> None:
    """Refuse answers that the client would misread: it waits for hours if asked to, and takes a web page for a yes.

    Raises:
        ForeignAnswerError: a web page where the Hub answers with JSON.
        EmollmsError: the Hub asks to wait for longer than ten minutes.
        HfHubHTTPError: the Hub is too busy to validate a card, which the client would take for a broken answer; or to
            create a repo, which the client would ask for again at once, without end.
    """
    path = response.request.url.path
    if response.status_code in BUSY:
        _seconds_asked(response.headers)
        if path == VALIDATION or (path == CREATION and not _exists_already(response)):
            hf_raise_for_status(response)
    is_page = "text/html" in response.headers.get("Content-Type", "").lower()
    is_file = path.startswith("/api/resolve-cache/")
    if response.is_success and is_page and not is_file and (path.startswith("/api/") or "/info/lfs/" in path):
        raise ForeignAnswerError


def _exists_already(response: httpx2.Response) -> bool:
    """Whether a conflict may be that what is to be created exists; another one is a job of the Hub's in its way."""
    return response.status_code == CONFLICT and b"another conflicting operation" not in response.read()


def _asked(error: BaseException) -> float | None:
    """The seconds that the answer behind an error asks to wait; see `_seconds_asked`."""
    answers = [cause.response for cause in causes(error) if isinstance(cause, HfHubHTTPError)]
    return _seconds_asked(answers[0].headers) if answers else None


def _seconds_asked(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait, by `Retry-After` or by the rate limits that the Hub states.

    Raises:
        EmollmsError: they are more than ten minutes.
    """
    asked = retry.retry_after(headers)
    if asked is None and (limit := parse_ratelimit_headers(headers)) and not limit.remaining:
        asked = float(limit.reset_in_seconds)
    if asked is not None and asked > LONGEST_ASKED:
        raise EmollmsError(f"the Hub is busy and asks to wait {asked:,.0f} seconds; run it again after that")
    return asked


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later: the Hub is busy, or the connection broke."""
    if isinstance(error, EmollmsError):  # decided already, whatever it was raised from
        return False
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
