"""How much of a card a page shows, and how much is folded: words, tables and code included, and lines of metadata.

emollms build aeb --out out/aeb
python benchmarks/card_length.py out/aeb/README.md models/emosmol/README.md
"""

import re
import sys
from pathlib import Path

from emollms.hub.card_merge import split_card

FOLDED = re.compile(r"(?<=</summary>).*?(?=</details>)", re.DOTALL)
NOT_SHOWN = re.compile(r"<!--.*?-->|</?(?:details|summary)>", re.DOTALL)
WORD = re.compile(r"\S*\w\S*")


def words(text: str) -> int:
    return len(WORD.findall(NOT_SHOWN.sub(" ", text)))


print("card\tvisible\tfolded\tmetadata")
for name in sys.argv[1:]:
    metadata, text = split_card(Path(name).read_text(encoding="utf-8"))
    folded = sum(map(words, FOLDED.findall(text)))
    print(name, words(text) - folded, folded, metadata.count("\n"), sep="\t")
