"""Getting a corpus: what is missing is put in its place, each file checked before."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from emollms.corpora.install import state_of
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.corpora.suppliers import Supplier
from emollms.errors import EmollmsError


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
        """Note files that could not be got."""
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


def fetch(meta: CorpusMetadata, folder: Path, supplier: Supplier) -> Outcome:
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
    wanted = [file for file in meta.files if states[file.path] != "ok"]
    if not wanted:
        return outcome
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder):
            tried = _supply(meta, wanted, outcome, supplier)
    except (OSError, EmollmsError) as error:
        done = {*outcome.fetched, *outcome.failed}
        outcome.fail([file.path for file in wanted if file.path not in done], str(error))
        return outcome
    outcome.replaced += [path for path in outcome.fetched if states[path] == "differs"]
    if not_had := [file for file in wanted if file.path not in tried]:
        outcome.fail([file.path for file in not_had], supplier.explain(meta, not_had))
    return outcome


def _supply(meta: CorpusMetadata, wanted: Sequence[SourceFile], outcome: Outcome, supplier: Supplier) -> set[str]:
    tried = set()
    for file, error in supplier.supply(meta, wanted, outcome.folder):
        tried.add(file.path)
        if error is None:
            outcome.fetched.append(file.path)
        else:
            outcome.fail([file.path], str(error))
    return tried


def is_complete(meta: CorpusMetadata, folder: Path) -> bool:
    """Whether every file of a corpus is in its folder, with the pinned bytes."""
    return all(state_of(file, folder) == "ok" for file in meta.files)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep other processes from fetching into the same folder; two would write into one half-fetched file.

    The lock is on the folder itself, so nothing is left behind, and it ends with the process. Where the system cannot
    lock folders, nobody is kept out.

    Raises:
        EmollmsError: another process is at it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise EmollmsError(f"another process is fetching into {folder}; wait until it is done") from None
    except OSError:
        pass  # some network file systems lock no folders
    try:
        yield
    finally:
        os.close(handle)
