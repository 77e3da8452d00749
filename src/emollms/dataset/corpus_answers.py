"""What is said of a new corpus, by a contributor and beside its rows, and how the rest is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emollms.corpora.file_table import Split
from emollms.corpora.roles import Columns
from emollms.errors import UsageError

Ask = Callable[[str, str], str]
"""Asks a person a question, with what is assumed where the answer is empty."""


@dataclass(frozen=True)
class Answers:
    """What a contributor says; what is None is looked for in the files, and asked for where it is not there.

    Args:
        text: the column of texts.
        source_id: the column of ids.
        gold: the columns of gold labels: `score`, `joy,fear`, `valence=V,arousal=A`, `valence=rater1+rater2`.
        task: the question: the name of a task, or a new name.
        range: the least and the greatest value of scores, `1..9`.
        labels: what cells say, `1=anger,2=anticipation`; of an ordinal task the words of each number.
        language: the code of the language, or the column of languages.
        split: the split of all rows, or the column of splits.
        license: the licence, as SPDX or the Hub names it, or `other`.
        title: the name that people use.
        description: what it is, in a sentence.
        domain: kind of text.
        homepage: official address.
        citation: BibTeX entry.
        redistribution: what may be passed on: `text`, `ids` or `none`.
        terms: what the distributor asks of users.
        version: the version of the distribution.
        encoding: the encoding of the files.
        delimiter: what is between cells.
        header: whether the first line names the columns.
    """

    text: str | None = None
    source_id: str | None = None
    gold: tuple[str, ...] = ()
    task: str | None = None
    range: str | None = None
    labels: tuple[str, ...] = ()
    language: str | None = None
    split: str | None = None
    license: str | None = None
    title: str | None = None
    description: str | None = None
    domain: str | None = None
    homepage: str | None = None
    citation: str | None = None
    redistribution: str | None = None
    terms: str | None = None
    version: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None


@dataclass(frozen=True)
class Facts:
    """What stands beside the rows.

    Args:
        splits: the split that each path names; empty where some name none.
        languages: the language that each path names; empty where some name none.
        license: the licence that a file beside the data names.
        citation: the BibTeX entry beside the data.
    """

    splits: Mapping[str, Split]
    languages: Mapping[str, str]
    license: str | None
    citation: str | None


@dataclass
class Planner:
    """What is needed while a plan is made.

    Args:
        name: the corpus.
        columns: its columns.
        answers: what was said.
        ask: asks a person.
        seen: what was found.
        assumed: what was assumed.
    """

    name: str
    columns: Columns
    answers: Answers
    ask: Ask | None
    seen: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def need(self, flag: str, question: str, hint: str, default: str = "") -> str:
        """What must be said: a person is asked, and where there is none it is an error that names the flag."""
        answer = self.ask(question, default).strip() if self.ask else ""
        if answer or (default and self.ask):
            return answer or default
        raise UsageError(f"{question}: say it with {flag} ({hint})")
