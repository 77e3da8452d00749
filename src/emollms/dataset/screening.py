"""The screening of a build: its texts against each other, and against the benchmark."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from emollms.corpora.base import Example, Selection
from emollms.corpora.metadata import Split
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, folder, get_corpus, is_here
from emollms.dataset.examples import ExampleStore, Group, to_arrow
from emollms.dataset.manifest import PairCount, ScreeningEntry
from emollms.dataset.render import stems
from emollms.dataset.schema import REJECTED_SCHEMA
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.dedup.index import DuplicateIndex
from emollms.dedup.schema import KINDS, PAIR_SCHEMA, TEXT_SCHEMA, Policy, Screening
from emollms.dedup.screen import screen
from emollms.dedup.search import Search

BATCH = 10_000


@dataclass(frozen=True)
class Filters:
    """What the screening of a store decided.

    Args:
        screening: what was found; None where nothing is screened.
        offsets: which of its rows belong to each group.
        entry: what the manifest says of it.
    """

    screening: Screening | None
    offsets: dict[Group, range]
    entry: ScreeningEntry | None

    def apply(self, group: Group, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The examples of a group that stay, with the columns `cluster` and `overlaps`, in batches of one or more."""
        at = self.offsets[group].start if self.screening else 0
        for batch in batches:
            flagged = self._flagged(batch, slice(at, at + batch.num_rows))
            at += batch.num_rows
            if flagged.num_rows:
                yield flagged

    def _flagged(self, batch: pa.RecordBatch, rows: slice) -> pa.RecordBatch:
        found = self.screening
        cluster = found.cluster[rows] if found else [None] * batch.num_rows
        overlaps = found.overlaps[rows] if found else [[] for _ in range(batch.num_rows)]
        batch = batch.append_column("cluster", pa.array(cluster, pa.string()))
        batch = batch.append_column("overlaps", pa.array(overlaps, pa.list_(pa.string())))
        return batch.filter(pa.array([not reason for reason in found.reason[rows]])) if found else batch

    def dropped(self, group: Group) -> dict[str, int]:
        """How many examples of a group are dropped, by reason."""
        if self.screening is None:
            return {}
        rows = slice(self.offsets[group].start, self.offsets[group].stop)
        return dict(sorted(Counter(filter(None, self.screening.reason[rows])).items()))

    def pairs(self) -> pa.Table:
        """The pairs found."""
        return self.screening.pairs if self.screening else PAIR_SCHEMA.empty_table()

    def examples(self, count: int = 3) -> list[dict[str, object]]:
        """The first few pairs of each kind that are not equal to the letter, for the card."""
        shown = self.pairs().filter(pc.invert(self.pairs()["equal"]))
        kinds = [shown.filter(pc.equal(shown["kind"], kind)).slice(0, count) for kind in KINDS]
        return [row for kind in kinds for row in kind.to_pylist()]


def no_filters() -> Filters:
    """Keeps everything: the profile `paper`."""
    return Filters(None, {}, None)


def without_bound(pairs: pa.Table, settings: Settings) -> pa.Table:
    """Pairs of a data set that may be passed on, without those texts of a benchmark that may not."""
    if any(corpus.meta.redistribution != "text" for corpus in settings.sources()):
        return pairs
    names = pc.list_element(pc.split_pattern(pairs["id_b"], "/", max_splits=1), 0)
    known = [name for name in pc.unique(names).to_pylist() if name in corpora()]  # an index has no texts to withhold
    bound = [name for name in known if get_corpus(name).meta.redistribution != "text"]
    there = pc.invert(pc.is_in(names, pa.array(bound, pa.string())))
    texts = pc.if_else(there, pairs["text_b"], pa.scalar(None, pa.string()))
    return pairs.set_column(pairs.schema.get_field_index("text_b"), "text_b", texts)


def rejected_rows(filters: Filters, store: ExampleStore) -> Iterator[pa.RecordBatch]:
    """The dropped examples, with `REJECTED_SCHEMA`."""
    if filters.screening is None:
        return
    texts, _ = texts_of(store)
    found = filters.screening
    for at in range(0, texts.num_rows, BATCH):
        rows = [
            {**_named(row), "reason": found.reason[at + n], "duplicate_of": found.duplicate_of[at + n],
             "similarity": found.similarity[at + n]}
            for n, row in enumerate(texts.slice(at, BATCH).to_pylist())
            if found.reason[at + n]
        ]  # fmt: skip
        if rows:
            yield pa.RecordBatch.from_pylist(rows, REJECTED_SCHEMA)


def _named(row: dict[str, str]) -> dict[str, str]:
    corpus, _, source_id = row["id"].split("/", 2)
    return {
        "corpus": corpus,
        "source_id": source_id.rpartition("/")[0],
        "task": row["task"],
        "split": row["split"],
        "text": row["text"],
    }


