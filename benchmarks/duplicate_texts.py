"""The texts of the near-duplicate benchmark, made from the real corpora by stated edits; the same for the same size."""

import os
import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from emollms.dedup.equal import token_counts
from emollms.dedup.normalize import normalize
from emollms.dedup.shingles import Texts
from emollms.errors import UsageError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import raw_corpora

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ORIGINALS = 0.8


def typo(words: list[str], draw: random.Random) -> None:
    """One letter of a word replaced, dropped, doubled or swapped with the next."""
    at = draw.randrange(len(words))
    word = words[at]
    if len(word) > 2:
        place = draw.randrange(len(word) - 1)
        middle = draw.choice(
            [draw.choice(LETTERS) + word[place + 1], word[place + 1], word[place] * 2 + word[place + 1],
             word[place + 1] + word[place]]
        )  # fmt: skip
        words[at] = word[:place] + middle + word[place + 2 :]


def link(words: list[str], draw: random.Random) -> None:
    """Another link at the end (gone after normalising, as the old one is)."""
    words.append("https://t.co/" + "".join(draw.choices(LETTERS, k=10)))


def user(words: list[str], draw: random.Random) -> None:
    """Another user name at the beginning."""
    words.insert(0, "@" + "".join(draw.choices(LETTERS, k=8)))


def hashtag(words: list[str], draw: random.Random) -> None:
    """The last hashtag dropped, or the last word where there is none."""
    tags = [at for at, word in enumerate(words) if word.startswith("#")]
    if len(words) > 1:
        words.pop(tags[-1] if tags else -1)


def case(words: list[str], draw: random.Random) -> None:
    """A word in capitals."""
    at = draw.randrange(len(words))
    words[at] = words[at].upper()


def swap(words: list[str], draw: random.Random) -> None:
    """Two neighbouring words swapped."""
    if len(words) > 1:
        at = draw.randrange(len(words) - 1)
        words[at : at + 2] = words[at + 1], words[at]


EDITS = (typo, link, user, hashtag, case, swap)


def make_texts(size: int, seed: int = 20240117) -> pa.LargeStringArray:
    """`size` distinct normalised texts of six tokens or more, originals and edits in random order."""
    folder = os.environ.get("EMOLLMS_CORPORA")
    if not folder:
        raise UsageError("EMOLLMS_CORPORA is not set; it names the folder of the raw corpora")
    base = [text for text in dict.fromkeys(raw_corpora.everything(Path(folder))) if len(text) < 2_000]
    draw = random.Random(seed)
    draw.shuffle(base)
    wanted, texts, extra = size, pa.array([], pa.large_string()), 0
    while len(texts) < size:  # edits that undo themselves and short texts fall out; ask for more until it suffices
        wanted += size - len(texts) if extra else size // 5
        extra += 1
        texts = usable(raw_texts(base, wanted, random.Random(seed)))
    return texts.take(pa.array(random.Random(seed).sample(range(len(texts)), size)))


def raw_texts(base: list[str], size: int, draw: random.Random) -> list[str]:
    originals = base[: int(size * ORIGINALS)]
    while len(originals) < int(size * ORIGINALS):
        one, other = draw.choice(base).split(), draw.choice(base).split()
        originals.append(" ".join(one[: len(one) // 2] + other[len(other) // 2 :]))
    return originals + [edited(draw.choice(originals), draw) for _ in range(size - len(originals))]


def edited(text: str, draw: random.Random) -> str:
    words = text.split() or [""]
    for edit in draw.choices(EDITS, k=draw.randint(1, 3)):
        edit(words, draw)
    return " ".join(words)


def usable(raw: list[str]) -> pa.LargeStringArray:
    """Normalised, without repeats, six tokens or more."""
    texts = pc.unique(normalize(raw))
    return texts.filter(pa.array(token_counts(Texts.of(texts)) >= 6))
