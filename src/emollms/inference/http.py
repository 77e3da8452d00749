"""Requests that do not give up at the first refusal, and do not hurry a server that asks for time."""

import email.utils
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from emollms.errors import shorten
from emollms.inference.engine import EngineError

RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504, 529))
"""Refusals that another try may overcome."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How a client treats a server.

    Args:
        retries: how often a request is sent again.
        first_wait: seconds before the first of these; each further wait is twice as long, by chance up to half shorter.
        longest_wait: the most seconds between two tries; a longer `Retry-After` ends them.
        timeout: seconds for the connection, and for the answer.
        per_minute: the most requests a minute; None for no limit.
    """

    retries: int = 6
    first_wait: float = 0.5
    longest_wait: float = 120.0
    timeout: tuple[float, float] = (10.0, 600.0)
    per_minute: float | None = None


class RefusedError(EngineError):
    """A server that says no for good.

    Args:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Posts JSON; may be used by several threads.

    Args:
        patience: how to treat the server.
        key_variable: the environment variable with the API key; no message ever holds the key.
        sleep: what waits.
    """

    def __init__(self, patience: Patience, key_variable: str, sleep: Callable[[float], object] = time.sleep) -> None:
        self.patience, self._sleep = patience, sleep
        self._key = os.environ.get(key_variable, "")
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()
        self._next = 0.0

    def post(self, url: str, body: Any) -> Any:
        """The JSON that `url` answers with.

        Raises:
            RefusedError: it says no, and asking again would not help.
            EngineError: it does not answer, or not with JSON.
        """
        for tries in range(self.patience.retries + 1):
            self._take_turn()
            problem, status, wait = "", 0, None
            try:
                response = self._session().post(url, json=body, timeout=self.patience.timeout)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.ok:
                    return self._json(url, response)
                problem, status, wait = (
                    f"{response.status_code} {response.text}",
                    response.status_code,
                    _asked(response),
                )
                if status not in RETRIED or (wait or 0) > self.patience.longest_wait:
                    raise RefusedError(f"{url} refuses: {self._clean(problem)}", status)
            if tries < self.patience.retries:
                self._sleep(self._wait(tries) if wait is None else wait)
        raise EngineError(f"{url} failed {self.patience.retries + 1} times, the last time with {self._clean(problem)}")

    def close(self) -> None:
        """Close the connections."""
        for session in self._sessions:
            session.close()

    def _wait(self, tries: int) -> float:
        longest: float = min(self.patience.longest_wait, self.patience.first_wait * 2.0**tries)
        return longest * random.uniform(0.5, 1.0)

    def _take_turn(self) -> None:
        """Wait until the rate limit allows another request."""
        if not self.patience.per_minute:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 60.0 / self.patience.per_minute
        self._sleep(turn - now)

    def _session(self) -> requests.Session:
        """The session of this thread."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            if self._key:
                session.headers["Authorization"] = f"Bearer {self._key}"
            with self._lock:
                self._sessions.append(session)
        return session

    def _json(self, url: str, response: requests.Response) -> Any:
        try:
            return response.json()
        except requests.exceptions.JSONDecodeError as error:
            raise EngineError(f"{url} answers with no JSON: {self._clean(response.text)!r}") from error

    def _clean(self, text: str) -> str:
        """What a server said, on one line, cut, and without the key."""
        shown = text.replace(self._key, "…") if self._key else text
        return shorten(" ".join(shown.split()), 300)


def _asked(response: requests.Response) -> float | None:
    """The seconds that `Retry-After` asks for: a number, or a date (RFC 9110, 10.2.3)."""
    asked = response.headers.get("Retry-After", "").strip()
    if not asked:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None
