"""What a manifest lists: files, corpora, counts of texts and rows, near-duplicates, and the version before."""

from dataclasses import dataclass

from pydantic import AliasChoices, Field, SerializerFunctionWrapHandler, model_serializer

from emollms.corpora.metadata import Redistribution, Unannotated
from emollms.storage import Strict


class FileEntry(Strict):
    """A file: its path, SHA-256 and size."""

    path: str
    sha256: str
    bytes: int


class SourceEntry(Strict):
    """A source corpus as it was read: its metadata, the files that were read, and what was met in them.

    Args:
        corpus: its name.
        version: the version that is pinned.
        license: its licence.
        redistribution: what of it may be passed on.
        homepage: its official address.
        files: the raw files that were read.
        defects: how often each known defect was met and handled.
        left_out: how many raw rows were left out, by reason.
        refused: those of the reasons for which rows could not be read; others are that a row carries no data.
        unannotated: the labels that it did not annotate, which rows do not ask for and scores leave out.
    """

    corpus: str
    version: str
    license: str = Field(validation_alias=AliasChoices("license", "licence"))  # as manifests once spelled it
    redistribution: Redistribution
    homepage: str
    files: list[FileEntry]
    defects: dict[str, int]
    left_out: dict[str, int]
    refused: list[str] = Field(default_factory=list)
    unannotated: list[Unannotated] = Field(default_factory=list)

    @model_serializer(mode="wrap")
    def _without_empty(self, plain: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Manifests without `refused` and `unannotated` stay as they were before there were such fields."""
        found: dict[str, object] = plain(self)
        return {name: value for name, value in found.items() if value or name not in ("refused", "unannotated")}


class CountEntry(Strict):
    """How many texts and rows a task has in a split, and how many texts each filter took.

    Args:
        task: the task.
        split: the split.
        read: texts read from the corpora.
        dropped: texts dropped, by reason.
        rows: rows written, over all wordings; 0 where every text was dropped, and there is no file.
    """

    task: str
    split: str
    read: int
    dropped: dict[str, int]
    rows: int


class PairCount(Strict):
    """Near-duplicate pairs of one kind, task and pair of splits.

    Args:
        kind: within split, between splits, benchmark, or between tasks.
        task: the task.
        splits: the splits of the two sides.
        equal: pairs whose normalised texts are equal.
        near: other pairs.
        disagreeing: pairs that answer one question differently.
        mean_disagreement: mean distance of the answers to one question; None where no pair has one question.
    """

    kind: str
    task: str
    splits: str
    equal: int
    near: int
    disagreeing: int
    mean_disagreement: float | None


class ScreeningEntry(Strict):
    """The search for near-duplicates.

    Args:
        threshold: the least Jaccard similarity of character 4-grams.
        policy: what became of near-duplicates inside the training split.
        benchmark: corpora whose test texts training and validation were compared with.
        benchmark_not_here: corpora of the benchmark that were not on the machine, and not compared.
        benchmark_texts: how many different texts that were.
        pairs: numbers of pairs.
        overlaps: for each task how many of its texts appear in each other task, identical or nearly so.
        index: hash of the index of earlier texts that was compared with; None where there was none.
    """

    threshold: float
    policy: str
    benchmark: list[str]
    benchmark_not_here: list[str]
    benchmark_texts: int
    pairs: list[PairCount]
    overlaps: dict[str, dict[str, int]]
    index: str | None = None

    @model_serializer(mode="wrap")
    def _without_index(self, plain: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Manifests of builds without an index stay as they were before there was such a field."""
        found: dict[str, object] = plain(self)
        return {name: value for name, value in found.items() if value is not None or name != "index"}


class SensitiveCount(Strict):
    """How much there is of one kind of sensitive text, before any masking.

    Args:
        texts: texts that hold it.
        finds: how often it appears in them.
    """

    texts: int
    finds: int


@dataclass(frozen=True)
class LeftOutCount:
    """How many rows were left out for one reason.

    Args:
        count: their number.
        what: what they are: `texts` that a filter dropped, or `raw rows` of a corpus that were not taken.
        reason: why.
    """

    count: int
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.what}: {self.reason}"


_SERIOUS = ("benchmark", "test", "validation", "near-duplicate")
"""Words in the reasons of filters, the most serious first: contamination, then texts in two splits, then duplicates."""


def by_seriousness(reason: str) -> int:
    """The place of a reason for which a filter drops texts, to sort by."""
    return next((place for place, word in enumerate(_SERIOUS) if word in reason), len(_SERIOUS))


class Superseded(Strict):
    """The version that this one takes the place of, as its manifest has it.

    Args:
        version, content_hash, settings, counts, made_with: as in `Manifest`; of manifests from before they were kept,
            the last three are empty.
    """

    version: str
    content_hash: str
    settings: dict[str, object] = Field(default_factory=dict)
    counts: list[CountEntry] = Field(default_factory=list)
    made_with: str = ""
