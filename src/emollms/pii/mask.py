"""Personal data and secrets in texts: found, counted, and replaced by placeholders.

`find_sensitive` and `mask` take one text, `count_sensitive` and `mask_column` a column of them. What counts as which
kind is described in `detectors`. A placeholder is the same for one thing throughout a text: `@user1` (and `u/user1`)
for a user, so that a tweet still reads as one, and `[EMAIL1]`, `[PHONE1]`, `[LINK1]`, `[SECRET1]`. Numbers begin anew
in each text, so that placeholders link nothing across texts.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from emollms.pii.detectors import DETECTORS, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
"""What is found, the gravest first."""

_HINT = "|".join(f"(?:{detector.hint})" for detector in DETECTORS)
_PLACEHOLDER = re.compile(r"@(user)(\d{1,9})\b|u/(user)(\d{1,9})\b|\[(EMAIL|PHONE|LINK|SECRET)(\d{1,9})\]")


@dataclass(frozen=True, slots=True)
class Match:
    """Something sensitive in a text.

    Args:
        kind: what it is.
        start: where it begins in the text.
        end: where it ends: `text[start:end]` is what is to be replaced.
    """

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Count:
    """How much there is of one kind.

    Args:
        texts: texts that hold it.
        matches: how often it was found in them.
    """

    texts: int = 0
    matches: int = 0


def find_sensitive(text: str) -> list[Match]:
    """What is sensitive in a text, from left to right; no two matches overlap.

    A link that holds a secret or an e-mail address is one match of that kind, the whole link.
    """
    matches: list[Match] = []
    lower = text.lower()
    for detector in DETECTORS:
        for start, end in detector.spans(text, lower):
            _add(matches, Match(detector.kind, start, end))
    return sorted(matches, key=lambda match: match.start)


def _add(matches: list[Match], new: Match) -> None:
    """Add a match, unless it lies in one that is there; a link is merged with what is in it."""
    inside = [match for match in matches if match.start < new.end and new.start < match.end]
    if not inside:
        matches.append(new)
    elif new.kind == "link":
        start, end = min(one.start for one in (*inside, new)), max(one.end for one in (*inside, new))
        matches[:] = [match for match in matches if match not in inside]
        matches.append(Match(min((match.kind for match in inside), key=KINDS.index), start, end))


def count_sensitive(texts: pa.StringArray) -> dict[Kind, Count]:
    """How many texts of a column hold each kind, and how often.

    Args:
        texts: an Arrow array or chunked array of strings; nulls hold nothing.

    Returns:
        A count for each of `KINDS`.
    """
    holding: Counter[Kind] = Counter()
    found: Counter[Kind] = Counter()
    for text in texts.filter(_suspects(texts)).to_pylist():
        kinds = [match.kind for match in find_sensitive(text)]
        found.update(kinds)
        holding.update(set(kinds))
    return {kind: Count(holding[kind], found[kind]) for kind in KINDS}


def mask(text: str) -> str:
    """A text with placeholders for all that is sensitive; a text without such things comes back as it is.

    Nothing is found in what comes back, so masking it again changes nothing.
    """
    names = _Placeholders.beside(text)
    while matches := find_sensitive(text):
        pieces, at = [], 0
        for match in matches:
            pieces += [text[at : match.start], names.of(match.kind, text[match.start : match.end])]
            at = match.end
        # A match can hide its neighbour (`0170 1234567@name`), so once more.
        text = "".join([*pieces, text[at:]])
    return text


def mask_column(texts: pa.StringArray) -> pa.StringArray:
    """`mask` for a column; only texts that may hold something are looked at one by one.

    Args:
        texts: an Arrow array or chunked array of strings; nulls stay null.

    Returns:
        A column of the same type, length and order.
    """
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([mask_column(chunk) for chunk in texts.chunks], texts.type)
    suspects = _suspects(texts)
    masked = [mask(text) for text in texts.filter(suspects).to_pylist()]
    return pc.replace_with_mask(texts, suspects, pa.array(masked, texts.type)) if masked else texts


def _suspects(texts: pa.StringArray) -> pa.BooleanArray:
    return pc.fill_null(pc.match_substring_regex(texts, _HINT), False)


@dataclass
class _Placeholders:
    """The placeholders of one text.

    Args:
        taken: placeholders that the text has already: their word and number.
        numbers: the number of each thing that was replaced.
    """

    taken: frozenset[tuple[str, int]]
    numbers: dict[Kind, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def beside(cls, text: str) -> "_Placeholders":
        """Those that can be used in this text without being taken for one that stands there."""
        groups = ([group for group in match.groups() if group] for match in _PLACEHOLDER.finditer(text))
        return cls(frozenset((word, int(number)) for word, number in groups))

    def of(self, kind: Kind, value: str) -> str:
        """The placeholder of a value; another spelling of the same user, address or number gets the same one."""
        word = kind if kind == "user" else kind.upper()
        known = self.numbers.setdefault(kind, {})
        key = _same(kind, value)
        if key not in known:
            number = max(known.values(), default=0) + 1
            while (word, number) in self.taken:
                number += 1
            known[key] = number
        if kind == "user":
            return f"{'u/' if value.startswith('u/') else '@'}user{known[key]}"
        return f"[{word}{known[key]}]"


def _same(kind: Kind, value: str) -> str:
    """What is equal for two spellings of one thing."""
    if kind == "user":
        return value.removeprefix("u/").lstrip("@＠").lower()
    if kind == "phone":
        return re.sub(r"\D", "", value)
    return value.lower() if kind == "email" else value
