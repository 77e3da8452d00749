"""EmoBank: valence, arousal and dominance of sentences, as writers mean them and as readers feel them."""

from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, SourceFile, Split, pinned_files
from emollms.corpora.reader import CellError, LeftOut, RawSource, Record
from emollms.tasks import DIMENSIONS
from emollms.text_repair import ENTITIES, OUTER_SPACE

COMBINED = ("id", "split", "V", "A", "D", "text")
PERSPECTIVE = ("id", "V", "A", "D", "stdV", "stdA", "stdD", "N")
SPLITS: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}


class EmoBank(Corpus):
    """One table with text, split and combined values; one each with the readers' and the writers' values."""

    meta = CorpusMetadata(
        name="emobank",
        version="2017-10",
        title="EmoBank",
        description="Sentences of many genres with valence, arousal and dominance, 1 to 5, of readers and writers.",
        languages=("en",),
        tasks=("EmoBank", "EmoBank-reader", "EmoBank-writer"),
        splits=("train", "validation", "test"),
        domain="news, blogs, essays, fiction, letters, travel guides",
        license="cc-by-sa-4.0",
        redistribution="text",
        homepage="https://github.com/JULIELab/EmoBank",
        citation="""@inproceedings{buechel-hahn-2017-emobank,
  title = {{E}mo{B}ank: Studying the Impact of Annotation Perspective and Representation Format on Dimensional Emotion
    Analysis},
  author = {Buechel, Sven and Hahn, Udo},
  booktitle = {Proceedings of the 15th Conference of the European Chapter of the Association for Computational
    Linguistics: Volume 2, Short Papers},
  pages = {578--585},
  year = {2017}
}""",
        files=pinned_files("emobank"),
    )
    repairs = (ENTITIES, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The rows of each table with text and split joined in, once for each dimension."""
        combined = source.table(source.file("emobank.csv"), COMBINED, delimiter=",", quotes=True)
        sentences = {record["id"]: record for record in combined}
        for file in self.wanted_files(selection):
            rows = list(_with_sentence(source, file, sentences))
            for dimension in DIMENSIONS:
                for row in rows:
                    yield Record(file, row.line, {**row.cells, "dimension": dimension})

    def rows(self, record: Record) -> Iterable[Example]:
        """One example a sentence, dimension and perspective."""
        dimension = record["dimension"]
        column = dimension[0].upper()
        if record["split"] not in SPLITS:
            raise CellError("split is none of train, dev and test", record["split"])
        yield Example(
            task=record.task,
            split=SPLITS[record["split"]],
            source_id=record["id"],
            text=record["text"],
            value=record.number(column),
            gold=record[column],
            emotion=dimension,
        )


def _with_sentence(source: RawSource, file: SourceFile, sentences: dict[str, Record]) -> Iterator[Record]:
    if file.path == "emobank.csv":
        yield from sentences.values()
        return
    for row in source.table(file, PERSPECTIVE, delimiter=",", quotes=True):
        if row["id"] in sentences:
            yield Record(file, row.line, {**sentences[row["id"]].cells, **row.cells})
        else:
            source.leave_out(LeftOut(source.place(file, row.line), "no split: not in emobank.csv", None, row["id"]))
