from pathlib import Path

import made_up
import numpy as np
import oracle
import pyarrow as pa
import pytest
import raw_corpora

from emollms.dedup import reference as reference_module
from emollms.dedup.batches import band, verify
from emollms.dedup.normalize import normalize
from emollms.dedup.pairs import find_pairs
from emollms.dedup.reference import Matches, ReferenceIndex
from emollms.dedup.search import Search
from emollms.errors import UsageError

TEXTS = made_up.sentences(1_600, seed=11)
REFERENCE, STREAM = TEXTS[:700] + TEXTS[:20], TEXTS[650:] + TEXTS[690:720]
EVERY = Search(min_tokens=1)


def rows(matches: Matches) -> list[tuple[int, int, float, bool]]:
    columns = (matches.row, matches.reference, matches.jaccard, matches.equal)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_the_matches_are_those_of_the_exact_join() -> None:
    found = rows(ReferenceIndex(REFERENCE, search=EVERY).matches(STREAM))
    exact = oracle.exact_join(STREAM, REFERENCE, 0.7)
    first = {(row, ref): score for (row, ref), score in exact.items() if REFERENCE.index(REFERENCE[ref]) == ref}
    assert {(row, ref): score for row, ref, score, _ in found}.items() <= first.items()
    assert {pair for pair, score in first.items() if score >= 0.9} <= {(row, ref) for row, ref, _, _ in found}
    assert [equal for *_, equal in found] == [STREAM[row] == REFERENCE[ref] for row, ref, *_ in found]
    assert found == sorted(found)
    assert sum(equal for *_, equal in found) == sum(text in set(REFERENCE) for text in STREAM) > 50


def test_the_matches_are_those_of_one_search_over_both() -> None:
    both = find_pairs(REFERENCE + STREAM)
    index = ReferenceIndex(REFERENCE)
    across = {(int(b), int(a)) for a, b in zip(both.near.left, both.near.right, strict=True) if a < len(REFERENCE) <= b}
    found = {(row + len(REFERENCE), ref) for row, ref, _, equal in rows(index.matches(STREAM)) if not equal}
    assert across == {pair for pair in found if both.first[pair[0]] == pair[0]}
    assert across


def test_batches_and_threads_and_room_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(ReferenceIndex(REFERENCE).matches(STREAM))
    index = ReferenceIndex(REFERENCE, search=Search(threads=2))
    parts = []
    for start in range(0, len(STREAM), 37):
        parts += [(row + start, *rest) for row, *rest in rows(index.matches(STREAM[start : start + 37]))]
    assert parts == whole
    monkeypatch.setattr(reference_module, "_BLOCK", 50)
    assert rows(index.matches(STREAM)) == whole


def test_many_candidates_of_one_text_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_module, "_ROOM", 3)
    text = "one two three four five six seven eight nine ten"
    reference = [f"{text} {end}" for end in "abcdefghij"]
    assert {ref for _, ref, *_ in rows(ReferenceIndex(reference).matches([f"{text} z"]))} == set(range(10))


def test_short_texts_match_only_when_equal() -> None:
    index = ReferenceIndex(["thank you", "thank you all so much"])
    assert rows(index.matches(["thank you", "thank you al so much", "thank you all so much"])) == [
        (0, 0, 1.0, True),
        (2, 1, 1.0, True),
    ]


def test_groups_are_compared_with_their_own() -> None:
    text, near = "one two three four five six seven", "one two three four five six sevens"
    index = ReferenceIndex([text, text, near, text], groups=[1, 2, 2, 2])
    assert index.first.tolist() == [0, 1, 2, 1]
    score = oracle.jaccard(text, near)
    assert rows(index.matches([text, near, text], groups=[2, 1, 3])) == [
        (0, 1, 1.0, True), (0, 2, score, False), (1, 0, score, False)
    ]  # fmt: skip


