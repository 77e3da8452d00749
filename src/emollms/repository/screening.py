"""The screening of a build: its texts against each other, and against the benchmark."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from emollms.corpora.catalogue import corpora, folder, get_corpus, is_here
from emollms.corpora.corpus import Example, Selection
from emollms.corpora.metadata import Split
from emollms.corpora.source import Source
from emollms.quality.duplicates.pairs import Search
from emollms.quality.duplicates.screen import screen
from emollms.quality.duplicates.screening import KINDS, TEXT_SCHEMA, Policy, Screening
from emollms.repository.examples import ExampleStore, to_arrow
from emollms.repository.filters import Filters, as_texts, texts_of
from emollms.repository.manifest import PairCount, ScreeningEntry
from emollms.repository.specs import DATA_SETS, Settings

TEST: tuple[Split, ...] = ("test",)
MEMORY = 1 << 28  # bytes of band keys that the search holds before it goes to disk: enough for 1.2 million texts


def screen_store(store: ExampleStore, settings: Settings, root: Path | None, policy: Policy = "flag") -> Filters:
    """Screen the examples of a store against each other and against the benchmark.

    Args:
        store: the examples.
        settings: what is built; only training data is held against the benchmark.
        root: the folder of the corpora.
        policy: what becomes of near-duplicates inside the training split.
    """
    texts, offsets = texts_of(store)
    names = _benchmark_corpora(settings) if "train" in settings.data_set.splits else []
    here = [name for name in names if name in corpora() and is_here(get_corpus(name), root)]
    benchmark = _benchmark(here, settings, root)
    search = Search(memory=MEMORY)
    found = screen(texts, benchmark, policy, search)
    entry = ScreeningEntry(
        threshold=search.threshold,
        policy=policy,
        benchmark=here,
        benchmark_not_here=[name for name in names if name not in here],
        benchmark_texts=len(pc.unique(benchmark["text"])),
        pairs=[count for kind in KINDS for count in _counts(kind, found.pairs)],
        overlaps={group[0]: counts for group, rows in offsets.items() if (counts := _overlaps(found, rows))},
    )
    return Filters(found, offsets, entry)


def _benchmark_corpora(settings: Settings) -> list[str]:
    """The corpora whose tests training data is held against: those of the AEB, and those that are built from."""
    return list(dict.fromkeys([*DATA_SETS["aeb"].corpora, *(corpus.meta.name for corpus in settings.sources())]))


def _benchmark(names: list[str], settings: Settings, root: Path | None) -> pa.Table:
    """The test texts of these corpora, in every language."""
    batches = []
    for corpus in map(get_corpus, names):
        source = Source(corpus.meta, folder(corpus, root), settings.quarantine)
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
