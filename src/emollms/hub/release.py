"""What is to be published: files of one folder, under one version. The way to the Hub knows nothing else."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from emollms.dataset.manifest_entries import FileEntry
from emollms.errors import EmollmsError, UsageError

Kind = Literal["dataset", "model", "space"]
CHUNK = 1 << 20  # bytes
CHANGED = "changed while it was published; see that nothing writes to it, and run the command again"


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine, as the Hub would know it.

    Args:
        path: its path in the repo.
        source: where it is here; or its content, of a file that is made for the release, such as a card.
        size: in bytes.
        sha256: hash of its content; the Hub knows large and binary files by it.
        git_sha1: what git calls it; the Hub knows all other files by it.
        modified: when it was changed last, in nanoseconds; 0 for content in memory.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str
    git_sha1: str
    modified: int = 0

    def read(self) -> bytes:
        """All of its content; for small files."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    def refuse_changed(self, content: bool = False) -> None:
        """Refuse a file that is no longer what was hashed.

        Args:
            content: hash it again; else only its size and its time of change are compared.

        Raises:
            EmollmsError: it was changed, replaced or removed.
        """
        if isinstance(self.source, bytes):
            return
        try:
            now = self.source.stat()
            same = (now.st_size, now.st_mtime_ns) == (self.size, self.modified)
            same = same and (not content or local_file(self.source, self.path).sha256 == self.sha256)
        except OSError:
            same = False
        if not same:
            raise EmollmsError(f"{self.source} {CHANGED}")

    def read_unchanged(self) -> bytes:
        """All of its content, which is what was hashed; for small files.

        Raises:
            EmollmsError: it is not.
        """
        self.refuse_changed()
        content = self.read()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise EmollmsError(f"{self.source!s} {CHANGED}")
        return content


@dataclass(frozen=True)
class Release:
    """A version of something.

    Args:
        kind: what it is.
        name: its name.
        version: semantic version.
        files: all its files, by path.
        load: loads the release from a folder, before it is sent and after it was downloaded, and raises EmollmsError
            if it does not load; its second argument is an empty folder for caches.
        notes: what its publisher should know, a line each.
        sdk: of a Space: what it runs on.
    """

    kind: Kind
    name: str
    version: str
    files: Mapping[str, LocalFile]
    load: Callable[[Path, Path], None]
    notes: tuple[str, ...] = field(default=())
    sdk: Literal["gradio", "static"] = "gradio"

    @property
    def tag(self) -> str:
        """The tag of this version."""
        return f"v{self.version}"


def lay_out(files: Iterable[LocalFile], folder: Path) -> None:
    """Put files into a folder as they will lie in the repo: links to those on this machine, and the made ones."""
    for file in files:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file.source, bytes):
            place.write_bytes(file.source)
        else:
            place.symlink_to(file.source.resolve())


def made_file(path: str, content: bytes) -> LocalFile:
    """A file that is nowhere on this machine."""
    git_sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return LocalFile(path, content, len(content), hashlib.sha256(content).hexdigest(), git_sha1)


def local_file(source: Path, path: str) -> LocalFile:
    """A file on this machine, under its path in the repo; it is read once, in portions.

    Raises:
        EmollmsError: it changes while it is read.
    """
    sha256, read = hashlib.sha256(), 0
    with source.open("rb") as stream:
        before = os.fstat(stream.fileno())
        git_sha1 = hashlib.sha1(b"blob %d\0" % before.st_size, usedforsecurity=False)
        while chunk := stream.read(CHUNK):
            read += len(chunk)
            sha256.update(chunk)
            git_sha1.update(chunk)
    if read != before.st_size:
        raise EmollmsError(f"{source} {CHANGED}")
    return LocalFile(path, source, read, sha256.hexdigest(), git_sha1.hexdigest(), before.st_mtime_ns)


def local_files(folder: Path, paths: Iterable[str]) -> dict[str, LocalFile]:
    """Files below a folder, by path; each is read once."""
    return {path: local_file(folder / path, path) for path in sorted(paths)}


def checked_files(folder: Path, entries: Sequence[FileEntry], *others: str) -> dict[str, LocalFile]:
    """The files of a repo, when they are what its manifest says.

    Args:
        folder: the repo.
        entries: what the manifest lists.
        others: paths that it does not list: its own, and that of a README that is derived from the rest.

    Raises:
        EmollmsError: a file is missing, or is not what the manifest says.
    """
    expected = {entry.path: entry.sha256 for entry in entries}
    paths = {*expected, *others}
    missing = sorted(path for path in paths if not (folder / path).is_file())
    if missing:
        raise EmollmsError(f"{folder} lacks {', '.join(missing)}; build it again")
    files = local_files(folder, paths)
    changed = [path for path, sha256 in expected.items() if files[path].sha256 != sha256]
    if changed:
        raise EmollmsError(f"{folder}: {', '.join(changed)} changed after the build; build it again, as a new version")
    return files


def refuse_others(folder: Path, files: Iterable[str], what: str = "the data set") -> None:
    """Refuse a folder with unexpected files, hidden ones and links among them.

    Raises:
        UsageError: there are some.
    """
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    if others := sorted(there - set(files)):
        raise UsageError(f"{folder} holds files that do not belong to {what}: {', '.join(others)}; move it elsewhere")
