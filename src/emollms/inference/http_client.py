"""Requests to servers that speak OpenAI's protocol, by the `openai` client; retries and pace are ours."""

import html
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from emollms.errors import UsageError, shorten
from emollms.inference.engine import EngineError
from emollms.optional import require
from emollms.retry import BUSY, RetryPolicy, retry_after

_MESSAGES = ("error", "message", "detail")
"""Where servers put what is wrong: `{"error": {"message": …}}`, `{"detail": …}` and the like."""
_VERBS = ("/chat/completions", "/completions", "/models")


class NonRetryableError(EngineError):
    """A request that the server refuses for good.

    Args:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """How a server is asked.

    Args:
        retry: how often, and after what waits, a request is sent again.
        connect_timeout: seconds to wait for a connection.
        timeout: seconds to wait for an answer.
        per_minute: the most requests a minute; None for no limit.
        key_variable: the environment variable with the API key; no message ever holds the key.
        sleep: what waits.
    """

    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(first_wait=0.5, longest_wait=120.0))
    connect_timeout: float = 5.0
    timeout: float = 600.0
    per_minute: float | None = None
    key_variable: str = "OPENAI_API_KEY"
    sleep: Callable[[float], None] = time.sleep


def base_url(url: str) -> str:
    """The address that verbs are appended to: without a verb at its end, and with `/v1` where there is no path.

    Raises:
        UsageError: it is no address of a server, or holds a user and password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address of a server; give one such as http://localhost:8000/v1")
    if parts.username is not None:
        raise UsageError("the address of a server takes no user and password; put the key into OPENAI_API_KEY")
    path = parts.path.rstrip("/")
    for verb in _VERBS:
        path = path.removesuffix(verb)
    return urlunsplit((parts.scheme, parts.netloc, path or "/v1", parts.query, ""))


class EndpointClient:
    """Sends and receives JSON; may be used by several threads.

    Args:
        url: the address of the server, see `base_url`.
        options: how it is asked.
    """

    def __init__(self, url: str, options: ClientOptions) -> None:
        self.url, self.options = base_url(url), options
        self._openai = require("openai", "evaluate", "--endpoint")
        self._httpx = require("httpx2", "evaluate", "--endpoint")
        self._key = os.environ.get(options.key_variable, "")
        self._client = self._openai.OpenAI(
            base_url=self.url,
            api_key=self._key or "none",
            max_retries=0,
            timeout=self._httpx.Timeout(options.timeout, connect=options.connect_timeout),
        )
        self._lock, self._next, self._reached = threading.Lock(), 0.0, False

    def post(self, verb: str, body: Any) -> Any:
        """The JSON that a verb, such as `completions`, answers with.

        Raises:
            NonRetryableError: the server refuses, and asking again would not help.
            EngineError: it cannot be reached, does not answer, or not with JSON.
        """
        return self._send(verb, lambda: self._client.post(f"/{verb}", cast_to=self._httpx.Response, body=body))

    def get(self, verb: str) -> Any:
        """The JSON of a verb that takes nothing, such as `models`; errors are those of `post`."""
        return self._send(verb, lambda: self._client.get(f"/{verb}", cast_to=self._httpx.Response))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, verb: str, send: Callable[[], Any]) -> Any:
        def once() -> Any:
            self._take_turn()
            response = send()
            self._reached = True
            return response

        try:
            response = self.options.retry.call(once, self._may_pass, self._asked, self.options.sleep)
        except self._openai.APIStatusError as error:
            raise self._status_error(verb, error) from None
        except self._openai.APIConnectionError as error:
            raise self._connection_error(error) from None
        try:
            return json.loads(response.text)
        except ValueError:
            said = self._clean(_said(response.text))
            raise EngineError(f"{self.url}/{verb} answers with no JSON: {said!r}; check the address") from None

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, self._openai.APIStatusError):
            asked = self._asked(error)
            return error.status_code in BUSY and (asked is None or asked <= self.options.retry.longest_wait)
        if isinstance(error.__cause__, self._httpx.TooManyRedirects):
            return False
        # A server that never answered is not there, or its address is wrong; one that did may be restarting.
        return isinstance(error, self._openai.APIConnectionError) and (self._reached or not self._is_absent(error))

    def _is_absent(self, error: BaseException) -> bool:
        return isinstance(error.__cause__, self._httpx.ConnectError | self._httpx.TimeoutException)

    def _asked(self, error: BaseException) -> float | None:
        return retry_after(error.response.headers) if isinstance(error, self._openai.APIStatusError) else None

    def _status_error(self, verb: str, error: Any) -> EngineError:
        status, said = error.status_code, self._clean(_said(error.response.text))
        if status in BUSY and (asked := self._asked(error)) is not None and asked > self.options.retry.longest_wait:
            return NonRetryableError(
                f"{self.url} is busy and asks to wait {asked:,.0f} seconds: {status} {said}", status
            )
        if status in BUSY:
            tries = self.options.retry.retries + 1
            return EngineError(f"{self.url}/{verb} failed {tries} times, the last time with {status} {said}")
        hint = f"; set the key in {self.options.key_variable}" if status in (401, 403) else ""
        hint = "; check the address and --model" if status == 404 else hint
        return NonRetryableError(f"{self.url}/{verb} refuses: {status} {said}{hint}", status)

    def _connection_error(self, error: BaseException) -> EngineError:
        host = urlsplit(self.url).netloc
        if isinstance(error.__cause__, self._httpx.TooManyRedirects):
            return EngineError(f"{self.url} redirects in a circle; check the address")
        if tls := _tls_error(error):
            return EngineError(f"no TLS with {host}: {tls}; check the certificate, and http or https in the address")
        if isinstance(error.__cause__, self._httpx.ReadTimeout) and not self._reached:
            return EngineError(f"{host} gives no answer within {self.options.timeout:g} seconds; check the server")
        if self._is_absent(error) and not self._reached:
            reason = _reason(error.__cause__)
            return EngineError(
                f"no server answers at {host}: {reason}; check the address and that the server is running"
            )
        tries = self.options.retry.retries + 1
        reason = "no answer in time" if isinstance(error, self._openai.APITimeoutError) else _reason(error.__cause__)
        return EngineError(f"{host} failed {tries} times, the last time with: {self._clean(reason)}")

    def _take_turn(self) -> None:
        """Wait until the rate limit allows another request."""
        if not self.options.per_minute:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 60.0 / self.options.per_minute
        self.options.sleep(turn - now)

    def _clean(self, text: str) -> str:
        """What a server said, on one line, cut, and without the key."""
        shown = text.replace(self._key, "…") if self._key else text
        return shorten(" ".join(shown.split()), 300)


_TAGS = re.compile(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>")


def _said(body: str) -> str:
    """What an answer says to people: the message of an error in JSON, the text of a web page, or all of it."""
    if body.lstrip()[:1] == "<":
        text = " ".join(html.unescape(_TAGS.sub(" ", body)).split())
        return f"a web page, {text}" if text else "a web page"
    try:
        found = json.loads(body)
    except ValueError:
        return body
    while isinstance(found, dict) and (inner := next((found[key] for key in _MESSAGES if found.get(key)), None)):
        found = inner
    return found if isinstance(found, str) else body


def _tls_error(error: BaseException | None) -> str | None:
    """What went wrong with TLS, if that is why there is no connection."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            return reason.lower().replace("_", " ")
        error = error.__cause__ or error.__context__
    return None


def _reason(error: BaseException | None) -> str:
    """Why there is no connection, in words of the system: `Connection refused`."""
    text = str(error or "") or type(error).__name__
    return text.rpartition("] ")[2] or text
