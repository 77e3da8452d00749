"""Repairs of texts: the one code that corpora, the search for near-duplicates and the quality gate share."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

from ftfy import TextFixerConfig, fix_encoding


@dataclass(frozen=True)
class Repair:
    """A repair with a name: a build counts the texts that it changes, and the card says so.

    Args:
        name: what the defect is called in counts and cards.
        apply: text to repaired text; leaves a sound text as it is.
    """

    name: str
    apply: Callable[[str], str]


_LETTERS = "ƒˆšœž"  # bytes 0x80 to 0x9F as Windows-1252 shows them: those that a normalized text may have, the others
_SIGNS = "€‚„…†‡‰Š‹ŒŽ‘’“”•–—˜™›Ÿ"
MOJIBAKE_HINT = f"[\u0080-\u009f]|[Â-ô][{_LETTERS}]{{0,2}}[\u0080-\u00bf{_SIGNS}]"
"""A pattern, for Python and RE2, that nearly every text with mojibake matches, and few others do.

It asks for a character that no normalized text has, so that normalizing twice changes nothing.
"""
_HINT = re.compile(MOJIBAKE_HINT)
_CONFIG = TextFixerConfig(explain=False)
# A capital before a closing quote looks like two bytes of one character: ftfy would turn “MANHÃ” into “MANHÔ.
_ENDS_QUOTED = re.compile("(?<=\\w[ÂÃ])(?=[‘’“”–—…](?!\\w))")
_KEEP_APART = "\u2060"
_LINE_BREAK = re.compile("(?<![Â-ô\u0080-\u00bf])\u0085")  # alone it is a line break, and not an ellipsis of cp1252

PTB_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
"""How the Penn Treebank escapes brackets."""
_PTB_BRACKET = re.compile("|".join(PTB_BRACKETS))
_ESCAPED_BREAK = re.compile(r"[ \t]*(?:\\r)?\\n[ \t]*")
_ESCAPED_SLASH = re.compile(r"\\+/")


def fix_mojibake(text: str) -> str:
    """UTF-8 that was read as Latin-1, Windows-1252 or the like, back to what it was: `cafÃ©`, `donâ€™t`.

    ftfy decides what is misread. A lone C1 control character becomes the one that Windows-1252 has in its place,
    but for U+0085, which ends lines.
    """
    if not _HINT.search(text):
        return text
    return "\u0085".join(_fix(line) for line in _LINE_BREAK.split(text))


def _fix(text: str) -> str:
    if _KEEP_APART in text:
        return fix_encoding(text, _CONFIG)
    return fix_encoding(_ENDS_QUOTED.sub(_KEEP_APART, text), _CONFIG).replace(_KEEP_APART, "")


def unescape_entities(text: str) -> str:
    """HTML entities to the characters they name, until none is left: some were escaped twice (`&amp;amp;`)."""
    while "&" in text and (plain := html.unescape(text)) != text:
        text = plain
    return text


def unescape_brackets(text: str) -> str:
    """The treebank's `-LRB-` and its like, back to brackets."""
    return _PTB_BRACKET.sub(lambda found: PTB_BRACKETS[found.group()], text)


MOJIBAKE = Repair("broken UTF-8", fix_mojibake)
BRACKETS = Repair("escaped bracket", unescape_brackets)
ENTITIES = Repair("HTML entity", unescape_entities)
LINE_BREAKS = Repair("escaped line break", lambda text: _ESCAPED_BREAK.sub("\n", text))
OUTER_SPACE = Repair("space around the text", str.strip)
SLASHES = Repair("escaped slash", lambda text: _ESCAPED_SLASH.sub("/", text))