def texts_of(store: ExampleStore) -> tuple[pa.Table, dict[Group, range]]:
    """All examples of a store in one table, and which of its rows belong to each group."""
    batches: list[pa.RecordBatch] = []
    offsets, at = {}, 0
    for group in store.groups():
        batches += [as_texts(group, examples) for examples in store.batches(group)]
        start, at = at, sum(batch.num_rows for batch in batches)
        offsets[group] = range(start, at)
    return pa.Table.from_batches(batches, TEXT_SCHEMA), offsets


def as_texts(group: Group, examples: pa.RecordBatch) -> pa.RecordBatch:
    """Examples of a group, with `TEXT_SCHEMA`."""
    task, split = group
    columns = {
        "id": stems(task, examples),
        "task": pa.repeat(task, examples.num_rows),
        "split": pa.repeat(split, examples.num_rows),
        "answer": examples["completion"],
        **{name: examples[name] for name in ("text", "emotion", "score", "labels")},
    }
    return pa.record_batch([columns[name] for name in TEXT_SCHEMA.names], schema=TEXT_SCHEMA)


TEST: tuple[Split, ...] = ("test",)
MEMORY = 1 << 28  # bytes of band keys that the search holds before it goes to disk: enough for 1.2 million texts


def screen_store(
    store: ExampleStore,
    settings: Settings,
    root: Path | None,
    policy: Policy = "flag",
    index: DuplicateIndex | None = None,
) -> Filters:
    """Screen the examples of a store against each other and against the benchmark.

    Args:
        store: the examples.
        settings: what is built; only training data is held against the benchmark.
        root: the folder of the corpora.
        policy: what becomes of near-duplicates inside the training split.
        index: texts of earlier runs, which must not be in training or validation either.
    """
    texts, offsets = texts_of(store)
    names = _benchmark_corpora(settings) if "train" in settings.data_set.splits else []
    here = [name for name in names if name in corpora() and is_here(get_corpus(name), root)]
    benchmark = _benchmark(here, settings, root)
    search = index_search()
    found = screen(texts, benchmark, policy, search, index)
    entry = ScreeningEntry(
        threshold=search.threshold,
        policy=policy,
        benchmark=here,
        benchmark_not_here=[name for name in names if name not in here],
        benchmark_texts=len(pc.unique(benchmark["text"])),
        pairs=[count for kind in KINDS for count in _counts(kind, found.pairs)],
        overlaps={group[0]: counts for group, rows in offsets.items() if (counts := _overlaps(found, rows))},
        index=index.digest if index else None,
    )
    return Filters(found, offsets, entry)


def index_search() -> Search:
    """How a build searches; an index that it uses must have been made so."""
    return Search(memory=MEMORY)


def stage_texts(index: DuplicateIndex, name: str, store: ExampleStore, filters: Filters) -> None:
    """Stage the texts of a store that stay, for `index.commit`."""
    texts, _ = texts_of(store)
    if filters.screening is not None:
        kept = texts.filter(pa.array(filters.screening.kept()))
        index.stage(name, kept["id"].to_pylist(), kept["text"])


def _benchmark_corpora(settings: Settings) -> list[str]:
    """The corpora whose tests training data is held against: those of the AEB, and those that are built from."""
    return list(dict.fromkeys([*DATA_SETS["aeb"].corpora, *(corpus.meta.name for corpus in settings.sources())]))


def _benchmark(names: list[str], settings: Settings, root: Path | None) -> pa.Table:
    """The test texts of these corpora, in every language."""
    batches = []
    for corpus in map(get_corpus, names):
        source = RawSource(corpus.meta, folder(corpus, root), settings.quarantine)
        selection = Selection(corpus.meta.tasks, TEST)
        groups: dict[str, list[tuple[str, Example]]] = {}
        for example in corpus(settings.profile).examples(source, selection):
            groups.setdefault(example.task, []).append((corpus.meta.name, example))
        batches += [as_texts((task, "test"), to_arrow(task, rows)) for task, rows in groups.items()]
    return pa.Table.from_batches(batches, TEXT_SCHEMA)


def _counts(kind: str, pairs: pa.Table) -> list[PairCount]:
    """Numbers of pairs of a kind, by task and splits, and how many of them have answers that disagree."""
    chosen = pairs.filter(pc.equal(pairs["kind"], kind))
    counts: dict[tuple[str, str, str], list[float | None]] = {}
    equal: Counter[tuple[str, str, str]] = Counter()
    columns = (chosen[name].to_pylist() for name in ("id_a", "split_a", "split_b", "equal", "disagreement"))
    for name, split_a, split_b, same, distance in zip(*columns, strict=True):
        key = (name.split("/")[1], split_a, split_b)
        counts.setdefault(key, []).append(distance)
        equal[key] += same
    return [
        PairCount(
            kind=kind,
            task=key[0],
            splits=f"{key[1]}/{key[2]}",
            equal=equal[key],
            near=len(distances) - equal[key],
            disagreeing=sum(bool(distance) for distance in distances),
            mean_disagreement=_mean([distance for distance in distances if distance is not None]),
        )
        for key, distances in sorted(counts.items())
    ]


def _overlaps(found: Screening, rows: range) -> dict[str, int]:
    tasks = Counter(task for row in rows for task in found.overlaps[row])
    return dict(sorted(tasks.items()))


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
