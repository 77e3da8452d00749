"""The folder of a corpus while it is read: what is checked, refused, left out and counted."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from emollms.corpora.file_table import listed
from emollms.corpora.lines import MEND, UTF_8, Line, check_encoding, read_lines
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.errors import Place, SourceError, UsageError


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A raw row that was left out, and why.

    Args:
        place: where it stands.
        reason: why, in a few words.
        value: what stands there.
        source_id: its id, where it has one.
        refused: whether the row could not be read, rather than carrying no data.
    """

    place: Place
    reason: str
    value: str | None
    source_id: str | None = None
    refused: bool = False


@dataclass
class SourceFolder:
    """The folder of one corpus while it is read.

    Args:
        meta: the corpus.
        root: the folder that holds its files.
        quarantine: leave broken rows out, instead of stopping at the first.
        defects: how often each known defect was met and handled.
        left_out: rows left out since `take_left_out` was last called.
        refused: how many rows were refused in quarantine.
        first_refused: the first of them.
        hashes: SHA-256 of each file read so far, by path.
        read_last: file and number of the line that was read last.
    """

    meta: CorpusMetadata
    root: Path
    quarantine: bool = False
    defects: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    refused: int = 0
    first_refused: LeftOut | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    read_last: tuple[SourceFile, int] | None = None

    def refuse(
        self, place: Place, problem: str, value: str | None, remedy: str = MEND, reason: str | None = None
    ) -> None:
        """Stop at a broken row, or, in quarantine, leave it out.

        Args:
            place: where it is.
            problem: what is wrong, in a few words.
            value: what is there; None where nothing is.
            remedy: what a contributor can do.
            reason: the problem without what is of this row alone, since a build counts rows by reason; None for the
                problem itself.

        Raises:
            SourceError: not in quarantine.
        """
        if not self.quarantine:
            raise SourceError(place, problem, value, remedy)
        self.refused += 1
        shown = problem if reason and value is None else value
        self.leave_out(LeftOut(place, reason or problem, shown, refused=True))
        self.first_refused = self.first_refused or self.left_out[-1]

    def leave_out(self, row: LeftOut) -> None:
        """Leave a row out, for a reason that is no error of the file."""
        self.left_out.append(row)

    def take_left_out(self) -> list[LeftOut]:
        """The rows left out since the last call."""
        taken, self.left_out = self.left_out, []
        return taken

    def place(self, file: SourceFile, line: int = 0) -> Place:
        """The place of a line, as errors name it."""
        return Place(f"{self.meta.name}/{file.path}", line)

    @property
    def last(self) -> Place:
        """The place that was read last; the corpus, where none was."""
        return self.place(*self.read_last) if self.read_last else Place(self.meta.name)

    def file(self, path: str) -> SourceFile:
        """The pinned file at `path`.

        Raises:
            LookupError: the table of files has none.
        """
        found = next((file for file in self.meta.files if file.path == path), None)
        if found is None:
            raise LookupError(f"the table of files has no {path!r}; it has {listed(self.meta.files)}")
        return found

    def check(self, file: SourceFile) -> None:
        """Compare a file with its pinned hash.

        Raises:
            UsageError: it is not there, or is no file.
            SourceError: it cannot be read, or differs; in quarantine that it differs is only counted, since each row
                is checked as well.
        """
        path = self.root / file.path
        if not path.is_file():
            state = "no file" if path.exists() else "missing"
            raise UsageError(f"{path} is {state}; {self._how_to_get(file)}")
        with self._open(file) as stream:
            found = self.hashes[file.path] = hashlib.file_digest(stream, "sha256").hexdigest()
        if found == file.sha256:
            return
        if not self.quarantine:
            raise SourceError(self.place(file), f"SHA-256 is not {file.sha256}", found, self._how_to_mend(file))
        self.defects["file differs from the pinned one"] += 1

    def _how_to_get(self, file: SourceFile) -> str:
        if self.root.parent.name == self.meta.name and (self.root.parent / file.path).is_file():
            return f"the folder of the corpora is the one that holds {self.meta.name}/: give {self.root.parent.parent}"
        return f"run `emollms corpora show {self.meta.name}` to see how to get it"

    def _how_to_mend(self, file: SourceFile) -> str:
        """What helps against a file that is not the pinned one: only what has an address can be got again."""
        name = self.meta.name
        pin = f"`emollms corpora pin {name} --from DIR --out FILE`"
        if file.address:
            return f"get the file again with `emollms corpora fetch {name}`, or leave broken rows out with --quarantine"
        if self.meta.bundled:
            return f"install the package that brings it again, or pin the file that you mean with {pin}"
        return f"put the pinned file back, or pin this one with {pin}, or leave broken rows out with --quarantine"

    def no_row_left(self, first: LeftOut) -> SourceError:
        """The error for a corpus of which quarantine leaves nothing."""
        problem = f"no row is left; {self.refused} refused, the first for this: {first.reason}"
        pinned = {file.path: file for file in self.meta.files}
        other = [pinned[path] for path, found in self.hashes.items() if found != pinned[path].sha256]
        remedy = "mend the files, or let the builder read them otherwise"
        if any(file.address for file in other):
            remedy = f"get the files again with `emollms corpora fetch {self.meta.name}`"
        return SourceError(first.place, problem, first.value, remedy)

    def size(self, path: str) -> int:
        """The size of a file in bytes."""
        return (self.root / path).stat().st_size

    @contextmanager
    def _open(self, file: SourceFile) -> Iterator[BufferedReader]:
        """Open a file; what the system says against it becomes an error of the source."""
        try:
            with (self.root / file.path).open("rb") as stream:
                yield stream
        except OSError as error:
            remedy = "see to the disk and the permissions"
            if file.address:
                remedy += f", or get the file again with `emollms corpora fetch {self.meta.name}`"
            raise SourceError(self.place(file), "cannot be read", error.strerror or str(error), remedy) from error

    def _encoding(self, file: SourceFile, encoding: str | None) -> str:
        return check_encoding(encoding or file.encoding or UTF_8)

    def _read(self, file: SourceFile, encoding: str | None) -> Iterator[Line]:
        """The lines of a file, broken ones too; each becomes the place that was read last."""
        name = self._encoding(file, encoding)
        self.check(file)
        with self._open(file) as stream:
            for line in read_lines(stream, name, self.defects):
                self.read_last = (file, line.number)
                yield line

    def _is_sound(self, file: SourceFile, line: Line) -> bool:
        if fault := line.fault:
            self.refuse(self.place(file, line.number), fault.problem, fault.value, fault.remedy, fault.reason)
        return line.fault is None
