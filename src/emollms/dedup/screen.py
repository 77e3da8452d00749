"""Which texts of a data set may stay: duplicates within and between its splits, and with a benchmark.

Rows without a text go first: they are no duplicates of each other. Inside a split near-duplicates are flagged, for
their labels often disagree: of 1,098 pairs in the training split of E-c only 183 have the same labels. Between splits
the training side is dropped: test wins over validation over training.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emollms.dedup.normalize import has_text, normalize
from emollms.dedup.pairs import Duplicates, Pairs, find_pairs
from emollms.dedup.reference import Matches, ReferenceIndex
from emollms.dedup.schema import PAIR_SCHEMA, Mask, Policy, Screening
from emollms.dedup.search import Search

Rows = npt.NDArray[np.int64]
PRECEDENCE = ("test", "validation", "train")
NO_TEXT = "no text"


class EarlierTexts(Protocol):
    """Texts of earlier runs, as `index.DuplicateIndex` has them.

    Attributes:
        table: the texts, with `TEXT_SCHEMA`.
    """

    table: pa.Table

    def compare_with(self, normalized: Any) -> None:
        """Load what a corpus of these normalised texts is compared with."""

    def matches(self, normalized: Any) -> Matches:
        """Which of these normalised texts are in `table`, equally or nearly."""


def screen(
    texts: pa.Table,
    benchmark: pa.Table | None = None,
    policy: Policy = "flag",
    search: Search | None = None,
    index: EarlierTexts | None = None,
) -> Screening:
    """Screen texts for near-duplicates.

    Args:
        texts: the texts, with `TEXT_SCHEMA`.
        benchmark: texts that must not be in training or validation, with `TEXT_SCHEMA`.
        policy: `drop` leaves one row of each cluster inside the training split; `flag` keeps them all.
        search: threshold and limits; None for the defaults (character 4-grams, Jaccard 0.7).
        index: texts of earlier runs, which must not be in training or validation either.
    """
    return _Screen(texts, search or Search()).run(benchmark, policy, index)


class _Screen:
    def __init__(self, texts: pa.Table, search: Search) -> None:
        self.texts, self.search = texts, search
        self.index_search = replace(search, sha1=False)
        self.normal = normalize(texts["text"], search.threads)
        self.split = np.array(texts["split"].to_pylist(), object)
        self.ids = texts["id"].to_pylist()
        count = texts.num_rows
        self.found = Screening([""] * count, [None] * count, [None] * count, [None] * count, [[] for _ in range(count)])
        self.tables: list[pa.Table] = []

    def run(self, benchmark: pa.Table | None, policy: Policy, index: EarlierTexts | None = None) -> Screening:
        for row in np.flatnonzero(~np.asarray(has_text(self.normal))):
            self.found.reason[row] = NO_TEXT
        if benchmark is not None and benchmark.num_rows:
            self._against_benchmark(benchmark)
        if index is not None:
            index.compare_with(self.normal)
            rows = np.flatnonzero(self.found.kept())
            self._drop(rows, index, index.table, "index", "near-duplicate of a text of the index")
        self._between_splits()
        self._within_splits(policy)
        self._between_tasks()
        self.found.pairs = pa.concat_tables(self.tables) if self.tables else PAIR_SCHEMA.empty_table()
        return self.found

    def _against_benchmark(self, benchmark: pa.Table) -> None:
        rows = np.flatnonzero((self.split != "test") & self.found.kept())
        index = ReferenceIndex(normalize(benchmark["text"], self.search.threads), search=self.index_search)
        self._drop(rows, index, benchmark, "benchmark", "near-duplicate of a text of the benchmark")

    def _between_splits(self) -> None:
        """Rows of a split that are in one that wins over it; a row that is dropped already wins over none."""
        for place, loser in enumerate(PRECEDENCE[1:], start=1):
            kept = self.found.kept()
            winners = np.flatnonzero(np.isin(self.split, PRECEDENCE[:place]) & kept)
            rows = np.flatnonzero((self.split == loser) & kept)
            if len(winners) and len(rows):
                index = ReferenceIndex(self.normal.take(pa.array(winners)), search=self.index_search)
                reason = f"near-duplicate of a text of {' or '.join(PRECEDENCE[:place])}"
                self._drop(rows, index, self.texts.take(pa.array(winners)), "between splits", reason)

    def _drop(self, rows: Rows, index: ReferenceIndex | EarlierTexts, other: pa.Table, kind: str, reason: str) -> None:
        matches = index.matches(self.normal.take(pa.array(rows)))
        ids = other["id"].to_pylist()
        for row, reference, jaccard in zip(rows[matches.row], matches.reference, matches.jaccard, strict=True):
            if self.split[row] == "test":
                continue  # a test is never cut: what is trained on must leave it out, so its pairs are only listed
            if self.found.reason[row] and (self.found.similarity[row] or 0.0) >= jaccard:
                continue
            self.found.reason[row] = reason
            self.found.duplicate_of[row], self.found.similarity[row] = ids[reference], float(jaccard)
        pairs = Pairs(rows[matches.row], matches.reference, matches.jaccard)
        self.tables.append(_pair_table(kind, pairs, matches.equal, self.texts, other))

    def _within_splits(self, policy: Policy) -> None:
        """Clusters of near-duplicates among the rows of one task, emotion and split."""
        rows = np.flatnonzero(self.found.kept())
        groups = _codes(self.texts.take(pa.array(rows)), ("task", "emotion", "split"))
        duplicates = find_pairs(self.normal.take(pa.array(rows)), groups, self.search)
        clusters = duplicates.clusters()
        sizes = np.bincount(clusters, minlength=len(rows))
        for row, head in zip(rows[sizes[clusters] > 1], rows[clusters[sizes[clusters] > 1]], strict=True):
            self.found.cluster[row] = self.ids[head]
            if policy == "drop" and row != head and self.split[row] == "train":
                self.found.reason[row] = "near-duplicate in its split"
                self.found.duplicate_of[row] = self.ids[head]
        self._keep_pairs("within split", duplicates, rows)

    def _between_tasks(self) -> None:
        """For each row of the test split the other tasks that ask about its text, or nearly its text."""
        rows = np.flatnonzero((self.split == "test") & self.found.kept())
        duplicates = find_pairs(self.normal.take(pa.array(rows)), search=self.search)
        tasks = self.texts["task"].take(pa.array(rows)).to_pylist()
        asking: dict[int, set[str]] = {}
        for first, task in zip(duplicates.first.tolist(), tasks, strict=True):
            asking.setdefault(first, set()).add(task)
        near = {first: set(found) for first, found in asking.items()}
        for left, right in zip(duplicates.near.left.tolist(), duplicates.near.right.tolist(), strict=True):
            near[left] |= asking[right]
            near[right] |= asking[left]
        for row, first, task in zip(rows, duplicates.first.tolist(), tasks, strict=True):
            self.found.overlaps[row] = sorted(near[first] - {task})
        self._keep_pairs("between tasks", duplicates, rows, of_tasks=True)

    def _keep_pairs(self, kind: str, duplicates: Duplicates, rows: Rows, of_tasks: bool = False) -> None:
        tasks = self.texts["task"].take(pa.array(rows)).to_numpy()
        for found, equal in ((duplicates.equal, True), (duplicates.near, False)):
            keep = tasks[found.left] != tasks[found.right] if of_tasks else np.ones(len(found), np.bool_)
            pairs = Pairs(rows[found.left[keep]], rows[found.right[keep]], found.jaccard[keep])
            flags = np.full(len(pairs), equal)
            self.tables.append(_pair_table(kind, pairs, flags, self.texts, self.texts))


def _codes(texts: pa.Table, columns: Iterable[str]) -> Rows:
    """An integer a row, equal where the columns are."""
    code = np.zeros(texts.num_rows, np.int64)
    for name in columns:
        encoded = texts[name].combine_chunks().dictionary_encode(null_encoding="encode")
        code = code * (len(encoded.dictionary) + 1) + encoded.indices.to_numpy()
    return code


def _pair_table(kind: str, pairs: Pairs, equal: Mask, left: pa.Table, right: pa.Table) -> pa.Table:
    a, b = left.take(pa.array(pairs.left)), right.take(pa.array(pairs.right))
    columns = {
        "kind": pa.repeat(kind, len(pairs)),
        "similarity": pa.array(pairs.jaccard),
        "equal": pa.array(equal),
        **{f"{name}_a": a[name] for name in ("id", "split", "text", "answer")},
        **{f"{name}_b": b[name] for name in ("id", "split", "text", "answer")},
        "disagreement": _disagreement(a, b),
    }
    return pa.table([columns[name] for name in PAIR_SCHEMA.names], schema=PAIR_SCHEMA)


def _disagreement(a: pa.Table, b: pa.Table) -> pa.Array:
    """How far two answers to one question are apart, null for different questions.

    Scores and class numbers: their distance. Labels: 1 minus their Jaccard index, 0 where both have none.
    """
    same = pc.and_(
        pc.equal(a["task"], b["task"]), pc.equal(pc.fill_null(a["emotion"], ""), pc.fill_null(b["emotion"], ""))
    )
    distance = pc.abs(pc.subtract(a["score"], b["score"]))
    labels = pa.array(
        [
            _label_distance(set(one or ()), set(two or ()))
            for one, two in zip(a["labels"].to_pylist(), b["labels"].to_pylist(), strict=True)
        ],
        pa.float64(),
    )
    # 0.516 - 0.216 is 0.30000000000000004; pc.round multiplies, and gives 0.2999999999998
    found = [value if value is None else round(value, 12) for value in pc.coalesce(distance, labels).to_pylist()]
    return pc.if_else(same, pa.array(found, pa.float64()), pa.scalar(None, pa.float64()))


def _label_distance(one: set[str], two: set[str]) -> float:
    return 1.0 - len(one & two) / len(one | two) if one | two else 0.0
