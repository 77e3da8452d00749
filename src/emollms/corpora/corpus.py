"""The base class of source corpora. A subclass says what a raw row means; everything else is done here."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from emollms.corpora.metadata import CorpusMetadata, SourceFile, Split
from emollms.corpora.repairs import Repair
from emollms.corpora.source import CellError, Record, Source
from emollms.errors import SourceError
from emollms.tasks import TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task

Profile = Literal["release", "paper"]
Value = float | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its gold, before it is worded.

    Args:
        task: name of the task.
        split: train, validation or test.
        source_id: the corpus's own id of the text.
        text: the text.
        value: native score, class number, or labels.
        gold: the corpus's own value or class, as text.
        emotion: the emotion asked for, where the task has emotions.
        language: code of the text's language.
        target: what the question is about, where it is asked of something that the text mentions.
    """

    task: str
    split: Split
    source_id: str
    text: str
    value: Value
    gold: str
    emotion: str | None = None
    language: str = "en"
    target: str | None = None


@dataclass(frozen=True)
class Selection:
    """Which rows are wanted.

    Args:
        tasks: names of tasks.
        splits: splits.
        languages: codes of languages; None for all.
    """

    tasks: Collection[str]
    splits: Collection[Split]
    languages: Collection[str] | None = None

    def wants_file(self, file: SourceFile) -> bool:
        """Whether a file can hold rows that are wanted."""
        return (
            (file.task is None or file.task in self.tasks)
            and (file.split is None or file.split in self.splits)
            and self._wants_language(file.language)
        )

    def wants(self, example: Example) -> bool:
        """Whether an example is wanted."""
        return example.task in self.tasks and example.split in self.splits and self._wants_language(example.language)

    def _wants_language(self, language: str | None) -> bool:
        return self.languages is None or language is None or language in self.languages


class Corpus(ABC):
    """A source corpus.

    Subclasses set `meta`, say how a raw row becomes examples (`rows`), and, where the files are no plain tables, how
    they are read (`records`).

    Args:
        profile: `paper` yields what the published data sets hold; `release` repairs the texts first.
    """

    meta: ClassVar[CorpusMetadata]
    repairs: ClassVar[tuple[Repair, ...]] = ()

    def __init__(self, profile: Profile = "release") -> None:
        self.profile = profile

    @abstractmethod
    def records(self, source: Source, selection: Selection) -> Iterator[Record]:
        """The raw rows of the files that `selection` wants, in the order in which their examples are to come."""

    def wanted_files(self, selection: Selection) -> Iterator[SourceFile]:
        """The files that hold rows of a wanted task, split and language, in the order of the metadata."""
        return (file for file in self.meta.files if selection.wants_file(file))

    @abstractmethod
    def rows(self, record: Record) -> Iterable[Example]:
        """The examples of one raw row, at least one.

        Raises:
            CellError: a cell cannot be read.
        """

    def examples(self, source: Source, selection: Selection) -> Iterator[Example]:
        """The examples that `selection` wants, repaired where the profile says so, each of them checked.

        What is not fit for use is refused with its place, or left out and counted: see `Source`.

        Raises:
            SourceError: a file or a row is not what the corpus says, and `source` does not quarantine; or nothing is
                left of a corpus in quarantine.
        """
        seen: set[int] = set()
        for record in self.records(source, selection):
            place = source.place(record.file, record.line)
            try:
                wanted = [example for example in self.rows(record) if selection.wants(example)]
                found = [self._finish(example, source) for example in wanted]
                for example in found:
                    _check(example)
                    _check_new(example, seen)
            except CellError as error:
                source.refuse(place, error.problem, error.value)
            else:
                yield from found
        if source.first_refused and not seen:
            first = source.first_refused
            problem = f"no row is left; {source.refused} refused, the first for this: {first.reason}"
            raise SourceError(first.place, problem, first.value, "get the files again with `emollms corpora fetch`")

    def _finish(self, example: Example, source: Source) -> Example:
        if self.profile == "paper":
            return replace(example, text=self.published_text(example))
        text = example.text
        for repair in self.repairs:
            repaired = repair.apply(text)
            source.defects[repair.name] += repaired != text
            text = repaired
        return example if text == example.text else replace(example, text=text)

    def published_text(self, example: Example) -> str:
        """The text as the published data sets have it; used by the profile `paper`."""
        return example.text


def _check(example: Example) -> None:
    task = TASKS[example.task]
    if not example.source_id.strip():
        raise CellError("the id is empty", example.text)
    if not example.text.strip():
        raise CellError("the text is empty", example.source_id)
    if (example.emotion or "") not in (task.emotions or ("",)):
        raise CellError(f"{task.name} has no emotion of this name", example.emotion or "")
    _check_value(task, example)


def _check_value(task: Task, example: Example) -> None:
    value = example.value
    if isinstance(task, RegressionTask):
        if not (isinstance(value, float) and math.isfinite(value) and task.low <= value <= task.high):
            raise CellError(f"{task.name} goes from {task.low:g} to {task.high:g}, and this is outside", str(value))
    elif isinstance(task, OrdinalTask):
        if value not in task.classes:
            raise CellError(f"{task.name} has no class of this number", str(value))
    elif isinstance(task, MultiLabelTask) and isinstance(value, tuple):
        for label in value:
            if label not in task.labels_in(example.language):
                raise CellError(f"{task.name} has no such label", label)
        if len(set(value)) < len(value):
            raise CellError("a label stands twice", example.gold)
        if not value and task.nothing is None:
            raise CellError(f"{task.name} needs at least one label", "")


def _check_new(example: Example, seen: set[int]) -> None:
    key = hash((example.task, example.emotion, example.source_id))
    if key in seen:
        raise CellError(f"the id stands twice in {example.task}", example.source_id)
    seen.add(key)
