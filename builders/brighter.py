"""BRIGHTER, the data of SemEval-2025 Task 11: emotions, and their intensity, in 32 languages."""

from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, SourceFile, Unannotated, pinned_files
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.tasks import NO_EMOTION
from emollms.text_repair import ENTITIES, OUTER_SPACE

INTENSITIES = ("0", "1", "2", "3")


class Brighter(Corpus):
    """One table a track, split and language. Tracks A and C have 0/1 columns, track B intensities 0 to 3."""

    meta = CorpusMetadata(
        name="brighter",
        version="2025",
        title="BRIGHTER",
        description="Social media, news, speeches and stories with up to six perceived emotions and their intensity.",
        languages=(
            "af", "am", "arq", "ary", "de", "en", "es", "ha", "hi", "id", "ig", "jv", "mr", "om", "pcm",
            "pt-BR", "pt-MZ", "ro", "ru", "rw", "so", "su", "sv", "sw", "ti", "tt", "uk", "vmw", "xh", "yo", "zh", "zu",
        ),
        tasks=("BRIGHTER-E-c", "BRIGHTER-EI-oc"),
        splits=("train", "validation", "test"),
        domain="social media, news, speeches, stories",
        license="cc-by-4.0",
        redistribution="text",
        homepage="https://github.com/emotion-analysis-project/SemEval2025-task11",
        citation="""@misc{muhammad2025brighter,
  title = {{BRIGHTER}: {BRI}dging the Gap in Human-Annotated Textual Emotion Recognition Datasets for 28 Languages},
  author = {Muhammad, Shamsuddeen Hassan and Ousidhoum, Nedjma and Abdulmumin, Idris and others},
  year = {2025},
  eprint = {2502.11926},
  archivePrefix = {arXiv}
}""",
        files=pinned_files("brighter"),
        unannotated=(
            Unannotated(language="en", labels=("disgust",)),
            Unannotated(language="af", labels=("surprise",)),
        ),
    )  # fmt: skip
    repairs = (ENTITIES, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The rows of the wanted tables; those without labels are left out."""
        for file in self.wanted_files(selection):
            columns = ("id", "text", *_emotions(file))
            yield from source.table(file, columns, delimiter=",", quotes=True, no_data=_no_labels)

    def rows(self, record: Record) -> Iterable[Example]:
        """Tracks A and C: one example a text, with its labels. Track B: one a text and emotion."""
        emotions = _emotions(record.file)
        name, text = record["id"], record["text"]
        if not record.file.path.startswith("track_b"):
            labels = record.flags(emotions)
            gold = ", ".join(labels) or NO_EMOTION
            yield Example(record.task, record.split, name, text, labels, gold, language=record.language)
            return
        for emotion in emotions:
            if (cell := record[emotion]) not in INTENSITIES:
                raise CellError(f"{emotion} is none of 0, 1, 2 and 3", cell)
            yield Example(record.task, record.split, name, text, int(cell), cell, emotion, record.language)


def _emotions(file: SourceFile) -> tuple[str, ...]:
    return Brighter.meta.annotated("BRIGHTER-E-c", file.split or "", file.language or "")


def _no_labels(record: Record) -> str | None:
    empty = not any(cell for column, cell in record.cells.items() if column not in ("id", "text"))
    return "no labels are given" if empty else None
