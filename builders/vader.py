"""VADER's ground truth: mean valence of tweets and of snippets of product reviews, film reviews and editorials."""

import csv
import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, Split, pinned_files
from emollms.corpora.published import published_number
from emollms.corpora.reader import RawSource, Record
from emollms.text_repair import ENTITIES, OUTER_SPACE

COLUMNS = ("id", "rating", "text")


@cache
def benchmark_ids(task: str) -> tuple[str, ...]:
    """The ids of the 1,000 rows of a file that the AEB drew, in its order."""
    table = files("emollms.builders") / "data" / "vader" / "aeb_rows.json"
    return tuple(json.loads(table.read_text(encoding="utf-8"))[task])


class Vader(Corpus):
    """Four tables without header. The AEB's rows are the split `test`, in its order; the others are `train`."""

    meta = CorpusMetadata(
        name="vader",
        version="2014",
        title="VADER ground truth (ICWSM 2014)",
        description="Mean valence, -4 to 4, of tweets, Amazon and film review snippets and New York Times sentences.",
        languages=("en",),
        tasks=("V-A", "V-M", "V-NYT", "V-T"),
        splits=("train", "test"),
        domain="tweets, reviews, newspaper editorials",
        license="mit",
        redistribution="text",
        homepage="https://github.com/cjhutto/vaderSentiment",
        citation="""@inproceedings{hutto2014vader,
  title = {{VADER}: A Parsimonious Rule-Based Model for Sentiment Analysis of Social Media Text},
  author = {Hutto, C. J. and Gilbert, Eric},
  booktitle = {Proceedings of the International AAAI Conference on Web and Social Media},
  volume = {8},
  pages = {216--225},
  year = {2014}
}""",
        files=pinned_files("vader"),
    )
    repairs = (ENTITIES, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """Each wanted table: first the rows of the AEB, in its order, then the others."""
        for file in self.wanted_files(selection):
            table = {record["id"]: record for record in source.table(file, COLUMNS, header=False)}
            if self.profile == "paper" and file.task == "V-A":
                table |= _merged_by_quotes(table)
            chosen = benchmark_ids(file.task or "")
            for name in [name for name in chosen if name in table]:
                yield table.pop(name)
            yield from table.values()

    def rows(self, record: Record) -> Iterable[Example]:
        """One example a snippet."""
        task = record.task
        rating = record.number("rating")
        gold = published_number(rating) if self.profile == "paper" else record["rating"]
        split: Split = "test" if record["id"] in _benchmark_set(task) else "train"
        yield Example(task, split, record["id"], record["text"], rating, gold)


@cache
def _benchmark_set(task: str) -> frozenset[str]:
    return frozenset(benchmark_ids(task))


def _merged_by_quotes(table: dict[str, Record]) -> dict[str, Record]:
    r"""The rows as a reader sees them that takes plain double quotes for field quotes.

    The published AEB was made so: one of its Amazon rows holds dozens of reviews, a line break in it being `\r `.
    """
    lines = ("\t".join(record.cells.values()) + "\r\n" for record in table.values())
    merged = {}
    for name, rating, text in csv.reader(lines, delimiter="\t"):
        cells = dict(zip(COLUMNS, (name, rating, text.replace("\n", " ")), strict=True))
        merged[name] = Record(table[name].file, table[name].line, cells)
    return merged
