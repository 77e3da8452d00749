"""The columns of gold labels: which they are, and what is in them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from emollms.corpora.column_names import dimension
from emollms.corpora.ratings import HAIR
from emollms.corpora.roles import LABEL_NAMES, Columns, Kind, RatedColumns, is_id_name
from emollms.corpora.sniff import is_number
from emollms.errors import UsageError

RATERS = ("rater", "r", "annotator", "annot", "judge", "coder", "score", "rating", "rate", "vote", "")
RANGES = (
    (0, 1), (-1, 1), (0, 3), (0, 4), (1, 5), (0, 5), (-3, 3), (1, 7), (-4, 4), (1, 9), (1, 10), (0, 10), (-5, 5),
    (0, 100),
)  # fmt: skip
"""Ranges of ratings that are in use; the first one whose ends the values reach is taken."""
FLAGS = ({"0", "1"}, {"0.0", "1.0"}, {"False", "True"}, {"false", "true"}, {"no", "yes"})
_ASIDE = re.compile(
    r"n|count|raters?_?n|num.*|nr|std.*|sd.*|.*_std|.*_sd|stdev.*|var.*|age|year|date|time.*|line|index"
)
_SEPARATED = re.compile(r"\s*[,;|/]\s*|\s*\+\s*")


def find_gold_columns(columns: Columns, taken: Sequence[str | None]) -> tuple[RatedColumns, ...]:
    """The columns of gold labels that can be told by their cells; none where there are none, or too many to tell.

    Args:
        columns: the columns.
        taken: those that are something else.

    Raises:
        UsageError: most cells of a column are numbers, and some are none.
    """
    left = [name for name in columns.names if name not in taken and columns.cells(name) and not is_id_name(name)]
    flags = [name for name in left if is_flag(columns, name)]
    if len(flags) > 1:
        return _without_shared_prefix([RatedColumns(name, (name,)) for name in flags])
    rated = [name for name in left if not _ASIDE.fullmatch(name.lower())]
    numeric = [name for name in rated if columns.is_numeric(name)]
    for name in rated:
        _check_numbers(columns, name)
    if grouped := _grouped(numeric):
        return grouped
    labels = [name for name in left if name not in numeric and len(label_values(columns, name)) <= 60]
    named = [name for name in labels if LABEL_NAMES.fullmatch(name.lower())] or labels
    return (RatedColumns(None, (named[0],)),) if len(named) == 1 else ()


def _check_numbers(columns: Columns, name: str) -> None:
    """Refuse a column of numbers with words among them: it would be taken for labels, or passed over."""
    others = [cell for cell in columns.cells(name) if not is_number(cell)]
    if others and len(others) <= 0.2 * len(columns.cells(name)):
        problem = f"column {name!r} has numbers and {len(others)} cells that are none, such as {others[0]!r}"
        raise UsageError(f"{problem}; leave cells without a value empty, or say the gold columns with --gold")


def _grouped(numeric: Sequence[str]) -> tuple[RatedColumns, ...]:
    """Columns of scores by what they rate: `Valence1` and `Valence2` are two raters of valence."""
    groups: dict[str, list[str]] = {}
    for name in numeric:
        stem = re.sub(r"[\s_.-]*(?:r|rater|annotator|a)?[\s_.-]*\d+$", "", name, flags=re.IGNORECASE)
        groups.setdefault(stem if sum(other.startswith(stem) for other in numeric) > 1 else name, []).append(name)
    if len(groups) == 1:
        (stem, names) = next(iter(groups.items()))
        return (RatedColumns(dimension(stem) if stem.lower() not in RATERS else None, tuple(names)),)
    return _without_shared_prefix([RatedColumns(dimension(stem), tuple(names)) for stem, names in groups.items()])


def _without_shared_prefix(found: Sequence[RatedColumns]) -> tuple[RatedColumns, ...]:
    """The same, with `scores.joy` and `scores.fear` called joy and fear."""
    names = [(gold.emotion or "").partition(".") for gold in found]
    if len({before for before, _, _ in names}) == 1 and all(after for _, _, after in names):
        return tuple(replace(gold, emotion=after) for gold, (_, _, after) in zip(found, names, strict=True))
    return tuple(found)


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
