"""Downloads that resume: after a dropped connection, and after the program was killed."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from emollms import __version__
from emollms.errors import EmollmsError, shorten
from emollms.retry import BUSY, RetryPolicy, retry_after

Progress = Callable[[str, int, int | None], None]
"""Called with a file's label, the bytes that are here, and the bytes there will be, where that is known."""

LARGEST = 4 << 30  # bytes; a server that never stops sending must not fill the disk
_DROPPED = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)


class DownloadError(EmollmsError):
    """A file that could not be downloaded; the bytes that arrived are kept, and the next attempt resumes from them."""


class _TransientError(Exception):
    """A failure that may pass; `wait` is how many seconds the server asks to wait, None where it asks for nothing."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(shorten(reason, 160))
        self.wait = wait


@dataclass
class Downloader:
    """Downloads files over HTTP.

    Args:
        policy: how often, and after what waits, a failed request is sent again.
        progress: called as bytes arrive.
        sleep: waits for a number of seconds.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    progress: Progress = lambda label, here, total: None
    sleep: Callable[[float], None] = time.sleep
    _unreachable: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        timeout = httpx2.Timeout(60.0, connect=15.0)  # seconds; 60 for the next bytes
        headers = {"Accept-Encoding": "identity", "User-Agent": f"emollms/{__version__}"}
        self._client = httpx2.Client(timeout=timeout, headers=headers, follow_redirects=True)

    def download(self, url: str, part: Path, label: str, size: int | None = None) -> None:
        """Fill `part` with the file at `url`; bytes of an earlier attempt are kept.

        Only the size is checked. A file that changed at the server between two attempts may be a mixture, which its
        hash alone reveals.

        Args:
            url: where the file is.
            part: the file to fill.
            label: what `progress` and errors call it.
            size: its size in bytes, where that is known.

        Raises:
            DownloadError: it could not be downloaded.
        """
        host = urlsplit(url).netloc
        if host in self._unreachable:
            raise DownloadError(f"{label}: {host} could not be reached; try again later")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.policy.call(
                lambda: self._request(url, part, label, size),
                may_pass=lambda error: isinstance(error, _TransientError),
                asked=lambda error: getattr(error, "wait", None),
                sleep=self.sleep,
            )
        except _TransientError as error:
            if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
                self._unreachable.add(host)
            attempts = self.policy.retries + 1
            message = f"{label}: gave up {url} after {attempts} tries: {error}; run the command again to resume"
            raise DownloadError(message) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise DownloadError(f"{label}: {url} cannot be fetched: {shorten(str(error), 160)}") from error

    def _request(self, url: str, part: Path, label: str, size: int | None) -> None:
        here = part.stat().st_size if part.exists() else 0
        if size is not None and here > size:
            part.unlink()
            here = 0
        if size and here == size:
            return
        headers = {"Range": f"bytes={here}-"} if here else {}
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                self._check_status(response, label, here)
                if (start := _start(response, part, here)) is not None:
                    self._receive(response, part, label, start, size)
        except _DROPPED as error:
            if _is_certificate_error(error):
                raise
            raise _TransientError(str(error) or type(error).__name__) from error

    def _check_status(self, response: httpx2.Response, label: str, here: int) -> None:
        status = response.status_code
        resumed = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE if here else None
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, resumed):
            return
        what = f"{response.url} answers {status} {response.reason_phrase}".rstrip()
        if status not in BUSY:
            raise DownloadError(f"{label}: {what}; see `emollms corpora show` for other ways to get the file")
        wait = retry_after(response.headers)
        if wait is not None and wait > self.policy.longest_wait:
            raise DownloadError(f"{label}: {what} and asks to wait {wait:.0f} seconds; run the command again then")
        raise _TransientError(f"status {status}", wait)

    def _receive(self, response: httpx2.Response, part: Path, label: str, start: int, size: int | None) -> None:
        limit = LARGEST if size is None else size
        length = response.headers.get("Content-Length", "")
        total = size or (start + int(length) if length.isdecimal() else None)
        here = start
        with part.open("r+b" if start else "wb", buffering=0) as stream:
            stream.seek(start)
            # Raw bytes: a .gz that the server declares as encoding must stay packed. No chunk size: httpx2 would hold
            # back the bytes of a chunk that is not full yet, and lose them when the connection drops.
            for chunk in response.iter_raw():
                here += stream.write(chunk)
                self.progress(label, here, total)
                if here > limit:
                    break
        if here > limit:
            part.unlink()
            raise DownloadError(f"{label}: {response.url} sends more than {limit:,} bytes")
        if size is not None and here < size:
            raise _TransientError(f"the answer ended after {here:,} of {size:,} bytes")


def _start(response: httpx2.Response, part: Path, here: int) -> int | None:
    """Where the bytes of this answer go, 0 where the server does not resume; None where all bytes are here."""
    found = response.headers.get("Content-Range", "")
    if response.status_code == HTTPStatus.OK:
        return 0
    if found == f"bytes */{here}":
        return None
    if found.startswith(f"bytes {here}-"):
        return here
    part.unlink()
    raise _TransientError(f"the server has no bytes from {here:,} on")


def _is_certificate_error(error: BaseException | None) -> bool:
    """Whether TLS failed, which no second attempt mends."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
