"""The screening of a build: its texts against each other, and against the benchmark."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from emollms.corpora.base import Example, Selection
from emollms.corpora.metadata import CorpusMetadata, Split
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, folder, get_corpus, is_here
from emollms.dataset.examples import ExampleStore, Group, to_arrow
from emollms.dataset.manifest_entries import PairCount, ScreeningEntry, by_seriousness
from emollms.dataset.render import stems
from emollms.dataset.schema import REJECTED_SCHEMA
from emollms.dataset.specs import VALIDATION, Settings, get_data_set, stand_ins
from emollms.dedup.schema import KINDS, PAIR_SCHEMA, TEXT_SCHEMA, Policy, Screening
from emollms.errors import EmollmsError

if TYPE_CHECKING:
    from emollms.dedup.index import DuplicateIndex
    from emollms.dedup.search import Search

BATCH = 10_000
SCREENED_SCHEMA = TEXT_SCHEMA.append(pa.field("corpus", pa.string())).append(pa.field("source_id", pa.string()))
"""What is screened, with the parts of its ids that `rejected.parquet` and the counts of pairs need."""


@dataclass(frozen=True)
class Filters:
    """What the screening of a build decided; without one, everything stays.

    Args:
        screening: what was found; its pairs have the columns `task_a`, `corpus_a` and `corpus_b` as well.
        offsets: which of its rows belong to each group.
        entry: what the manifest says of it.
    """

    screening: Screening | None = None
    offsets: Mapping[Group, range] = field(default_factory=dict)
    entry: ScreeningEntry | None = None

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

    def examples(self, count: int = 3) -> list[dict[str, object]]:
        """The first few pairs of each kind that are not identical, for the card."""
        if self.screening is None:
            return []
        shown = self.screening.pairs.filter(pc.invert(self.screening.pairs["equal"]))
        kinds = [shown.filter(pc.equal(shown["kind"], kind)).slice(0, count) for kind in KINDS]
        return [row for kind in kinds for row in kind.to_pylist()]


def publishable_pairs(pairs: pa.Table, settings: Settings) -> pa.Table:
    """Pairs as `duplicates.parquet` has them, without benchmark texts that may not be redistributed.

    Where the data set itself may not be redistributed, all texts stay.

    Args:
        pairs: pairs, with `PAIR_SCHEMA` and the column `corpus_b`.
        settings: what is built.
    """
    if all(corpus.meta.redistribution == "text" for corpus in settings.sources()):
        names = pairs["corpus_b"]
        known = [name for name in pc.unique(names).to_pylist() if name is not None]  # an index has no texts to withhold
        bound = [name for name in known if get_corpus(name).meta.redistribution != "text"]
        is_free = pc.invert(pc.is_in(names, pa.array(bound, pa.string())))
        texts = pc.if_else(is_free, pairs["text_b"], pa.scalar(None, pa.string()))
        pairs = pairs.set_column(pairs.schema.get_field_index("text_b"), "text_b", texts)
    return pairs.select(PAIR_SCHEMA.names)


def rejected_rows(screening: Screening, texts: pa.Table) -> Iterator[pa.RecordBatch]:
    """The dropped examples, with `REJECTED_SCHEMA`.

    Args:
        screening: what was found in `texts`.
        texts: the examples, with `SCREENED_SCHEMA`.
    """
    columns = ("corpus", "source_id", "task", "split", "text")
    for at in range(0, texts.num_rows, BATCH):
        rows = [
            {**row, "reason": screening.reason[at + n], "duplicate_of": screening.duplicate_of[at + n],
             "similarity": screening.similarity[at + n]}
            for n, row in enumerate(texts.select(columns).slice(at, BATCH).to_pylist())
            if screening.reason[at + n]
        ]  # fmt: skip
        if rows:
            yield pa.RecordBatch.from_pylist(rows, REJECTED_SCHEMA)


def texts_of(store: ExampleStore) -> tuple[pa.Table, dict[Group, range]]:
    """All examples of a store in one table, and which of its rows belong to each group."""
    batches: list[pa.RecordBatch] = []
    offsets, at = {}, 0
    for group in store.groups():
        batches += [as_texts(group, examples) for examples in store.batches(group)]
        start, at = at, sum(batch.num_rows for batch in batches)
        offsets[group] = range(start, at)
    return pa.Table.from_batches(batches, SCREENED_SCHEMA), offsets


def as_texts(group: Group, examples: pa.RecordBatch) -> pa.RecordBatch:
    """Examples of a group, with `SCREENED_SCHEMA`."""
    task, split = group
    columns = {
        "id": stems(task, examples),
        "task": pa.repeat(task, examples.num_rows),
        "split": pa.repeat(split, examples.num_rows),
        "answer": examples["completion"],
        **{name: examples[name] for name in ("text", "emotion", "score", "labels", "corpus", "source_id")},
    }
    return pa.record_batch([columns[name] for name in SCREENED_SCHEMA.names], schema=SCREENED_SCHEMA)


TEST: tuple[Split, ...] = ("test",)
MEMORY = 1 << 28  # bytes of band keys that the search holds before it goes to disk: enough for 1.2 million texts


def screen_texts(
    texts: pa.Table,
    offsets: dict[Group, range],
    settings: Settings,
    root: Path | None,
    policy: Policy = "flag",
    index: "DuplicateIndex | None" = None,
) -> Filters:
    """Screen the texts of a build against each other, the benchmark, and earlier builds.

    Args:
        texts: the texts, with `SCREENED_SCHEMA`.
        offsets: which of their rows belong to each group.
        settings: what is built; only training data is compared with the benchmark.
        root: the folder of the corpora.
        policy: what becomes of near-duplicates inside the training split.
        index: texts of earlier runs, which must not be in training or validation either.
    """
    names = _benchmark_corpora(settings) if "train" in settings.data_set.splits else []
    here = [name for name in names if name in corpora() and is_here(get_corpus(name), root)]
    benchmark = _benchmark(here, settings, root)
    from emollms.dedup.screen import screen  # compiles kernels: only where something is screened

    search = index_search()
    found = screen(texts, benchmark, policy, search, index)
    found = replace(found, pairs=_with_parts(found.pairs, pa.concat_tables([texts, benchmark])))
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


def index_search() -> "Search":
    """How a build searches; an index that it uses must have been made so."""
    from emollms.dedup.search import Search

    return Search(memory=MEMORY)


def stage_texts(index: "DuplicateIndex", name: str, texts: pa.Table, filters: Filters) -> None:
    """Stage the texts that stay, for `index.commit`."""
    if filters.screening is not None:
        kept = texts.filter(pa.array(filters.screening.kept()))
        index.stage(name, kept["id"].to_pylist(), kept["text"])


def _with_parts(pairs: pa.Table, texts: pa.Table) -> pa.Table:
    """Pairs with the columns `task_a`, `corpus_a` and `corpus_b`, looked up by id in what was screened."""
    for name in ("task_a", "corpus_a", "corpus_b"):
        column, side = name.split("_")
        rows = pc.index_in(pairs[f"id_{side}"], texts["id"].combine_chunks())
        pairs = pairs.append_column(name, texts[column].take(rows))
    return pairs


def _benchmark_corpora(settings: Settings) -> list[str]:
    """The corpora whose tests training data is compared with: those of its benchmarks, and those it is built from."""
    tested = [name for one in map(get_data_set, settings.data_set.benchmarks) for name in one.corpora]
    return list(dict.fromkeys([*tested, *(corpus.meta.name for corpus in settings.sources())]))


def _benchmark(names: list[str], settings: Settings, root: Path | None) -> pa.Table:
    """The test texts of these corpora."""
    batches = []
    for corpus in map(get_corpus, names):
        source = RawSource(corpus.meta, folder(corpus, root), settings.quarantine)
        groups: dict[str, list[tuple[str, Example]]] = {}
        for selection in _tests(corpus.meta, settings):
            for example in corpus(settings.profile).examples(source, selection):
                groups.setdefault(example.task, []).append((corpus.meta.name, example))
        batches += [as_texts((task, "test"), to_arrow(task, rows)) for task, rows in groups.items()]
    return pa.Table.from_batches(batches, SCREENED_SCHEMA)


def _tests(meta: CorpusMetadata, settings: Settings) -> list[Selection]:
    """The test texts of a corpus, in every language; and the validation texts that a benchmark tests on instead."""
    borrowers = [one for one in map(get_data_set, settings.data_set.benchmarks) if one.borrows_validation]
    borrowed = stand_ins(meta) if any(meta.name in one.corpora for one in borrowers) else {}
    further = [Selection(tasks, VALIDATION, (language,)) for language, tasks in borrowed.items()]
    return [Selection(meta.tasks, TEST), *further]


def _counts(kind: str, pairs: pa.Table) -> list[PairCount]:
    """Numbers of pairs of a kind, by task and splits, and how many of them have answers that disagree."""
    chosen = pairs.filter(pc.equal(pairs["kind"], kind))
    counts: dict[tuple[str, str, str], list[float | None]] = {}
    equal: Counter[tuple[str, str, str]] = Counter()
    columns = (chosen[name].to_pylist() for name in ("task_a", "split_a", "split_b", "equal", "disagreement"))
    for task, split_a, split_b, same, distance in zip(*columns, strict=True):
        key = (task, split_a, split_b)
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


Dropped = Mapping[Group, Mapping[str, int]]
"""How many texts are dropped, by task and split, and by reason."""


def check_remaining(read: Mapping[Group, int], dropped: Dropped, named: Collection[str]) -> None:
    """Make sure that filters leave a text of each split, and of each task that was asked for by name.

    Any other task of which nothing remains is left out of the data set, and so is a task in one split.

    Args:
        read: how many texts were read, by task and split.
        dropped: how many of them are dropped, by reason.
        named: the tasks that were asked for by name.

    Raises:
        EmollmsError: nothing remains.
    """
    remaining = {group for group, texts in read.items() if texts > sum(dropped[group].values())}
    tasks, splits = {task for task, _ in remaining}, {split for _, split in remaining}
    if lost := [group for group in read if group[1] not in splits]:
        raise _nothing_left(lost, read, dropped, "choose other corpora or tasks")
    if lost := [group for group in read if group[0] in named and group[0] not in tasks]:
        gone = ", ".join(dict.fromkeys(task for task, _ in lost))
        raise _nothing_left(lost, read, dropped, f"leave {gone} out of --tasks, or choose other corpora")


def _nothing_left(lost: Sequence[Group], read: Mapping[Group, int], dropped: Dropped, remedy: str) -> EmollmsError:
    reasons: Counter[str] = Counter()
    for group in lost:
        reasons.update(dropped[group])
    why = "; ".join(f"{reasons[reason]:,}: {reason}" for reason in sorted(reasons, key=by_seriousness))
    names = ", ".join(f"{task} {split}" for task, split in lost)
    texts = sum(read[group] for group in lost)
    return EmollmsError(f"nothing is left of {names}: all {texts:,} texts were dropped ({why}); {remedy}")
