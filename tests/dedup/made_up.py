"""Made-up texts in several scripts, and small edits of them."""

import random

LINES = (
    "morning terrible happy never because always train coffee yesterday wonderful angry people running house garden",
    "сегодня очень грустно день радость утро человек всегда дорога",
    "اليوم سعيد جدا لأن الطقس جميل صباح حزين",
    "आज मैं बहुत खुश हूँ क्योंकि मौसम अच्छा है",
    "今日はとても嬉しいです 我非常难过因为下雨 😀 ❤",
)
WORDS = " ".join(LINES).split()


def sentences(count: int, seed: int, words: int = 12) -> list[str]:
    """Distinct texts of 4 to `words` words; every third is an earlier one with one word changed or dropped."""
    draw = random.Random(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        text = [draw.choice(WORDS) + str(draw.randrange(30)) for _ in range(draw.randint(4, words))]
        if texts and len(texts) % 3 == 0:
            text = draw.choice(list(texts)).split()
            text[draw.randrange(len(text))] = draw.choice(["", *WORDS])
        texts[" ".join(word for word in text if word)] = None
    return list(texts)
