"""Which column is what: text, id, split, language, and the gold labels with what they are."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from emollms.corpora.path_names import ALIASES, LANGUAGES, SPLITS
from emollms.corpora.ratings import HAIR
from emollms.corpora.sniff import FileForm, is_number
from emollms.errors import UsageError, unknown

Kind = Literal["score", "class", "flags", "labels"]
TEXT_NAMES = (
    "text", "tweet", "sentence", "content", "post", "message", "comment", "body", "review", "utterance", "subtitle",
    "testo", "frase", "texto",
)  # fmt: skip
DIMENSIONS = {
    "valence": ("valence", "val", "v", "valenza", "valencia", "valenz"),
    "arousal": ("arousal", "aro", "a", "attivazione", "activation", "erregung"),
    "dominance": ("dominance", "dom", "d", "dominanza", "dominancia", "control"),
}
RATERS = ("rater", "r", "annotator", "annot", "judge", "coder", "score", "rating", "rate", "vote", "")
RANGES = (
    (0, 1), (-1, 1), (0, 3), (0, 4), (1, 5), (0, 5), (-3, 3), (1, 7), (-4, 4), (1, 9), (1, 10), (0, 10), (-5, 5),
    (0, 100),
)  # fmt: skip
"""Ranges of ratings that are in use; the first one whose ends the values reach is taken."""
_ASIDE = re.compile(
    r"n|count|raters?_?n|num.*|nr|std.*|sd.*|.*_std|.*_sd|stdev.*|var.*|age|year|date|time.*|line|index"
)
FLAGS = ({"0", "1"}, {"0.0", "1.0"}, {"False", "True"}, {"false", "true"}, {"no", "yes"})
_LABEL_NAMES = re.compile(r"labels?|emotions?|class(?:es)?|sentiments?|categor(?:y|ies)|gold|tags?|emozion[ei]")
_SEPARATED = re.compile(r"\s*[,;|/]\s*|\s*\+\s*")


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
        named = re.fullmatch(r"(?i)(?:.*[_ -])?(?:id|ids|uid|idx|index|key)|.*ID|#", name)
        first = name == columns.names[0] and not all("." in cell for cell in columns.cells(name))
        if name != text and (named or (first and not _LABEL_NAMES.fullmatch(name.lower()))):
            parts = [file.cells(name) for file in columns.files]
            if all(part and all(part) and len(set(part)) == len(part) for part in parts):
                return name
    return None


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


def find_gold_columns(columns: Columns, taken: Sequence[str | None]) -> tuple[RatedColumns, ...]:
    """The columns of gold labels that can be told by their cells; none where there are none, or too many to tell.

    Args:
        columns: the columns.
        taken: those that are something else.
    """
    left = [name for name in columns.names if name not in taken and columns.cells(name)]
    flags = [name for name in left if is_flag(columns, name)]
    if len(flags) > 1:
        return tuple(RatedColumns(name, (name,)) for name in flags)
    numeric = [name for name in left if columns.is_numeric(name) and not _ASIDE.fullmatch(name.lower())]
    if grouped := _grouped(numeric):
        return grouped
    labels = [name for name in left if name not in numeric and len(label_values(columns, name)) <= 60]
    named = [name for name in labels if _LABEL_NAMES.fullmatch(name.lower())] or labels
    return (RatedColumns(None, (named[0],)),) if len(named) == 1 else ()


def _grouped(numeric: Sequence[str]) -> tuple[RatedColumns, ...]:
    """Columns of scores by what they rate: `Valence1` and `Valence2` are two raters of valence."""
    groups: dict[str, list[str]] = {}
    for name in numeric:
        stem = re.sub(r"[\s_.-]*(?:r|rater|annotator|a)?[\s_.-]*\d+$", "", name, flags=re.IGNORECASE)
        groups.setdefault(stem if sum(other.startswith(stem) for other in numeric) > 1 else name, []).append(name)
    if len(groups) == 1:
        (stem, names) = next(iter(groups.items()))
        return (RatedColumns(dimension(stem) if stem.lower() not in RATERS else None, tuple(names)),)
    return tuple(RatedColumns(dimension(stem), tuple(names)) for stem, names in groups.items())


def dimension(name: str) -> str:
    """The dimension that a column is called by, `V` or `valenza` for valence; else its name in small letters."""
    plain = re.sub(r"[\W_]+(?:mean|avg|average|sum|m)$", "", name.lower()).strip("_ -.")
    return next((known for known, names in DIMENSIONS.items() if plain in names), plain or name.lower())


def is_flag(columns: Columns, name: str) -> bool:
    """Whether all cells of a column say yes or no."""
    values = set(columns.distinct(name))
    return bool(values) and any(values <= pair for pair in FLAGS)


def label_values(columns: Columns, name: str) -> tuple[str, ...]:
    """The labels of a column whose cells name one or several, most frequent first."""
    counts: Counter[str] = Counter()
    for cell, times in columns.distinct(name).items():
        for label in dict.fromkeys(split_labels(cell)):
            counts[label] += times
    return tuple(label for label, _ in counts.most_common())


def split_labels(cell: str) -> list[str]:
    """The labels that a cell names: `joy, trust`, `1|5`, `['joy', 'trust']`."""
    plain = re.sub(r"[\[\](){}'\"]", "", cell)
    return [part for part in (part.strip() for part in _SEPARATED.split(plain)) if part]


def parse_gold_columns(columns: Columns, given: Sequence[str]) -> tuple[RatedColumns, ...]:
    """What `--gold` says: `score`, `joy,fear`, `valence=V`, or `valence=rater1+rater2`.

    Raises:
        UsageError: a column is none.
    """
    gold_columns = []
    for part in given:
        name, sign, of = part.rpartition("=")
        chosen = tuple(columns.check("--gold", column.strip()) for column in of.split("+"))
        only = len(given) == 1 and not sign
        gold_columns.append(RatedColumns(None if only else name.strip() or dimension(chosen[0]), chosen))
    return tuple(gold_columns)


def kind_of(columns: Columns, gold_columns: Sequence[RatedColumns]) -> Kind:
    """What gold labels are, by their cells."""
    names = [column for gold in gold_columns for column in gold.columns]
    if len(gold_columns) > 1 and all(is_flag(columns, name) for name in names):
        return "flags"
    if not all(columns.is_numeric(name) for name in names):
        return "labels"
    if any(len(gold.columns) > 1 for gold in gold_columns):
        return "score"
    whole = all(re.fullmatch(r"[+-]?\d+", cell.strip()) for name in names for cell in columns.cells(name))
    few = all(len(columns.distinct(name)) <= 11 for name in names)
    return "class" if whole and few else "score"


def decimal_of(columns: Columns, gold_columns: Sequence[RatedColumns]) -> str:
    """The sign before the decimals of scores."""
    cells = [cell for gold in gold_columns for name in gold.columns for cell in columns.cells(name)]
    return "," if any("," in cell for cell in cells) else "."


def numbers_of(columns: Columns, gold_columns: Sequence[RatedColumns]) -> list[float]:
    """All scores."""
    cells = (cell for gold in gold_columns for name in gold.columns for cell in columns.cells(name))
    return [float(cell.strip().replace(",", ".")) for cell in cells]


def assumed_range(low: float, high: float) -> tuple[float, float] | None:
    """The range in use whose two ends values from `low` to `high` reach, a hair more or less; None where none is."""
    for least, most in RANGES:
        hair = HAIR * (most - least)
        if abs(low - least) <= hair and abs(high - most) <= hair:
            return float(least), float(most)
    return None
