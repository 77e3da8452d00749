"""Getting a corpus: what is missing is downloaded or copied, checked against its pinned hash, and put in its place."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from emollms.corpora.archives import ArchiveError, read_member
from emollms.corpora.download import Downloader, DownloadError
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.errors import EmollmsError, Place, SourceError, UsageError
from emollms.storage import locked, write_whole

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
                if error:
                    outcome.fail([file.path], str(error))
                else:
                    outcome.fetched.append(file.path)
            lock.unlink()
        if wanted:
            outcome.fail(list(wanted), supplier.explain(meta, list(wanted.values())))
    except (OSError, EmollmsError) as error:
        outcome.fail(list(wanted), str(error))
    outcome.replaced += [path for path in outcome.fetched if states[path] == "differs"]
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
            self.downloader.download(url, part, f"{meta.name}/{name}", None if packed else files[0].bytes)
        except DownloadError as error:
            return [(file, error) for file in files]
        results = [(file, _install(meta, file, part, packed, folder)) for file in files]
        part.unlink()
        if resumed and (wrong := [file for file, error in results if error]):
            # The first half may be that of an older file: once more, from the first byte.
            return [one for one in results if not one[1]] + self._get(meta, url, name, wrong, folder)
        return results

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
        return f"not in {self.root} or {self.root / meta.name}: {_names(files)}"


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


def _names(files: Sequence[SourceFile], most: int = 10) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(file.path for file in files[:most]) + more
