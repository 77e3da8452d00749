from pathlib import Path

import made_up
import numpy as np
import oracle
import pytest
import raw_corpora
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.dedup import pairs as pairs_module
from emollms.dedup import search as search_module
from emollms.dedup.jaccard import similarities
from emollms.dedup.lsh import Banding, CandidatePairs
from emollms.dedup.normalize import normalize
from emollms.dedup.pairs import Duplicates, Pairs, connected, find_pairs
from emollms.dedup.search import Search
from emollms.dedup.shingles import Texts
from emollms.errors import EmollmsError, UsageError

TEXTS = made_up.sentences(1_500, seed=3)
SHORT_ALPHABET = st.text(st.sampled_from("ab 今é😀"), max_size=14)


def as_dict(pairs: Pairs) -> dict[tuple[int, int], float]:
    return dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.jaccard.tolist(), strict=True))


def same(one: Duplicates, other: Duplicates) -> bool:
    return np.array_equal(one.first, other.first) and as_dict(one.near) == as_dict(other.near)


@given(st.lists(st.tuples(SHORT_ALPHABET, SHORT_ALPHABET), min_size=1, max_size=20))
def test_similarity_is_the_jaccard_of_the_gram_sets(both: list[tuple[str, str]]) -> None:
    left, right = Texts.of([a for a, _ in both]), Texts.of([b for _, b in both])
    rows = np.arange(len(both))
    assert similarities(left, right, rows, rows).tolist() == [oracle.jaccard(a, b) for a, b in both]


def test_similarity_of_known_texts() -> None:
    texts = Texts.of(["abcdefg", "abcdefh", "abcd"])
    pairs = np.array([0, 0, 0, 2]), np.array([0, 1, 2, 1])
    assert similarities(texts, texts, *pairs).tolist() == [1.0, 3 / 5, 1 / 4, 1 / 4]


@pytest.mark.parametrize(
    ("threshold", "bands", "rows"),
    [(0.1, 196, 1), (0.3, 98, 2), (0.5, 49, 4), (0.6, 39, 5), (0.7, 28, 7), (0.8, 21, 9), (0.9, 12, 16), (1, 2, 98)],
)
def test_the_banding_follows_the_threshold(threshold: float, bands: int, rows: int) -> None:
    assert Banding.for_threshold(threshold) == Banding(bands, rows)


@given(st.floats(0.1, 1))
def test_every_banding_finds_nine_of_ten_on_its_threshold(threshold: float) -> None:
    banding = Banding.for_threshold(threshold)
    assert banding.recall(threshold) >= 0.9
    assert banding.permutations <= 196
    assert banding.bands >= 2


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
def test_the_pairs_are_those_of_datasketch(threshold: float) -> None:
    found = as_dict(find_pairs(TEXTS, None, Search(threshold, min_tokens=1)).near)
    assert found.keys() == oracle.datasketch_pairs(TEXTS, threshold)
    assert found.items() <= oracle.self_join(TEXTS, threshold).items()
    assert len(found) > 50


def test_the_pairs_are_those_of_the_exact_join() -> None:
    found = as_dict(find_pairs(TEXTS, None, Search(0.7, min_tokens=1)).near)
    exact = oracle.self_join(TEXTS, 0.7)
    assert found.items() <= exact.items()
    sure = {pair for pair, score in exact.items() if score >= 0.9}
    assert sure
    assert sure <= found.keys()
    expected = sum(Banding(28, 7).recall(score) for score in exact.values())
    assert len(found) >= expected - 4 * expected**0.5


def test_the_pairs_on_real_texts(corpora_dir: Path) -> None:
    texts = normalize(raw_corpora.tdt(corpora_dir, "train")[::2] + raw_corpora.brighter(corpora_dir)[::200])
    distinct = list(dict.fromkeys(texts.to_pylist()))
    found = as_dict(find_pairs(distinct, None, Search(min_tokens=1)).near)
    exact = oracle.self_join(distinct, 0.7)
    assert found.keys() == oracle.datasketch_pairs(distinct, 0.7)
    assert found.items() <= exact.items()
    assert len(found) >= 0.9 * len(exact) > 0


@given(st.lists(st.lists(st.sampled_from(["a", "bc", "今日", "дом", "é"]), max_size=7).map(" ".join), max_size=12))
@settings(max_examples=50)
def test_equal_texts_point_to_the_first(texts: list[str]) -> None:
    found = find_pairs(texts)
    assert found.first.tolist() == [texts.index(text) for text in texts]
    assert all(found.first[left] == left for left in found.near.left)


