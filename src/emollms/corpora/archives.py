"""Reading members of zip and tar.gz archives of strangers.

No name in an archive ever becomes a path on this machine: members are read, and the caller says where they go.
"""

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from emollms.corpora.install import CHUNK
from emollms.errors import EmollmsError

RATIO = 100
"""An archive may not unpack to more than this many times its size; text packs to a third or a tenth."""
FLOOR = 16 << 20  # bytes that any archive may unpack to: a small one of repetitive text packs better
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)
_DRIVE = re.compile(r"[A-Za-z]:")


class ArchiveError(EmollmsError):
    """An archive that is broken, not safe, or does not hold what is wanted."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Args:
        name: its path there, with `/` between the parts.
        size: the size it claims to have, in bytes.
        kind: what it is.
        key: what the archive calls it: a position in its list.
    """

    name: str
    size: int
    kind: Literal["file", "folder", "link", "device"]
    key: int


class Archive(ABC):
    """An open archive.

    Args:
        path: the archive's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.limit = max(FLOOR, RATIO * path.stat().st_size)
        self.members: Sequence[Member] = ()

    @abstractmethod
    def open(self, member: Member) -> IO[bytes]:
        """The bytes of a regular member."""

    def check(self) -> None:
        """Refuse archives that no honest packer makes.

        Raises:
            ArchiveError: a path is absolute or goes upwards, or the members unpack to far more than the archive.
        """
        for member in self.members:
            if member.name.startswith("/") or ".." in member.name.split("/") or _DRIVE.match(member.name):
                raise ArchiveError(f"{self.path.name}: {member.name!r} leads out of the archive; it is not opened")
        if sum(member.size for member in self.members) > self.limit:
            raise ArchiveError(_bomb(self.path, self.limit))

    def read(self, end: str, size: int) -> Iterator[bytes]:
        """The bytes of the one member whose path is, or ends in, `end`; at most `size` + 1 bytes.

        Raises:
            ArchiveError: there is no such member or more than one, it is no regular file, it does not have `size`
                bytes, or it cannot be read.
        """
        member = self.find(end)
        if member.size != size:
            raise ArchiveError(f"{self.path.name}: {member.name!r} has {member.size:,} bytes instead of {size:,}")
        with _as_archive_error(self.path), self.open(member) as stream:
            left = size + 1
            while left and (chunk := stream.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def find(self, end: str) -> Member:
        """The one regular member whose path is `end`, or else ends in it.

        Raises:
            ArchiveError: there is none, more than one, or it is a link, a device or a folder.
        """
        exact = [member for member in self.members if member.name == end]
        found = exact or [member for member in self.members if member.name.endswith(f"/{end}")]
        if not found:
            raise ArchiveError(f"{self.path.name} holds no {end!r}; {self._near(end)}")
        if len(found) > 1:
            names = ", ".join(repr(member.name) for member in found[:5])
            raise ArchiveError(f"{self.path.name} holds {len(found)} members that end in {end!r}: {names}")
        if found[0].kind != "file":
            raise ArchiveError(f"{self.path.name}: {found[0].name!r} is a {found[0].kind}, not a file")
        return found[0]

    def _near(self, end: str) -> str:
        base = PurePosixPath(end).name.lower()
        names = [member.name for member in self.members if member.kind == "file"]
        like = [name for name in names if PurePosixPath(name).name.lower() == base] or names
        if not like:
            return "it holds no files"
        return f"it has {', '.join(map(repr, like[:5]))}" + (f" and {len(like) - 5} more" if len(like) > 5 else "")


class _Zip(Archive):
    def __init__(self, path: Path, stream: zipfile.ZipFile) -> None:
        super().__init__(path)
        self._stream, self._infos = stream, stream.infolist()
        self.members = [
            Member(_plain(info.filename), info.file_size, _zip_kind(info), key) for key, info in enumerate(self._infos)
        ]

    def open(self, member: Member) -> IO[bytes]:
        return self._stream.open(self._infos[member.key])


class _Tar(Archive):
    def __init__(self, path: Path, packed: gzip.GzipFile) -> None:
        super().__init__(path)
        bounded = _Bounded(packed, self.limit, path)
        self._stream = tarfile.open(fileobj=bounded, mode="r:")  # noqa: SIM115 - the caller closes `packed`
        self._infos = self._stream.getmembers()
        self.members = [Member(_plain(info.name), info.size, _tar_kind(info), k) for k, info in enumerate(self._infos)]

    def open(self, member: Member) -> IO[bytes]:
        stream = self._stream.extractfile(self._infos[member.key])
        if stream is None:
            raise ArchiveError(f"{self.path.name}: {member.name!r} is no file")
        return stream


class _Bounded(io.RawIOBase):
    """An unpacked stream that refuses to be longer than `limit` bytes."""

    def __init__(self, stream: gzip.GzipFile, limit: int, path: Path) -> None:
        self._stream, self._limit, self._path = stream, limit, path

    def read(self, size: int = -1) -> bytes:
        # The size comes from a header, so it is checked before memory is taken for it.
        if size < 0 or self._stream.tell() + size > self._limit:
            raise ArchiveError(_bomb(self._path, self._limit))
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset > self._limit:
            raise ArchiveError(_bomb(self._path, self._limit))
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip or tar.gz archive; which of them it is, its first bytes say, not its name.

    Raises:
        ArchiveError: it is neither, it is broken, or it is not safe.
    """
    with ExitStack() as stack:
        with _as_archive_error(path):
            archive = _open(path, stack)
            archive.check()
        yield archive


def _open(path: Path, stack: ExitStack) -> Archive:
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(b"PK"):
        return _Zip(path, stack.enter_context(zipfile.ZipFile(path)))
    if magic.startswith(b"\x1f\x8b"):
        return _Tar(path, stack.enter_context(gzip.open(path)))
    raise ArchiveError(f"{path.name} is neither a zip nor a tar.gz archive: it begins with {magic!r}")


@contextmanager
def _as_archive_error(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ArchiveError(f"{path.name} cannot be read: {error}; get it again") from error


def _bomb(path: Path, limit: int) -> str:
    return f"{path.name} would unpack to more than {limit:,} bytes, {RATIO} times its size; it is not opened"


def _plain(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))


def _zip_kind(info: zipfile.ZipInfo) -> Literal["file", "folder", "link", "device"]:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "link"
    if info.is_dir():
        return "folder"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "device"


def _tar_kind(info: tarfile.TarInfo) -> Literal["file", "folder", "link", "device"]:
    if info.isreg():
        return "file"
    if info.isdir():
        return "folder"
    return "link" if info.issym() or info.islnk() else "device"
