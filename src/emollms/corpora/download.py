"""Where the files of a corpus come from: its official addresses, with downloads that resume, or a folder."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx2

from emollms import __version__
from emollms.corpora.archives import ArchiveError, read_member
from emollms.corpora.file_table import SourceFile, listed
from emollms.corpora.metadata import CorpusMetadata
from emollms.errors import EmollmsError, Place, SourceError, UsageError, shorten
from emollms.progress import OnProgress, silent
from emollms.retry import BUSY, RetryPolicy, retry_after
from emollms.storage import write_whole

Installed = tuple[SourceFile, EmollmsError | None]
"""A file, and why it could not be put in its place; None where it is there now."""
LARGEST = 4 << 30  # bytes; a server that never stops sending must not fill the disk
_DROPPED = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)
_REMEDY = "the source gives another file than the pinned one; see `emollms corpora show` for other ways to get it"


class DownloadError(EmollmsError):
    """A file that could not be downloaded; the bytes that arrived are kept, and the next attempt resumes from them."""


@dataclass
class Network:
    """The official addresses; an archive is downloaded once for all its members.

    Args:
        policy: how often, and after what waits, a failed request is sent again.
        on_progress: called as bytes arrive.
        sleep: waits for a number of seconds.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    on_progress: OnProgress = silent
    sleep: Callable[[float], None] = time.sleep
    _unreachable: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        timeout = httpx2.Timeout(60.0, connect=15.0)  # seconds; 60 for the next bytes
        headers = {"Accept-Encoding": "identity", "User-Agent": f"emollms/{__version__}"}
        self._client = httpx2.Client(timeout=timeout, headers=headers, follow_redirects=True)

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Which files only a person can get, and how."""
        how = meta.by_hand or f"see {meta.homepage}"
        return f"only by hand: {listed(files, 10)}; {how}; then: emollms corpora fetch {meta.name} --from DIR"

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Installed]:
        """Put every file that has an address below `folder`."""
        groups: dict[tuple[str, str], list[SourceFile]] = {}
        for file in files:
            if file.address:
                url = file.address.partition("!")[0]
                groups.setdefault((url, _archive_name(file) or file.path), []).append(file)
        for (url, name), members in groups.items():
            yield from self._get(meta, url, name, members, folder)

    def _get(
        self, meta: CorpusMetadata, url: str, name: str, files: Sequence[SourceFile], folder: Path
    ) -> list[Installed]:
        """Download what becomes one file, or the archive of several, and put them in their places."""
        part = folder / f"{name}.part"
        resumed = part.exists()
        packed = bool(_archive_name(files[0]))
        try:
            self._download(url, part, f"{meta.name}/{name}", None if packed else files[0].bytes)
        except DownloadError as error:
            return [(file, error) for file in files]
        results = [(file, _install(meta, file, part, packed, folder)) for file in files]
        part.unlink()
        if resumed and (wrong := [file for file, error in results if error]):
            # The first half may be that of an older file: once more, from the first byte.
            return [one for one in results if not one[1]] + self._get(meta, url, name, wrong, folder)
        return results

    def _download(self, url: str, part: Path, label: str, size: int | None) -> None:
        """Fill `part`, resuming from the bytes that are there; its hash alone tells whether they still fit the rest."""
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
                self.on_progress(label, here, total)
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
        # A refused certificate is a ConnectError too, and no second attempt mends it.
        is_refused = isinstance(error, httpx2.ConnectError) and "[SSL" in str(error)
        return isinstance(error, _DROPPED) and not is_refused

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


@dataclass
class LocalFolder:
    """A folder that holds all corpora (`ROOT/NAME/path`), one of them (`ROOT/path`), or archives of them.

    Args:
        root: the folder.

    Raises:
        UsageError: there is no such folder.
    """

    root: Path

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise UsageError(f"{self.root} is no folder; --from takes the folder that holds the files")

    def has_any(self, meta: CorpusMetadata) -> bool:
        """Whether any file of a corpus, or an archive of it, seems to be here."""
        return any(True for file in meta.files for _ in self._sources(meta, file))

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Installed]:
        """Put every file that is here, as it is or in an archive, below `folder`."""
        for file in files:
            errors: list[EmollmsError] = []
            for path, packed in self._sources(meta, file):
                if (error := _install(meta, file, path, packed, folder)) is None:
                    yield file, None
                    break
                errors.append(error)
            else:
                yield from ((file, error) for error in errors[:1])

    def _sources(self, meta: CorpusMetadata, file: SourceFile) -> Iterator[tuple[Path, bool]]:
        """Where a file may be, the archives last, and whether each of these is an archive."""
        for name, packed in ((file.path, False), (_archive_name(file), True)):
            for folder in (self.root / meta.name, self.root):
                if name and (folder / name).is_file():
                    yield folder / name, packed

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Where the files were looked for."""
        return f"not in {self.root} or {self.root / meta.name}: {listed(files, 10)}"


def _install(meta: CorpusMetadata, file: SourceFile, source: Path, packed: bool, folder: Path) -> EmollmsError | None:
    """Put a file in its place if `source` is, or as an archive holds, the pinned one; else say why not."""
    place = Place(f"{meta.name}/{file.path}")
    if packed:
        try:
            content = read_member(source, str(file.address).partition("!")[2], file.bytes)
        except ArchiveError as error:
            return ArchiveError(f"{meta.name}: {error}")
    elif (size := source.stat().st_size) != file.bytes:  # before it is read: a file of any size may have this name
        return SourceError(place, f"size is not {file.bytes:,} bytes", f"{size:,}", _REMEDY)
    else:
        content = source.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != file.sha256:
        return SourceError(place, f"SHA-256 is not {file.sha256}", found, _REMEDY)
    write_whole(folder / file.path, content)
    return None


def _archive_name(file: SourceFile) -> str:
    """The name of the archive that a file is fetched in; empty for one that is fetched as it is."""
    url, mark, _ = (file.address or "").partition("!")
    return PurePosixPath(unquote(urlsplit(url).path)).name if mark else ""
