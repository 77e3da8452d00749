"""A build: raw corpora in, a finished dataset repo out.

The data goes through here once: read and checked (`ExampleStore`), worded and written a task and split at a time
(`_write_rows`), described (README, statistics, Croissant), and moved into place, the manifest last.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from time import perf_counter

import pyarrow as pa

from emollms import __version__
from emollms.corpora.catalogue import folder as corpus_folder
from emollms.corpora.corpus import Corpus
from emollms.corpora.source import LeftOut, Source
from emollms.errors import EmollmsError, UsageError
from emollms.repository.croissant import croissant
from emollms.repository.draft import LOCK, bring_back, draft, move_in
from emollms.repository.examples import ExampleStore, Group
from emollms.repository.manifest import (
    NAME as MANIFEST,
)
from emollms.repository.manifest import (
    CountEntry,
    FileEntry,
    Manifest,
    SourceEntry,
    Superseded,
    entry,
    parse_version,
    read_manifest,
    strictest,
)
from emollms.repository.readme import render_readme
from emollms.repository.schema import REJECTED_SCHEMA, ROW_SCHEMA
from emollms.repository.specs import Settings
from emollms.repository.statistics import Statistics
from emollms.repository.wording import word
from emollms.repository.writer import TableWriter
from emollms.tasks import get_task


@dataclass
class Build:
    """What a build did.

    Args:
        manifest: the manifest of the repo in its place.
        changed: False if the same version with the same content was there already.
        seconds: wall time by part: reading, wording, writing, describing.
    """

    manifest: Manifest
    changed: bool
    seconds: dict[str, float]


def build(settings: Settings, out: Path, version: str = "1.0.0", root: Path | None = None) -> Build:
    """Build a data set.

    Args:
        settings: what to build.
        out: the folder of the dataset repo; it appears when everything is written.
        version: the semantic version.
        root: the folder of the corpora; None for where they are on this machine.

    Raises:
        UsageError: settings or names are wrong, a corpus is missing, or `out` holds something else.
        SourceError: a raw file is not what its corpus says.
        EmollmsError: `out` holds this version with other content.
    """
    settings.check()
    bring_back(out)
    before = _standing(out, settings, version)
    with draft(out) as folder:
        run = _Run(settings, folder, root)
        manifest = run.make(version, before)
        if before and before.version == version:
            _refuse_other_content(before, manifest, out)
            rmtree(folder)
            return Build(before, False, dict(run.seconds))
        move_in(folder, out)
    return Build(manifest, True, dict(run.seconds))


def _standing(out: Path, settings: Settings, version: str) -> Manifest | None:
    """The manifest of what stands in `out`, if anything does, when it may be replaced by this version."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        parse_version(version)
        return None
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out} is there and holds no data set of ours; choose another --out")
    before = read_manifest(out)
    if before.data_set != settings.data_set.name:
        raise UsageError(f"{out} holds {before.data_set}, not {settings.data_set.name}; choose another --out")
    if parse_version(version) < parse_version(before.version):
        raise UsageError(f"{out} holds version {before.version}; {version} is older")
    return before


def _refuse_other_content(before: Manifest, now: Manifest, out: Path) -> None:
    if before.content_hash != now.content_hash:
        raise EmollmsError(
            f"{out} holds version {before.version} with other content, and a version never changes; "
            f"give the new content a --version of its own (`emollms diff` tells which step it asks for)"
        )


