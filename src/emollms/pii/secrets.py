r"""What secrets look like: keys and tokens by the forms of their providers, and values that are assigned to names.

A value that is assigned to a name (`db_password = …`, `"api_key": "…"`, `token: …`) counts by how plain the name is:
after `api_key` eight characters of letters and digits are enough, after `password` and `secret` six and eight; after a
mere `key` or `token`, which people write about as well, it takes sixteen that look drawn by chance. Placeholders
(`<your key>`, `${TOKEN}`, `changeme`, `xxxx`) never count.
"""

import math
import re
from collections import Counter
from itertools import pairwise

from emollms.pii.forms import FORMS, hint

_PEM = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"
_LOGIN = r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\[\]]*:[^\s/@\[\]]+@[\w.-]+"
"""An address with a password."""
_KEYS = "|".join(pattern for _, pattern in FORMS)
KNOWN_HINT = "|".join([_PEM, r"://[^\s/:@]*:[^\s/@]+@", *dict.fromkeys(hint(*form) for form in FORMS)])
KNOWN_KEYWORDS = ("-----begin", "://", *dict.fromkeys(keyword for keyword, _ in FORMS))
KNOWN = re.compile(
    rf"(?P<match>{_PEM}(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    rf"|(?<![A-Za-z0-9_-])(?:{_KEYS})"
    rf"|(?<![A-Za-z0-9+.-])(?:{_LOGIN.replace('*:', '*+:').replace('+@', '++@')}))",
    re.DOTALL | re.ASCII,
)

_WORDS = r"key|token|secret|pass(?:word|wd|phrase|code)?|pwd|contrase(?:n|ñ|Ñ)a|credentials?"
_SPACE = r"[ \t]{0,3}"
_AFTER = rf"(?:[_-][A-Za-z0-9]{{1,20}})?[\"'`\])]{{0,2}}{_SPACE}"
_SIGN = r":=|=>|->|={1,2}|:|>|is[ \t]|[ \t]"
_VALUE = r"[^\s\"'`,;<>|(){}\[\]&]{6,}"
ASSIGNED_HINT = rf"(?i)(?:(?:{_WORDS}){_AFTER}(?:{_SIGN})|bearer[ \t]){_SPACE}[\"'`]?{_VALUE}"
ASSIGNED_KEYWORDS = ("key", "token", "secret", "pass", "pwd", "contrase", "credential", "bearer")
ASSIGNED = re.compile(
    rf"(?:(?P<name>{_WORDS}){_AFTER}(?P<sign>{_SIGN})"
    rf"|\b(?P<bearer>bearer)[ \t]){_SPACE}(?P<quote>[\"'`]?)(?P<match>{_VALUE}+)(?P<after>.?)",
    re.IGNORECASE | re.ASCII,
)
_QUALIFIER = re.compile(
    r"(?:api|app|auth|access|account|admin|bot|client|consumer|cos|database|db|encryption|git(?:hub|lab)?|hub|hf|hmac|jwt|"
    r"master|npm|oauth|personal|priv(?:ate)?|refresh|root|secret|security|service|session|shared|sign(?:ing)?|sl|softlayer|"
    r"cl(?:oudant)?|ibm|iam|smtp|ssh|storage|user|webhook|[a-z0-9]+[_-])[_.-]?\Z",
    re.IGNORECASE,
)
"""What stands before `key`, `token` and the like where that is the name of a setting."""
_OPTION = re.compile(r"(?<!\S)--?[A-Za-z0-9-]*\Z")
"""What stands before the name where a space parts name and value: an option of a command."""
_SETTING = re.compile(
    r"(?:.*[_.-])?(?:(?:access|api|app|auth|client|db|git(?:hub|lab)|hf|hub|hugging_?face|npm|oauth|openai|private|pypi|"
    r"refresh|secret|service|session|user|wandb)[_.-]?(?:key|token|secret)|pass(?:word|wd|phrase)|pwd|credentials?|secret)",
    re.IGNORECASE,
)
"""Names of settings that hold secrets, and nothing else: not `pad_token`, nor a mere `key`."""
_PLACEHOLDER = re.compile(
    r"(?-i:\$[{(A-Z_]|%[A-Z({])|\*{3}|\.{3}|<|\{|@user\d|u/user\d|x{3,}|(?:your|my|some|the|insert|enter|replace)[_.-]|"
    r"change[_-]?(?:me|it)|(?:(?:example|sample|dummy|fake|placeholder|redacted|hidden|secret|password|passwd|token|none|"
    r"null|nil|true|false|undefined|todo|required|optional|getenv|input)(?![A-Za-z0-9])|"
    r"os\.|env[.:]|process\.|config\.|settings\.|self\.|args\.|https?:|\.\.?/|~/)",
    re.IGNORECASE,
)


