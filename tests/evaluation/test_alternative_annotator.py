"""The alternative annotator test on made-up votes with known outcomes."""

import numpy as np
import pytest
from scipy import stats

from emollms.errors import UsageError
from emollms.evaluation.alternative_annotator import Alignment, AlternativeAnnotatorTest, alternative_annotator_test
from emollms.evaluation.metrics import Floats


def outcome(
    model: Floats, ratings: Floats, alignment: Alignment = "accuracy", **options: float
) -> AlternativeAnnotatorTest:
    rated = ~np.isnan(ratings) if ratings.ndim == 2 else ~np.isnan(ratings).any(axis=2)
    names = [f"rater {number}" for number in range(ratings.shape[1])]
    found = alternative_annotator_test(model, ratings, rated, names, alignment, **options)
    assert found is not None
    return found


def crowd(texts: int, raters: int, right: float, seed: int = 0) -> tuple[Floats, Floats]:
    """The truth of four classes, and raters who give it with a probability, else one of the others."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 4, size=texts)
    wrong = (truth[:, None] + random.integers(1, 4, size=(texts, raters))) % 4
    return truth.astype(float), np.where(random.uniform(size=(texts, raters)) < right, truth[:, None], wrong).astype(
        float
    )


def test_a_model_that_knows_the_truth_may_stand_in() -> None:
    truth, ratings = crowd(100, 4, right=0.7)
    found = outcome(truth, ratings)
    assert found.winning_rate == 1
    assert found.passed
    assert found.advantage > 0.8
    assert not found.cautions


def test_a_model_that_guesses_may_not() -> None:
    truth, ratings = crowd(100, 4, right=0.9)
    found = outcome((truth + np.random.default_rng(1).integers(0, 4, size=100)) % 4, ratings)
    assert found.winning_rate == 0
    assert not found.passed


def test_one_poor_rater_of_three_loses() -> None:
    """The model is as good as two raters, to whom it is not better by ε = 0; the third guesses."""
    truth, ratings = crowd(200, 3, right=0.95)
    random = np.random.default_rng(4)
    ratings[:, 2] = random.integers(0, 4, size=200)
    model = np.where(random.uniform(size=200) < 0.95, truth, (truth + 1) % 4)
    found = outcome(model, ratings, epsilon=0.0)
    assert [one.model_wins for one in found.raters] == [False, False, True]
    assert found.winning_rate == pytest.approx(1 / 3)
    assert not found.passed


def test_by_hand() -> None:
    """40 texts, three raters. On 30 all agree; on 10 the first rater and the model differ from the other two."""
    ratings = np.zeros((40, 3))
    ratings[:10, 0] = 1
    model = np.zeros(40)
    model[:4] = 1
    found = outcome(model, ratings, epsilon=0.1)
    first, second, third = found.raters
    # Left out, the first rater agrees with both others on 30 texts, the model on 36; where both do or neither does, it
    # is a tie.
    assert (first.n, first.model_advantage, first.rater_advantage) == (40, 1.0, 34 / 40)
    assert first.p == pytest.approx(stats.ttest_1samp([0] * 34 + [-1] * 6, 0.1, alternative="less").pvalue)
    # The second agrees with one of two on the first ten texts; so does the model on all ten.
    assert (second.model_advantage, second.rater_advantage) == (1.0, 1.0)
    assert second.p == 0.0  # all alike, and below ε
    assert third == type(third)("rater 2", *list(vars(second).values())[1:])
    assert found.advantage == 1.0


def test_the_false_discovery_rate_is_that_of_benjamini_and_yekutieli() -> None:
    truth, ratings = crowd(60, 5, right=0.8, seed=3)
    ratings[:, 3:] = crowd(60, 5, right=0.55, seed=3)[1][:, 3:]
    model = np.where(np.random.default_rng(3).uniform(size=60) < 0.85, truth, (truth + 1) % 4)
    found = outcome(model, ratings)
    p = np.array([one.p for one in found.raters])
    m, order = len(p), np.argsort(p)
    limits = np.arange(1, m + 1) / m / np.sum(1 / np.arange(1, m + 1)) * 0.05
    below = np.flatnonzero(p[order] <= limits)
    rejected = np.zeros(m, dtype=bool)
    rejected[order[: below.max() + 1 if len(below) else 0]] = True
    assert [one.model_wins for one in found.raters] == rejected.tolist()
    assert any(one.p < 0.05 and not one.model_wins for one in found.raters)
    assert all(one.p_adjusted >= one.p for one in found.raters)


def test_the_error_rate_is_held() -> None:
    """A model that is worse than a rater by exactly ε wins in at most one of twenty data sets."""
    random, wins = np.random.default_rng(0), []
    for _ in range(300):
        ratings = np.zeros((50, 2))
        # Both raters agree; the model differs from them on one text of five, which is ε.
        model = (random.uniform(size=50) < 0.2).astype(float)
        wins.append(outcome(model, ratings, epsilon=0.2).winning_rate > 0)
    assert np.mean(wins) <= 0.07


def test_scores_and_labels() -> None:
    random = np.random.default_rng(5)
    truth = random.uniform(size=80)
    ratings = truth[:, None] + random.normal(scale=0.2, size=(80, 3))
    assert outcome(truth, ratings, "rmse").winning_rate == 1
    assert outcome(1 - truth, ratings, "rmse").winning_rate == 0
    labels = random.uniform(size=(80, 4)) < 0.4
    given = (labels[:, None, :] ^ (random.uniform(size=(80, 3, 4)) < 0.15)).astype(float)
    assert outcome(labels.astype(float), given, "masi").winning_rate == 1
    assert outcome((~labels).astype(float), given, "masi").winning_rate == 0


def test_few_texts_take_wilcoxon_and_say_so() -> None:
    truth, ratings = crowd(20, 2, right=0.6, seed=7)
    found = outcome(truth, ratings)
    assert {one.test for one in found.raters} == {"Wilcoxon"}
    assert found.cautions[0].startswith("2 raters are fewer than the 3")
    assert "2 of 2 raters have fewer than 30 texts" in found.cautions[1]
    agreeing = outcome(np.zeros(12), np.zeros((12, 3)), epsilon=0.0)  # all differences are 0
    assert agreeing.winning_rate == 0


def test_raters_of_a_few_texts_are_left_out() -> None:
    truth, ratings = crowd(60, 4, right=0.8)
    ratings[9:, 3] = np.nan
    found = outcome(truth, ratings)
    assert list(found.left_out) == ["rater 3"]
    assert [one.rater for one in found.raters] == ["rater 0", "rater 1", "rater 2"]
    alone = np.where(np.arange(3) == 0, ratings[:, :3], np.nan)
    assert alternative_annotator_test(truth, alone, ~np.isnan(alone), ["a", "b", "c"], "accuracy") is None


@pytest.mark.parametrize("epsilon", [-0.1, 1.1])
def test_epsilon_has_a_range(epsilon: float) -> None:
    truth, ratings = crowd(40, 3, right=0.8)
    with pytest.raises(UsageError, match="--epsilon"):
        outcome(truth, ratings, epsilon=epsilon)
