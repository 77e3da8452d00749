"""What a corpus says of itself. Unknown keys are errors."""

import csv
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Split = Literal["train", "validation", "test"]
Redistribution = Literal["text", "ids", "none"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SourceFile(_Strict):
    """One raw file, pinned.

    Args:
        path: its place below the corpus's folder.
        sha256: hash of its bytes, in hexadecimal.
        bytes: its size.
        rows: how many data rows it holds; None for files that hold none.
        split: the split its rows belong to, where that is one.
        language: the language of its rows, where that is one.
        task: the task its rows are for, where that is one.
        emotion: the emotion its rows are about, where that is one.
        address: where to fetch it; `ARCHIVE!MEMBER` for a member of an archive; None where a person must.
    """

    path: str
    sha256: Sha256
    bytes: int = Field(ge=0)
    rows: int | None = Field(default=None, ge=0)
    split: Split | None = None
    language: str | None = None
    task: str | None = None
    emotion: str | None = None
    address: str | None = None


class CorpusMetadata(_Strict):
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
        licence: SPDX identifier, or `other` with the terms in `terms`.
        redistribution: what of it may be passed on: the text, ids alone, or nothing.
        homepage: official address.
        terms: what the distributor asks of users. It is shown, and must be accepted, before a fetch.
        by_hand: what to do where the files cannot be fetched by a program.
        citation: BibTeX entry.
        files: the raw files.
        bundled: whether the files come with the package.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str
    title: str
    description: str
    languages: tuple[str, ...] = Field(min_length=1)
    tasks: tuple[str, ...] = Field(min_length=1)
    splits: tuple[Split, ...] = Field(min_length=1)
    domain: str
    licence: str
    redistribution: Redistribution
    homepage: str
    terms: str | None = None
    by_hand: str | None = None
    citation: str
    files: tuple[SourceFile, ...] = Field(min_length=1)
    bundled: bool = False

    @cached_property
    def rows(self) -> int:
        """Data rows in all files, as distributed."""
        return sum(file.rows or 0 for file in self.files)


def pinned_files(corpus: str, package: str = "emollms.builders") -> tuple[SourceFile, ...]:
    """The files of a corpus, from the table `files/<corpus>.csv` in `package`; an empty cell is None."""
    table = (files(package) / "files" / f"{corpus}.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(table.splitlines())
    return tuple(SourceFile.model_validate({key: cell for key, cell in row.items() if cell}) for row in rows)
