"""The lenient rule: words first, the longest at the first mention, then the number; see docs/answers.md.

It reads what the strict rule leaves invalid, and never what the strict rule reads.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from emollms.prompts.class_words import label_mentions, phrases
from emollms.prompts.numerals import numbers_in, plain, spelled_number
from emollms.prompts.reasons import EMPTY, NO_CLASS, NO_NUMBER, OFF_SCALE, UNKNOWN_CLASS, UNKNOWN_LABEL, InvalidAnswer
from emollms.tasks import MultiLabelTask, OrdinalTask, Task

Scale = tuple[float, float]

_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n")
_LIST_NUMBER = re.compile(r"[+-]?\d+[.)]")
_CLAUSES = re.compile(r"[,;\n]|\band\b|\bbut\b", re.IGNORECASE)
_EXPLANATION = re.compile(r"\b(?:because|since|due to|as (?:the|it|this|they))\b", re.IGNORECASE)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|no|non|without|cannot)|n['’]t)[\s-]+"
    r"(?:(?:a|an|the|any|so|too|that|all|very|really|clearly|particularly|overly|necessarily|especially) ){0,2}\Z",
    re.IGNORECASE,
)
_NEGATED_TOO = re.compile(r"[\s,]*\b(?:or|nor)\s+\Z", re.IGNORECASE)
_VERY = re.compile(
    r"\b(?:extreme(?:ly)?|highly|strongly|super|incredibly|overwhelmingly|intensely|most|really)[\s_-]+"
    r"(?=positiv|negativ)"
)
_GLUED = re.compile(r"(?<=[^\W\d_])(?=positiv|negativ|neutral)")
_STEM = re.compile(r"(?:ely|ly|e)\Z")
_INFLECTED = 6
"""Words from this length on may end in another way: `positively`, `negativity`, `moderate` for `moderately`."""
_CUT_SHORT = 3
"""The fewest letters of a word that was cut off at the end of an answer."""
_RANGE = re.compile(
    r"(?:\b(?:on|in|from|between|of|scale|range|interval)\s+(?:(?:a|the|scale|range|interval|of|from|between)\s+){0,4})?"
    r"[(\[]?\s*(?<![\d.])(-?\d+(?:\.\d+)?)\s*(?:to|and|through|-|\.{2,3}|,)\s*(-?\d+(?:\.\d+)?)\s*[)\]]?",
    re.IGNORECASE,
)
_RANGES = frozenset([(0.0, 1.0), (-1.0, 1.0), (0.0, 10.0), (1.0, 10.0), (0.0, 100.0), (1.0, 5.0), (-4.0, 4.0)])
_SPLIT_DECIMAL = re.compile(r"(?<![\d.,])0\. (?=\d+(?![\d.,]))")

_COLON_DECIMAL = re.compile(r"\A(\d):(?=\d{2,3}(?![\d:]| ?[ap]\.?m))", re.IGNORECASE)
"""`0:239`, from models that also learnt classes, `2: moderate`; `2:43 PM` is a time."""


def lenient_score(task: Task, text: str, emotion: str | None, scale: Scale) -> float:
    """The first number on `scale`; one that begins the answer is meant, whatever follows.

    Raises:
        InvalidAnswer: there is none.
    """
    line = _without_range(plain(_about(task, text, emotion)), scale)
    line = _COLON_DECIMAL.sub(r"\1.", _SPLIT_DECIMAL.sub("0.", line))
    found = list(numbers_in(line, scale))
    if not found:
        spelled = spelled_number(line)
        if spelled is None:
            raise InvalidAnswer(NO_NUMBER, line)
        found = [(0, spelled)]
    low, high = scale
    fitting = [number for place, number in found if low <= number <= high]
    first_place, first = found[0]
    if not fitting or (first_place == 0 and not low <= first <= high):
        raise InvalidAnswer(OFF_SCALE, f"{first:g}")
    return fitting[0] + 0.0


def lenient_class(task: OrdinalTask, text: str, emotion: str | None) -> int:
    """The class whose words come first; where they leave several, the nearest to the number beside them.

    Raises:
        InvalidAnswer: neither words nor number name a class.
    """
    reason, part = NO_CLASS, plain(text)
    for sentence in _sentences(_about(task, text, emotion)):
        meant, denied = _meant(task, sentence.casefold(), emotion)
        given = next((number for _, number in numbers_in(sentence, (min(task.classes), max(task.classes)))), None)
        given = spelled_number(sentence) if given is None else given
        if meant and (given is not None or len(meant) == 1):
            nearest: int = min(meant, key=lambda number: (abs(number - (given or 0)), abs(number)))
            return nearest
        if given in task.classes and given not in denied and not meant:
            return int(given or 0)
        if given is not None and reason is NO_CLASS:
            reason, part = UNKNOWN_CLASS, f"{given:g}"
    raise InvalidAnswer(reason, part)


def lenient_labels(task: MultiLabelTask, text: str) -> tuple[str, ...]:
    """The labels that are mentioned and not denied; no label where only their absence is mentioned.

    Raises:
        InvalidAnswer: none is mentioned.
    """
    found, nothing, denied, end = set[str](), False, False, 0
    explained = _EXPLANATION.search(text)
    for mention, label in label_mentions(task, text):
        if explained and mention.start() > explained.start() and (found or nothing):
            break
        denied = _is_negated(text, mention.start()) or (
            denied and _NEGATED_TOO.fullmatch(text, end, mention.start()) is not None
        )
        end = mention.end()
        if denied:
            continue
        if label is None:
            nothing = True
        else:
            found.add(label)
    if not found and not nothing:
        raise InvalidAnswer(UNKNOWN_LABEL if text.strip() else EMPTY, text)
    return tuple(label for label in task.labels if label in found)


def _about(task: Task, text: str, emotion: str | None) -> str:
    """The clause about the emotion asked for, where there are some about others."""
    named = [name for name in task.emotions if re.search(rf"\b{name}\b", text, re.IGNORECASE)]
    if emotion not in named or len(named) < 2:
        return text
    for clause in _CLAUSES.split(text):
        about = [name for name in named if re.search(rf"\b{name}\b", clause, re.IGNORECASE)]
        if about == [emotion]:
            return clause
    return text


def _without_range(line: str, scale: Scale) -> str:
    """`line` without a description of the scale, unless nothing else in it has a number."""

    def keep(found: re.Match[str]) -> str:
        return " " if (float(found[1]), float(found[2])) in _RANGES | {scale} else found[0]

    left = _RANGE.sub(keep, line)
    return left if any(character.isdecimal() for character in left) else line


def _sentences(text: str) -> Iterator[str]:
    """The sentences and lines of `text`; `2. neutral` is one."""
    before = ""
    for sentence in _SENTENCES.split(text):
        sentence = plain(f"{before} {sentence}")
        before = sentence if _LIST_NUMBER.fullmatch(sentence) else ""
        if sentence and not before:
            yield sentence
    if before:
        yield before


def _meant(task: OrdinalTask, sentence: str, emotion: str | None) -> tuple[frozenset[int], frozenset[int]]:
    """The classes that the words of a sentence can mean, and those that they deny."""
    names = tuple((number, task.class_name(number, emotion)) for number in task.classes)
    pattern, meant = _loosely(names, emotion or "", task.emotions)
    sentence = _VERY.sub("very ", _GLUED.sub(" ", sentence))
    denied = frozenset[int]()
    mentioned = frozenset[int]()
    for found in pattern.finditer(sentence):
        classes = meant[found.lastindex or 0]
        if not _is_negated(sentence, found.start()):
            mentioned = classes
            break
        denied |= classes
    if len(mentioned) == 1 or denied:
        return mentioned, denied
    cut_short = _cut_short(sentence, phrases(names, emotion or ""))
    return (cut_short & mentioned if cut_short & mentioned else mentioned or cut_short), denied


@cache
def _loosely(
    names: tuple[tuple[int, str], ...], emotion: str, emotions: tuple[str, ...]
) -> tuple[re.Pattern[str], Mapping[int, frozenset[int]]]:
    """What finds the phrases of classes, however they are inflected and joined, and what each of its groups means."""
    meant = dict(phrases(names, emotion))
    for number, name in names:
        if name.startswith("no "):
            meant |= dict.fromkeys(("none", "no emotion", *(f"no {other}" for other in emotions)), frozenset([number]))
    found = sorted(meant, key=lambda phrase: (-len(phrase), phrase))
    alternatives = "|".join(f"({_JOINED.join(map(_inflected, phrase.split()))})" for phrase in found)
    pattern = re.compile(rf"(?<![^\W\d_])(?:{alternatives})(?![^\W\d_])")
    return pattern, {group: meant[phrase] for group, phrase in enumerate(found, 1)}


_JOINED = r"[\s_-]*"


def _inflected(word: str) -> str:
    if len(word) < _INFLECTED:
        return re.escape(word) + ("(?:ly|er|est)?" if word in ("low", "high") else "")
    return re.escape(_STEM.sub("", word)) + r"[^\W\d_]*"


def _cut_short(sentence: str, meant: Mapping[str, frozenset[int]]) -> frozenset[int]:
    """The classes that the last words of a sentence can mean, where generation stopped within them."""
    longest, classes = _CUT_SHORT - 1, frozenset[int]()
    for phrase, numbers in meant.items():
        for length in range(min(len(phrase) - 1, len(sentence)), longest - 1, -1):
            start = len(sentence) - length
            if length >= _CUT_SHORT and sentence.endswith(phrase[:length]) and not sentence[:start][-1:].isalpha():
                classes = numbers if length > longest else classes | numbers
                longest = length
                break
    return classes


def _is_negated(text: str, start: int) -> bool:
    return _NEGATED.search(text[max(0, start - 40) : start]) is not None
