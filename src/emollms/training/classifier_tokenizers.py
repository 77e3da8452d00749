"""What a one-pass classifier's tokenizer does to a text: a cue after it, emoji and hashtags in words.

All of it is part of `tokenizer.json`, so that whatever loads the model reads texts as it was tuned to.
"""

import unicodedata
from collections.abc import Collection
from typing import Any

from tokenizers import Regex, normalizers, processors

from emollms.errors import UsageError
from emollms.training.arguments import SpellOut

_EMOJI = ((0x2600, 0x27C0), (0x1F300, 0x1F650), (0x1F680, 0x1F700), (0x1F900, 0x1FA00), (0x1FA70, 0x1FB00))
"""Unicode's blocks of symbols, emoticons and signs of transport, with their supplements; the ends are left out."""
_SHAPE_WORDS = {"black", "white", "heavy"}
"""How older symbols are drawn (HEAVY BLACK HEART), which is not what they mean; newer ones have colours."""
_JOINED = "(?<=[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f])\u200d[\u2640\u2642\U0001f9b0-\U0001f9b3]?"
_MODIFIERS = ("[\U0001f3fb-\U0001f3ff]", _JOINED, "\ufe0f")
"""Skin tones, what joins emoji (and then gender and hair), and the request for a coloured picture."""


def add_cue(tokenizer: Any, cue: str) -> None:
    """Let a tokenizer add the tokens of a cue after each text, or after each two texts, which a line break parts.

    Raises:
        UsageError: the tokenizer has no tokenizer.json.
    """
    _check_fast(tokenizer, "cue")
    begin = tokenizer("").input_ids  # what it adds before any text
    end, between = (tokenizer(words, add_special_tokens=False).input_ids for words in (cue, "\n"))
    pieces = {"[begin]": begin, "[between]": between, "[cue]": end}
    special = [
        {"id": name, "ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids)} for name, ids in pieces.items() if ids
    ]
    prefix = "[begin] " if begin else ""
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{prefix}$A [cue]", pair=f"{prefix}$A [between] $B [cue]", special_tokens=special
    )


def spell_out(tokenizer: Any, what: Collection[SpellOut]) -> None:
    """Let a tokenizer write in words what a vocabulary of books and pages has no tokens for.

    Args:
        tokenizer: is changed.
        what: `emoji`, by their names in Unicode, without skin tone and gender; `hashtags`, whose words are parted from
            the sign and, at capitals, from each other; `line_breaks`, which some corpora write as a backslash and an n.

    Raises:
        UsageError: the tokenizer has no tokenizer.json.
    """
    if not what:
        return
    _check_fast(tokenizer, "spell_out")
    steps: list[Any] = []
    if "line_breaks" in what:
        steps.append(normalizers.Replace("\\n", "\n"))
    if "hashtags" in what:
        steps.append(normalizers.Replace(Regex(r"#(?=\w)"), "# "))
        # In any word: a lookbehind that finds the sign of its hashtag would have no fixed length.
        steps.append(normalizers.Replace(Regex("(?<=[a-z])(?=[A-Z][a-z])"), " "))
    if "emoji" in what:
        steps += [normalizers.Replace(Regex(pattern), "") for pattern in _MODIFIERS]
        steps += [normalizers.Replace(sign, f" {name} ") for sign, name in _emoji_names().items()]
        steps += [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    own = tokenizer.backend_tokenizer.normalizer
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([*steps, *([own] if own else [])])


def _emoji_names() -> dict[str, str]:
    found = {}
    for sign in (chr(code) for first, end in _EMOJI for code in range(first, end)):
        if unicodedata.category(sign) == "So":
            words = unicodedata.name(sign).lower().split()
            found[sign] = " ".join(word for word in words if sign > "\uffff" or word not in _SHAPE_WORDS)
    return found


def _check_fast(tokenizer: Any, key: str) -> None:
    if not tokenizer.is_fast:
        raise UsageError(f"{key}: the tokenizer of this model has no tokenizer.json, which would hold it; leave it out")
