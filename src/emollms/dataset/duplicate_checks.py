"""Checks for near-duplicates of a corpus: inside it and in other corpora, and so how many new texts AAID would gain."""

from collections import Counter
from collections.abc import Iterator

from emollms.corpora.registry import corpora
from emollms.dataset.corpus_reading import CorpusReading
from emollms.dataset.corpus_report import CorpusCheck
from emollms.dataset.specs import DATA_SETS


def duplicates_inside(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """Near-duplicates in the corpus; those in two splits are dropped by builds, and drawn splits have none."""
    from emollms.dataset.screening import index_search
    from emollms.dedup.pairs import find_pairs

    examples = list(reading.texts.values())
    found = find_pairs(reading.normal, search=index_search())
    pairs = [
        *zip(found.equal.left, found.equal.right, strict=True),
        *zip(found.near.left, found.near.right, strict=True),
    ]
    apart = [(a, b) for a, b in pairs if examples[a].split != examples[b].split]
    told = f"{len(found.equal):,} equal and {len(found.near):,} near pairs, of which {len(apart):,} in two splits"
    if apart and reading.meta.drawn is not None:
        again = f"draw them again with `emollms corpora check {reading.meta.name} --update`"
        yield CorpusCheck("duplicates inside", "failed", (told, again))
    elif pairs:
        yield CorpusCheck("duplicates inside", "noted", (f"{told}; a build flags them, and drops those of training",))
    else:
        yield CorpusCheck("duplicates inside", "passed", (told,))


def duplicates_outside(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """Texts that are near one of another corpus, and of the AEB."""
    found = []
    for name, rows in reading.near.items():
        tested = sum(any(e.split == "test" for e in others) for others in rows.values())
        if rows:
            in_aeb = " of the AEB" if name in DATA_SETS["aeb"].corpora else ""
            found.append(f"{name}: {len(rows):,} texts, {tested:,} of them near a test text{in_aeb}")
    absent = [name for name, corpus in corpora().items() if name not in reading.others and name != reading.meta.name]
    told = f"compared with {', '.join(reading.others) or 'none'}"
    lacking = [f"not here, so not compared: {', '.join(absent)}"] if absent else []
    yield CorpusCheck(
        "duplicates in other corpora and the AEB",
        "noted" if found or absent else "passed",
        (told, *found, *lacking),
    )


def gain(reading: CorpusReading) -> Iterator[CorpusCheck]:
    """What training data would gain: texts that are neither tested anywhere nor there already."""
    plus, trained, tested = DATA_SETS["aaid-plus"].corpora, set(), set()
    for name, rows in reading.near.items():
        for row, others in rows.items():
            if any(one.split == "test" for one in others):
                tested.add(row)
            elif name in plus:
                trained.add(row)
    examples = list(reading.texts.values())
    own = [row for row, example in enumerate(examples) if example.split in DATA_SETS["aaid-plus"].splits]
    new = [row for row in own if row not in tested | trained]
    told = f"{len(own):,} texts to train and validate with: {len(new):,} new"
    why = [f"{len(tested & set(own)):,} near a test text", f"{len((trained - tested) & set(own)):,} there already"]
    languages = Counter(examples[row].language for row in new)
    shown = ", ".join(f"{code} {count:,}" for code, count in languages.most_common(12))
    tasks = [name for name in reading.meta.tasks if name not in DATA_SETS["aaid-plus"].tasks]
    asks = [f"questions that AAID+ does not ask: {', '.join(tasks)}"] if tasks else []
    yield CorpusCheck(
        "what AAID would gain",
        "passed" if new else "noted",
        (f"{told}, {', '.join(why)}", f"by language: {shown}", *asks),
    )
