"""UTF-8 that was read as Latin-1 or Windows-1252 and saved again: `cafÃ©` for `café`, `donâ€™t` for `don’t`.

Only for comparing texts, so a rule of a few lines in place of ftfy's tables: a sequence is decoded where it is valid
UTF-8 and could hardly be meant. One sequence is enough after Ã and Â (accented letters), â (punctuation and symbols) and
ð (emoji); all other leads, as in `ÐŸÑ€Ð¸` for Cyrillic, need two sequences side by side, since `CAFÉ…` is no mojibake.
Each sequence must hold a character that no normalised text has, so that normalising twice changes nothing.
"""

import re

_LETTERS = "šœžƒˆ"  # the continuation bytes that normalised texts can hold too
_PUNCTUATION = "‚„…†‡‰‹‘’“”•–—˜™š›œžŸ€ƒˆŠŒŽ"  # what Windows-1252 has at 0x80 to 0x9F
_BYTE_OF = {character: character.encode("cp1252")[0] for character in _PUNCTUATION}

_NEXT = f"[\\x80-\\xbf{_PUNCTUATION}]"
_SURE = f"(?!.[{_LETTERS}]*(?:[^{_LETTERS}\\x80-\\xbf{_PUNCTUATION}]|$))"
_QUOTED = "(?![–—‘’“”…](?:\\W|$))"  # MANHÃ” at the end of a quotation
_BOX = "(?![…‘’“”•–—])"  # an â at the end of one; box-drawing characters are what is lost
_ONE = f"(?:[ÃÂ]{_QUOTED}{_NEXT}|(?!â[{_LETTERS}]{{2}})â{_BOX}{_NEXT}{{2}}|ð[Ÿ\\x9f]{_NEXT}{{2}})"
_MANY = f"(?:[\\xc4-\\xdf]{_NEXT}|[à-ï]{_NEXT}{{2}}|ð{_NEXT}{{3}}|[ÃÂ]{_NEXT})"

SUSPECT = f"[\\x{{c2}}-\\x{{f4}}][\\x{{80}}-\\x{{bf}}{_PUNCTUATION}]"
"""An RE2 pattern for the texts worth a look."""

_SEQUENCE = re.compile(f"{_MANY}{{2,}}|{_ONE}")