def test_groups_on_one_side_are_refused() -> None:
    with pytest.raises(UsageError, match="group keys are needed on both sides of a comparison, or on none"):
        ReferenceIndex(["a"], groups=[1]).matches(["a"])


@pytest.mark.parametrize(("reference", "stream"), [([], ["a"]), (["a"], []), ([""], [""]), ([], [])])
def test_next_to_nothing(reference: list[str], stream: list[str]) -> None:
    assert len(ReferenceIndex(reference).matches(stream)) == int(reference == stream == [""])


def meet(keys: pa.RecordBatch, texts: dict[int, str], search: Search) -> dict[tuple[int, int], float]:
    """What an engine does between the two kernels: bring equal keys together, pair their ids, verify."""
    buckets: dict[int, list[int]] = {}
    for identifier, key in zip(keys["id"].to_pylist(), keys["key"].to_pylist(), strict=True):
        buckets.setdefault(key, []).append(identifier)
    pairs = sorted({(a, b) for ids in buckets.values() for a in ids for b in ids if a < b})
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    columns = {
        "left": left,
        "right": right,
        "left_text": [texts[a] for a in left],
        "right_text": [texts[b] for b in right],
    }
    found = verify(pa.record_batch(columns), search).to_pydict()
    return dict(zip(zip(found["left"], found["right"], strict=True), found["jaccard"], strict=True))


@pytest.mark.parametrize("grouped", [False, True])
def test_the_batch_kernels_give_the_pairs_of_the_search(grouped: bool) -> None:
    texts = {1000 + place: text for place, text in enumerate([*TEXTS, "hi you", "hi you"])}
    groups = [place % 2 for place in range(len(texts))]
    search, batches = Search(), []
    for part in (slice(0, 500), slice(500, None)):
        columns = {"id": list(texts)[part], "text": list(texts.values())[part]}
        batches.append(band(pa.record_batch(columns | ({"group": groups[part]} if grouped else {})), search))
    found = meet(pa.Table.from_batches(batches).combine_chunks().to_batches()[0], texts, search)
    expected = find_pairs(list(texts.values()), groups if grouped else None, search)
    both = [
        *zip(expected.near.left, expected.near.right, strict=True),
        *zip(expected.equal.left, expected.equal.right, strict=True),
    ]
    assert found.keys() == {(1000 + a, 1000 + b) for a, b in both}


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UsageError, match="the batch has no column 'text'; it has id"):
        band(pa.record_batch({"id": [1]}), Search())


def counts(train: list[str], test: list[str]) -> tuple[int, int, int]:
    """Distinct test texts after normalising, and how many are in the training side, equal and at 0.7."""
    index = ReferenceIndex(normalize(test))
    matches = index.matches(normalize(train))
    equal, near = np.unique(matches.reference[matches.equal]), np.unique(matches.reference)
    return len(np.unique(index.first)), len(equal), len(near)


def test_goemotions(corpora_dir: Path) -> None:
    train, test = raw_corpora.goemotions(corpora_dir, "train"), raw_corpora.goemotions(corpora_dir, "test")
    assert counts(train, test) == (5410, 80, 87)


def test_emobank(corpora_dir: Path) -> None:
    assert counts(raw_corpora.emobank(corpora_dir, "train"), raw_corpora.emobank(corpora_dir, "test")) == (997, 22, 43)


def test_tdt(corpora_dir: Path) -> None:
    assert counts(raw_corpora.tdt(corpora_dir, "train"), raw_corpora.tdt(corpora_dir, "test")) == (692, 4, 24)


def test_sst(corpora_dir: Path) -> None:
    assert counts(raw_corpora.sst(corpora_dir, 1), raw_corpora.sst(corpora_dir, 2)) == (2210, 2, 2)


def test_aaid_and_the_semeval_tests(corpora_dir: Path) -> None:
    train, test = raw_corpora.semeval(corpora_dir, "train", "dev"), raw_corpora.semeval(corpora_dir, "test")
    assert counts(train, test) == (3460, 5, 14)
