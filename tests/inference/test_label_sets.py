"""Sets of labels: nothing else has a larger expected Jaccard index, and a lone label is named from its threshold on."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.inference.label_sets import best_label_sets

PROBABILITIES = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1, width=32))
ROWS = st.lists(PROBABILITIES, min_size=1, max_size=5)


def expected_jaccard(shares: list[float], named: tuple[bool, ...]) -> float:
    """By adding up all sets of labels that a text may have."""
    total = 0.0
    for gold in product([False, True], repeat=len(shares)):
        chance = np.prod([share if has else 1 - share for share, has in zip(shares, gold, strict=True)])
        both = sum(a and b for a, b in zip(gold, named, strict=True))
        either = sum(a or b for a, b in zip(gold, named, strict=True))
        total += chance * (both / either if either else 1.0)
    return float(total)


@given(ROWS, st.booleans())
def test_no_other_set_has_a_larger_expected_jaccard_index(shares: list[float], at_least_one: bool) -> None:
    (named,) = best_label_sets(np.array([shares]), at_least_one=at_least_one)
    every = list(product([False, True], repeat=len(shares)))[1 if at_least_one else 0 :]
    assert tuple(named.tolist()) in every
    best = max(expected_jaccard(shares, other) for other in every)
    assert expected_jaccard(shares, tuple(named.tolist())) == pytest.approx(best, abs=1e-9)


@given(ROWS, st.data())
def test_thresholds_divide_the_odds(shares: list[float], data: st.DataObject) -> None:
    limits = np.array(data.draw(st.lists(st.floats(0.05, 0.95), min_size=len(shares), max_size=len(shares))))
    table = np.clip([shares], 0.001, 0.999)
    odds = (table / (1 - table) * (1 - limits) / limits)[0]
    shifted = (odds / (1 + odds)).tolist()
    by_limits, by_odds = (
        tuple(one[0].tolist()) for one in (best_label_sets(table, limits), best_label_sets(np.array([shifted])))
    )
    assert expected_jaccard(shifted, by_limits) == pytest.approx(expected_jaccard(shifted, by_odds), abs=1e-9)


@given(st.integers(1, 999).map(lambda number: number / 1000))
def test_a_lone_label_is_named_from_its_threshold_on(limit: float) -> None:
    table = np.array([[limit], [limit - 1e-6], [0.0], [1.0]])
    assert best_label_sets(table, np.array([limit])).ravel().tolist() == [True, False, False, True]
    assert best_label_sets(table, limit, at_least_one=True).all()


def test_what_a_second_label_takes() -> None:
    """Beside a certain label, a second one pays from .5 on; beside an unlikely one, earlier: by hand."""
    assert best_label_sets(np.array([[1.0, 0.49], [1.0, 0.51]])).tolist() == [[True, False], [True, True]]
    # {a}: .5 · .6 + .5 · .4 / 2 = .4; {a, b}: .9 · E[1/2] = .45; {}: .5 · .6 = .3
    assert best_label_sets(np.array([[0.5, 0.4]])).tolist() == [[True, True]]


def test_rows_are_apart() -> None:
    table = np.random.default_rng(0).random((50, 11))
    assert (best_label_sets(table, 0.3) == [best_label_sets(row[None], 0.3)[0] for row in table]).all()
    assert best_label_sets(np.zeros((0, 3))).shape == (0, 3)
