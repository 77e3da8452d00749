"""Where the files of a corpus come from: their official addresses, or a folder of this machine."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from emollms.corpora.archives import ArchiveError, open_archive
from emollms.corpora.download import Downloader, DownloadError
from emollms.corpora.install import chunks_of, discard, install, install_bytes, part_of
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.errors import EmollmsError, UsageError

Result = tuple[SourceFile, EmollmsError | None]
"""A file, and why it could not be put in its place; None where it is there now."""


class Supplier(Protocol):
    """Puts files of a corpus in their places."""

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Result]:
        """Put `files` below `folder`; those that this supplier does not have at all are passed over."""

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Why `files` were passed over, and what to do."""


class Network:
    """The official addresses; an archive is fetched once for all its members.

    Args:
        downloader: fetches files.
    """

    def __init__(self, downloader: Downloader) -> None:
        self.downloader = downloader

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Result]:
        """Fetch every file that has an address."""
        for archive, members in by_archive(files).items():
            if archive:
                part = part_of(folder / _base_name(archive))
                yield from self._archive(meta, archive, part, members, folder)
            else:
                for file in members:
                    if file.address:
                        yield file, self._file(meta, file, file.address, folder)

    def _file(self, meta: CorpusMetadata, file: SourceFile, address: str, folder: Path) -> EmollmsError | None:
        target = folder / file.path
        part = part_of(target)
        resumed = part.exists()
        try:
            self.downloader.download(address, part, f"{meta.name}/{file.path}", file.bytes)
        except DownloadError as error:
            return error
        try:
            install(meta.name, file, part, target)
        except EmollmsError as error:
            discard(part)
            # The first half may be that of an older file: once more, from the first byte.
            return self._file(meta, file, address, folder) if resumed else error
        return None

    def _archive(
        self, meta: CorpusMetadata, address: str, part: Path, members: Sequence[SourceFile], folder: Path
    ) -> list[Result]:
        resumed = part.exists()
        try:
            self.downloader.download(address, part, f"{meta.name}/{_base_name(address)}")
        except DownloadError as error:
            return [(file, error) for file in members]
        results = install_members(meta, part, members, folder)
        discard(part)
        wrong = [file for file, error in results if error]
        if not (wrong and resumed):
            return results
        again = self._archive(meta, address, part, wrong, folder)
        return [result for result in results if not result[1]] + again

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Which files only a person can get, and how."""
        how = meta.by_hand or f"see {meta.homepage}"
        return f"only by hand: {_names(files)}; {how}; then: emollms corpora fetch {meta.name} --from DIR"


class LocalFolder:
    """A folder that holds all corpora (`ROOT/NAME/path`), one of them (`ROOT/path`), or archives of them.

    Args:
        root: the folder.

    Raises:
        UsageError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UsageError(f"{root} is no folder; --from takes the folder that holds the files")
        self.root = root

    def has_any(self, meta: CorpusMetadata) -> bool:
        """Whether any file of a corpus, or an archive of it, seems to be here."""
        paths = [file.path for file in meta.files] + [_base_name(archive) for archive in by_archive(meta.files)]
        return any(self._candidates(meta, path) for path in paths if path)

    def supply(self, meta: CorpusMetadata, files: Sequence[SourceFile], folder: Path) -> Iterator[Result]:
        """Copy every file that is here, as it is or in an archive."""
        packed = []
        for file in files:
            if candidates := self._candidates(meta, file.path):
                yield file, _first_right(meta, file, candidates, folder)
            else:
                packed.append(file)
        for archive, members in by_archive(packed).items():
            if archive and (found := self._candidates(meta, _base_name(archive))):
                yield from install_members(meta, found[0], members, folder)

    def _candidates(self, meta: CorpusMetadata, path: str) -> list[Path]:
        return [place for place in (self.root / meta.name / path, self.root / path) if place.is_file()]

    def explain(self, meta: CorpusMetadata, files: Sequence[SourceFile]) -> str:
        """Where the files were looked for."""
        return f"not in {self.root} or {self.root / meta.name}: {_names(files)}"


def by_archive(files: Iterable[SourceFile]) -> dict[str, list[SourceFile]]:
    """Files by the address of the archive that they are in; "" for those that are in none."""
    groups: dict[str, list[SourceFile]] = {}
    for file in files:
        archive, mark, _ = (file.address or "").partition("!")
        groups.setdefault(archive if mark else "", []).append(file)
    return groups


def install_members(meta: CorpusMetadata, path: Path, members: Sequence[SourceFile], folder: Path) -> list[Result]:
    """Put members of an archive in their places, each of them checked.

    Args:
        meta: the corpus.
        path: the archive.
        members: the files that are in it.
        folder: the corpus's folder.
    """
    results: list[Result] = []
    try:
        with open_archive(path) as archive:
            for file in members:
                end = (file.address or "").partition("!")[2]
                results.append((file, _installed(meta, file, archive.read(end, file.bytes), folder)))
    except ArchiveError as error:
        return [(file, ArchiveError(f"{meta.name}: {error}")) for file in members]
    return results


def _first_right(meta: CorpusMetadata, file: SourceFile, paths: Sequence[Path], folder: Path) -> EmollmsError | None:
    errors = []
    for path in paths:
        error = _installed(meta, file, chunks_of(path), folder)
        if error is None:
            return None
        errors.append(error)
    return errors[0]


def _installed(meta: CorpusMetadata, file: SourceFile, chunks: Iterable[bytes], folder: Path) -> EmollmsError | None:
    try:
        install_bytes(meta.name, file, chunks, folder)
    except EmollmsError as error:
        return error
    return None


def _base_name(address: str) -> str:
    return PurePosixPath(unquote(urlsplit(address).path)).name


def _names(files: Sequence[SourceFile], most: int = 10) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(file.path for file in files[:most]) + more
