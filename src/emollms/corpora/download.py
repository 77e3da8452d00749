"""Downloads that go on where they stopped: after a drop, and after the program was killed."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from urllib3.util import Retry

from emollms import __version__
from emollms.corpora.install import CHUNK, discard, validator_of
from emollms.errors import EmollmsError, shorten

Progress = Callable[[str, int, int | None], None]
"""Told of a file's label, the bytes that are here, and the bytes there will be, where that is known."""

LARGEST = 4 << 30  # bytes; a server that never stops sending must not fill the disk
_AGAIN = (429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-")


class DownloadError(EmollmsError):
    """A file that could not be fetched; what came of it is kept, and the next try goes on from there."""


@dataclass(eq=False)
class _PassingError(Exception):
    """A try that failed in a way that may pass.

    Args:
        cause: what happened.
        reached: whether the server answered.
        wait: seconds that the server asks to wait, or 0.
    """

    cause: Exception
    reached: bool
    wait: float = 0.0


@dataclass(frozen=True)
class Patience:
    """How long to go on with a server that fails.

    Args:
        retries: tries after the first, for one file.
        backoff: seconds before the third try; they double from try to try. The second comes at once.
        longest: the longest wait, in seconds. A server that asks for more is left alone.
        connect: seconds to wait for a connection.
        read: seconds to wait for the next bytes.
    """

    retries: int = 6
    backoff: float = 1.0
    longest: float = 60.0
    connect: float = 15.0
    read: float = 60.0

    def retry(self) -> Retry:
        """The count of the tries for one file."""
        return Retry(self.retries, status_forcelist=_AGAIN, backoff_factor=self.backoff, backoff_max=self.longest)


@dataclass
class Downloader:
    """Fetches files over HTTP.

    Args:
        patience: how long to go on with a server that fails.
        progress: told of the bytes that arrive.
        sleep: waits for a number of seconds.
    """

    patience: Patience = field(default_factory=Patience)
    progress: Progress = lambda label, here, total: None
    sleep: Callable[[float], None] = time.sleep
    _session: requests.Session = field(default_factory=requests.Session, repr=False)
    _dead: set[str] = field(default_factory=set, repr=False)

    def download(self, address: str, part: Path, label: str, size: int | None = None) -> None:
        """Fill `part` with the file at `address`; bytes that are there from an earlier try are kept.

        Nothing is checked but the size: a file resumed over a change at the server may be a mixture, and only its
        hash tells.

        Args:
            address: URL.
            part: the file to fill.
            label: what to call it to `progress` and in errors.
            size: its size in bytes, where that is known.

        Raises:
            DownloadError: it could not be fetched.
        """
        host = urlsplit(address).netloc
        if host in self._dead:
            raise DownloadError(f"{label}: {host} could not be reached; try again later")
        part.parent.mkdir(parents=True, exist_ok=True)
        retry = self.patience.retry()
        while True:
            try:
                return self._try(address, part, label, size, retry)
            except _PassingError as again:
                retry = self._count(retry, address, label, again)
                self.sleep(max(again.wait, retry.get_backoff_time()))
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise DownloadError(f"{label}: {address} cannot be fetched: {_reason(error)}") from error

    def _count(self, retry: Retry, address: str, label: str, again: _PassingError) -> Retry:
        try:
            return retry.increment("GET", address, error=again.cause)
        except urllib3.exceptions.MaxRetryError:
            if not again.reached:
                self._dead.add(urlsplit(address).netloc)
            tries, cause = self.patience.retries + 1, _reason(again.cause)
            message = f"{label}: gave up {address} after {tries} tries: {cause}; run the command again to go on"
            raise DownloadError(message) from again.cause

    def _try(self, address: str, part: Path, label: str, size: int | None, retry: Retry) -> None:
        here = part.stat().st_size if part.exists() else 0
        if size is not None and here > size:
            discard(part)
            here = 0
        if size is not None and here == size > 0:
            return
        timeout = (self.patience.connect, self.patience.read)
        try:
            response = self._session.get(address, headers=_headers(part, here), stream=True, timeout=timeout)
        except requests.exceptions.SSLError:
            raise
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _PassingError(error, reached=False) from error
        with response:
            if self._complete(response, part, here):
                return
            self._refuse(response, label, retry)
            start = _start(response, part, here)
            self._receive(response, part, label, start, size)

    def _complete(self, response: requests.Response, part: Path, here: int) -> bool:
        if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not here:
            return False
        if response.headers.get("Content-Range") == f"bytes */{here}":
            return True
        discard(part)
        raise _PassingError(ValueError(f"the server has no bytes from {here:,} on"), reached=True)

    def _refuse(self, response: requests.Response, label: str, retry: Retry) -> None:
        status = response.status_code
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            return
        what = f"{response.url} answers {status} {response.reason or ''}".rstrip()
        if not retry.is_retry("GET", status, "Retry-After" in response.headers):
            raise DownloadError(f"{label}: {what}; see `emollms corpora show` for other ways to get the file")
        wait = _asked(response, retry)
        if wait > self.patience.longest:
            raise DownloadError(f"{label}: {what} and asks to wait {wait:.0f} seconds; run the command again then")
        raise _PassingError(ValueError(f"status {status}"), reached=True, wait=wait)

    def _receive(self, response: requests.Response, part: Path, label: str, start: int, size: int | None) -> None:
        limit = LARGEST if size is None else size
        total = size or _total(response, start)
        here = start
        with part.open("r+b" if start else "wb", buffering=0) as stream:
            stream.seek(start)
            try:
                # The bytes as sent: a .gz that the server declares as encoding must stay packed.
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    here += stream.write(chunk)
                    self.progress(label, here, total)
                    if here > limit:
                        break
            except urllib3.exceptions.HTTPError as error:
                raise _PassingError(error, reached=True) from error
        if here > limit:
            discard(part)
            raise DownloadError(f"{label}: {response.url} sends more than {limit:,} bytes")
        if size is not None and here < size:
            raise _PassingError(ValueError(f"the answer ended after {here:,} of {size:,} bytes"), reached=True)


def _headers(part: Path, here: int) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": f"emollms/{__version__}"}
    if here:
        headers["Range"] = f"bytes={here}-"
        if validator_of(part).exists():
            headers["If-Range"] = validator_of(part).read_text(encoding="latin-1")
    return headers


def _start(response: requests.Response, part: Path, here: int) -> int:
    """Where the bytes of this answer go; a new file is begun where the server does not go on with the old one."""
    validator = _validator(response)
    kept = validator_of(part)
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        same = not (validator and kept.exists()) or kept.read_text(encoding="latin-1") == validator
        if found and int(found[1]) == here and same:
            return here
        discard(part)
        raise _PassingError(ValueError("the server sends another part than asked for"), reached=True)
    discard(part)
    part.touch()
    if validator:
        kept.write_text(validator, encoding="latin-1")
    return 0


def _validator(response: requests.Response) -> str | None:
    """What `If-Range` may hold: a strong ETag, else the date."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _total(response: requests.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _asked(response: requests.Response, retry: Retry) -> float:
    try:
        return retry.get_retry_after(response.raw) or 0.0
    except urllib3.exceptions.InvalidHeader:
        return 0.0


def _reason(error: Exception) -> str:
    inner = error.args[0] if error.args else error
    return shorten(str(getattr(inner, "reason", None) or error), 160)
