"""Ranks of models, against those of scipy, and what a missing score is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from emollms.evaluation.ranks import mean_ranks, ranks

TABLES = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.sampled_from([0.0, 0.5, 0.7]))


@given(TABLES)
def test_ranks_are_those_of_scipy(scores: np.ndarray) -> None:
    assert ranks(scores) == pytest.approx(rankdata(-scores, axis=0))


@given(TABLES)
def test_a_stack_of_tables_is_ranked_one_by_one(scores: np.ndarray) -> None:
    stack = np.stack([scores, 1 - scores])
    assert np.array_equal(ranks(stack), np.stack([ranks(scores), ranks(1 - scores)]))


def test_a_missing_score_ranks_behind_a_negative_one() -> None:
    scores = np.array([[-0.5, 0.9], [np.nan, 0.8], [np.nan, np.nan]])
    assert ranks(scores).tolist() == [[1, 1], [2.5, 2], [2.5, 3]]
    assert mean_ranks(scores).tolist() == [1, 2.25, 2.75]
