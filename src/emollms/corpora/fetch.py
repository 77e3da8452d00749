"""Getting a corpus: what is missing is downloaded or copied, checked against its pinned hash, and put in its place."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from emollms.corpora.archives import CHUNK, ArchiveError, open_archive
from emollms.corpora.download import Downloader, DownloadError
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.errors import EmollmsError, Place, SourceError, UsageError
from emollms.storage import locked

Installed = tuple[SourceFile, EmollmsError | None]
"""A file, and why it could not be put in its place; None where it is there now."""

_REMEDY = "the source gives another file than the pinned one; see `emollms corpora show` for other ways to get it"


@dataclass
class Outcome:
    """What a fetch of one corpus did.

    Args:
        corpus: name of the corpus.
        folder: where its files are.
        kept: paths of the files that were right already.
        fetched: paths of the files that were put there.
        replaced: those among `fetched` that took the place of a file that was not the pinned one.
        failed: paths of the files that are missing or wrong.
        errors: why, one line each, each of them once.
    """

    corpus: str
    folder: Path
    kept: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def fail(self, paths: Sequence[str], message: str) -> None:
        """Record files that could not be got."""
        self.failed += paths
        if message not in self.errors:
            self.errors.append(message)

    @property
    def summary(self) -> str:
        """Why the corpus is not complete, in one line; empty where it is."""
        if not self.errors:
            return ""
        more = f" (and {len(self.errors) - 2} more errors)" if len(self.errors) > 2 else ""
        # The last one says what to do by hand, where there is such a thing.
        shown = self.errors if len(self.errors) <= 2 else [self.errors[0], self.errors[-1]]
        count = "1 file" if len(self.failed) == 1 else f"{len(self.failed)} files"
        return f"{self.corpus}: {count} could not be got: {' | '.join(shown)}{more}"


def fetch(meta: CorpusMetadata, folder: Path, supplier: "Network | LocalFolder") -> Outcome:
    """Put the files of a corpus that are missing or wrong in their places.

    A file that is right is left alone; a wrong one is replaced only by the pinned one. Whatever fails, the other files
    are still got.

    Args:
        meta: the corpus.
        folder: its folder; made where it is missing.
        supplier: where the files come from.

    Returns:
        What was done and what failed; errors of single files do not raise.
    """
    outcome = Outcome(meta.name, folder)
    states = {file.path: state_of(file, folder) for file in meta.files}
    outcome.kept += [path for path, state in states.items() if state == "ok"]
    wanted = {file.path: file for file in meta.files if states[file.path] != "ok"}
    if not wanted:
        return outcome
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / ".fetch.lock"  # two processes would write into one partial file
        with locked(lock, f"another process is working on {folder}; wait for it, or choose another folder"):
            for file, error in supplier.supply(meta, list(wanted.values()), folder):
                del wanted[file.path]
                if error is None:
                    outcome.fetched.append(file.path)
                else:
                    outcome.fail([file.path], str(error))
            lock.unlink()
    except (OSError, EmollmsError) as error:
        outcome.fail(list(wanted), str(error))
        return outcome
    outcome.replaced += [path for path in outcome.fetched if states[path] == "differs"]
    if wanted:
        outcome.fail(list(wanted), supplier.explain(meta, list(wanted.values())))
    return outcome


def is_complete(meta: CorpusMetadata, folder: Path) -> bool:
    """Whether every file of a corpus is in its folder, with the pinned bytes."""
    return all(state_of(file, folder) == "ok" for file in meta.files)


def state_of(file: SourceFile, folder: Path) -> Literal["ok", "missing", "differs"]:
    """Whether a pinned file is in the corpus's folder: `ok` only if size and SHA-256 are the pinned ones."""
    path = folder / file.path
    if not path.is_file():
        return "missing"
    return "ok" if path.stat().st_size == file.bytes and sha256_of(path) == file.sha256 else "differs"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass
