"""Reading members of zip and tar.gz archives from strangers.

No name in an archive ever becomes a path on this machine: members are read, and the caller says where they go.
"""

import gzip
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from emollms.errors import EmollmsError

CHUNK = 1 << 16  # bytes
RATIO = 100
"""An archive may not unpack to more than this many times its size; text packs to a third or a tenth."""
FLOOR = 16 << 20  # bytes that any archive may unpack to: a small one of repetitive text packs better
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)
_LEADS_OUT = re.compile(r"/|[A-Za-z]:|(?:.*/)?\.\.(?:/|$)")


class ArchiveError(EmollmsError):
    """An archive that is broken, not safe, or does not hold what is wanted."""


@dataclass(frozen=True)
class _Member:
    """An entry: its path with `/` between the parts, the bytes it claims to have, and what opens it."""

    name: str
    size: int
    is_file: bool
    open: Callable[[], IO[bytes] | None]


@dataclass(frozen=True)
class Archive:
    """An open archive, from `open_archive`."""

    name: str
    members: Sequence[_Member]

    def read(self, end: str, size: int) -> Iterator[bytes]:
        """The bytes of the one regular file whose path is, or else ends in, `end`; at most `size` + 1 bytes.

        Raises:
            ArchiveError: there is no such file or more than one, it is a link, a device or a folder, it does not have
                `size` bytes, or it cannot be read.
        """
        member = self._find(end)
        if member.size != size:
            raise ArchiveError(f"{self.name}: {member.name!r} has {member.size:,} bytes instead of {size:,}")
        with _as_archive_error(self.name):
            stream = member.open()
            left = size + 1
            while stream and left and (chunk := stream.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def _find(self, end: str) -> _Member:
        exact = [member for member in self.members if member.name == end]
        found = exact or [member for member in self.members if member.name.endswith(f"/{end}")]
        if not found:
            raise ArchiveError(f"{self.name} holds no {end!r}; {self._near(end)}")
        if len(found) > 1:
            names = ", ".join(repr(member.name) for member in found[:5])
            raise ArchiveError(f"{self.name} holds {len(found)} members that end in {end!r}: {names}")
        if not found[0].is_file:
            raise ArchiveError(f"{self.name}: {found[0].name!r} is a link, a device or a folder, not a file")
        return found[0]

    def _near(self, end: str) -> str:
        base = PurePosixPath(end).name.lower()
        names = [member.name for member in self.members if member.is_file]
        like = [name for name in names if PurePosixPath(name).name.lower() == base] or names
        more = f" and {len(like) - 5} more" if len(like) > 5 else ""
        return f"it has {', '.join(map(repr, like[:5]))}{more}" if like else "it holds no files"


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip or tar.gz archive; which of them it is, its first bytes say, not its name.

    Raises:
        ArchiveError: it is neither, it is broken, a path in it is absolute or goes upwards, or it unpacks to far more
            than its size.
    """
    limit = max(FLOOR, RATIO * path.stat().st_size)
    with ExitStack() as stack:
        with _as_archive_error(path.name):
            members = _members(path, limit, stack.enter_context)
        for member in members:
            if _LEADS_OUT.match(member.name):
                raise ArchiveError(f"{path.name}: {member.name!r} leads out of the archive; it is not opened")
        if sum(member.size for member in members) > limit:
            raise _bomb(path.name, limit)
        yield Archive(path.name, members)


def _members(path: Path, limit: int, enter: Callable[[Any], Any]) -> list[_Member]:
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(b"PK"):
        packed = enter(zipfile.ZipFile(path))
        return [
            _Member(_plain(info.filename), info.file_size, _is_file(info), partial(packed.open, info))
            for info in packed.infolist()
        ]
    if magic.startswith(b"\x1f\x8b"):
        _check_unpacked_size(path, limit)
        unpacked = enter(tarfile.open(path, "r:gz"))  # noqa: SIM115 - `enter` closes it
        return [
            _Member(_plain(info.name), info.size, info.isreg(), partial(unpacked.extractfile, info))
            for info in unpacked.getmembers()
        ]
    raise ArchiveError(f"{path.name} is neither a zip nor a tar.gz archive: it begins with {magic!r}")


def _check_unpacked_size(path: Path, limit: int) -> None:
    """Unpack once without keeping anything: tarfile takes as much memory as a header asks for."""
    size = 0
    with gzip.open(path) as stream:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise _bomb(path.name, limit)


@contextmanager
def _as_archive_error(name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ArchiveError(f"{name} cannot be read: {error}; get it again") from error


def _bomb(name: str, limit: int) -> ArchiveError:
    return ArchiveError(f"{name} would unpack to more than {limit:,} bytes, {RATIO} times its size; it is not opened")


def _plain(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))


def _is_file(info: zipfile.ZipInfo) -> bool:
    """Whether a zip's entry is a regular file: no link, device or folder."""
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
