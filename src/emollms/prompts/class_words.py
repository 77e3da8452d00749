"""The words that name classes and labels."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import takewhile

from emollms.tasks import MultiLabelTask

_EDGES = " \t\n\r\"'“”‘’«»`*_[](){}."
_ENDING = re.compile(r"(?: emotional state)? can be inferred$")
_COMMON = frozenset(
    ("no", "or", "of", "amount", "can", "be", "inferred", "emotional", "state", "very")
)  # words of class names that tell nothing about which class is meant

_WORD = r"[^\W\d_]+"
_SHORTEST = 3
_NOTHING = r"\bneutral ?(?:or ?no ?emotion)?\b|\bnone\b|\bno ?emotions?\b|\bnothing\b"
_NEVER = r"(?!)"
_ADJECTIVES = {"angry": "anger", "sad": "sadness", "loving": "love", "grateful": "gratitude", "proud": "pride"}
"""Adjectives that do not begin as their nouns do."""


def compact(text: str) -> str:
    """`text` without spaces, capitals and what may surround it: models write `verynegative`, too."""
    return "".join(text.strip(_EDGES).split()).casefold()


@cache
def phrases(names: tuple[tuple[int, str], ...], emotion: str) -> Mapping[str, frozenset[int]]:
    """The phrases that name a class, and which classes each can mean: its name, its core, its telling words.

    Args:
        names: number and name of each class.
        emotion: the emotion in the names, which tells nothing about the class; "" where there is none.
    """
    meant: dict[str, set[int]] = {}
    folded = [(number, name.casefold()) for number, name in names]
    for number, name in folded:
        for word in set(name.split()) - _COMMON - {emotion}:
            meant.setdefault(word, set()).add(number)
    for number, name in folded:
        meant |= {name: {number}, _ENDING.sub("", name): {number}}
    return {phrase: frozenset(meant[phrase]) for phrase in sorted(meant, key=lambda phrase: (-len(phrase), phrase))}


@cache
def exactly(names: tuple[tuple[int, str], ...], emotion: str) -> tuple[re.Pattern[str], Mapping[str, frozenset[int]]]:
    """What finds the phrases of classes as they are written, with or without spaces, and what each of them means."""
    meant = phrases(names, emotion)
    alternatives = "|".join(re.escape(phrase).replace(r"\ ", " ?") for phrase in meant)
    pattern = re.compile(rf"(?<![^\W\d_])(?:{alternatives})(?![^\W\d_])")
    return pattern, {phrase.replace(" ", ""): numbers for phrase, numbers in meant.items()}


def labels_of(task: MultiLabelTask) -> Mapping[str, str]:
    """The labels, and the answer without any, by what `compact` makes of them."""
    return {compact(label): label for label in (*task.labels, *([task.nothing] if task.nothing else []))}


def label_mentions(task: MultiLabelTask, text: str) -> Iterator[tuple[re.Match[str], str | None]]:
    """The labels that `text` mentions, as nouns, adjectives or cut short at its end; None for no label at all.

    Yields:
        Where it is, and the label.
    """
    nothing = _NOTHING if task.nothing else _NEVER
    for found in re.finditer(rf"(?P<nothing>{nothing})|{_WORD}", text, re.IGNORECASE):
        if found["nothing"]:
            yield found, None
            continue
        cut_short = found.end() == len(text)
        if label := _label(task.labels, found[0].casefold(), cut_short):
            yield found, label


@lru_cache(maxsize=8192)
def _label(labels: tuple[str, ...], word: str, cut_short: bool) -> str | None:
    """The label that a word is a form of: `joyful`, `disgusted`, `pessimistic`; at the end of an answer also `pess`."""
    if word in labels:
        return word
    if word in _ADJECTIVES:
        return _ADJECTIVES[word] if _ADJECTIVES[word] in labels else None
    if len(word) < _SHORTEST:
        return None
    begun = {label: _same_letters(label, word) for label in labels}
    fitting = [label for label, same in begun.items() if same == len(label) or (same > 4 and same >= len(label) - 4)]
    if cut_short:
        fitting += [label for label, same in begun.items() if same == len(word) and label not in fitting]
    most = max((begun[label] for label in fitting), default=0)
    best = [label for label in fitting if begun[label] == most]
    return best[0] if len(best) == 1 else None


def _same_letters(a: str, b: str) -> int:
    """How many letters two words begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
