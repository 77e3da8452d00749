"""EmoBank: valence, arousal and dominance of sentences, as writers mean them and as readers feel them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

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

        @cache  # both perspectives are also read for the raters of the combined rows
        def table(path: str) -> dict[str, Record]:
            rows = source.table(source.file(path), PERSPECTIVE, delimiter=",", quotes=True)
            return {row["id"]: row for row in rows}

        for file in self.wanted_files(selection):
            if file.path != "emobank.csv":
                rows = list(_with_sentence(source, file, table(file.path).values(), sentences))
            elif self.profile == "paper":
                rows = list(sentences.values())
            else:
                rows = list(_with_raters(sentences, table("reader.csv"), table("writer.csv")))
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
            spread=record.number(f"std{column}") if "N" in record.cells else None,
            raters=int(record.number("N")) if "N" in record.cells else None,
        )


def _with_sentence(
    source: RawSource, file: SourceFile, rows: Iterable[Record], sentences: Mapping[str, Record]
) -> Iterator[Record]:
    for row in rows:
        if row["id"] in sentences:
            yield Record(file, row.line, {**sentences[row["id"]].cells, **row.cells})
        else:
            source.leave_out(LeftOut(source.place(file, row.line), "no split: not in emobank.csv", None, row["id"]))


def _with_raters(
    sentences: Mapping[str, Record], readers: Mapping[str, Record], writers: Mapping[str, Record]
) -> Iterator[Record]:
    """The combined rows with the spread of all raters: their values are the mean of both kinds, weighted by number."""
    for name, record in sentences.items():
        both = [table[name] for table in (readers, writers) if name in table]
        if not both:  # in quarantine a broken row is left out
            yield record
            continue
        raters = sum(row.number("N") for row in both)
        cells = {**record.cells, "N": str(raters)}
        for dimension in "VAD":
            mean = sum(row.number("N") * row.number(dimension) for row in both) / raters
            squares = [row.number(f"std{dimension}") ** 2 + (row.number(dimension) - mean) ** 2 for row in both]
            variance = sum(row.number("N") * square for row, square in zip(both, squares, strict=True)) / raters
            cells[f"std{dimension}"] = f"{variance**0.5:.4f}"
        yield Record(record.file, record.line, cells)
