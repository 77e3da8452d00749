"""What the names of files say: language and split."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from emollms.corpora.file_table import Split

SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "trial"), "train"),
    **dict.fromkeys(("dev", "devel", "development", "val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
}
LANGUAGES = frozenset(
    (
        "aa", "ab", "af", "am", "ar", "as", "ay", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "ce", "co",
        "cs", "cv", "cy", "da", "de", "dv", "dz", "ee", "el", "en", "eo", "es", "et", "eu", "fa", "ff", "fi", "fj",
        "fo", "fr", "fy", "ga", "gd", "gl", "gn", "gu", "gv", "ha", "he", "hi", "hr", "ht", "hu", "hy", "id", "ig",
        "is", "it", "iu", "ja", "jv", "ka", "kk", "kl", "km", "kn", "ko", "ks", "ku", "kw", "ky", "la", "lb", "lg",
        "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn", "mr", "ms", "mt", "my", "nb", "ne", "nl", "nn", "no",
        "ny", "oc", "om", "or", "os", "pa", "pl", "ps", "pt", "qu", "rm", "rn", "ro", "ru", "rw", "sa", "sc", "sd",
        "se", "sg", "si", "sk", "sl", "sm", "sn", "so", "sq", "sr", "ss", "st", "su", "sv", "sw", "ta", "te", "tg",
        "th", "ti", "tk", "tl", "tn", "to", "tr", "ts", "tt", "tw", "ug", "uk", "ur", "uz", "ve", "vi", "wo", "xh",
        "yi", "yo", "za", "zh", "zu",
    )
)  # fmt: skip
"""ISO 639-1."""
ALIASES = {
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "esp": "es", "ita": "it", "por": "pt",
    "rus": "ru", "ara": "ar", "zho": "zh", "chi": "zh", "chn": "zh", "cn": "zh", "jpn": "ja", "jp": "ja", "kor": "ko",
    "kr": "ko", "nld": "nl", "dut": "nl", "pol": "pl", "tur": "tr", "fin": "fi", "swe": "sv", "dan": "da", "dk": "da",
    "nor": "no", "ces": "cs", "cze": "cs", "cz": "cs", "slk": "sk", "slv": "sl", "hun": "hu", "ron": "ro", "rum": "ro",
    "bul": "bg", "ell": "el", "gre": "el", "gr": "el", "heb": "he", "iw": "he", "hin": "hi", "ukr": "uk", "ua": "uk",
    "hrv": "hr", "srp": "sr", "bos": "bs", "mkd": "mk", "est": "et", "lav": "lv", "lit": "lt", "isl": "is", "ice": "is",
    "vie": "vi", "vn": "vi", "ind": "id", "in": "id", "afr": "af", "amh": "am", "hau": "ha", "ibo": "ig", "kin": "rw",
    "swa": "sw", "yor": "yo", "zul": "zu", "cat": "ca", "eus": "eu", "glg": "gl", "fas": "fa", "per": "fa", "tha": "th",
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "spanish": "es", "italian": "it",
    "italiano": "it", "portuguese": "pt", "russian": "ru", "arabic": "ar", "chinese": "zh", "japanese": "ja",
    "korean": "ko", "dutch": "nl", "polish": "pl", "turkish": "tr", "finnish": "fi", "swedish": "sv", "danish": "da",
    "norwegian": "no", "czech": "cs", "slovak": "sk", "slovenian": "sl", "hungarian": "hu", "romanian": "ro",
    "bulgarian": "bg", "greek": "el", "hebrew": "he", "hindi": "hi", "ukrainian": "uk", "croatian": "hr",
    "serbian": "sr", "bosnian": "bs", "macedonian": "mk", "estonian": "et", "icelandic": "is", "vietnamese": "vi",
}  # fmt: skip
"""Other codes and names of languages that files are called by; `cn`, `cz` and the like are countries."""
_REGION = re.compile("[a-z]{2}")


def split_of(path: str) -> Split | None:
    """The split that a path names: `de/dev.tsv`, `valence-train-en.csv`."""
    found = {SPLITS[word] for word in _words(path) if word in SPLITS}
    return found.pop() if len(found) == 1 else None


def languages_of(paths: Sequence[str]) -> dict[str, str]:
    """The language that each path names, where each names one: `de.tsv`, `pt_br/train.csv`, `subtitles-en.txt`.

    One file tells by a name of a language alone, `italian.csv`: its short words may be anything. Of several files, the
    word that differs between them tells.

    Args:
        paths: the paths.
    """
    words = {path: _words(path) for path in paths}
    shared = set.intersection(*map(set, words.values())) if len(paths) > 1 else set()
    found = {}
    for path, own in words.items():
        codes = [code for place, word in enumerate(own) if word not in shared and (code := _code(own, place))]
        if len(paths) == 1:
            codes = [ALIASES[word] for word in own if len(word) > 3 and word in ALIASES]
        if not codes:
            return {}
        found[path] = codes[-1]
    return found


def _code(words: Sequence[str], place: int) -> str | None:
    word, after = words[place], words[place + 1] if place + 1 < len(words) else ""
    code = word if word in LANGUAGES else ALIASES.get(word)
    before = words[place - 1] if place else ""
    if before in ("pt", "zh", "en", "es", "fr", "de") and word in REGIONS:
        return f"{before}-{word.upper()}"
    if code and code == word and after in REGIONS and code in ("pt", "zh", "en", "es", "fr", "de"):
        return f"{code}-{after.upper()}"
    return code


REGIONS = ("br", "mz", "pt", "tw", "hk", "cn", "us", "gb", "uk", "ca", "mx", "ar", "es", "ch", "at", "be")
"""Regions that stand after the code of a language, as in `pt_br`."""


def _words(path: str) -> list[str]:
    plain = PurePosixPath(path).with_suffix("").as_posix()
    return [word for word in re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", plain).lower()) if word]