@dataclass
class _Run:
    settings: Settings
    folder: Path
    root: Path | None
    seconds: dict[str, float] = field(default_factory=dict)
    tables: dict[Group, TableWriter] = field(default_factory=dict)
    statistics: dict[Group, Statistics] = field(default_factory=dict)

    def make(self, version: str, before: Manifest | None) -> Manifest:
        with self._timed("reading"):
            sources, store = self._read()
        self._write_rows(store)
        rmtree(store.folder)
        with self._timed("describing"):
            return self._describe(version, before, sources)

    def _read(self) -> tuple[list[SourceEntry], ExampleStore]:
        """Every wanted example into the store; every row left out into `rejected.parquet`."""
        store = ExampleStore(self.folder / "examples")
        store.folder.mkdir()
        sources = []
        with TableWriter(self.folder / "rejected", REJECTED_SCHEMA) as rejected:
            for corpus in self.settings.sources():
                sources.append(self._read_corpus(corpus, store, rejected))
        store.close()
        rejected.files[0].rename(self.folder / "rejected.parquet")
        return sources, store

    def _read_corpus(self, corpus: type[Corpus], store: ExampleStore, rejected: TableWriter) -> SourceEntry:
        source = Source(corpus.meta, corpus_folder(corpus, self.root), self.settings.quarantine)
        examples = corpus(self.settings.profile).examples(source, self.settings.selection(corpus))
        left_out: Counter[str] = Counter()
        for example in examples:
            store.add(corpus.meta.name, example)
            if len(source.left_out) >= 10_000:
                _reject(source, rejected, left_out)
        _reject(source, rejected, left_out)
        return SourceEntry(
            corpus=corpus.meta.name,
            version=corpus.meta.version,
            licence=corpus.meta.licence,
            redistribution=corpus.meta.redistribution,
            homepage=corpus.meta.homepage,
            files=[
                FileEntry(path=path, sha256=digest, bytes=source.size(path)) for path, digest in source.hashes.items()
            ],
            defects={name: count for name, count in sorted(source.defects.items()) if count},
            left_out=dict(sorted(left_out.items())),
        )

    def _write_rows(self, store: ExampleStore) -> None:
        """The rows of each task and split into its table."""
        for task_name, split in store.groups():
            task = get_task(task_name)
            statistics = self.statistics[task_name, split] = Statistics()
            with TableWriter(self.folder / "data" / task_name / split, ROW_SCHEMA) as table:
                for examples in store.batches((task_name, split)):
                    with self._timed("wording"):
                        rows = word(task, examples, self.settings.data_set.wordings)
                    with self._timed("writing"):
                        table.write(rows)
                    with self._timed("describing"):
                        statistics.add(examples, rows)
            self.tables[task_name, split] = table

    def _describe(self, version: str, before: Manifest | None, sources: list[SourceEntry]) -> Manifest:
        """README, statistics, Croissant metadata, and last the manifest."""
        manifest = self._manifest(version, before, sources)
        statistics = {f"{task}/{split}": figures.summary() for (task, split), figures in self.statistics.items()}
        _write_json(self.folder / "statistics.json", statistics)
        data_files = {
            f"{task}/{split}" + (f"-{number}" if number else ""): entry(self.folder, path)
            for (task, split), table in self.tables.items()
            for number, path in enumerate(table.files)
        }
        _write_json(self.folder / "croissant.json", croissant(manifest, data_files))
        readme = render_readme(manifest, self.tables, statistics)
        (self.folder / "README.md").write_text(readme, encoding="utf-8")
        others = sorted(path for path in self.folder.iterdir() if path.is_file() and path.name != LOCK)
        manifest.files = [*data_files.values(), *(entry(self.folder, path) for path in others)]
        manifest.write(self.folder)
        return manifest

    def _manifest(self, version: str, before: Manifest | None, sources: list[SourceEntry]) -> Manifest:
        settings = self.settings
        hashes = "".join(f"{task}/{split}={table.content_hash()};" for (task, split), table in self.tables.items())
        older = before if before and before.version != version else None
        return Manifest(
            data_set=settings.data_set.name,
            title=settings.data_set.title,
            version=version,
            content_hash=hashlib.sha256(hashes.encode()).hexdigest(),
            supersedes=Superseded(version=older.version, content_hash=older.content_hash) if older else None,
            redistribution=strictest([corpus.meta for corpus in settings.sources()]),
            settings=settings.as_json(),
            sources=sources,
            counts=[
                CountEntry(task=task, split=split, read=figures.texts, dropped={}, rows=figures.rows)
                for (task, split), figures in self.statistics.items()
            ],
            files=[],
            made_with=__version__,
        )

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + perf_counter() - start


def _reject(source: Source, rejected: TableWriter, counts: Counter[str]) -> None:
    """Write the rows that a source has left out, and count them by reason."""
    rows = source.take_left_out()
    counts.update(row.reason for row in rows)
    if rows:
        rejected.write(pa.RecordBatch.from_pylist([_rejected(source, row) for row in rows], REJECTED_SCHEMA))


def _rejected(source: Source, row: LeftOut) -> dict[str, object]:
    return {
        "corpus": source.meta.name,
        "file": row.place.file,
        "line": row.place.line,
        "source_id": row.source_id,
        "text": row.value,
        "reason": row.reason,
    }


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
