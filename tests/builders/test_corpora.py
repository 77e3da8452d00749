"""Every corpus: rows, the first, middle and last of them, and the defects that are handled on purpose.

Texts that may not be passed on appear here only as checksums.
"""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from emollms.corpora.base import Example, Selection
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, folder, get_corpus
from emollms.tasks import TASKS

SPLITS = ("train", "validation", "test")


def read(name: str, root: Path | None, profile: str = "release") -> tuple[list[Example], RawSource]:
    corpus = get_corpus(name)
    source = RawSource(corpus.meta, folder(corpus, root))
    return list(corpus(profile).examples(source, Selection(TASKS, SPLITS))), source


def checksum(example: Example) -> str:
    told = (example.task, example.split, example.source_id, example.text, example.gold, str(example.emotion))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


ROWS = {
    "brighter": 392_004,
    "emobank": 90_558,
    "goemotions": 108_526,
    "semeval2018_task1": 64_040,
    "sst": 23_710,
    "tdt": 6_940,
    "vader": 23_703,
}
FIRST_MIDDLE_LAST = {
    "brighter": ("a6535bdee854", "d5a2b3e0dd51", "981eea7bc2d8"),
    "emobank": ("8e87d9660da7", "ff28710806d3", "68b1206056ea"),
    "goemotions": ("c5d97d002904", "0262add73228", "cf39186f8eb5"),
    "semeval2018_task1": ("4f6ddd57a06b", "935b9495be64", "7fd7c1c1ca4d"),
    "sst": ("7a7a05020ca0", "32ac97863658", "9139150c366b"),
    "tdt": ("d2c6b6816e2e", "914337052be8", "bf98c42765d1"),
    "vader": ("dd0a5f791e09", "86958da36e46", "02af3e9fb1e1"),
}
DEFECTS = {
    "brighter": {"line with CSV quoting": 44_697, "HTML entity": 513},
    "emobank": {"line with CSV quoting": 26_263},
    "goemotions": {"line with CSV quoting": 1_383, "HTML entity": 4},
    "semeval2018_task1": {
        "file without header line": 1,
        "CRLF line end": 10_457,
        "double quote that is a plain character": 710,
        "HTML entity": 2_080,
        "escaped line break": 3_769,
    },
    "sst": {"broken UTF-8": 107, "escaped bracket": 479, "escaped slash": 198},
    "tdt": {"several $T$ in one text": 406},
    "vader": {"CRLF line end": 23_699, "double quote that is a plain character": 331, "HTML entity": 237},
}
LEFT_OUT = {
    "brighter": {"no labels are given": 2_765},
    "emobank": {"no split: not in emobank.csv": 480},
    "semeval2018_task1": {"bias-probe sentence without annotation": 84_685},
}


@pytest.mark.corpora
@pytest.mark.parametrize("name", ROWS)
def test_rows_and_defects(name: str, corpora_dir: Path) -> None:
    rows, source = read(name, corpora_dir)
    assert len(rows) == ROWS[name]
    assert tuple(checksum(rows[at]) for at in (0, len(rows) // 2, -1)) == FIRST_MIDDLE_LAST[name]
    assert {defect: source.defects[defect] for defect in DEFECTS[name]} == DEFECTS[name]
    assert Counter(row.reason for row in source.left_out) == LEFT_OUT.get(name, {})


def test_every_corpus_has_a_row_test() -> None:
    assert set(ROWS) | {"sample"} == set(corpora())


def test_sample_comes_with_the_package() -> None:
    rows, _ = read("sample", None)
    assert Counter(row.split for row in rows) == {"train": 634, "validation": 190, "test": 382}
    assert {row.task for row in rows if row.split == "test"} == set(get_corpus("sample").meta.tasks)
    assert {row.language for row in rows} == {"en", "es", "ar"}
    train, test = ({row.text for row in rows if row.split == split} for split in ("train", "test"))
    assert not train & test


@pytest.mark.corpora
def test_metadata_agrees_with_the_rows(corpora_dir: Path) -> None:
    for name, corpus in corpora().items():
        rows, _ = read(name, None if corpus.meta.bundled else corpora_dir)
        assert {row.task for row in rows} == set(corpus.meta.tasks), name
        assert {row.language for row in rows} == set(corpus.meta.languages), name
        assert {row.split for row in rows} == set(corpus.meta.splits), name


@pytest.mark.corpora
def test_goemotions_groups_are_those_of_the_distribution(corpora_dir: Path) -> None:
    import json

    from emollms.builders.goemotions import GROUPS
    from emollms.tasks import GOEMOTIONS

    mapping = json.loads((corpora_dir / "goemotions" / "ekman_mapping.json").read_text())
    assert {group: sorted(labels) for group, labels in mapping.items()} == {
        group: sorted(labels) for group, labels in GROUPS.items() if group != "neutral"
    }
    assert (corpora_dir / "goemotions" / "emotions.txt").read_text().split() == list(GOEMOTIONS)


@pytest.mark.corpora
def test_emobank_keeps_perspectives_apart(corpora_dir: Path) -> None:
    rows, _ = read("emobank", corpora_dir)
    first = {row.task: row.value for row in rows if row.source_id == "110CYL068_1036_1079" and row.emotion == "arousal"}
    assert first == {"EmoBank": 3.0, "EmoBank-reader": 3.2, "EmoBank-writer": 2.8}


@pytest.mark.corpora
def test_sst_values_agree_with_the_classes_of_the_trees(corpora_dir: Path) -> None:
    rows, _ = read("sst", corpora_dir)
    for split, file in (("train", "train"), ("validation", "dev"), ("test", "test")):
        values = [row.value for row in rows if row.task == "SST" and row.split == split]
        roots = [int(line[1]) for line in (corpora_dir / "sst" / "trees" / f"{file}.txt").read_text().splitlines()]
        assert [min(int(value * 5 - 1e-9), 4) for value in values] == roots