def is_known(match: re.Match[str]) -> bool:
    """Whether a match of `KNOWN` is a secret: one that a program drew, a private key, or an address with a password."""
    value = match["match"]
    if "PRIVATE KEY" in value or value.startswith("PuTTY"):
        return True
    if "://" in value:
        return not _PLACEHOLDER.match(value.rpartition("@")[0].rpartition(":")[2])
    return any(sign.isdigit() for sign in value) and entropy(value) >= 2.8


def is_assigned(match: re.Match[str]) -> bool:
    """Whether a match of `ASSIGNED` is a secret; see the top of this module."""
    value = match["match"].rstrip(".!?:") if not match["quote"] else match["match"]
    if match["after"] in ("(", "[", "{") or _PLACEHOLDER.match(value) or (value[0] == "/" and not _looks_drawn(value)):
        return False
    sign = (match["sign"] or "is").strip().lower()
    if sign == "is":
        return _looks_drawn(value)
    before = match.string[max(0, match.start("name") - 24) : match.start("name")]
    if not sign and not _OPTION.search(before):
        return False
    return is_secret_value(f"{before}{match['name']}", value)


def is_secret_value(name: str, value: str) -> bool:
    """Whether a value is a secret, where it is assigned to a name.

    Args:
        name: the name, or the text that ends in it.
        value: the value, without quotes.
    """
    word = re.search(rf"(?:{_WORDS})\Z", name, re.IGNORECASE)
    if not word or _PLACEHOLDER.match(value):
        return False
    mixed = any(sign.isalpha() for sign in value) and not value.isalpha() and not _is_wordy(value)
    kind = word[0].lower()
    if kind in ("key", "token", "credential", "credentials"):
        if not _QUALIFIER.search(name[: word.start()]):
            return _looks_drawn(value)
        return (len(value) >= 8 and mixed) or _is_long(value)
    return (len(value) >= (8 if kind == "secret" else 6) and mixed) or _is_long(value)


def is_secret_setting(name: str, value: str) -> bool:
    """Whether a setting is a secret by its name alone, whatever its value looks like: `hub_token`, `password`.

    Args:
        name: the name of the setting.
        value: its value; a placeholder is no secret.
    """
    return bool(value.strip() and _SETTING.fullmatch(name) and not _PLACEHOLDER.match(value.strip()))


def _is_wordy(value: str) -> bool:
    """Whether a value is words and numbers in a row, as names are: `sample-en-test-001`, `v1.0.2`, `2018-En-01234`."""
    parts = re.split(r"[^A-Za-z0-9]+", value)
    return not (any(map(_is_mixed, parts)) or any(sign in "!@#$%^&*+=?" for sign in value))


def _is_mixed(part: str) -> bool:
    return any(sign.isdigit() for sign in part) and any(sign.isalpha() for sign in part)


def _is_long(value: str) -> bool:
    """Whether a value is too long, and too even, for a word."""
    return len(value) >= 20 and value.isalnum() and not value.isdigit() and entropy(value) >= 3.0


def _looks_drawn(value: str) -> bool:
    """Whether a value looks drawn by chance: a long part of it mixes letters and digits, few of them repeated."""
    if len(value) < 16:
        return False
    part = max(re.split(r"[^A-Za-z0-9]", value), key=len)
    if len(part) >= 10 and not part.isalpha() and not part.isdigit() and entropy(part) >= 2.8:
        return True
    return bool(re.fullmatch(r"[A-Za-z0-9+/=]{30,}", value)) and _changes(value) >= 0.3


def _changes(value: str) -> float:
    """How often capitals, small letters, digits and signs take turns in a value: 0 never, 1 at every step."""
    kinds = [(sign.isupper(), sign.islower(), sign.isdigit()) for sign in value]
    return sum(one != other for one, other in pairwise(kinds)) / (len(value) - 1)


def entropy(value: str) -> float:
    """Bits a character, by how often each occurs in it."""
    parts = [count / len(value) for count in Counter(value).values()]
    return -sum(part * math.log2(part) for part in parts)
