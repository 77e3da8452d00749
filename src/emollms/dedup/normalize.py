r"""The form in which texts are compared, never shown: what does not make two texts different is taken out.

In this order:

1. HTML entities, until none is left (`&amp;amp;`);
2. literal escapes: a backslash with n, r or t is a space, `\u2019`, `\U0001F600` and `\xe9` are their characters;
3. canonical composition (NFC), then mojibake (`text_repair.fix_mojibake`);
4. out, without a trace: variation selectors, skin tones, joiners and other invisible format characters;
5. NFKC, lower case, the rest of case folding (ß is ss, ς is σ), NFKC again where that can matter;
6. a space in place of: HTML tags and comments; links; bracket names (`-LRB-`); `RT` before a user name; user names
   (an `@` and what follows); and every character but letters, marks, numbers and pictograms, so also `#` and `_`;
7. runs of spaces folded, none at the ends; an `rt` at the beginning is out;
8. a text of which nothing is left, such as `:-)`, stands for itself, in lower case: two such texts are not equal.

Regular expressions are RE2, run by Arrow on the rows of a column that need them; Python sees only the rows with an
entity, a `\u` escape, mojibake or a rare case folding. The classes of Unicode in step 6 are those of any script.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emollms.dedup.shingles import Bytes, Offsets, Texts, kernel, string_array
from emollms.hardware import cores
from emollms.text_repair import MOJIBAKE_HINT, PTB_BRACKETS, fix_mojibake, unescape_entities

FORM = 1
"""Number of this form; raise it when the form of any text changes, so that indexes of the old form are refused."""

_PART = 1 << 15  # rows a thread normalises at a time

_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))")

_INVISIBLE = r"[\p{Cf}\x{FE00}-\x{FE0F}\x{180B}-\x{180D}\x{180F}\x{E0100}-\x{E01EF}\x{1F3FB}-\x{1F3FF}\x{34F}]"

# Folded further than its lower case: checked against Python's table by a test.
_FOLDS_ON = "[" + "ŉǰ\u0345\u0390\u03b0\u03c2\u0587ßẞſ" + r"\x{1C80}-\x{1C8F}\x{1E96}-\x{1E9E}\x{1F00}-\x{1FFF}" + "]"
_CHEROKEE = r"[\x{13A0}-\x{13FF}\x{AB70}-\x{ABBF}]"

_ATTRIBUTE = r"""\s+[a-z-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=]+))"""
_TAG = rf"<!--.*?-->|</?[a-z][a-z0-9]*(?:{_ATTRIBUTE})*\s*/?>"
_LINK = r"(?:https?:|www\.)[!-~]*|(?:[a-z0-9-]+\.)+[a-z]{2,}/[!-~]*"
_BRACKET = "|".join(PTB_BRACKETS).lower()
_USER = r"(?:\brt\s*)?@\w*"
_OTHER = r"[^\x00-\x7f\p{L}\p{M}\p{N}\p{So}]|[¦©®°\x{FFFC}\x{FFFD}]"
_OPENING_RT = r"^(?:rt(?: |$))+"


def normalize(texts: Any, threads: int = 0) -> Any:
    """Normalise a column of texts for comparison.

    Args:
        texts: an Arrow string array or chunked array, or a list of str; null becomes an empty text.
        threads: how many; 0 for all usable cores.

    Returns:
        An Arrow large_string array of the same length.
    """
    column = string_array(texts)
    parts = [column.slice(start, _PART) for start in range(0, len(column), _PART)]
    if len(parts) < 2:
        return _normalize_part(column)
    with ThreadPoolExecutor(threads or cores()) as pool:
        return pa.concat_arrays(list(pool.map(_normalize_part, parts)))


def has_text(normalized: Any) -> Any:
    """Which rows of a normalised column have a text; nulls, empty texts and white space are none."""
    return pc.greater(pc.binary_length(normalized), 0)


def _normalize_part(column: Any) -> Any:
    form = column
    for step in (_unescape, _compose, _fold, _blank):
        form = step(form)
    gone = pc.equal(pc.binary_length(form), 0)
    if not pc.any(gone).as_py():
        return form
    return pc.if_else(gone, pc.utf8_lower(pc.utf8_trim_whitespace(column)), form)


def _where(mask: Any, column: Any, change: Callable[[Any], Any]) -> Any:
    """Apply `change` to the rows of `column` that `mask` marks."""
    marked = pc.sum(mask).as_py() or 0
    if marked == 0:
        return column
    if marked == len(column):
        return change(column)
    return pc.replace_with_mask(column, mask, change(column.filter(mask)))


def _each(column: Any, change: Callable[[str], str]) -> Any:
    """Apply a Python function to every text of a (short) column."""
    return pa.array([change(text) for text in column.to_pylist()], pa.large_string())


def _replace(column: Any, pattern: str, by: str) -> Any:
    return pc.replace_substring_regex(column, pattern=pattern, replacement=by)


def _unescape(column: Any) -> Any:
    column = _where(pc.match_substring(column, "&"), column, partial(_each, change=unescape_entities))
    return _where(pc.match_substring(column, "\\"), column, _without_escapes)


def _without_escapes(column: Any) -> Any:
    column = _where(pc.match_substring_regex(column, r"\\[uUx]"), column, partial(_each, change=_decode_escapes))
    return _replace(column, r"\\+[nrt]", " ")


def _decode_escapes(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        number = int(match[1] or match[2] or match[3], 16)
        return chr(number) if number < 0x110000 else " "

    plain = _ESCAPE.sub(character, text)
    # two escapes can be the two halves of one character; half of one alone is none
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _compose(column: Any) -> Any:
    return _where(pc.invert(pc.string_is_ascii(column)), column, _compose_marked)


def _compose_marked(column: Any) -> Any:
    column = pc.utf8_normalize(column, form="NFC")
    column = _where(pc.match_substring_regex(column, MOJIBAKE_HINT), column, partial(_each, change=fix_mojibake))
    column = _replace(column, _INVISIBLE, "")
    return pc.utf8_normalize(column, form="NFKC")


def _fold(column: Any) -> Any:
    folded = pc.utf8_lower(column)
    return _where(pc.invert(pc.string_is_ascii(folded)), folded, _fold_marked)


def _fold_marked(column: Any) -> Any:
    special = pc.match_substring_regex(column, f"{_FOLDS_ON}|{_CHEROKEE}")
    column = _where(special, column, partial(_each, change=str.casefold))
    # lower case can compose with a mark where upper case does not
    return _where(pc.match_substring_regex(column, r"\p{M}"), column, partial(pc.utf8_normalize, form="NFKC"))


def _blank(column: Any) -> Any:
    column = _where(pc.match_substring(column, "<"), column, partial(_replace, pattern=_TAG, by=" "))
    link = pc.or_(pc.match_substring(column, "/"), pc.match_substring(column, "www."))
    link = pc.or_(link, pc.match_substring(column, "http"))
    column = _where(link, column, partial(_replace, pattern=_LINK, by=" "))
    column = _where(pc.match_substring(column, "b-"), column, partial(_replace, pattern=_BRACKET, by=" "))
    column = _where(pc.match_substring(column, "@"), column, partial(_replace, pattern=_USER, by=" "))
    other = pc.invert(pc.string_is_ascii(column))
    column = squeeze(_where(other, column, partial(_replace, pattern=_OTHER, by=" ")))
    return _where(pc.starts_with(column, "rt"), column, partial(_replace, pattern=_OPENING_RT, by=""))


def squeeze(column: Any) -> Any:
    """Blank every ASCII character but letters and digits; fold runs of blanks, leave none at the ends.

    A loop over bytes: most characters of most corpora are ASCII, and RE2 takes ten times as long for the same.
    """
    texts = Texts.of(column)
    data = np.empty(int(texts.offsets[-1] - texts.offsets[0]) + 1, np.uint8)
    offsets = np.empty_like(texts.offsets)
    _squeeze(texts.data, texts.offsets, data, offsets)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]]))


@kernel
def _squeeze(data: Bytes, offsets: Offsets, out: Bytes, ends: Offsets) -> None:
    ends[0] = filled = 0
    for row in range(len(offsets) - 1):
        blank = False
        for at in range(offsets[row], offsets[row + 1]):
            byte = data[at]
            keep = byte >= 0x80 or 0x61 <= byte <= 0x7A or 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A
            if not keep:
                blank = filled > ends[row]
                continue
            if blank:
                out[filled] = 0x20
                filled, blank = filled + 1, False
            out[filled] = byte
            filled += 1
        ends[row + 1] = filled
