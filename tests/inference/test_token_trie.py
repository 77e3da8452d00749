import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.inference.token_trie import UNSEEN, TrieNode, build_trie, prefix_search, score_trie

TOKENS = st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=12)


def next_score(path: tuple[int, ...], token: int) -> float:
    """A made-up model over four tokens."""
    weights = [1 + (7 * sum(path) + 3 * len(path) + other * other) % 5 for other in range(4)]
    return math.log(weights[token] / sum(weights))


def whole(path: list[int]) -> float:
    return sum(next_score(tuple(path[:place]), token) for place, token in enumerate(path))


def expand(wanted: list[list[TrieNode]]) -> list[list[list[float]]]:
    return [[[next_score(node.path, token) for token in node.children] for node in nodes] for nodes in wanted]


@given(candidates=TOKENS, tolerance=st.sampled_from([0.0, 1e-9]))
def test_scores_are_sums_over_tokens(candidates: list[list[int]], tolerance: float):
    (found,) = score_trie([build_trie(candidates)], expand, tolerance)
    assert found == pytest.approx([whole(path) for path in candidates])


@given(candidates=st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=2, unique=True), tolerance=st.floats(0.01, 1))
def test_what_is_not_told_apart_has_equal_parts_of_about_its_probability(candidates, tolerance: float):
    opened: set[tuple[int, ...]] = set()

    def watched(wanted: list[list[TrieNode]]) -> list[list[list[float]]]:
        opened.update(node.path for nodes in wanted for node in nodes)
        return expand(wanted)

    (coarse,) = score_trie([build_trie(candidates)], watched, tolerance)
    assert () in opened
    for path, value in zip(candidates, coarse, strict=True):
        known = max(end for end in range(4) if all(path[:place] in opened for place in range(end)))
        below = [n for n, other in enumerate(candidates) if other[:known] == path[:known]]
        assert {round(coarse[n], 9) for n in below} == {round(value, 9)}
        assert value <= whole(list(path[:known])) - math.log(len(below)) + 1e-9


def test_what_is_not_opened_ends_as_often_as_what_is():
    """Of 0.d, only a tenth goes on to three digits: so it is taken to be of 0.9, too, which is not looked at."""
    scores = {(): {0: 0.6, 1: 0.4}, (0,): {0: 0.1, 1: 0.1}, (1,): {0: 0.9, 1: 0.1}}

    def read(wanted: list[list[TrieNode]]) -> list[list[list[float]]]:
        return [[[math.log(scores[node.path][token]) for token in node.children] for node in nodes] for nodes in wanted]

    (found,) = score_trie([build_trie([(0, 0), (0, 1), (1, 0), (1, 1)])], read, 0.25)
    assert [math.exp(value) for value in found] == pytest.approx([0.06, 0.06, 0.04, 0.04])


def test_a_prefix_search_adds_up_the_ways_to_cut_a_text():
    asked = {
        "": {"0": math.log(0.5), "0.": math.log(0.25), "1": math.log(0.2), "A": math.log(0.05)},
        "0": {".": math.log(0.6), ",": math.log(0.4)},
        "1": {".00": math.log(0.5)},
        "0.": {"5": math.log(0.5), "50": math.log(0.25), "73 or so": math.log(0.25)},
        "0.5": {"0": math.log(0.8), "\n": math.log(0.2)},
    }
    found = prefix_search(["0.50", "0.51", "0.73", "1.00"], lambda begun: asked[begun], 0.0)
    assert [math.exp(score) for score in found[:1]] == pytest.approx([0.55 * (0.25 + 0.5 * 0.8)])
    assert math.exp(found[3]) == pytest.approx(0.1)
    assert found[1] == UNSEEN


def test_a_prefix_search_asks_no_further_than_it_matters():
    asked = []

    def ask(begun: str) -> dict[str, float]:
        asked.append(begun)
        return {"0": math.log(0.6), "1": math.log(0.39), "2": math.log(0.01)}

    candidates = [f"{one}{other}" for one in "012" for other in "012"]
    found = prefix_search(candidates, ask, 0.1)
    assert asked == ["", "0", "1"]
    assert [math.exp(score) for score in found[6:]] == pytest.approx([0.01 / 3] * 3)
    assert sum(map(math.exp, found)) == pytest.approx(1)
