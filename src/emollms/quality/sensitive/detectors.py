r"""What personal data and secrets look like, one detector a kind.

Each detector has two patterns. The `hint` is RE2: Arrow runs it over a whole column, and a text that it does not match
holds nothing of that kind. The `pattern` is Python's, with look-around; its group `find` is what is found. Patterns
start at the edge of a word and take no run of characters twice, so time is linear in the length of a text.

What is found, and what is not:

* user: `@name`, `@name@server.tld`, and Reddit's `u/name`. Not `@ home`, `l@s`, `@5pm`, a key of JSON-LD, nor the
  placeholders that corpora have already: `@user`, `@anonymous`, `@<username>`.
* email: also `name (at) example.org`, and `name gmail.com`, as tokenisers leave it that drop the `@`.
* phone: see `phones`.
* link: what has a scheme or `www.`, or a host and a path (`bit.ly/x1`). Not a bare name such as `Amazon.com`, which
  people write for the company, nor `http://url_removed`.
* secret: keys and tokens by their known forms, private keys, addresses with a password, and long random values after
  words such as `api_key=`.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from emollms.quality.sensitive import phones

Kind = Literal["secret", "email", "link", "phone", "user"]


@dataclass(frozen=True)
class Detector:
    """Finds one kind of sensitive text.

    Args:
        kind: what it finds.
        hint: RE2 pattern that matches every text with such a find.
        marks: strings of which every text with such a find, in lower case, holds one; they are looked for first.
        pattern: where finds may be: its group `find`.
        accept: whether a match is one.
    """

    kind: Kind
    hint: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] = bool

    def spans(self, text: str, lower: str) -> Iterator[tuple[int, int]]:
        """Start and end of each find in a text, from left to right; `lower` is the text in lower case."""
        if any(mark in lower for mark in self.marks):
            for match in self.pattern.finditer(text):
                if self.accept(match):
                    yield match.span("find")


_W = "A-Za-z0-9À-ɏ_"  # words of addresses: no other script, which may stand right beside them

_NO_USER = re.compile(r"(?:user(?:name)?|anonymous|anon)\d*|me|all|here|everyone", re.IGNORECASE)
_TIME_OR_NUMBER = re.compile(r"\d{1,6}(?:am|pm|st|nd|rd|th|h|hrs?|mins?|k|m)?", re.IGNORECASE)
_USER = re.compile(
    # before it no letter of these scripts, but perhaps a literal escape (\n@name) or an RT
    rf"(?:(?<![{_W}\u0370-\u04ff])|(?<=\\[nrt])|(?<=\bRT))"
    r"(?P<find>[@＠](?P<name>\w{2,}+(?:\.[a-z0-9_]++)*+)(?:@[\w-]++(?:\.[\w-]++)++)?)"
    r'(?!"\s*:)'
)
_REDDIT_USER = re.compile(r"(?<![\w/])/?(?P<find>u/(?P<name>[A-Za-z0-9_-]{3,20}+))(?![\w/-])")


def _is_user(match: re.Match[str]) -> bool:
    name = match["name"]
    named = any(sign.isalpha() for sign in name) or name.isdecimal()
    return named and not _NO_USER.fullmatch(name) and not _TIME_OR_NUMBER.fullmatch(name)


_PROVIDER = r"(?:gmail|googlemail|hotmail|yahoo|outlook|aol)\.com\b"
_EMAIL = re.compile(
    rf"(?<![{_W}.+%@＠-])[.+%-]*+(?P<find>"
    rf"[{_W}+%-]++(?:\.[{_W}+%-]++)*+(?:@|\s?[(\[]at[)\]]\s?)(?:[{_W}-]++\.)+[A-Za-z]{{2,}}"
    rf"|[A-Za-z0-9][A-Za-z0-9_.-]{{5,}}+ {_PROVIDER})",
    re.IGNORECASE,
)

_TOP_LEVEL = (
    "com|org|net|edu|gov|info|io|co|me|ly|gl|gd|tv|fm|be|de|uk|us|ru|fr|es|it|eu|in|se|nl|ch|at|pl|br|cn|jp|app|to"
)
_LINK = re.compile(
    rf"(?P<find>(?:(?:h?tt+ps?|ftp):/{{2,}}(?=[{_W}])"
    rf"|(?<![{_W}@.-])(?:www\.(?=[{_W}])|(?:[a-z0-9-]++\.)*?[a-z0-9-]++\.(?:{_TOP_LEVEL})/(?=[{_W}~?#])))"
    rf"(?!url(?:_removed)?\b)[{_W}!#$%&'()*+,\-./:;=?@~]*[{_W}#$%&+/=@~-])",
    re.IGNORECASE,
)

_KNOWN_KEYS = (
    r"hf_[A-Za-z0-9]{20,}+",  # Hugging Face
    r"sk-(?:[a-z]{2,8}\d*-)*[A-Za-z0-9_]{20,}[A-Za-z0-9_-]*+",  # OpenAI, Anthropic, OpenRouter
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}+",  # Stripe
    r"gh[opsur]_[A-Za-z0-9]{30,}+",
    r"github_pat_\w{22,}+",
    r"gl(?:pat|dt|rt)-[\w-]{20,}+",  # GitLab
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])",  # AWS
    r"AIza[\w-]{35}",
    r"ya29\.[\w-]{20,}+",  # Google
    r"xox[abeoprs]-[\w-]{10,}+",  # Slack
    r"SG\.[\w-]{16,}+\.[\w-]{16,}+",  # SendGrid
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[\w-]{50,}+",
    r"\d{8,10}:AA[\w-]{33}",  # Telegram
    r"eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]*+",  # JSON Web Tokens
)
_KNOWN_SECRET_MARKS = (
    "-----begin", "://", "hf_", "sk-", "k_live_", "k_test_", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_",
    "glpat-", "gldt-", "glrt-", "akia", "asia", "abia", "acca", "aiza", "ya29.", "xox", "sg.",
    "npm_", "pypi-", ":aa", "eyj",
)  # fmt: skip
_KNOWN_SECRET = re.compile(
    r"(?P<find>-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    rf"|(?<![A-Za-z0-9_-])(?:{'|'.join(_KNOWN_KEYS)})"
    r"|(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}+://[^\s/:@\[\]]++:[^\s/:@\[\]]++@[\w.-]++)",
    re.DOTALL,
)
_ASSIGNED_SECRET = re.compile(
    r"(?:(?:key|token|secret|passwd|password|pwd)[\"']?\s{0,3}(?::|=>?|is\b)\s{0,3}[\"']?|\bbearer\s{1,3})"
    r"(?P<find>[A-Za-z0-9_+/=.~-]{16,}+)",
    re.IGNORECASE,
)


def _has_digit(match: re.Match[str]) -> bool:
    return any(sign.isdigit() for sign in match["find"]) or "PRIVATE KEY" in match["find"] or "://" in match["find"]


def _is_random(match: re.Match[str]) -> bool:
    """Whether a value looks drawn by chance: a long part of it mixes letters and digits, few of them repeated."""
    value = max(re.split(r"[^A-Za-z0-9]", match["find"]), key=len)
    if len(value) < 10 or value.isalpha() or value.isdigit():
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= 2.8


DETECTORS = (
    Detector(
        "secret",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|://[^\s/:@]+:[^\s/:@]+@|hf_|sk-|[sr]k_(?:live|test)_|gh[opsur]_|github_pat_"
        r"|gl(?:pat|dt|rt)-|A(?:KIA|SIA|BIA|CCA|Iza)[\w-]{16}|ya29\.|xox[a-z]-|SG\.[\w-]{16}|npm_|pypi-|:AA[\w-]{33}|eyJ",
        _KNOWN_SECRET_MARKS,
        _KNOWN_SECRET,
        _has_digit,
    ),
    Detector(
        "secret",
        r"(?i)(?:key|token|secret|passwd|password|pwd|bearer)[\"']?\s{0,3}(?::|=|is|\s).{0,6}[a-z0-9_+/=.~-]{16}",
        ("key", "token", "secret", "passw", "pwd", "bearer"),
        _ASSIGNED_SECRET,
        _is_random,
    ),
    Detector(
        "email",
        rf"(?i)@[^@]*\.[a-z]{{2}}|[(\[]at[)\]]| {_PROVIDER}",
        ("@", "(at)", "[at]", "(at]", "[at)", "mail.com", "yahoo.com", "outlook.com", "aol.com"),
        _EMAIL,
    ),
    Detector("link", r"(?i)tps*:/+|ftp:/+|www\.|[a-z0-9-]\.[a-z]{2,4}/", ("www.", "/"), _LINK),
    Detector("phone", phones.HINT, ("",), phones.RUN, phones.is_phone),
    Detector("user", r"[@＠][\p{L}\p{N}_]", ("@", "＠"), _USER, _is_user),
    Detector("user", r"u/[A-Za-z0-9_-]{3}", ("u/",), _REDDIT_USER, _is_user),
)
"""All detectors. Where two finds overlap, the earlier kind of this list is what the text holds."""
