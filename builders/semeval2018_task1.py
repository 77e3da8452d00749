"""SemEval-2018 Task 1, Affect in Tweets: the five tasks that train the EmoLLMs."""

import re
from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, pinned_files
from emollms.corpora.published import published_tweet
from emollms.corpora.ratings import Value
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.tasks import NO_EMOTION, PLUTCHIK_PLUS
from emollms.text_repair import ENTITIES, LINE_BREAKS, OUTER_SPACE

HEADERLESS = "Emotion_testingSet.txt"
_CLASS = re.compile(r"(-?[0-9]): ")


class SemEval2018Task1(Corpus):
    """Tab-separated tables, one a task, language, split and, for EI-reg and EI-oc, emotion."""

    meta = CorpusMetadata(
        name="semeval2018_task1",
        version="2018-02",
        title="SemEval-2018 Task 1: Affect in Tweets",
        description="Tweets with the intensity of anger, fear, joy and sadness, valence, and eleven emotions.",
        languages=("en", "ar", "es"),
        tasks=("EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"),
        splits=("train", "validation", "test"),
        domain="tweets",
        license="other",
        redistribution="ids",
        homepage="https://competitions.codalab.org/competitions/17751",
        terms="Cite the task paper. Do not redistribute the data: direct others to the official page.",
        by_hand=(
            "Arabic/E-c/Emotion_testingSet.txt is a third-party copy of the Arabic E-c test set with its labels, "
            "without the header line of 2018-E-c-Ar-test-gold.txt; put it there under that name."
        ),
        citation="""@inproceedings{SemEval2018Task1,
  title = {{SemEval}-2018 Task 1: Affect in Tweets},
  author = {Mohammad, Saif M. and Bravo-Marquez, Felipe and Salameh, Mohammad and Kiritchenko, Svetlana},
  booktitle = {Proceedings of International Workshop on Semantic Evaluation (SemEval-2018)},
  address = {New Orleans, LA, USA},
  year = {2018}
}""",
        files=pinned_files("semeval2018_task1"),
    )
    repairs = (ENTITIES, LINE_BREAKS, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """Every wanted table, without the bias-probe sentences that follow the gold tweets of the test files."""
        for file in self.wanted_files(selection):
            headed = not file.path.endswith(HEADERLESS)
            source.defects["file without header line"] += not headed
            yield from source.table(file, self._columns(file.task), header=headed, no_data=_no_annotation)

    @staticmethod
    def _columns(task: str | None) -> tuple[str, ...]:
        if task == "E-c":
            return ("ID", "Tweet", *PLUTCHIK_PLUS)
        gold = "Intensity Class" if task in ("EI-oc", "V-oc") else "Intensity Score"
        return ("ID", "Tweet", "Affect Dimension", gold)

    def rows(self, record: Record) -> Iterable[Example]:
        """One example a tweet; the file tells task, split, emotion and language."""
        about = record.file.emotion or "valence"
        if record.cells.get("Affect Dimension", about) != about:
            raise CellError(f"the file is about {about}, and the row is not", record["Affect Dimension"])
        value, gold = _gold(record)
        if self.profile == "paper" and record.task == "E-c":
            gold += "."
        name, text = record["ID"], record["Tweet"]
        yield Example(record.task, record.split, name, text, value, gold, record.file.emotion, record.language)

    def published_text(self, example: Example) -> str:
        """Not stripped, and ended with a `.` where no `.`, `!` or `?` ends it."""
        return published_tweet(example.text)


def _no_annotation(record: Record) -> str | None:
    return "bias-probe sentence without annotation" if "-mystery-" in record["ID"] else None


def _gold(record: Record) -> tuple[Value, str]:
    if record.task == "E-c":
        labels = record.flags(PLUTCHIK_PLUS)
        return labels, ", ".join(labels) or NO_EMOTION
    if "Intensity Score" in record.cells:
        score = record.number("Intensity Score")
        return score, str(score)
    gold = record["Intensity Class"]
    found = _CLASS.match(gold)
    if not found:
        raise CellError("no class number stands before the colon", gold)
    return int(found[1]), gold
