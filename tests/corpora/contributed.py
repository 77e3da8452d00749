"""A package with one corpus, written as a newcomer would, so that tests can put a mistake into it."""

import csv
import hashlib
import io
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forks import Forks

MODULE = """
from emollms.corpora.base import Corpus, Example
from emollms.corpora.metadata import CorpusMetadata, Unannotated, pinned_files
from emollms.text_repair import ENTITIES, OUTER_SPACE
from emollms.corpora.reader import CellError, Record


class Mine(Corpus):
    meta = CorpusMetadata(
        name="mine",
        version="1",
        title="Mine",
        description="Made up.",
        languages=("en",),
        tasks=("V-reg",),
        splits=("train",),
        domain="made up",
        license="mit",
        redistribution="text",
        homepage="https://example.org",
        citation="@misc{mine}",
        files=pinned_files("mine", "newcomer"),
    )
    repairs = (ENTITIES, OUTER_SPACE)

    def records(self, source, selection):
        for file in self.wanted_files(selection):
            yield from source.table(file, ("id", "text", "score"))

    def rows(self, record):
        yield Example("V-reg", record.split, record["id"], record["text"], record.number("score"), record["score"])
"""
PROGRESS = re.compile(r".*: \d+:\d\d so far$|[\d,]+ of [\d,]+ |done in \d+:\d\d$")
"""Lines that a machine writes which takes over ten seconds for a build."""
TABLE = b"id\ttext\tscore\n1\tthe tram came early\t0.5\n2\tit rained on my hat\t0.2\n"
SAMPLE = ("--corpora", "sample", "--tasks", "V-reg")


@dataclass
class Newcomer:
    """The package, its raw files, and its commands.

    Args:
        root: a folder for all of it.
        forks: runs its commands; None where no command is run.
        module: the text of the builder.
        files: the raw files by path.
        about: what the table of files says of each, besides its hash and size.
    """

    root: Path
    forks: Forks | None = None
    module: str = MODULE
    files: dict[str, bytes] = field(default_factory=lambda: {"train.tsv": TABLE})
    about: dict[str, Mapping[str, str]] = field(
        default_factory=lambda: {"train.tsv": {"split": "train", "language": "en", "task": "V-reg"}}
    )

    @property
    def table(self) -> Path:
        """The table of files."""
        return self.root / "site/newcomer/files/mine.csv"

    def change(self, old: str, new: str) -> "Newcomer":
        """Put a mistake into the builder."""
        assert self.module.count(old) == 1, old
        self.module = self.module.replace(old, new)
        return self

    def line(self, text: str) -> int:
        """The number of the line of the builder that holds this."""
        return next(number for number, line in enumerate(self.module.splitlines(), 1) if text in line)

    def write(self) -> "Newcomer":
        """Write package, table and raw files."""
        info = self.root / "site/newcomer-1.0.dist-info"
        for folder in (info, self.table.parent, self.root / "raw/mine"):
            folder.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: newcomer\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[emollms.builders]\nmine = newcomer:Mine\n")
        (self.root / "site/newcomer/__init__.py").write_text(self.module)
        text = io.StringIO()
        columns = list(dict.fromkeys(["path", "sha256", "bytes", *(key for one in self.about.values() for key in one)]))
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for path, body in self.files.items():
            (self.root / "raw/mine" / path).write_bytes(body)
            pins = {"path": path, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
            writer.writerow({**pins, **self.about.get(path, {})})
        self.table.write_text(text.getvalue())
        return self

    def run(self, *args: object) -> "subprocess.CompletedProcess[str]":
        """A command, with the package installed."""
        code = f"import sys; sys.path.insert(0, {str(self.root / 'site')!r}); from emollms.cli import main; main()"
        done = self.forks.run(code, *args, folder=self.root / "printed")
        done.stderr = "".join(line for line in done.stderr.splitlines(keepends=True) if not PROGRESS.match(line))
        return done

    def python(self, code: str) -> "subprocess.CompletedProcess[str]":
        """Python, with the package installed."""
        whole = f"import sys; sys.path.insert(0, {str(self.root / 'site')!r}); {code}"
        return self.forks.run(whole, folder=self.root / "printed")

    def build(self, *args: object) -> "subprocess.CompletedProcess[str]":
        """A build from the corpus."""
        where = ("--from", self.root / "raw", "--out", self.root / "out")
        return self.run("build", "aaid", "--corpora", "mine", "--languages", "all", *where, *args)
