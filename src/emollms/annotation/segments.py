"""Long texts in parts that a model can read: cut between sentences, else between words, else anywhere."""

import re
from collections.abc import Callable

LONGEST = 2_000
"""Characters of a part. What models were tuned on is far shorter, and a part should be about few things at a time."""

_SENTENCE = re.compile(r".+?(?:[.!?…。！？]+[\"'”’)\]]*(?=\s|$)|[。！？]|\n+|$)\s*", re.DOTALL)
_WORD = re.compile(r"\S*\s*")


def segments(text: str, fits: Callable[[str], bool] = lambda part: True, longest: int = LONGEST) -> list[str]:
    """The parts of a text, in order; joined they are the text again. A text that fits is one part.

    Args:
        text: the text.
        fits: whether a model has room for a part.
        longest: the most characters of a part.
    """
    if len(text) <= longest and fits(text):
        return [text]
    for pattern in (_SENTENCE, _WORD):
        pieces = [found for found in pattern.findall(text) if found]
        if len(pieces) > 1:
            return _packed(pieces, fits, longest)
    if len(text) == 1:
        return [text]
    step = longest if len(text) > longest else (len(text) + 1) // 2
    return [part for at in range(0, len(text), step) for part in segments(text[at : at + step], fits, longest)]


def _packed(pieces: list[str], fits: Callable[[str], bool], longest: int) -> list[str]:
    """As many pieces a part as there is room for; a piece that does not fit alone is cut more finely."""
    parts: list[str] = []
    room: list[str] = []
    size = 0
    for piece in pieces:
        if room and (size + len(piece) > longest or not fits("".join([*room, piece]))):
            parts.append("".join(room))
            room, size = [], 0
        if len(piece) > longest or not fits(piece):
            parts += segments(piece, fits, longest)
        else:
            room.append(piece)
            size += len(piece)
    return [*parts, "".join(room)] if room else parts
