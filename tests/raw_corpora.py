"""The texts of the raw corpora in the folder that EMOLLMS_CORPORA names, read in the plainest way that is right."""

import csv
from pathlib import Path

TASKS = ("EI-reg", "EI-oc", "V-reg", "V-oc", "E-c")


def goemotions(root: Path, split: str) -> list[str]:
    with (root / "goemotions" / f"{split}.tsv").open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file, delimiter="\t")]


def emobank(root: Path, split: str | None = None) -> list[str]:
    with (root / "emobank" / "emobank.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file) if split in (None, row["split"])]


def tdt(root: Path, split: str) -> list[str]:
    lines = (root / "tdt" / f"{split}.raw").read_text(encoding="utf-8").split("\n")
    return [text.replace("$T$", target) for text, target in zip(lines[0::3], lines[1::3], strict=False)]


def sst(root: Path, number: int) -> list[str]:
    """The sentences of a split: 1 train, 2 test, 3 dev."""
    folder = root / "sst" / "stanfordSentimentTreebank"
    split = dict(line.split(",") for line in (folder / "datasetSplit.txt").read_text().split()[1:])
    lines = (folder / "datasetSentences.txt").read_text(encoding="utf-8").split("\n")[1:]
    rows = (line.rstrip("\r").split("\t") for line in lines if line)
    return [text for identifier, text in rows if split[identifier] == str(number)]


def semeval(root: Path, *splits: str, language: str = "English", tasks: tuple[str, ...] = TASKS) -> list[str]:
    """The tweets of the splits ("train", "dev", "test") of the tasks, bias probes left out."""
    texts = []
    for path in sorted((root / "semeval2018_task1" / language).glob("**/*.txt")):
        task = path.relative_to(root / "semeval2018_task1" / language).parts[0]
        if task in tasks and any(f"-{split}" in path.name for split in splits):
            rows = (line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[1:] if line)
            texts += [row[1] for row in rows if "-mystery-" not in row[0]]
    return texts


def vader(root: Path, name: str) -> list[str]:
    lines = (root / "vader" / f"{name}_GroundTruth.txt").read_text(encoding="utf-8").split("\n")
    return [line.rstrip("\r").split("\t", 2)[2] for line in lines if line]


def brighter(root: Path) -> list[str]:
    texts = []
    for path in sorted((root / "brighter" / "track_a").glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            texts += [row["text"] for row in csv.DictReader(file)]
    return texts


def everything(root: Path) -> list[str]:
    """All texts of all corpora, in a fixed order, repeated ones as often as they come."""
    texts = [text for split in ("train", "dev", "test") for text in goemotions(root, split)] + emobank(root)
    texts += tdt(root, "train") + tdt(root, "test") + [text for number in (1, 2, 3) for text in sst(root, number)]
    for language in ("English", "Arabic", "Spanish"):
        texts += semeval(root, "train", "dev", "test", language=language)
    for name in ("tweets", "amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets"):
        texts += vader(root, name)
    return texts + brighter(root)
