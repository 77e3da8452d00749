"""Repairs of source texts, each with a name: a build counts them, and the card tells of them."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Repair:
    """One repair.

    Args:
        name: what the defect is called in counts and cards.
        apply: text to repaired text; leaves a sound text as it is.
    """

    name: str
    apply: Callable[[str], str]


_BROKEN = re.compile("[\u0080-\u009f\u00c2-\u00f4]")
_ESCAPED_BREAK = re.compile(r"[ \t]*(?:\\r)?\\n[ \t]*")
_ESCAPED_SLASH = re.compile(r"\\+/")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_BRACKET = re.compile("|".join(_BRACKETS))


def repair_utf8(text: str) -> str:
    """UTF-8 that was read as Latin-1 and encoded again, once or more often, back to what it was; other text stays."""
    while _BROKEN.search(text):
        try:
            text = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            break
    return text


def repair_brackets(text: str) -> str:
    """The treebank's `-LRB-` and its like, back to brackets."""
    return _BRACKET.sub(lambda found: _BRACKETS[found.group()], text)


def repair_entities(text: str) -> str:
    """HTML entities to the characters they stand for, until none is left: some were escaped twice (`&amp;amp;`)."""
    while "&" in text and (plain := html.unescape(text)) != text:
        text = plain
    return text


BROKEN_UTF8 = Repair("broken UTF-8", repair_utf8)
BRACKETS = Repair("escaped bracket", repair_brackets)
ENTITIES = Repair("HTML entity", repair_entities)
LINE_BREAKS = Repair("escaped line break", lambda text: _ESCAPED_BREAK.sub("\n", text))
OUTER_SPACE = Repair("space around the text", str.strip)
SLASHES = Repair("escaped slash", lambda text: _ESCAPED_SLASH.sub("/", text))
