"""A small corpus made up for this project, in English, Spanish and Arabic, for every task of the benchmark."""

from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, pinned_files
from emollms.corpora.ratings import Value
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.tasks import TASKS, OrdinalTask, RegressionTask

COLUMNS = ("id", "language", "task", "emotion", "target", "gold", "text")
NONE = "none"


class Sample(Corpus):
    """One table a split; it comes with the package, so that everything runs without a download."""

    meta = CorpusMetadata(
        name="sample",
        version="1.1",
        title="emollms sample corpus",
        description=(
            "Made-up tweets, comments, reviews and news sentences with gold labels for all tasks of the benchmark."
        ),
        languages=("en", "es", "ar"),
        tasks=(
            "EI-reg", "EI-oc", "V-reg", "V-oc", "E-c", "EmoBank", "GoEmotions",
            "SST", "SST5", "TDT", "V-A", "V-M", "V-NYT", "V-T",
        ),
        splits=("train", "validation", "test"),
        domain="made-up tweets, comments, reviews and news",
        license="mit",
        redistribution="text",
        homepage="https://github.com/emollms/emollms",
        citation="""@misc{emollms-sample,
  title = {emollms sample corpus},
  author = {{The emollms authors}},
  year = {2026}
}""",
        files=pinned_files("sample"),
        bundled=True,
    )  # fmt: skip

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The rows of the wanted splits."""
        for file in self.wanted_files(selection):
            yield from source.table(file, COLUMNS)

    def rows(self, record: Record) -> Iterable[Example]:
        """One example a row."""
        if record["task"] not in self.meta.tasks:
            raise CellError("the corpus has no such task", record["task"])
        if record["language"] not in self.meta.languages:
            raise CellError("the corpus has no such language", record["language"])
        yield Example(
            task=record["task"],
            split=record.split,
            source_id=record["id"],
            text=record["text"],
            value=_value(record),
            gold=record["gold"],
            emotion=record["emotion"] or None,
            target=record["target"] or None,
            language=record["language"],
        )


def _value(record: Record) -> Value:
    task, gold = TASKS[record["task"]], record["gold"]
    if isinstance(task, RegressionTask):
        return record.number("gold")
    if isinstance(task, OrdinalTask):
        if gold not in map(str, task.classes):
            raise CellError(f"{task.name} has no class of this number", gold)
        return int(gold)
    return () if gold == NONE else tuple(gold.split(", "))
