"""What a build leaves out and flags, as the screening for near-duplicates decided."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from emollms.corpora.catalogue import get_corpus
from emollms.quality.duplicates.screening import KINDS, PAIR_SCHEMA, TEXT_SCHEMA, Screening
from emollms.repository.examples import ExampleStore, Group
from emollms.repository.manifest import ScreeningEntry
from emollms.repository.schema import REJECTED_SCHEMA
from emollms.repository.specs import Settings
from emollms.repository.wording import stems

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
        """The examples of a group that stay, with the columns `cluster` and `overlaps`."""
        at = self.offsets[group].start if self.screening else 0
        for batch in batches:
            yield self._flagged(batch, slice(at, at + batch.num_rows))
            at += batch.num_rows

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
    bound = [name for name in pc.unique(names).to_pylist() if get_corpus(name).meta.redistribution != "text"]
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
