"""The corpora: the defects that are handled on purpose, and what each is known for; rows are in tests of their own."""

from collections import Counter
from pathlib import Path

import pytest

from emollms.corpora.base import Example, Selection
from emollms.corpora.reader import RawSource
from emollms.corpora.registry import corpora, folder, get_corpus, is_here
from emollms.tasks import TASKS

SPLITS = ("train", "validation", "test")


def read(name: str, root: Path | None, profile: str = "release") -> tuple[list[Example], RawSource]:
    corpus = get_corpus(name)
    source = RawSource(corpus.meta, folder(corpus, root))
    return list(corpus(profile).examples(source, Selection(TASKS, SPLITS))), source


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
@pytest.mark.parametrize("name", [name for name, corpus in corpora().items() if not corpus.meta.bundled])
def test_defects_and_metadata(name: str, corpora_dir: Path) -> None:
    if not is_here(get_corpus(name), corpora_dir):
        pytest.skip(f"{name} is not on this machine")
    rows, source = read(name, corpora_dir)
    expected = DEFECTS.get(name, {})
    assert {defect: source.defects[defect] for defect in expected} == expected
    assert Counter(row.reason for row in source.left_out) == LEFT_OUT.get(name, {})
    meta = get_corpus(name).meta
    assert {row.task for row in rows} == set(meta.tasks)
    assert {row.language for row in rows} == set(meta.languages)
    assert {row.split for row in rows} == set(meta.splits)


def test_every_corpus_has_a_test_of_its_rows() -> None:
    own = {name for name, corpus in corpora().items() if corpus.__module__.startswith("emollms.builders.")}
    tests = {path.stem.removeprefix("test_corpus_") for path in Path(__file__).parent.glob("test_corpus_*.py")}
    assert own - {"sample"} == tests


def test_sample_comes_with_the_package() -> None:
    rows, _ = read("sample", None)
    assert Counter(row.split for row in rows) == {"train": 634, "validation": 190, "test": 382}
    meta = get_corpus("sample").meta
    assert {row.task for row in rows if row.split == "test"} == set(meta.tasks)
    assert {row.language for row in rows} == set(meta.languages) == {"en", "es", "ar"}
    train, test = ({row.text for row in rows if row.split == split} for split in ("train", "test"))
    assert not train & test


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
def test_emobank_keeps_perspectives_apart_and_has_the_spread_of_all_raters(corpora_dir: Path) -> None:
    """Five readers with mean 3.2 and deviation 0.4, five writers with 2.8 and 0.98: worked out by hand for all ten."""
    rows, _ = read("emobank", corpora_dir)
    first = {row.task: row for row in rows if row.source_id == "110CYL068_1036_1079" and row.emotion == "arousal"}
    values = {task: row.value for task, row in first.items()}
    assert values == {"EmoBank": 3.0, "EmoBank-reader": 3.2, "EmoBank-writer": 2.8}
    assert {task: row.raters for task, row in first.items()} == {
        "EmoBank": 10,
        "EmoBank-reader": 5,
        "EmoBank-writer": 5,
    }
    spreads = {task: row.spread * 4 for task, row in first.items()}  # a range of 1 to 5
    pooled = ((0.4**2 + 0.2**2 + 0.98**2 + 0.2**2) / 2) ** 0.5
    assert spreads == pytest.approx({"EmoBank": pooled, "EmoBank-reader": 0.4, "EmoBank-writer": 0.98}, abs=1e-4)
    assert all(row.raters is not None and 0 <= row.spread <= 1 for row in rows)
    paper, _ = read("emobank", corpora_dir, "paper")
    assert [(row.source_id, row.value) for row in paper] == [(row.source_id, row.value) for row in rows]


@pytest.mark.corpora
def test_sst_values_agree_with_the_classes_of_the_trees(corpora_dir: Path) -> None:
    rows, _ = read("sst", corpora_dir)
    for split, file in (("train", "train"), ("validation", "dev"), ("test", "test")):
        values = [row.value for row in rows if row.task == "SST" and row.split == split]
        roots = [int(line[1]) for line in (corpora_dir / "sst" / "trees" / f"{file}.txt").read_text().splitlines()]
        assert [min(int(value * 5 - 1e-9), 4) for value in values] == roots
