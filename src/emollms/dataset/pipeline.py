"""The path of the data through a build.

Read and checked (`ExampleStore`), screened for near-duplicates (`Filters`), worded and written a task and split at a
time (`TableWriter`), described (statistics, README, Croissant), and signed with the manifest, which is written last.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from time import perf_counter
from typing import TYPE_CHECKING

import pyarrow as pa

from emollms import __version__
from emollms.corpora.base import Corpus, Example
from emollms.corpora.reader import LeftOut, RawSource
from emollms.corpora.registry import folder as corpus_folder
from emollms.dataset.card import render_readme
from emollms.dataset.card_metadata import croissant
from emollms.dataset.eval_yaml import NAME as EVAL_YAML
from emollms.dataset.eval_yaml import render_eval_yaml
from emollms.dataset.examples import ExampleStore, Group, mask_texts
from emollms.dataset.manifest import README, Manifest, entry, strictest
from emollms.dataset.manifest_entries import CountEntry, FileEntry, SensitiveCount, SourceEntry, Superseded
from emollms.dataset.reader import TEST
from emollms.dataset.render import render_rows
from emollms.dataset.schema import REJECTED_SCHEMA, row_schema, typed_schema
from emollms.dataset.screening import (
    Filters,
    check_remaining,
    publishable_pairs,
    rejected_rows,
    screen_texts,
    stage_texts,
    texts_of,
)
from emollms.dataset.specs import Settings
from emollms.dataset.statistics import Statistics
from emollms.dataset.writer import LanguageTables, TableWriter, one_table, open_table, record_set
from emollms.dedup.schema import PAIR_SCHEMA
from emollms.errors import EmollmsError
from emollms.pii.mask import KINDS, count_sensitive, mask_column
from emollms.progress import OnProgress, silent
from emollms.storage import LOCK, write_json
from emollms.tasks import get_task

if TYPE_CHECKING:
    from emollms.dedup.index import DuplicateIndex

LEFT_OUT_AT_ONCE = 10_000
Reason = tuple[str, bool]
"""Why raw rows were left out, and whether that is because they could not be read."""
TEXTS_PER_UPDATE = 1_000
PAIRS_TO_CHOOSE_FROM = 100


class Pipeline:
    """One build into a draft folder.

    Args:
        settings: what to build.
        folder: the draft.
        root: the folder of the corpora; None for where they are on this machine.
        validate: whether the data is checked against its suite before the manifest is written.
        on_progress: called with what is done, and with the texts that are read, and then written.
        index: texts of earlier runs to compare with; what is built is staged in it.

    Attributes:
        seconds: wall time by part.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        root: Path | None,
        validate: bool,
        on_progress: OnProgress = silent,
        index: "DuplicateIndex | None" = None,
    ) -> None:
        self.index = index
        self.settings, self.folder, self.root, self.validate = settings, folder, root, validate
        self.on_progress, self.texts = on_progress, 0
        self.seconds: dict[str, float] = {}
        self.store = ExampleStore(folder / "examples", settings.profile)
        self.read_of: Counter[str] = Counter()
        self.filters = Filters()
        self.tables: dict[Group, TableWriter | LanguageTables] = {}
        self.statistics: dict[Group, Statistics] = {}
        self.sensitive: dict[str, Counter[str]] = {kind: Counter(texts=0, finds=0) for kind in KINDS}

    def run(self, version: str, before: Manifest | None) -> Manifest:
        """Build; `before` is the version that this one takes the place of."""
        with one_table(self.folder / "rejected.parquet", REJECTED_SCHEMA) as rejected:
            with self._timed("reading"):
                sources = self.read(rejected)
            with self._timed("screening"):
                self.screen(rejected, version)
        self.write_rows()
        rmtree(self.store.folder)
        with self._timed("describing"):
            manifest = self.describe(self._manifest(version, before, sources))
        if self.validate:
            with self._timed("validating"):
                self.check_suite(manifest)
        manifest.write(self.folder)
        return manifest

    def read(self, rejected: TableWriter) -> list[SourceEntry]:
        """Every wanted example into the store; every row left out into `rejected.parquet`.

        Raises:
            EmollmsError: no corpus has an example that is wanted, or none is of a corpus or task that was named.
        """
        sources = [self._read_corpus(corpus, rejected) for corpus in self.settings.sources()]
        self.store.close()
        if not self.store.groups():
            raise self._nothing_of(f"nothing to build: {', '.join(entry.corpus for entry in sources)}")
        read = {task for task, _ in self.store.groups()}
        for name in self.settings.named_corpora:
            if not self.read_of[name]:
                raise self._nothing_of(f"corpus {name}")
        for name in self.settings.tasks:
            if name not in read:
                raise self._nothing_of(f"task {name}")
        return sources

    def _nothing_of(self, subject: str) -> EmollmsError:
        """The error for a corpus or task that was asked for by name and has no text."""
        splits, languages = ", ".join(self.settings.data_set.splits), ", ".join(self.settings.languages)
        return EmollmsError(
            f"{subject}: no text for {self.settings.data_set.name} (splits {splits}; languages {languages}); "
            "see `emollms corpora`"
        )

    def _read_corpus(self, corpus: type[Corpus], rejected: TableWriter) -> SourceEntry:
        source = RawSource(corpus.meta, corpus_folder(corpus, self.root), self.settings.quarantine)
        left_out: Counter[Reason] = Counter()
        for example in self._examples(corpus, source):
            self.store.add(corpus.meta.name, example)
            self.read_of[corpus.meta.name] += 1
            self.texts += 1
            if self.texts % TEXTS_PER_UPDATE == 0:
                self.on_progress(f"reading {corpus.meta.name}", self.texts, None)
            if len(source.left_out) >= LEFT_OUT_AT_ONCE:
                self._reject(source, rejected, left_out)
        self._reject(source, rejected, left_out)
        return _source_entry(source, left_out)

    def _examples(self, corpus: type[Corpus], source: RawSource) -> Iterator[Example]:
        """What is taken from a corpus, each example in the split that it is in here."""
        for part in self.settings.parts(corpus):
            for example in corpus(self.settings.profile).examples(source, part.selection):
                yield replace(example, split=part.split) if part.split else example

    def _reject(self, source: RawSource, rejected: TableWriter, counts: Counter[Reason]) -> None:
        """Write the rows that a source has left out, and count them by reason."""
        rows = source.take_left_out()
        counts.update((row.reason, row.refused) for row in rows)
        if rows:
            batch = pa.RecordBatch.from_pylist([_rejected(source, row) for row in rows], REJECTED_SCHEMA)
            rejected.write(self._masked(batch, "text"))

    def screen(self, rejected: TableWriter, version: str) -> None:
        """Near-duplicates: pairs into `duplicates.parquet`, what is dropped into `rejected.parquet`."""
        if self.settings.profile == "paper":
            return
        self.on_progress("comparing texts", 0, None)
        texts, offsets = texts_of(self.store)
        self.filters = screen_texts(texts, offsets, self.settings, self.root, index=self.index)
        assert self.filters.screening
        if self.index is not None:
            stage_texts(self.index, f"{self.settings.data_set.name} {version}", texts, self.filters)
        for batch in rejected_rows(self.filters.screening, texts):
            rejected.write(self._masked(batch, "text"))
        with one_table(self.folder / "duplicates.parquet", PAIR_SCHEMA) as table:
            for batch in publishable_pairs(self.filters.screening.pairs, self.settings).to_batches():
                table.write(self._masked(batch, "text_a", "text_b"))

    def write_rows(self) -> None:
        """The rows of each task and split into its table; there is none where every text is dropped."""
        dropped = {group: self.filters.dropped(group) for group in self.store.groups()}
        check_remaining(self.store.rows, dropped, self.settings.tasks)
        name_targets, by_language = self.settings.profile != "paper", self.settings.data_set.by_language
        schema, written = row_schema(self.settings.profile), 0
        for group in self.store.groups():
            task = get_task(group[0])
            statistics = self.statistics[group] = Statistics()
            if sum(dropped[group].values()) == self.store.rows[group]:
                continue
            stem = self.folder / "data" / group[0] / group[1]
            with open_table(stem, by_language, typed_schema(task, schema)) as table:
                for examples in map(self._counted, self.filters.apply(group, self.store.batches(group))):
                    with self._timed("wording"):
                        wordings, unannotated = self.settings.data_set.wordings, self._unannotated(group)
                        instructions = self.settings.instructions
                        rows = render_rows(task, examples, wordings, unannotated, name_targets, instructions)
                    with self._timed("writing"):
                        table.write(rows.select(schema.names))
                    with self._timed("describing"):
                        statistics.add(examples, rows)
                    written += examples.num_rows
                    self.on_progress(f"writing {'/'.join(group)}", written, self.texts)
            self.tables[group] = table

    def _unannotated(self, group: Group) -> Callable[[str, str], Collection[str]]:
        """What says, by corpus and language, which labels were not annotated in a task and split."""
        metas = {corpus.meta.name: corpus.meta for corpus in self.settings.sources()}
        return lambda corpus, language: metas[corpus].left_out(*group, language)

    def _counted(self, examples: pa.RecordBatch) -> pa.RecordBatch:
        """Count what is sensitive in the texts, and mask it where that is asked for."""
        for kind, count in count_sensitive(examples["text"]).items():
            self.sensitive[kind]["texts"] += count.texts
            self.sensitive[kind]["finds"] += count.matches
        return mask_texts(examples) if self.settings.mask else examples

    def _masked(self, rows: pa.RecordBatch, *columns: str) -> pa.RecordBatch:
        """Rows with these columns masked, where that is asked for."""
        for name in columns if self.settings.mask else ():
            rows = rows.set_column(rows.schema.get_field_index(name), name, mask_column(rows[name]))
        return rows

    def describe(self, manifest: Manifest) -> Manifest:
        """Write statistics, Croissant metadata and README; gives the manifest with its files."""
        statistics = {f"{task}/{split}": figures.summary() for (task, split), figures in self.statistics.items()}
        write_json(self.folder / "statistics.json", statistics)
        data_files = {
            f"{task}/{record_set(path)}": entry(self.folder, path)
            for (task, _), table in self.tables.items()
            for path in table.files
        }
        write_json(self.folder / "croissant.json", croissant(manifest, data_files), indent=None)  # for programs only
        if self.settings.data_set.splits == (TEST,):
            about = self.settings.data_set.about
            (self.folder / EVAL_YAML).write_text(render_eval_yaml(manifest, about, statistics), encoding="utf-8")
        others = sorted(path for path in self.folder.iterdir() if path.is_file() and path.name != LOCK)
        files = [*data_files.values(), *(entry(self.folder, path) for path in others)]
        manifest = manifest.model_copy(update={"files": files})
        pairs = self.filters.examples(PAIRS_TO_CHOOSE_FROM)
        readme = render_readme(manifest, self.tables, statistics, pairs, self.folder)
        (self.folder / README).write_text(readme, encoding="utf-8")
        return manifest

    def check_suite(self, manifest: Manifest) -> None:
        """Check the draft against the suite of its data set.

        Raises:
            GateFailed: it fails.
        """
        from emollms.dataset.validation import enforce  # great-expectations takes two seconds to import

        def on_progress(label: str, done: int, total: int | None) -> None:
            self.on_progress(f"{label}, {done} of {total}", 0, None)

        enforce(self.folder, manifest, on_progress=on_progress)

    def _manifest(self, version: str, before: Manifest | None, sources: list[SourceEntry]) -> Manifest:
        settings = self.settings
        hashes = "".join(f"{task}/{split}={table.content_hash()};" for (task, split), table in self.tables.items())
        older = before if before and before.version != version else None
        return Manifest(
            data_set=settings.data_set.name,
            title=settings.data_set.title,
            version=version,
            content_hash=hashlib.sha256(hashes.encode()).hexdigest(),
            supersedes=Superseded(**older.model_dump(include=set(Superseded.model_fields))) if older else None,
            redistribution=strictest([corpus.meta for corpus in settings.sources()]),
            settings=settings.as_json(),
            sources=sources,
            counts=[self._count(group) for group in self.statistics],
            screening=self.filters.entry,
            sensitive={kind: SensitiveCount(**counts) for kind, counts in self.sensitive.items()},
            mixing_limit=settings.data_set.mixing_limit,
            files=[],
            made_with=__version__,
        )

    def _count(self, group: Group) -> CountEntry:
        figures, dropped = self.statistics[group], self.filters.dropped(group)
        read = figures.texts + sum(dropped.values())
        return CountEntry(task=group[0], split=group[1], read=read, dropped=dropped, rows=figures.rows)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + perf_counter() - start


def _source_entry(source: RawSource, left_out: Counter[Reason]) -> SourceEntry:
    meta = source.meta
    counts: Counter[str] = Counter()
    for (reason, _), count in sorted(left_out.items()):
        counts[reason] += count
    return SourceEntry(
        corpus=meta.name,
        version=meta.version,
        license=meta.license,
        redistribution=meta.redistribution,
        homepage=meta.homepage,
        files=[FileEntry(path=path, sha256=sha, bytes=source.size(path)) for path, sha in source.hashes.items()],
        defects={name: count for name, count in sorted(source.defects.items()) if count},
        left_out=dict(counts),
        refused=sorted(reason for reason, refused in left_out if refused),
        unannotated=list(meta.unannotated),
    )


def _rejected(source: RawSource, row: LeftOut) -> dict[str, object]:
    return {
        "corpus": source.meta.name,
        "file": row.place.file,
        "line": row.place.line,
        "source_id": row.source_id,
        "text": row.value,
        "reason": row.reason,
    }
