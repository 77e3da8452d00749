"""UTF-8 that was read as Latin-1 or Windows-1252 and saved again: `cafÃ©` for `café`, `donâ€™t` for `don’t`.

Only for comparing texts, so a rule of a few lines in place of ftfy's tables: a sequence is decoded where it is valid
UTF-8 and could hardly be meant. One sequence is enough after Ã and Â (accented letters), â (punctuation, symbols) and
ð (emoji); all other leads, as in `Ð¿Ñ€Ð¸` for Cyrillic, need two sequences side by side, since `CAFÉ…` is no mojibake.
Each sequence must hold a character that no normalised text has, so that normalising twice changes nothing.
"""

import re

_HIGH = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # what Windows-1252 has between 0x80 and 0x9F
_BYTES = {ord(character): character.encode("cp1252")[0] for character in _HIGH}
_LETTERS = frozenset("šœžƒˆ")  # those of them that a normalised text can have
_QUOTES = frozenset("‘’“”•–—…")  # those that can follow the last letter of a word

_TAIL = f"[\\u0080-\\u00bf{_HIGH}]"
_SEQUENCE = re.compile(f"[Â-ß]{_TAIL}|[à-ï]{_TAIL}{{2}}|[ð-ô]{_TAIL}{{3}}")
_RUN = re.compile(f"(?:{_SEQUENCE.pattern})+")

SUSPECT = f"[Â-ô][\\x{{80}}-\\x{{bf}}{_HIGH}]"
"""An RE2 pattern that every text with mojibake matches, and few others."""


def repair(text: str) -> str:
    """Undo the misreading, twice where it happened twice, and leave everything else as it is."""
    while (repaired := _RUN.sub(_decode, text)) != text:
        text = repaired
    return text


def _decode(match: re.Match[str]) -> str:
    run = match[0]
    if not _is_sure(_SEQUENCE.findall(run), match.string[match.end() : match.end() + 1]):
        return run
    try:
        return run.translate(_BYTES).encode("latin-1").decode()
    except UnicodeDecodeError:
        return run


def _is_sure(sequences: list[str], following: str) -> bool:
    """Whether the sequences, with this character behind them, could hardly be meant as they stand."""
    if any(sequence[0].islower() and _LETTERS.issuperset(sequence[1:]) for sequence in sequences):
        return False
    lead, second = sequences[0][0], sequences[0][1]
    if len(sequences) > 1 or lead == "ð":
        return True
    if lead in "ÃÂ":
        return second not in _QUOTES or following.isalpha()  # MANHÃ” can end a quotation
    return lead == "â" and second not in _QUOTES
