"""Which column is what: text, id, split and language."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from emollms.corpora.path_names import ALIASES, LANGUAGES, SPLITS
from emollms.corpora.sniff import FileForm, is_number
from emollms.errors import UsageError, unknown

Kind = Literal["score", "class", "flags", "labels"]
TEXT_NAMES = (
    "text", "tweet", "sentence", "content", "post", "message", "comment", "body", "review", "utterance", "subtitle",
    "testo", "frase", "texto",
)  # fmt: skip
_ID_NAMES = re.compile(r"(?i)(?:.*[_ -])?(?:id|ids|uid|idx|index|key)|.*(?-i:ID)|#")
LABEL_NAMES = re.compile(r"labels?|emotions?|class(?:es)?|sentiments?|categor(?:y|ies)|gold|tags?|emozion[ei]")


@dataclass(frozen=True)
class RatedColumns:
    """One thing that is rated: an emotion, or the text as a whole.

    Args:
        emotion: the emotion or dimension; None where there is but one question.
        columns: the column, or one a rater.
    """

    emotion: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """What the columns are.

    Args:
        text: the column of texts.
        source_id: the column of ids; None where there is none.
        split: the column of splits; None where there is none.
        language: the column of languages; None where there is none.
        kind: scores, classes, columns of flags, or one column of labels.
        gold_columns: what is rated.
        decimal: the sign before decimals.
        values: the labels, classes or flags as the cells write them, most frequent first; of scores their least and
            greatest.
    """

    text: str
    source_id: str | None
    split: str | None
    language: str | None
    kind: Kind
    gold_columns: tuple[RatedColumns, ...]
    decimal: str
    values: tuple[str, ...]

    @property
    def votes(self) -> bool:
        """Whether several raters have a column each."""
        return any(len(gold.columns) > 1 for gold in self.gold_columns)


class Columns:
    """The columns of files that are read alike, over all of them.

    Args:
        files: the files.
    """

    def __init__(self, files: Sequence[FileForm]) -> None:
        self.files = files
        self.names = tuple(dict.fromkeys(name for file in files for name in file.columns))
        self._cells: dict[str, list[str]] = {}

    def cells(self, name: str) -> list[str]:
        """All cells of a column that are not empty."""
        if name not in self._cells:
            self._cells[name] = [cell for file in self.files for cell in file.cells(name) if cell.strip()]
        return self._cells[name]

    def is_numeric(self, name: str) -> bool:
        """Whether its cells are numbers."""
        cells = self.cells(name)
        return bool(cells) and all(map(is_number, cells))

    def distinct(self, name: str) -> Counter[str]:
        """Its values, and how often each comes."""
        return Counter(cell.strip() for cell in self.cells(name))

    def check(self, option: str, name: str) -> str:
        """A column that was asked for by name, or by number.

        Raises:
            UsageError: there is none.
        """
        if name in self.names:
            return name
        if name.isdigit() and 0 < int(name) <= len(self.names):
            return self.names[int(name) - 1]
        raise UsageError(f"{option}: {unknown('column', name, self.names)}")


def find_text(columns: Columns) -> str | None:
    """The column of texts: one that is called so, else the one with the longest cells."""
    lengths = {
        name: sum(map(len, cells)) / len(cells)
        for name in columns.names
        if (cells := columns.cells(name)) and not columns.is_numeric(name)
    }
    called = [
        name for name in lengths if set(re.split(r"[\W_]+", name.lower())) & set(TEXT_NAMES) and lengths[name] >= 10
    ]
    return max(called or lengths, key=lambda name: lengths[name], default=None)


def find_id(columns: Columns, text: str) -> str | None:
    """The column of ids: one whose name says so, or the first, without an empty cell, and each id once in its file."""
    for name in columns.names:
        named = is_id_name(name)
        first = name == columns.names[0] and not all("." in cell for cell in columns.cells(name))
        if name != text and (named or (first and not LABEL_NAMES.fullmatch(name.lower()))):
            parts = [file.cells(name) for file in columns.files]
            if all(part and all(part) and len(set(part)) == len(part) for part in parts):
                return name
    return None


def is_id_name(name: str) -> bool:
    """Whether a column is called as ids are."""
    return bool(_ID_NAMES.fullmatch(name))


def find_split(columns: Columns) -> str | None:
    """The column whose cells all name splits."""
    return next((name for name in columns.names if _all_in(columns, name, SPLITS)), None)


def find_language(columns: Columns) -> str | None:
    """The column whose cells all are codes or names of languages."""
    for name in columns.names:
        if re.fullmatch(r"(?i)lang(uage)?s?|lingua|idioma|sprache", name) and _all_in(
            columns, name, {*LANGUAGES, *ALIASES}
        ):
            return name
    return None


def _all_in(columns: Columns, name: str, known: Mapping[str, str] | set[str]) -> bool:
    values = columns.distinct(name)
    return bool(values) and all(value.lower() in known for value in values)
