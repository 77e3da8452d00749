"""Target-dependent Twitter sentiment (Dong et al., 2014): the sentiment towards a target in a tweet."""

from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, SourceFile, pinned_files
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.text_repair import ENTITIES, OUTER_SPACE

TARGET = "$T$"
CLASSES = ("-1", "0", "1")


class TDT(Corpus):
    """Three lines an instance: text with `$T$` in place of the target, the target, and the class."""

    meta = CorpusMetadata(
        name="tdt",
        version="2014",
        title="Target-dependent Twitter sentiment",
        description="Tokenised, lower-cased tweets with the sentiment, -1, 0 or 1, towards one target each.",
        languages=("en",),
        tasks=("TDT",),
        splits=("train", "test"),
        domain="tweets",
        license="unknown",
        redistribution="ids",
        homepage="https://aclanthology.org/P14-2009/",
        terms="No licence is stated. The readme asks to cite the paper; treat as research use, do not redistribute.",
        citation="""@inproceedings{dong2014adaptive,
  title = {Adaptive Recursive Neural Network for Target-dependent {T}witter Sentiment Classification},
  author = {Dong, Li and Wei, Furu and Tan, Chuanqi and Tang, Duyu and Zhou, Ming and Xu, Ke},
  booktitle = {Proceedings of the 52nd Annual Meeting of the Association for Computational Linguistics (Volume 2:
    Short Papers)},
  pages = {49--54},
  year = {2014}
}""",
        files=pinned_files("tdt"),
    )
    repairs = (ENTITIES, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The instances of the wanted files."""
        for file in self.wanted_files(selection):
            yield from _instances(source, file)

    def rows(self, record: Record) -> Iterable[Example]:
        """One example an instance, the target put back wherever `$T$` stands."""
        if TARGET not in record["text"]:
            raise CellError(f"the text has no {TARGET}", record["text"])
        if record["class"] not in CLASSES:
            raise CellError("the class is none of -1, 0 and 1", record["class"])
        text = record["text"].replace(TARGET, record["target"])
        source_id = f"{record.split}-{record.line // 3}"
        number = record["class"]
        yield Example("TDT", record.split, source_id, text, int(number), number, target=record["target"].strip())


def _instances(source: RawSource, file: SourceFile) -> Iterator[Record]:
    rows = 0
    for number, (text, target, label) in source.groups(file, 3):
        source.defects["several $T$ in one text"] += text.count(TARGET) > 1
        yield Record(file, number, {"text": text, "target": target, "class": label.strip()})
        rows += 1
    source.check_rows(file, rows)
