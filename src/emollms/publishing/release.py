"""What is to be published: files of one folder, under one version. The way to the Hub knows nothing else."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["dataset", "model", "space"]
CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine, as the Hub would know it.

    Args:
        path: its path in the repo.
        source: where it is here; or its content, of a file that is made for the release, such as a card.
        size: in bytes.
        sha256: hash of its content; the Hub knows large and binary files by it.
        git_sha1: what git calls it; the Hub knows all other files by it.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str
    git_sha1: str

    def read(self) -> bytes:
        """All of its content; for small files."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True)
class Release:
    """A version of something.

    Args:
        kind: what it is.
        name: its name.
        version: semantic version.
        files: all its files, by path.
        load: loads what was downloaded into a folder, and raises EmollmsError if that is not what was published; its
            second argument is an empty folder for caches.
        notes: what whoever publishes it should know, a line each.
    """

    kind: Kind
    name: str
    version: str
    files: Mapping[str, LocalFile]
    load: Callable[[Path, Path], None]
    notes: tuple[str, ...] = field(default=())

    @property
    def tag(self) -> str:
        """The tag of this version."""
        return f"v{self.version}"


def made_file(path: str, content: bytes) -> LocalFile:
    """A file that is nowhere on this machine."""
    git_sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return LocalFile(path, content, len(content), hashlib.sha256(content).hexdigest(), git_sha1)


def local_file(source: Path, path: str) -> LocalFile:
    """A file on this machine, under its path in the repo; it is read once, in portions."""
    size = source.stat().st_size
    sha256 = hashlib.sha256()
    git_sha1 = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with source.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
            git_sha1.update(chunk)
    return LocalFile(path, source, size, sha256.hexdigest(), git_sha1.hexdigest())


def local_files(folder: Path, paths: Iterable[str]) -> dict[str, LocalFile]:
    """Files below a folder, by path; each is read once."""
    return {path: local_file(folder / path, path) for path in sorted(paths)}
