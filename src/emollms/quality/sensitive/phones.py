"""Which runs of digits are telephone numbers.

A run counts only where something tells it from dates, scores, prices, ranges and ids: an international prefix, the
form of a national number (a leading zero, or three, three and four digits), ten digits side by side, or a word such
as `call` or `whatsapp` before it. Seven bare digits, as in `555-0134`, need such a word.
"""

import re
from unicodedata import decimal

HINT = r"(?:\p{Nd}[ ().\-/]{0,3}){6}\p{Nd}"
"""An RE2 pattern that every text with a telephone number matches."""

RUN = re.compile(
    r"(?<![\w.,/:=#$€£@%+-])(?P<find>\+?(?:\((?=\d{1,5}\)))?\d++(?:(?:[ .\-/)]{1,3}+|[ .\-/]?\((?=\d{1,5}\)))\d++)*+)"
    r"(?![\w%]|[-.,:/]\d)"
)
"""Digits in groups, with nothing around that makes them part of a price, a decimal, a word or an address."""

_DATE = re.compile(
    r"\b(?:[0-3]?\d([./-])[0-3]?\d\1(?:19|20)\d\d|(?:19|20)\d\d([./-])[01]?\d\2[0-3]?\d|[0-3]?\d\.[01]?\d\.\d\d)\b"
)
_SPAN = re.compile(r"(?:19|20)\d\d\D+(?:19|20)\d\d|[0-2]?\d[.:][0-5]\d\s?-\s?[0-2]?\d[.:][0-5]\d")  # of years, of hours
_FIVE_PAIRS = re.compile(r"0\d([ .-])\d\d(?:\1\d\d){3}")
_NORTH_AMERICAN = re.compile(r"(?:1[ .-]?)?\(?[2-9]\d{2}\)?[ .-]{0,2}[2-9]\d{2}[ .-]?\d{4}")
_TEN_DIGITS = re.compile(r"[6-9]\d{9}")
_NATIONAL = re.compile(r"\(?0[1-9]\d{0,4}\)?[ /-]{0,2}(?:\d{2,}[ -]?)+")
_CUE = re.compile(
    r"(?:\b(?:call|phone|tel|telephone|fax|dial|text|sms|whats ?app|mobile|cell|contact|hotline|helpline)[^\W\d]{0,4}\b"
    r"|\b(?:ll[aá]m\w*|tel[eé]f\w*|m[oó]vil|celular|тел\w*|звон\w*)|هاتف|جوال|واتس|تلفون|اتصل|电话|電話|手机|手機)"
    r"[^\w\n]{0,3}(?:[\w'-]+[^\w\n]{1,3}){0,4}\Z",
    re.IGNORECASE,
)


def is_phone(match: re.Match[str]) -> bool:
    """Whether a run of digits (a match of `RUN`) is a telephone number."""
    shown = "".join(str(decimal(sign)) if sign.isdecimal() else sign for sign in match["find"])
    digits = re.sub(r"\D", "", shown)
    if not 7 <= len(digits) <= 17 or _is_round(digits) or _is_date(shown):
        return False
    if shown.startswith(("+", "00")):
        return len(digits) >= 9
    return _has_national_form(shown, digits) or _has_cue(match, shown)


def _is_round(digits: str) -> bool:
    """Whether the digits are a large number, a repeated key or a count: 5000000000, 3333333333, 123456789."""
    return digits.endswith("00000") or len(set(digits)) < 3 or digits in "01234567890123456789"


def _is_date(shown: str) -> bool:
    return bool(_SPAN.fullmatch(shown) or (_DATE.search(shown) and not _FIVE_PAIRS.fullmatch(shown)))


def _has_national_form(shown: str, digits: str) -> bool:
    if _NORTH_AMERICAN.fullmatch(shown) or _TEN_DIGITS.fullmatch(shown) or _FIVE_PAIRS.fullmatch(shown):
        return True
    return 9 <= len(digits) <= 11 and bool(_NATIONAL.fullmatch(shown))


def _has_cue(match: re.Match[str], shown: str) -> bool:
    """Whether a word before the run says that it is a telephone number."""
    groups = re.findall(r"\d+", shown)
    if len(groups) > 5 or any(len(group) < 2 for group in groups[1:]):
        return False
    before = match.string[max(0, match.start("find") - 60) : match.start("find")]
    return bool(_CUE.search(before))
