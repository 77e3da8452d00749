"""Reading members of zip and tar.gz archives from strangers.

No name in an archive ever becomes a path on this machine: members are read, and the caller says where they go.
"""

import gzip
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from emollms.errors import EmollmsError

RATIO = 100
"""An archive may not unpack to more than this many times its size; text packs to a third or a tenth."""
FLOOR = 16 << 20  # bytes that any archive may unpack to: a small one of repetitive text packs better
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)
# tarfile's data filter would strip a leading / and let C: pass, and zipfile has none.
_LEADS_OUT = re.compile(r"/|[A-Za-z]:|(?:.*/)?\.\.(?:/|$)")


class ArchiveError(EmollmsError):
    """An archive that is broken, not safe, or does not hold what is wanted."""


class _Member(NamedTuple):
    """An entry: its path with `/` between the parts, the bytes it claims to have, and what its library calls it."""

    name: str
    size: int
    is_file: bool
    info: Any


def read_member(path: Path, end: str, size: int) -> bytes:
    """Read the one regular file of a zip or tar.gz archive whose path is, or else ends in, `end`.

    Which of the two the archive is, its first bytes say, not its name.

    Args:
        path: the archive.
        end: the member.
        size: its size in bytes; no more is read.

    Raises:
        ArchiveError: the archive is neither, it is broken, a path in it is absolute or goes upwards, or it unpacks to
            far more than its size; or there is no such member or more than one, it is a link, a device or a folder, or
            it does not have `size` bytes.
    """
    limit = max(FLOOR, RATIO * path.stat().st_size)
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
        if magic.startswith(b"PK"):
            with zipfile.ZipFile(path) as packed:
                members = [_Member(_plain(i.filename), i.file_size, _is_file(i), i) for i in packed.infolist()]
                with packed.open(_find(path.name, members, limit, end, size)) as member:
                    return member.read(size + 1)
        if magic.startswith(b"\x1f\x8b"):
            # tarfile takes as much memory as a header asks for; to seek unpacks without keeping anything.
            with gzip.open(path) as unpacked:
                _check_unpacked(path.name, unpacked.seek(limit + 1), limit)
            with tarfile.open(path, "r:gz") as archive:
                members = [_Member(_plain(i.name), i.size, i.isreg(), i) for i in archive.getmembers()]
                found = archive.extractfile(_find(path.name, members, limit, end, size))
                return found.read(size + 1) if found else b""
    except _BROKEN as error:
        raise ArchiveError(f"{path.name} cannot be read: {error}; get it again") from error
    raise ArchiveError(f"{path.name} is neither a zip nor a tar.gz archive: it begins with {magic!r}")


def _find(archive: str, members: Sequence[_Member], limit: int, end: str, size: int) -> Any:
    """The library's own object for the wanted member of an archive that is safe."""
    for member in members:
        if _LEADS_OUT.match(member.name):
            raise ArchiveError(f"{archive}: {member.name!r} leads out of the archive; it is not opened")
    _check_unpacked(archive, sum(member.size for member in members), limit)
    exact = [member for member in members if member.name == end]
    found = exact or [member for member in members if member.name.endswith(f"/{end}")]
    if not found:
        raise ArchiveError(f"{archive} holds no {end!r}; {_near(members, end)}")
    if len(found) > 1:
        names = ", ".join(repr(member.name) for member in found[:5])
        raise ArchiveError(f"{archive} holds {len(found)} members that end in {end!r}: {names}")
    name, claimed, is_file, info = found[0]
    if not is_file:
        raise ArchiveError(f"{archive}: {name!r} is a link, a device or a folder, not a file")
    if claimed != size:
        raise ArchiveError(f"{archive}: {name!r} has {claimed:,} bytes instead of {size:,}")
    return info


def _near(members: Sequence[_Member], end: str) -> str:
    base = PurePosixPath(end).name.lower()
    names = [member.name for member in members if member.is_file]
    like = [name for name in names if PurePosixPath(name).name.lower() == base] or names
    more = f" and {len(like) - 5} more" if len(like) > 5 else ""
    return f"it has {', '.join(map(repr, like[:5]))}{more}" if like else "it holds no files"


def _check_unpacked(archive: str, size: int, limit: int) -> None:
    if size > limit:
        told = f"{limit:,} bytes, {RATIO} times its size"
        raise ArchiveError(f"{archive} would unpack to more than {told}; it is not opened")


def _plain(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))


def _is_file(info: zipfile.ZipInfo) -> bool:
    # The upper half holds the mode where Unix made the archive, and 0 elsewhere.
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
