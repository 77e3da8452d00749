"""What the names of columns say: the dimension or the emotion that is rated."""

import re

DIMENSIONS = {
    "valence": ("valence", "val", "v", "valenza", "valencia", "valenz"),
    "arousal": ("arousal", "aro", "a", "attivazione", "activation", "erregung"),
    "dominance": ("dominance", "dom", "d", "dominanza", "dominancia", "control"),
}


def dimension(name: str) -> str:
    """The dimension that a column is called by, `V` or `valenza` for valence; else what `plain_name` gives."""
    plain = re.sub(r"[\W_]+(?:mean|avg|average|sum|m)$", "", plain_name(name)).strip("_ -.")
    return next((known for known, names in DIMENSIONS.items() if plain in names), plain or plain_name(name))


def plain_name(name: str) -> str:
    """The name of a column in small letters, without a scale and without signs: `Joy (1-7)` and `Joy?` are joy."""
    plain = re.sub(r"\(.*?\)|\[.*?\]|[\s/:]+\d+\s*(?:-|–|\.\.)\s*\d+\s*$|[\"'?!*]", "", name.lower())
    return " ".join(plain.split()).strip("_ -.:") or name.lower()
