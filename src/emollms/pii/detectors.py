r"""What personal data and secrets look like, one detector a kind.

Each detector has two patterns. The `hint` is RE2: Arrow runs it over a whole column, and a text that it does not match
holds nothing of that kind. The `pattern` is Python's, with look-around; its group `match` is what is found. Patterns
start at the edge of a word and take no run of characters twice, so time is linear in the length of a text.

What is found, and what is not:

* user: `@name`, `@name@server.tld`, and Reddit's `u/name`. Not `@ home`, `l@s`, `@5pm`, a key of JSON-LD, nor the
  placeholders that corpora have already: `@user`, `@anonymous`, `@<username>`.
* email: also `name (at) example.org`, and `name gmail.com`, as tokenisers leave it that drop the `@`.
* phone: a run of digits that something tells from dates and amounts, see `is_phone`.
* link: what has a scheme or `www.`, or a host and a path (`bit.ly/x1`). Not a bare name such as `Amazon.com`, which
  people write for the company, nor `http://url_removed`.
* secret: see `secrets`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from unicodedata import decimal

from emollms.pii import secrets

PHONE_HINT = r"(?:\p{Nd}[ ().\-/]{0,3}){6}\p{Nd}"
"""An RE2 pattern that every text with a telephone number matches."""

PHONE_RUN = re.compile(
    r"(?<![\w.,/:=#$€£@%+-])(?P<match>\+?(?:\((?=\d{1,5}\)))?\d++(?:(?:[ .\-/)]{1,3}+|[ .\-/]?\((?=\d{1,5}\)))\d++)*+)"
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
    """Whether a run of digits (a match of `PHONE_RUN`) is a telephone number."""
    shown = "".join(str(decimal(sign)) if sign.isdecimal() else sign for sign in match["match"])
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
    before = match.string[max(0, match.start("match") - 60) : match.start("match")]
    return bool(_CUE.search(before))


Kind = Literal["secret", "email", "link", "phone", "user"]


@dataclass(frozen=True)
class Detector:
    """Finds one kind of sensitive text.

    Args:
        kind: what it finds.
        hint: RE2 pattern that matches every text that holds such a thing.
        keywords: strings of which every such text, in lower case, holds one; they are searched for first.
        pattern: where matches may be: its group `match`.
        accept: whether a match is one.
    """

    kind: Kind
    hint: str
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] = bool

    def spans(self, text: str, lower: str) -> Iterator[tuple[int, int]]:
        """Start and end of each match in a text, from left to right; `lower` is the text in lower case."""
        if any(keyword in lower for keyword in self.keywords):
            for match in self.pattern.finditer(text):
                if self.accept(match):
                    yield match.span("match")


_W = "A-Za-z0-9À-ɏ_"  # words of addresses: no other script, which may stand right beside them

_NO_USER = re.compile(r"(?:user(?:name)?|anonymous|anon)\d*|me|all|here|everyone", re.IGNORECASE)
_TIME_OR_NUMBER = re.compile(r"\d{1,6}(?:am|pm|st|nd|rd|th|h|hrs?|mins?|k|m)?", re.IGNORECASE)
_USER = re.compile(
    # before it no letter of these scripts, but perhaps a literal escape (\n@name) or an RT
    rf"(?:(?<![{_W}\u0370-\u04ff])|(?<=\\[nrt])|(?<=\bRT))"
    r"(?P<match>[@＠](?P<name>\w{2,}+(?:\.[a-z0-9_]++)*+)(?:@[\w-]++(?:\.[\w-]++)++)?)"
    r'(?!"\s*:)'
)
_REDDIT_USER = re.compile(r"(?<![\w/])/?(?P<match>u/(?P<name>[A-Za-z0-9_-]{3,20}+))(?![\w/-])")


def _is_user(match: re.Match[str]) -> bool:
    name = match["name"]
    named = any(sign.isalpha() for sign in name) or name.isdecimal()
    return named and not _NO_USER.fullmatch(name) and not _TIME_OR_NUMBER.fullmatch(name)


_PROVIDER = r"(?:gmail|googlemail|hotmail|yahoo|outlook|aol)\.com\b"
_EMAIL = re.compile(
    rf"(?<![{_W}.+%@＠-])[.+%-]*+(?P<match>"
    rf"[{_W}+%-]++(?:\.[{_W}+%-]++)*+(?:@|\s?[(\[]at[)\]]\s?)(?:[{_W}-]++\.)+[A-Za-z]{{2,}}"
    rf"|[A-Za-z0-9][A-Za-z0-9_.-]{{5,}}+ {_PROVIDER})",
    re.IGNORECASE,
)

_TOP_LEVEL = (
    "com|org|net|edu|gov|info|io|co|me|ly|gl|gd|tv|fm|be|de|uk|us|ru|fr|es|it|eu|in|se|nl|ch|at|pl|br|cn|jp|app|to"
)
_LINK = re.compile(
    rf"(?P<match>(?:(?:h?tt+ps?|ftp):/{{2,}}(?=[{_W}])"
    rf"|(?<![{_W}@.-])(?:www\.(?=[{_W}])|(?:[a-z0-9-]++\.)*?[a-z0-9-]++\.(?:{_TOP_LEVEL})/(?=[{_W}~?#])))"
    rf"(?!url(?:_removed)?\b)[{_W}!#$%&'()*+,\-./:;=?@~]*[{_W}#$%&+/=@~-])",
    re.IGNORECASE,
)

DETECTORS = (
    Detector("secret", secrets.KNOWN_HINT, secrets.KNOWN_KEYWORDS, secrets.KNOWN, secrets.is_known),
    Detector("secret", secrets.ASSIGNED_HINT, secrets.ASSIGNED_KEYWORDS, secrets.ASSIGNED, secrets.is_assigned),
    Detector(
        "email",
        rf"(?i)@[^@]*\.[a-z]{{2}}|[(\[]at[)\]]| {_PROVIDER}",
        ("@", "(at)", "[at]", "(at]", "[at)", "mail.com", "yahoo.com", "outlook.com", "aol.com"),
        _EMAIL,
    ),
    Detector("link", r"(?i)tps*:/+|ftp:/+|www\.|[a-z0-9-]\.[a-z]{2,4}/", ("www.", "/"), _LINK),
    Detector("phone", PHONE_HINT, ("",), PHONE_RUN, is_phone),
    Detector("user", r"[@＠][\p{L}\p{N}_]", ("@", "＠"), _USER, _is_user),
    Detector("user", r"u/[A-Za-z0-9_-]{3}", ("u/",), _REDDIT_USER, _is_user),
)
"""All detectors. Where two matches overlap, the earlier kind of this list is what the text holds."""
