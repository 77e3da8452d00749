"""The base class of source corpora. A subclass says what a raw row means; everything else is done here."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

from emollms.corpora.builder_errors import what_was_raised
from emollms.corpora.example_checks import check_parts, checked_value
from emollms.corpora.file_table import moved_texts
from emollms.corpora.lines import QUARANTINE
from emollms.corpora.metadata import CorpusMetadata, SourceFile, Split
from emollms.corpora.ratings import CLIPPED, Value, on_task_scale, rated
from emollms.corpora.reader import CellError, RawSource, Record
from emollms.errors import EmollmsError, SourceError, shorten
from emollms.text_repair import MOJIBAKE, Repair

Profile = Literal["release", "paper"]
IN_BUILDER = "correct the builder"
MEND_BUILDER = f"mend the builder or the line, {QUARANTINE}"


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its gold label or score, before an instruction is put around it.

    Args:
        task: name of the task.
        split: train, validation or test.
        source_id: the corpus's own id of the text.
        text: the text.
        value: score on the task's native scale, class number, or labels, as the task takes them.
        gold: the corpus's own value or class, as text.
        emotion: the emotion asked for, where the task has emotions.
        language: code of the text's language.
        target: what the question is about, where it is asked of something that the text mentions.
        votes: what each rater said, as `value` has it; where there are any, they give `spread` and `raters`.
        spread: the standard deviation of the raters' values, in the unit of `value`; on 0..1 once it is checked.
        raters: how many people rated the text.
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
    votes: tuple[Value, ...] = ()
    spread: float | None = None
    raters: int | None = None


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
    """A source corpus; subclass it to add one. `builders/tdt.py` is a short example.

    A subclass sets `meta`, reads its files into raw rows (`records`), and turns each row into examples (`rows`).
    Hashes, checks, repairs, counts and errors with file and line are done here.

    Attributes:
        meta: name, licence, tasks, splits and pinned files.
        repairs: repairs of `emollms.text_repair` for the profile `release`, in order; mojibake is always repaired.

    Args:
        profile: `paper` yields what the published data sets hold; `release` repairs the texts first.
    """

    meta: ClassVar[CorpusMetadata]
    repairs: ClassVar[tuple[Repair, ...]] = ()

    def __init__(self, profile: Profile = "release") -> None:
        self.profile = profile

    @abstractmethod
    def records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
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

    def examples(self, source: RawSource, selection: Selection) -> Iterator[Example]:
        """The examples that `selection` wants, repaired where the profile says so, each of them checked.

        A row that cannot be used is refused with its place, or left out and counted: see `RawSource`. So is a row for
        which the builder raises an exception. One that `records` raises ends the reading, in quarantine too, since the
        rows after it are unknown.

        Raises:
            SourceError: a file or a row is not what the corpus says, and `source` does not quarantine; `records`
                failed; or nothing is left of a corpus in quarantine.
        """
        seen: set[int] = set()
        any_sound = False  # one that is not wanted is enough: others may be asked for rows of one split alone
        for record in self._records(source, selection):
            try:
                wanted = [example for example in self._given(record) if selection.wants(example)]
                found = [self._finish(example, source) for example in wanted]
                for example in found:
                    _check_new(example, seen)
            except CellError as error:
                source.refuse(source.place(record.file, record.line), error.problem, error.value, error.remedy)
            except SourceError:
                raise
            except Exception as error:
                place = source.place(record.file, record.line)
                raised = what_was_raised(error, self._file)
                source.refuse(place, raised, None, MEND_BUILDER, f"{type(error).__name__} in the builder")
            else:
                any_sound = True
                yield from found
        if source.first_refused and not any_sound:
            raise source.no_row_left(source.first_refused)

    def read_lines(self, source: RawSource, selection: Selection) -> Iterator[tuple[str, int]]:
        """Path and line of each raw row, once, though `records` may give it more than once."""
        seen: set[tuple[str, int]] = set()
        for record in self._records(source, selection):
            if (place := (record.file.path, record.line)) not in seen:
                seen.add(place)
                yield place

    def _records(self, source: RawSource, selection: Selection) -> Iterator[Record]:
        """The records, each of them checked; what `records` raises becomes an error at the line that was read last."""
        try:
            found = self.records(source, selection)
            if not isinstance(found, Iterable):
                raise CellError("records() gave no iterable of Records", _shown(found), "let it yield or return them")
            for record in found:
                if not isinstance(record, Record):
                    raise CellError("records() gave what is no Record", _shown(record), IN_BUILDER)
                yield record
        except EmollmsError:
            raise
        except CellError as error:
            raise SourceError(source.last, error.problem, error.value, error.remedy) from error
        except Exception as error:
            problem = what_was_raised(error, self._file)
            raise SourceError(source.last, problem, None, "mend the builder, or the files") from error

    def _given(self, record: Record) -> list[Example]:
        """What `rows` gives for a record."""
        found = self.rows(record)
        if not isinstance(found, Iterable) or isinstance(found, Mapping | str):
            raise CellError("rows() gave no iterable of Examples", _shown(found), "let it yield or return them")
        examples = list(found)
        for example in examples:
            if not isinstance(example, Example):
                raise CellError("rows() gave what is no Example", _shown(example), IN_BUILDER)
            check_parts(example, self.meta)
        if not examples:
            raise CellError("rows() gave no Example", None, "leave such rows out by no_data=… of source.table")
        return examples

    @cached_property
    def _file(self) -> str | None:
        """The file of the builder, whose lines errors name."""
        return getattr(sys.modules.get(type(self).__module__), "__file__", None)

    def _finish(self, example: Example, source: RawSource) -> Example:
        """The example with its text repaired, or as it was published, and its value as its task takes it."""
        text = self.published_text(example) if self.profile == "paper" else example.text
        target = example.target
        # Last once more: entities may hide what was misread, &acirc;&euro;&trade;.
        repairs = (MOJIBAKE, *self.repairs, MOJIBAKE) if self.profile == "release" else ()
        for repair in repairs:
            repaired = repair.apply(text)
            source.defects[repair.name] += repaired != text
            text, target = repaired, target and repair.apply(target)
        example = example if text == example.text else replace(example, text=text)
        example = example if target == example.target else replace(example, target=target)
        ends = self.meta.ranges.get(example.task)
        example = rated(example, ends)
        value, clipped = on_task_scale(example, ends) if ends else (example.value, False)
        source.defects[CLIPPED] += clipped
        value = checked_value(example, self.meta, value)
        return example if value is example.value else replace(example, value=value)

    def drawn_split(self, key: str) -> Split:
        """The split of a text of a corpus without splits, drawn as `meta.drawn` says.

        `data/<corpus>/splits.csv` beside the builder has the texts that go with their near-duplicates instead, so that
        none of these are in two splits; `emollms corpora new` and `check --update` write it.

        Args:
            key: the id of the text, `source_id`.
        """
        if self.meta.drawn is None:
            raise CellError("the metadata does not say how to draw splits", None, "give it drawn=DrawnSplits()")
        return self._moved.get(key) or self.meta.drawn.split_of(f"{self.meta.name}/{key}")

    @cached_property
    def _moved(self) -> dict[str, Split]:
        return moved_texts(self.meta.name, package_of(type(self)))

    def published_text(self, example: Example) -> str:
        """The text as the published data sets have it; used by the profile `paper`."""
        return example.text


def package_of(corpus: type[Corpus]) -> str:
    """The package that has the files beside a corpus: its table of files, its wordings, its suite."""
    module = corpus.__module__
    return module if hasattr(sys.modules.get(module), "__path__") else module.rpartition(".")[0]


def _shown(given: object) -> str:
    return f"{shorten(repr(given))} ({type(given).__name__})"


def _check_new(example: Example, seen: set[int]) -> None:
    key = hash((example.task, example.emotion, example.source_id))
    if key in seen:
        raise CellError(f"the id stands twice in {example.task}", example.source_id)
    seen.add(key)