class Network:
    """The official addresses; an archive is downloaded once for all its members.

    Args:
        downloader: downloads files.
    """

    downloader: Downloader

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Installed]:
        """Put every file that has an address below `folder`."""
        for archive, members in _by_archive(files).items():
            if archive:
                yield from self._archive(meta, archive, members, folder)
            else:
                yield from ((file, self._file(meta, file, folder)) for file in members if file.address)

    def _file(self, meta: CorpusMetadata, file: SourceFile, folder: Path) -> EmollmsError | None:
        target = folder / file.path
        part = _part_of(target)
        resumed = part.exists()
        try:
            self.downloader.download(str(file.address), part, f"{meta.name}/{file.path}", file.bytes)
            _install(meta, file, part, target)
        except DownloadError as error:
            return error
        except SourceError as error:
            part.unlink()
            # The first half may be that of an older file: once more, from the first byte.
            return self._file(meta, file, folder) if resumed else error
        return None

    def _archive(self, meta: CorpusMetadata, url: str, members: Sequence[SourceFile], folder: Path) -> list[Installed]:
        part = _part_of(folder / _base_name(url))
        resumed = part.exists()
        try:
            self.downloader.download(url, part, f"{meta.name}/{_base_name(url)}")
        except DownloadError as error:
            return [(file, error) for file in members]
        results = _install_members(meta, part, members, folder)
        part.unlink()
        wrong = [file for file, error in results if error]
        if not (wrong and resumed):
            return results
        return [one for one in results if not one[1]] + self._archive(meta, url, wrong, folder)

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Which files only a person can get, and how."""
        how = meta.by_hand or f"see {meta.homepage}"
        return f"only by hand: {_names(files)}; {how}; then: emollms corpora fetch {meta.name} --from DIR"


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
        paths = [file.path for file in meta.files] + [_base_name(archive) for archive in _by_archive(meta.files)]
        return any(self._candidates(meta, path) for path in paths if path)

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Installed]:
        """Put every file that is here, as it is or in an archive, below `folder`."""
        packed = []
        for file in files:
            if candidates := self._candidates(meta, file.path):
                errors = [_install_bytes(meta, file, _chunks_of(path), folder) for path in candidates]
                yield file, None if None in errors else errors[0]
            else:
                packed.append(file)
        for archive, members in _by_archive(packed).items():
            if archive and (found := self._candidates(meta, _base_name(archive))):
                yield from _install_members(meta, found[0], members, folder)

    def _candidates(self, meta: CorpusMetadata, path: str) -> list[Path]:
        return [place for place in (self.root / meta.name / path, self.root / path) if place.is_file()]

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Where the files were looked for."""
        return f"not in {self.root} or {self.root / meta.name}: {_names(files)}"


def _install(meta: CorpusMetadata, file: SourceFile, part: Path, target: Path) -> None:
    """Check a filled file and move it to its place in one step; what is there is replaced.

    Raises:
        SourceError: size or SHA-256 is not the pinned one; nothing was moved.
    """
    place, size = Place(f"{meta.name}/{file.path}"), part.stat().st_size
    if size != file.bytes:
        raise SourceError(place, f"size is not {file.bytes:,} bytes", f"{size:,}", _REMEDY)
    if (found := sha256_of(part)) != file.sha256:
        raise SourceError(place, f"SHA-256 is not {file.sha256}", found, _REMEDY)
    part.replace(target)


def _install_bytes(
    meta: CorpusMetadata, file: SourceFile, chunks: Iterable[bytes], folder: Path
) -> EmollmsError | None:
    """Write a file beside its place, check it, and move it in; of wrong bytes nothing is left.

    No more than the pinned size and one chunk are written, however much `chunks` would give.
    """
    target = folder / file.path
    part, written = _part_of(target), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as stream:
            for chunk in chunks:
                written += stream.write(chunk)
                if written > file.bytes:
                    break
        _install(meta, file, part, target)
    except EmollmsError as error:
        return error
    finally:
        part.unlink(missing_ok=True)
    return None


def _install_members(meta: CorpusMetadata, path: Path, members: Sequence[SourceFile], folder: Path) -> list[Installed]:
    """Put members of an archive in their places, each of them checked."""
    try:
        with open_archive(path) as archive:
            ends = {file.path: (file.address or "").partition("!")[2] for file in members}
            return [
                (file, _install_bytes(meta, file, archive.read(ends[file.path], file.bytes), folder))
                for file in members
            ]
    except ArchiveError as error:
        return [(file, ArchiveError(f"{meta.name}: {error}")) for file in members]


def _by_archive(files: Iterable[SourceFile]) -> dict[str, list[SourceFile]]:
    """Files by the address of the archive that they are in; "" for those that are in none."""
    groups: dict[str, list[SourceFile]] = {}
    for file in files:
        archive, mark, _ = (file.address or "").partition("!")
        groups.setdefault(archive if mark else "", []).append(file)
    return groups


def _part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _base_name(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name


def _names(files: Sequence[SourceFile], most: int = 10) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(file.path for file in files[:most]) + more
