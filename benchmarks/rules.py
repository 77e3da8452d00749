"""Rules for finding leaked test texts, side by side: how many GoEmotions test texts each finds in the training split.

    EMOLLMS_CORPORA=~/corpora python benchmarks/rules.py

`N equal words` is the rule of GPT-3's and PaLM's reports: both texts share a run of N words. `half of the 8-grams`
is that of the T5 and C4 line. The rows with 4-grams are this package's, which compares texts under six words for
equality alone. The last line is one JSON object.
"""

import json

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from emollms.corpora.base import Selection
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import folder, get_corpus
from emollms.dedup.normalize import normalize
from emollms.dedup.reference import ReferenceIndex
from emollms.dedup.search import Search


def main() -> None:
    train, test = ([text.split() for text in texts("goemotions", split)] for split in ("train", "test"))
    figures = {
        "13 equal words": runs_in_common(train, test, 13, 0.0),
        "8 equal words": runs_in_common(train, test, 8, 0.0),
        "half of the 8-grams": runs_in_common(train, test, 8, 0.5),
        "equal once normalised": by_search(train, test, 1.0),
        "character 4-grams, Jaccard 0.7, six words or more": by_search(train, test, 0.7),
        "character 4-grams, Jaccard 0.7, any length": by_search(train, test, 0.7, min_tokens=0),
    }
    table = Table("rule", f"of {len(test):,} test texts")
    for rule, found in figures.items():
        table.add_row(rule, f"{found:,}")
    Console().print(table)
    print(json.dumps({"test_texts": len(test), **figures}))


def texts(name: str, split: str) -> list[str]:
    """The different normalised texts of a split."""
    corpus = get_corpus(name)
    examples = corpus().examples(RawSource(corpus.meta, folder(corpus)), Selection(("GoEmotions",), (split,)))
    return list(dict.fromkeys(normalize(pa.array([example.text for example in examples])).to_pylist()))


def runs_in_common(train: list[list[str]], test: list[list[str]], length: int, share: float) -> int:
    """Test texts of which more than `share` of the runs of `length` words stand in the training texts, at least one."""
    known = {run for words in train for run in runs(words, length)}
    found = 0
    for words in test:
        own = runs(words, length)
        hits = sum(run in known for run in own)
        found += hits > 0 and hits >= share * len(own)
    return found


def runs(words: list[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


def by_search(train: list[list[str]], test: list[list[str]], threshold: float, min_tokens: int = 6) -> int:
    search = Search(threshold, min_tokens)
    index = ReferenceIndex(pa.array([" ".join(words) for words in test]), search=search)
    matches = index.matches(pa.array([" ".join(words) for words in train]))
    hits = matches.reference[matches.equal] if threshold == 1.0 else matches.reference
    return len(set(hits.tolist()))


if __name__ == "__main__":
    main()
