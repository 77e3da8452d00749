"""Downloads that resume: after a dropped connection, and after the program was killed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from emollms import __version__
from emollms.errors import EmollmsError, shorten
from emollms.progress import OnProgress, silent
from emollms.retry import BUSY, RetryPolicy, retry_after

LARGEST = 4 << 30  # bytes; a server that never stops sending must not fill the disk
_DROPPED = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)


class DownloadError(EmollmsError):
    """A file that could not be downloaded; the bytes that arrived are kept, and the next attempt resumes from them."""


@dataclass
class Downloader:
    """Downloads files over HTTP.

    Args:
        policy: how often, and after what waits, a failed request is sent again.
        progress: called as bytes arrive.
        sleep: waits for a number of seconds.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    progress: OnProgress = silent
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
            self.policy.call(lambda: self._request(url, part, label, size), self._may_pass, _asked, self.sleep)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
                self._unreachable.add(host)
            raise DownloadError(f"{label}: {self._reason(url, error)}") from error

    def _request(self, url: str, part: Path, label: str, size: int | None) -> None:
        here = part.stat().st_size if part.exists() else 0
        if size is not None and here > size:
            part.unlink()
            here = 0
        if size and here == size:
            return
        with self._client.stream("GET", url, headers={"Range": f"bytes={here}-"} if here else {}) as response:
            status, sent = response.status_code, response.headers.get("Content-Range", "")
            if here and status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
                if sent == f"bytes */{here}":
                    return  # all bytes are here
                if not sent.startswith(f"bytes {here}-"):
                    part.unlink()
                    raise httpx2.RemoteProtocolError(f"the server has no bytes from {here:,} on")
            response.raise_for_status()
            self._receive(response, part, label, here if status == HTTPStatus.PARTIAL_CONTENT else 0, size)

    def _receive(self, response: httpx2.Response, part: Path, label: str, here: int, size: int | None) -> None:
        limit = LARGEST if size is None else size
        length = int(response.headers.get("Content-Length", 0))
        total = size or (here + length if length else None)
        with part.open("ab" if here else "wb", buffering=0) as stream:
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
            raise httpx2.RemoteProtocolError(f"the answer ended after {here:,} of {size:,} bytes")

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, httpx2.HTTPStatusError):
            return error.response.status_code in BUSY and (_asked(error) or 0.0) <= self.policy.longest_wait
        # A certificate that is refused is a ConnectError too, and no second attempt mends it.
        return isinstance(error, _DROPPED) and "[SSL" not in str(error)

    def _reason(self, url: str, error: Exception) -> str:
        why = str(error) or type(error).__name__
        if isinstance(error, httpx2.HTTPStatusError):
            response = error.response
            why, wait = f"status {response.status_code}", _asked(error)
            what = f"{response.url} answers {response.status_code} {response.reason_phrase}".rstrip()
            if response.status_code not in BUSY:
                return f"{what}; see `emollms corpora show` for other ways to get the file"
            if wait is not None and wait > self.policy.longest_wait:
                return f"{what} and asks to wait {wait:.0f} seconds; run the command again then"
        if not self._may_pass(error):
            return f"{url} cannot be fetched: {shorten(why, 160)}"
        attempts = self.policy.retries + 1
        return f"gave up {url} after {attempts} tries: {shorten(why, 160)}; run the command again to resume"


def _asked(error: BaseException) -> float | None:
    return retry_after(error.response.headers) if isinstance(error, httpx2.HTTPStatusError) else None
