"""GoEmotions: Reddit comments with 27 emotions and neutral, and with Ekman's six groups."""

from collections.abc import Iterable, Iterator

from emollms.corpora.base import Corpus, Example, Selection
from emollms.corpora.metadata import CorpusMetadata, pinned_files
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.tasks import GOEMOTIONS
from emollms.text_repair import ENTITIES, OUTER_SPACE

COLUMNS = ("text", "labels", "id")
GROUPS = {  # ekman_mapping.json of the distribution
    "anger": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "joy": (
        "joy", "amusement", "approval", "excitement", "gratitude", "love",
        "optimism", "relief", "pride", "admiration", "desire", "caring",
    ),
    "sadness": ("sadness", "disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("surprise", "realization", "confusion", "curiosity"),
    "neutral": ("neutral",),
}  # fmt: skip
GROUP_OF = {label: group for group, labels in GROUPS.items() for label in labels}


class GoEmotions(Corpus):
    """Three tables of text, label numbers and comment id; texts with a double quote are quoted as in CSV."""

    meta = CorpusMetadata(
        name="goemotions",
        version="2020",
        title="GoEmotions",
        description="English Reddit comments, each with one or more of 27 emotions, or neutral.",
        languages=("en",),
        tasks=("GoEmotions", "GoEmotions-28"),
        splits=("train", "validation", "test"),
        domain="Reddit comments",
        license="cc-by-4.0",
        redistribution="text",
        homepage="https://github.com/google-research/google-research/tree/master/goemotions",
        citation="""@inproceedings{demszky2020goemotions,
  title = {{GoEmotions}: A Dataset of Fine-Grained Emotions},
  author = {Demszky, Dorottya and Movshovitz-Attias, Dana and Ko, Jeongwoo and Cowen, Alan and Nemade, Gaurav and
    Ravi, Sujith},
  booktitle = {58th Annual Meeting of the Association for Computational Linguistics (ACL)},
  year = {2020}
}""",
        files=pinned_files("goemotions"),
    )
    repairs = (ENTITIES, OUTER_SPACE)

    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The rows of the wanted tables."""
        for file in self.wanted_files(selection):
            yield from source.table(file, COLUMNS, header=False, quotes=True)

    def rows(self, record: Record) -> Iterable[Example]:
        """Two examples a comment: its Ekman groups, and its own labels."""
        labels = _labels(record["labels"])
        groups = tuple(dict.fromkeys(GROUP_OF[label] for label in labels))
        name, text = record["id"], record["text"]
        yield Example("GoEmotions", record.split, name, text, groups, ", ".join(groups))
        yield Example("GoEmotions-28", record.split, name, text, labels, ", ".join(labels))


def _labels(cell: str) -> tuple[str, ...]:
    numbers = cell.split(",")
    if not all(number.isascii() and number.isdigit() and int(number) < len(GOEMOTIONS) for number in numbers):
        raise CellError(f"label numbers go from 0 to {len(GOEMOTIONS) - 1}", cell)
    return tuple(GOEMOTIONS[int(number)] for number in numbers)
