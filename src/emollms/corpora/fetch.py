"""Getting a corpus: what is missing is downloaded or copied, checked against its pinned hash, and put in its place."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from emollms.corpora.download import LocalFolder, Network
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.errors import EmollmsError
from emollms.storage import locked


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


def fetch(meta: CorpusMetadata, folder: Path, supplier: Network | LocalFolder) -> Outcome:
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