def test_short_texts_are_only_compared_for_equality() -> None:
    texts = [
        "thank you so very much",
        "thank you so very muchh",
        "thank you so very much",
        "thank you so very much now yes",
    ]
    texts += ["thank you so very much now yess"]
    found = find_pairs(texts)
    assert found.first.tolist() == [0, 1, 0, 3, 4]
    assert as_dict(found.near).keys() == {(3, 4)}
    assert as_dict(found.equal) == {(0, 2): 1.0}
    assert as_dict(find_pairs(texts, None, Search(min_tokens=1)).near).keys() >= {(0, 1), (3, 4)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("сегодня мне очень грустно и одиноко дома", "сегодня мне очень грустно и одиноко домой"),
        ("今日はとても嬉しいですありがとうございます", "今日はとても嬉しいですありがとうございました"),
        ("आज मैं बहुत खुश हूँ क्योंकि मौसम अच्छा है", "आज मैं बहुत खुश हूँ क्योंकि मौसम अच्छा था"),
        ("أنا سعيد جدا اليوم لأن الطقس جميل جدا", "أنا سعيد جدا اليوم لأن الطقس جميل"),
        ("วันนี้ฉันมีความสุขมากเพราะอากาศดี", "วันนี้ฉันมีความสุขมากเพราะอากาศดีมาก"),
        ("so happy 😀😀 today because of the sun ❤❤❤", "so happy 😀😀 today because of the sun ❤❤"),
    ],
)
def test_any_script(one: str, other: str) -> None:
    found = find_pairs([one, "something else altogether in one more row", other])
    assert as_dict(found.near) == {(0, 2): pytest.approx(oracle.jaccard(one, other))}


def test_only_rows_of_one_group_are_compared() -> None:
    near = ["one two three four five six seven", "one two three four five six sevens"]
    texts = [near[0], near[1], near[0], near[0], near[1], near[1]]
    found = find_pairs(texts, [7, 8, 8, 7, 9, 8])
    assert found.first.tolist() == [0, 1, 2, 0, 4, 1]
    assert as_dict(found.near) == {(1, 2): oracle.jaccard(*near)}
    assert found.clusters().tolist() == [0, 1, 1, 0, 4, 1]


def test_groups_give_the_pairs_of_separate_searches() -> None:
    texts = TEXTS + TEXTS[::3]
    groups = np.random.default_rng(5).integers(-2, 2, len(texts))
    together = as_dict(find_pairs(texts, groups).near)
    apart = {}
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        for (a, b), score in as_dict(find_pairs([texts[row] for row in rows]).near).items():
            apart[int(rows[a]), int(rows[b])] = score
    assert together == apart
    assert together


def test_threads_memory_and_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = made_up.sentences(12_000, seed=8)
    plain = find_pairs(texts, None, Search(threads=1))
    assert len(plain.near) > 500
    assert same(plain, find_pairs(texts, None, Search(threads=2)))
    assert same(plain, find_pairs(texts, None, Search(threads=2, memory=1 << 20, folder=tmp_path)))
    monkeypatch.setattr(search_module, "_MIN_MEMORY", 1)
    assert same(plain, find_pairs(texts, None, Search(memory=20_000, folder=tmp_path)))  # 5 files a band
    monkeypatch.setattr(pairs_module, "_CAPACITY", 64)
    assert same(plain, find_pairs(texts, None, Search(threads=1)))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_MIN_MEMORY", 1)
    search = Search(memory=1000, folder=tmp_path / "missing")
    with pytest.raises(EmollmsError, match=r"band keys cannot be spilled to .*missing"):
        find_pairs(TEXTS, None, search)


@given(st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=4), st.integers(1, 5))
def test_candidates_are_the_pairs_within_buckets(bands: list[list[int]], capacity: int) -> None:
    buckets = [
        np.sort(np.array([key << 32 | place for place, key in enumerate(band)], np.uint64)) for band in bands
    ]  # fmt: skip
    chunks = [chunk.tolist() for chunk in CandidatePairs(capacity).of(iter(buckets))]
    expected = {a << 32 | b for band in bands for b in range(len(band)) for a in range(b) if band[a] == band[b]}
    assert {pair for chunk in chunks for pair in chunk} == expected
    assert all(chunk == sorted(set(chunk)) and len(chunk) <= capacity for chunk in chunks)


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_clusters_are_the_connected_components(graph: tuple[int, list[tuple[int, int]]]) -> None:
    rows, edges = graph
    expected = list(range(rows))
    for _ in range(rows):
        for a, b in edges:
            expected[a] = expected[b] = min(expected[a], expected[b])
    left, right = np.array([a for a, _ in edges], np.int64), np.array([b for _, b in edges], np.int64)
    assert connected(rows, left, right).tolist() == expected


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["one text"]])
def test_next_to_nothing(texts: list[str]) -> None:
    found = find_pairs(texts, np.zeros(len(texts), int))
    assert len(found.near) == 0
    assert found.clusters().tolist() == [0] * len(texts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0.05}, "the threshold is a Jaccard similarity from 0.1 to 1, not 0.05"),
        ({"threshold": 1.5}, "the threshold is a Jaccard similarity from 0.1 to 1, not 1.5"),
        ({"threads": -1}, "threads is a number of threads, or 0 for all cores, not -1"),
        ({"memory": 1000}, "the memory limit is 1,000 bytes; at least 1,048,576 are needed"),
    ],
)
def test_wrong_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Search(**arguments)


@pytest.mark.parametrize("groups", [[1], [0.5, 1.5], [[1], [2]]])
def test_groups_that_do_not_fit(groups: list[float]) -> None:
    with pytest.raises(UsageError, match="2 integer group keys are needed, got"):
        find_pairs(["a", "b"], groups)


def test_a_template_that_fills_a_bucket_stays_one_cluster_at_a_bounded_price() -> None:
    texts = [f"the parcel you ordered last week has left our house today number {number}" for number in range(1_000)]
    found = find_pairs(texts)
    assert set(found.clusters().tolist()) == {0}
    assert len(found.near) < 1_000 * 300
