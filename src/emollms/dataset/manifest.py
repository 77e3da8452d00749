"""The manifest of a dataset repo: what it is made from, and what is in it. It is written last."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from emollms.corpora.base import Profile
from emollms.corpora.metadata import CorpusMetadata, Redistribution
from emollms.dataset.manifest_entries import (
    CountEntry,
    FileEntry,
    LeftOutCount,
    ScreeningEntry,
    SensitiveCount,
    SourceEntry,
    Superseded,
    by_seriousness,
)
from emollms.errors import EmollmsError, UsageError
from emollms.storage import Strict, write_json

NAME = "manifest.json"
README = "README.md"
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def _without_readme(files: list[FileEntry]) -> list[FileEntry]:
    """Manifests listed the README until 0.1; it is derived from the rest, and changes without a new version."""
    return [file for file in files if file.path != README]


ListedFiles = Annotated[list[FileEntry], AfterValidator(_without_readme)]
"""The files that a manifest lists: all of a repo but the manifest itself and the README."""


class Manifest(Strict):
    """What a dataset repo is.

    Args:
        format: number of this form.
        data_set: name of the data set.
        title: its name for people.
        version: semantic version; a version never changes.
        content_hash: hash of all rows; it differs where data changed.
        supersedes: the version before, where this one was built over it.
        redistribution: what may be passed on: the strictest of the sources.
        settings: what it was built with.
        sources: the corpora.
        counts: rows by task and split.
        screening: the search for near-duplicates; None where there was none.
        sensitive: user names, addresses, numbers, links and secrets in the texts; `settings` say whether they are
            masked.
        mixing_limit: the most training texts of a task in an epoch of `emollms train`; None for all of them.
        files: all files of the repo but this one and the README, which is derived.
        made_with: version of this package.
    """

    format: int = 1
    data_set: str
    title: str
    version: str = Field(pattern=VERSION.pattern)
    content_hash: str
    supersedes: Superseded | None
    redistribution: Redistribution
    settings: dict[str, object]
    sources: list[SourceEntry]
    counts: list[CountEntry]
    screening: ScreeningEntry | None
    sensitive: dict[str, SensitiveCount]
    mixing_limit: Annotated[int, Field(gt=0)] | None = None
    files: ListedFiles
    made_with: str

    @model_serializer(mode="wrap")
    def _without_limit(self, plain: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Manifests of data sets without a limit stay as they were before there was such a field."""
        found: dict[str, object] = plain(self)
        return {name: value for name, value in found.items() if value is not None or name != "mixing_limit"}

    @property
    def profile(self) -> Profile:
        """The profile in which it was built."""
        return "paper" if self.settings.get("profile") == "paper" else "release"

    def mixing_weights(self) -> dict[str, float]:
        """How often a training text of each task is drawn in an epoch, for the tasks that exceed `mixing_limit`."""
        if self.mixing_limit is None:
            return {}
        training = [count for count in self.counts if count.split == "train"]
        texts = {count.task: count.read - sum(count.dropped.values()) for count in training}
        return {task: self.mixing_limit / number for task, number in texts.items() if number > self.mixing_limit}

    def left_out(self) -> list[LeftOutCount]:
        """What was left out, by reason, the most serious first.

        Texts near those of the benchmark come first, then those that are in another split and other duplicates, then
        raw rows that could not be read, and last those that carry no data.
        """
        texts: Counter[str] = Counter()
        for count in self.counts:
            texts.update(count.dropped)
        found = [LeftOutCount(texts[reason], "texts", reason) for reason in sorted(texts, key=by_seriousness)]
        for refused in (True, False):
            found += [
                LeftOutCount(number, f"raw rows of {source.corpus}", reason)
                for source in self.sources
                for reason, number in source.left_out.items()
                if (reason in source.refused) == refused
            ]
        return found

    def files_of(self, task: str, split: str) -> list[FileEntry]:
        """The parquet files of a task and split, in the order of their rows; none where it has no rows."""
        stem = f"data/{task}/{split}-"
        return sorted((file for file in self.files if file.path.startswith(stem)), key=lambda file: file.path)

    def unannotated(self, corpus: str, task: str, split: str, language: str) -> tuple[str, ...]:
        """The labels of a task that a corpus did not annotate in a split and language."""
        entries = [entry for source in self.sources if source.corpus == corpus for entry in source.unannotated]
        labels = (label for entry in entries if entry.concerns(task, split, language) for label in entry.labels)
        return tuple(dict.fromkeys(labels))

    def write(self, folder: Path) -> None:
        """Write it into a repo."""
        write_json(folder / NAME, self.model_dump())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a repo.

    Raises:
        UsageError: there is none, or it is that of an id-only form.
        EmollmsError: it is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} holds no finished data set: {NAME} is missing; build it with `emollms build`")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("form") == "ids":
            raise UsageError(f"{folder} holds ids, not rows; `emollms hydrate` builds the rows from your own corpora")
        return Manifest.model_validate(found)
    except ValueError as error:
        raise EmollmsError(f"{path} is damaged ({str(error).splitlines()[0]}); build the data set again") from None


def parse_version(version: str) -> tuple[int, int, int]:
    """Major, minor and patch of a semantic version.

    Raises:
        UsageError: it is none.
    """
    found = VERSION.fullmatch(version)
    if not found:
        raise UsageError(f"{version!r} is no version; versions look like 1.0.0")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def sorted_versions(names: Iterable[str]) -> list[str]:
    """The semantic versions among some names, the newest last."""
    return sorted((name for name in names if VERSION.fullmatch(name)), key=parse_version)


def entry(folder: Path, path: Path) -> FileEntry:
    """The entry of a file below `folder`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileEntry(path=path.relative_to(folder).as_posix(), sha256=digest, bytes=path.stat().st_size)


def strictest(sources: list[CorpusMetadata]) -> Redistribution:
    """What may be passed on of a data set made of these corpora."""
    order: list[Redistribution] = ["none", "ids", "text"]
    return min((source.redistribution for source in sources), key=order.index)
