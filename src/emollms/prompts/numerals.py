"""Numbers in answers: the one number of the strict rule, which guesses at nothing, and all numbers for the lenient."""

import re
import unicodedata
from collections.abc import Iterator

from emollms.errors import shorten
from emollms.prompts.reasons import CUT_OFF, TWO_NUMBERS, UNREADABLE, InvalidAnswer

_SAME_SIGN = {ord(sign): "-" for sign in "\u2010\u2011\u2012\u2013\u2212\ufe63"}
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_PLAIN = {**_FULL_WIDTH, **_SAME_SIGN, 0x2014: "- ", 0x2015: "- ", 0x066A: "%", 0x066B: "."}

# Every digit is taken in, and what stands beside it is looked at afterwards: no backtracking, whatever the length.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|\.\d+)(?:[eE][+-]?\d+)?")
_GLUED_BEFORE = re.compile(r"(?:\w|\d,|\.)\Z")
_BOUND_BEFORE = re.compile(
    r"(?:n't|n’t|\b(?:not|never|than|below|above|under|over|almost|nearly|at least|at most|up to)(?: an?| class)?"
    r"|(?:^|\s)[<>]=?|[≤≥≠]|-) ?\Z",
    re.IGNORECASE,
)
_SPOILT_AFTER = re.compile(
    r"\w|\+|['’:]\d| ?(?:[%‰°±^]|[*×+] ?\d|/ ?\w)"
    r"| (?:point|percent|per ?cent|and an? half|and an? quarter|halves|half|hundred|thousand|million)\b"
    r"| or (?:more|less|higher|lower|above|below|over|under)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
_OF = re.compile(r" ?(?:/|out of) ?(\d+(?:\.\d+)?)", re.IGNORECASE)
_DETACHED_MINUS = re.compile(r"(?:\A|[:=(]) ?- ?\Z")
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SPELLED = re.compile(
    rf"(?:(?:class|category|score|level|number) )?(minus |negative )?({'|'.join(_DIGITS)})?"
    rf"(?: ?point((?: (?:{'|'.join(_DIGITS)}))+))?",
    re.IGNORECASE,
)
_WINDOW = 24
_END = re.compile(r"\.[\s.\"'”’»)\]*`]*\Z")
_NEXT_SENTENCE = re.compile(r"\. [^\W\d_]")


def plain(text: str) -> str:
    """`text` on one line, with ASCII digits, signs and decimal points for those of other scripts."""
    if not text.isascii():
        text = "".join(_plain_character(character) for character in text.translate(_PLAIN))
    return " ".join(text.split())


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) == "Cf":  # invisible marks of writing direction and the like
        return ""
    return str(unicodedata.decimal(character, character))


def one_number(text: str, *, decimals: bool) -> float | None:
    """The number in `text`, a result of `plain`; None where there is no digit.

    Args:
        text: the answer.
        decimals: whether decimals are expected, so that `0. taxi` is one that broke off and not a 0.

    Raises:
        InvalidAnswer: there are several, or one that can be read in more than one way.
    """
    values: dict[float, str] = {}
    for found in _NUMBER.finditer(text):
        _check_neighbours(text, found, decimals)
        values.setdefault(float(found[0].replace(",", ".")), found[0])
        if len(values) > 1:
            raise InvalidAnswer(TWO_NUMBERS, " and ".join(shorten(number, 30) for number in values.values()))
    if values and not text.isascii() and any(character.isnumeric() and not character.isdecimal() for character in text):
        raise InvalidAnswer(UNREADABLE, text)
    return next(iter(values), None)


def _check_neighbours(text: str, found: re.Match[str], decimals: bool) -> None:
    start, end = found.span()
    glued = _GLUED_BEFORE.search(text, max(0, start - 2), start)
    bound = _BOUND_BEFORE.search(text[max(0, start - _WINDOW) : start])
    if glued or bound or _SPOILT_AFTER.match(text, end):
        raise InvalidAnswer(UNREADABLE, text[max(0, start - _WINDOW) : start] + text[start : end + _WINDOW])
    whole = found[0].lstrip("+-").isdecimal()
    if decimals and whole and text.startswith(".", end) and not _ends_sentence(text, start, end):
        raise InvalidAnswer(CUT_OFF, text[start : start + 2 * _WINDOW])


def _ends_sentence(text: str, start: int, end: int) -> bool:
    """Whether the dot at `end`, after a number, is no decimal point."""
    if _END.match(text, end):
        return True
    follows = _NEXT_SENTENCE.match(text, end)
    return start > 0 and follows is not None and follows[0][-1].isupper()


def numbers_in(text: str, scale: tuple[float, float]) -> Iterator[tuple[int, float]]:
    """The numbers in `text`, a result of `plain`, with their places.

    Percentages and fractions of another number are read on `scale` where it begins at 0; numbers within words, such as
    `GPT4` and `2nd`, are none.

    Args:
        text: the answer.
        scale: lowest and highest number that is expected.
    """
    low, high = scale
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        before = text[start - 1 : start]
        signed = found[0][0] in "+-"
        if _ORDINAL.match(text, end) or ((before.isalnum() or before in ("_", "#", "@")) and not signed and before):
            continue
        number = float(found[0].replace(",", "."))
        if signed and before.isalpha():  # `class-1`: a dash
            number = abs(number)
        if not signed and low < 0 and _DETACHED_MINUS.search(text, max(0, start - 4), start):
            number = -number
        of = _OF.match(text, end)
        if text[end : end + 2].strip().startswith("%"):
            number = number / 100 * high if low == 0 else number
        elif of and low == 0 and 0 < float(of[1]) != high and 0 <= number <= float(of[1]):
            number = number / float(of[1]) * high
        yield start, number


def spelled_number(text: str) -> float | None:
    """The number that `text` spells and says nothing else: `two`, `minus one`, `zero point three`."""
    found = _SPELLED.fullmatch(text.strip(" .,;:!?*\"'`()[]"))
    if found is None or not (found[2] or found[3]):
        return None
    whole = _DIGITS.index(found[2].casefold()) if found[2] else 0
    decimals = "".join(str(_DIGITS.index(word)) for word in (found[3] or "").casefold().split())
    number = float(f"{whole}.{decimals or 0}")
    return -number if found[1] else number
