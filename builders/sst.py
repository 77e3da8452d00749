"""Stanford Sentiment Treebank: the sentiment value of whole sentences, and SST-5, their five classes."""

from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, SourceFile, Split, pinned_files
from emollms.corpora.published import published_number
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.tasks import OrdinalTask, get_task
from emollms.text_repair import ENTITIES, OUTER_SPACE, SLASHES, fix_mojibake, unescape_brackets

SENTENCES = "stanfordSentimentTreebank/datasetSentences.txt"
VALUES = "stanfordSentimentTreebank/sentiment_labels.txt"
SPLIT_OF = "stanfordSentimentTreebank/datasetSplit.txt"
PHRASES = "derived/dictionary.sentences.txt"
SPLITS: dict[str, Split] = {"1": "train", "2": "test", "3": "validation"}


class SST(Corpus):
    """SST joins sentences, splits, phrase ids and values; SST-5 comes lower-cased, one line a sentence."""

    meta = CorpusMetadata(
        name="sst",
        version="1.0",
        title="Stanford Sentiment Treebank",
        description="Sentences of film reviews with a sentiment value, 0 to 1, and with one of five classes.",
        languages=("en",),
        tasks=("SST", "SST5"),
        splits=("train", "validation", "test"),
        domain="film reviews",
        license="unknown",
        redistribution="ids",
        homepage="https://nlp.stanford.edu/sentiment/",
        terms="No licence is stated. The readme asks to cite the paper; treat as research use, do not redistribute.",
        by_hand=(
            "derived/dictionary.sentences.txt holds the lines `phrase|id` of dictionary.txt, from the same archive, "
            "whose phrase is a whole sentence, in the form and order of the pinned file."
        ),
        citation="""@inproceedings{SocherEtAl2013:RNTN,
  title = {Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank},
  author = {Socher, Richard and Perelygin, Alex and Wu, Jean and Chuang, Jason and Manning, Christopher D. and
    Ng, Andrew Y. and Potts, Christopher},
  booktitle = {Proceedings of EMNLP},
  year = {2013}
}""",
        files=pinned_files("sst"),
    )
    repairs = (SLASHES, ENTITIES, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The sentences of the treebank with split and value joined in, then the lines of SST-5."""
        if "SST" in selection.tasks:
            yield from _treebank(source)
        for file in self.wanted_files(selection):
            if file.task == "SST5":
                yield from _lines(source, file)

    def rows(self, record: Record) -> Iterable[Example]:
        """One example a sentence."""
        text = record["sentence"]
        if record.task == "SST5":
            yield _five_classes(record)
            return
        if record["split"] not in SPLITS or not record["value"]:
            raise CellError("the sentence has no split, or no value", text)
        value = record.number("value")
        gold = published_number(value) if self.profile == "paper" else record["value"]
        yield Example("SST", SPLITS[record["split"]], record["index"], text, value, gold)


def _treebank(source: RawSource) -> Iterator[Record]:
    splits = _lookup(source, SPLIT_OF, delimiter=",")
    values = _lookup(source, VALUES, delimiter="|")
    phrases = _lookup(source, PHRASES, delimiter="|")
    sentences = source.file(SENTENCES)
    for record in source.table(sentences, ("sentence_index", "sentence")):
        text = fix_mojibake(record["sentence"])
        source.defects["broken UTF-8"] += text != record["sentence"]
        sentence = unescape_brackets(text)
        source.defects["escaped bracket"] += sentence != text
        value = values.get(phrases.get(sentence, ""), "")
        index = record["sentence_index"]
        cells = {"index": index, "sentence": sentence, "split": splits.get(index, ""), "value": value}
        yield Record(sentences, record.line, cells)


def _lookup(source: RawSource, path: str, delimiter: str) -> dict[str, str]:
    """The last column of a two-column file by the first; a header line is one more entry, which nothing asks for."""
    pairs = (line.rpartition(delimiter) for _, line in source.lines(source.file(path)))
    return {key: cell for key, _, cell in pairs}


def _lines(source: RawSource, file: SourceFile) -> Iterator[Record]:
    rows = 0
    for line, text in source.lines(file):
        rows += 1
        number, _, sentence = text.partition(" ")
        yield Record(file, line, {"class": number, "sentence": sentence})
    source.check_rows(file, rows)


def _five_classes(record: Record) -> Example:
    task = get_task("SST5")
    assert isinstance(task, OrdinalTask)
    if record["class"] not in map(str, task.classes):
        raise CellError("SST5 has no class of this number", record["class"])
    number, source_id = int(record["class"]), f"{record.split}-{record.line}"
    return Example("SST5", record.split, source_id, record["sentence"], number, task.class_label(number))
