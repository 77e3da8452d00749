"""What a corpus says of itself. Unknown keys are errors."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import AliasChoices, Field, field_validator, model_validator

from emollms.corpora.file_table import (
    Language,
    SourceFile,
    Split,
    Text,
    askable,
    check_names,
    known_task,
    pinned_files,
)
from emollms.storage import Strict
from emollms.tasks import RegressionTask, get_task

__all__ = [
    "CorpusMetadata", "DrawnSplits", "Redistribution", "SourceFile", "Split", "Unannotated", "pinned_files",
]  # fmt: skip

Redistribution = Literal["text", "ids", "none"]


class Unannotated(Strict, str_strip_whitespace=True):
    """Labels, or emotions, that a corpus did not annotate: they are not asked for, and count in no score.

    Args:
        labels: the labels, or the emotions of a task that asks for one at a time.
        split: the split in which they are missing; None for every one.
        language: the language in which they are missing; None for every one.
        task: the task that lacks them; None for every task of the corpus that has them.
    """

    labels: tuple[str, ...] = Field(min_length=1)
    split: Split | None = None
    language: Language | None = None
    task: str | None = None

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.task, self.split, self.language) if part)
        return ", ".join(self.labels) + (f" ({where})" if where else "")

    def concerns(self, task: str, split: str, language: str) -> bool:
        """Whether it is about the rows of a task, split and language."""
        asked = ((self.task, task), (self.split, split), (self.language, language))
        return all(own is None or own == other for own, other in asked)


class DrawnSplits(Strict):
    """Splits that are drawn here, as the corpus is distributed without any: see `Corpus.drawn_split`.

    Args:
        validation: the fraction of texts in validation.
        test: the fraction in test; the others train.
    """

    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _leave_something_to_train(self) -> "DrawnSplits":
        if self.validation + self.test >= 1:
            raise ValueError(f"drawn: validation {self.validation:g} and test {self.test:g} leave nothing to train")
        return self

    def split_of(self, key: str) -> Split:
        """The split of what has this key: the same one each time, on every machine."""
        share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
        return "test" if share < self.test else "validation" if share < self.test + self.validation else "train"

    def __str__(self) -> str:
        return f"by hash, {self.validation:.0%} validation, {self.test:.0%} test"


class CorpusMetadata(Strict, str_strip_whitespace=True):
    """A source corpus.

    Args:
        name: the name on the command line, in row ids, and of its folder.
        version: the version of the distribution that is pinned here.
        title: the name that people use.
        description: what it is, in a sentence or two.
        languages: codes of its languages, ISO 639-1 where there is one, else ISO 639-3.
        tasks: names of the tasks it has rows for.
        splits: the splits it has.
        domain: kind of text.
        license: SPDX identifier, or `other` with the terms in `terms`.
        redistribution: what of it may be passed on: the text, ids alone, or nothing.
        homepage: official address.
        terms: what the distributor asks of users. It is shown, and must be accepted, before a fetch.
        by_hand: what to do where the files cannot be fetched by a program.
        citation: BibTeX entry.
        files: the raw files.
        unannotated: labels that were not annotated in some split, language or task.
        ranges: where scores have another range than their task, the two values, by task, that mean the task's lowest
            and its highest; a value outside by at most a twentieth of the range is clipped and counted.
        drawn: how splits are drawn, where the corpus is distributed without any.
        bundled: whether the files come with the package.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: Text
    title: Text
    description: Text
    languages: tuple[Language, ...] = Field(min_length=1)
    tasks: tuple[str, ...] = Field(min_length=1)
    splits: tuple[Split, ...] = Field(min_length=1)
    domain: Text
    license: Text = Field(validation_alias=AliasChoices("license", "licence"))  # once spelled the British way
    redistribution: Redistribution
    homepage: Text
    terms: str | None = None
    by_hand: str | None = None
    citation: Text
    files: tuple[SourceFile, ...] = Field(min_length=1)
    unannotated: tuple[Unannotated, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    drawn: DrawnSplits | None = None
    bundled: bool = False

    @field_validator("tasks")
    @classmethod
    def _are_tasks(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_task(task).name for task in tasks)

    @model_validator(mode="after")
    def _parts_agree(self) -> "CorpusMetadata":
        if twice := [path for path, count in Counter(file.path for file in self.files).items() if count > 1]:
            raise ValueError(f"files: {twice[0]} is listed twice")
        for file in self.files:
            self._check_part(f"file {file.path}", file.task, file.split, file.language)
        for entry in self.unannotated:
            self._check_part(f"unannotated {', '.join(entry.labels)}", entry.task, entry.split, entry.language)
            check_names(entry.labels, [get_task(name) for name in self.tasks if entry.task in (None, name)])
        self._check_something_is_asked()
        for name, (low, high) in self.ranges.items():
            self._check_part("ranges", name, None, None)
            if not isinstance(get_task(name), RegressionTask):
                raise ValueError(f"ranges: {name} has classes or labels, and no scores")
            if low == high:
                raise ValueError(f"ranges: both ends of {name} are {low:g}")
        return self

    def _check_part(self, what: str, task: str | None, split: str | None, language: str | None) -> None:
        parts = (("task", task, self.tasks), ("split", split, self.splits), ("language", language, self.languages))
        for kind, value, own in parts:
            if value is not None and value not in own:
                raise ValueError(f"{what}: {kind} {value!r} is none of the corpus's {kind}s, {', '.join(own)}")

    def _check_something_is_asked(self) -> None:
        for name in self.tasks if self.unannotated else ():
            for split in self.splits:
                for language in self.languages:
                    if askable(get_task(name)) and not self.annotated(name, split, language):
                        raise ValueError(f"unannotated leaves {name} ({split}, {language}) without any label")

    @cached_property
    def rows(self) -> int:
        """Data rows in all files, as distributed."""
        return sum(file.rows or 0 for file in self.files)

    def left_out(self, task: str, split: str, language: str) -> tuple[str, ...]:
        """The labels, or emotions, of a task that were not annotated in a split and language, in the task's order."""
        return self._parted(task, split, language)[1]

    def annotated(self, task: str, split: str, language: str) -> tuple[str, ...]:
        """The labels, or emotions, of a task that were annotated in a split and language, in the task's order."""
        return self._parted(task, split, language)[0]

    def _parted(self, task: str, split: str, language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What was annotated, and what was not; kept, since it is asked for each row."""
        key = (task, split, language)
        if key not in self._known:
            entries = [entry for entry in self.unannotated if entry.concerns(*key)]
            missing = {label for entry in entries for label in entry.labels}
            labels = askable(get_task(task))
            self._known[key] = (
                tuple(name for name in labels if name not in missing),
                tuple(name for name in labels if name in missing),
            )
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str, str, str], tuple[tuple[str, ...], tuple[str, ...]]]:
        return {}
