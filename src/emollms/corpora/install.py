"""A file of a corpus is filled beside its place, checked, and only then moved in."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from emollms.corpora.metadata import SourceFile
from emollms.errors import Place, SourceError

State = Literal["ok", "missing", "differs"]

CHUNK = 1 << 16  # bytes
REMEDY = "the source gives another file than the pinned one; see `emollms corpora show` for other ways to get it"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def state_of(file: SourceFile, folder: Path) -> State:
    """Whether a pinned file is in the corpus's folder: `ok` only if size and SHA-256 are the pinned ones."""
    path = folder / file.path
    if not path.is_file():
        return "missing"
    if path.stat().st_size != file.bytes:
        return "differs"
    return "ok" if sha256_of(path) == file.sha256 else "differs"


def part_of(target: Path) -> Path:
    """The file beside `target` that is filled before it is checked."""
    return target.with_name(f"{target.name}.part")


def validator_of(part: Path) -> Path:
    """The file beside a half-fetched one that keeps what the server calls this version of it."""
    return part.with_name(f"{part.name}.etag")


def discard(part: Path) -> None:
    """Remove a half-fetched file and what belongs to it, where they are there."""
    part.unlink(missing_ok=True)
    validator_of(part).unlink(missing_ok=True)


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in pieces."""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def install(corpus: str, file: SourceFile, part: Path, target: Path) -> None:
    """Check a filled file and move it to its place in one step.

    Args:
        corpus: name of the corpus, for the error.
        file: what is pinned.
        part: the filled file; it is gone afterwards.
        target: its place, on the same file system; what stands there is replaced.

    Raises:
        SourceError: size or SHA-256 is not the pinned one; nothing was moved, and `target` is as it was.
    """
    place = Place(f"{corpus}/{file.path}")
    size = part.stat().st_size
    if size != file.bytes:
        raise SourceError(place, f"size is not {file.bytes:,} bytes", f"{size:,}", REMEDY)
    found = sha256_of(part)
    if found != file.sha256:
        raise SourceError(place, f"SHA-256 is not {file.sha256}", found, REMEDY)
    part.replace(target)
    discard(part)


def install_bytes(corpus: str, file: SourceFile, chunks: Iterable[bytes], folder: Path) -> None:
    """Write a file from pieces, check it, and move it to its place below `folder`.

    No more than the pinned size and one piece are written, however much `chunks` would give.

    Raises:
        SourceError: the bytes are not the pinned ones; nothing is left of them.
    """
    target = folder / file.path
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with part.open("wb") as stream:
            for chunk in chunks:
                written += stream.write(chunk)
                if written > file.bytes:
                    break
        install(corpus, file, part, target)
    finally:
        discard(part)
