"""A corpus of valence scores whose rows are what a test writes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from emollms.corpora import registry
from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, SourceFile
from emollms.corpora.reader import RawSource, Record
from emollms.dataset.specs import DATA_SETS, Settings

Install = Callable[[Mapping[str, Sequence[Sequence[str]]]], Path]
"""Writes the corpus with these rows by split, and gives the folder of corpora."""
COLUMNS = ("id", "text", "score")


class Tiny(Corpus):
    """One table a split."""

    meta: CorpusMetadata

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        for file in self.wanted_files(selection):
            yield from source.table(file, COLUMNS)

    def rows(self, record: Record) -> Iterable[Example]:
        score = record.number("score")
        yield Example("V-reg", record.split, record["id"], record["text"], score, record["score"])


def write_corpus(root: Path, rows: Mapping[str, Sequence[Sequence[str]]]) -> Path:
    """Write the corpus `tiny` with these rows by split below `root`, and make it known; gives `root`."""
    (root / "tiny").mkdir(parents=True, exist_ok=True)
    Tiny.meta = CorpusMetadata(
        name="tiny",
        version="1",
        title="Tiny",
        description="Rows of a test.",
        languages=("en",),
        tasks=("V-reg",),
        splits=("train", "validation", "test"),
        domain="tests",
        license="mit",
        redistribution="text",
        homepage="https://example.org",
        citation="@misc{tiny}",
        files=tuple(_write_table(root / "tiny", split, cells) for split, cells in rows.items()),
    )
    registry.corpora.cache_clear()
    registry._from_other_packages = lambda: [Tiny]
    return root


def _write_table(folder: Path, split: str, cells: Sequence[Sequence[str]]) -> SourceFile:
    data = "".join("\t".join(row) + "\n" for row in (COLUMNS, *cells)).encode()
    (folder / f"{split}.tsv").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    about = {"path": f"{split}.tsv", "split": split, "language": "en", "task": "V-reg"}
    return SourceFile(sha256=digest, bytes=len(data), rows=len(cells), **about)


def settings(data_set: str, *corpora: str, **options: object) -> Settings:
    return Settings(DATA_SETS[data_set], corpora=corpora, **options)
