"""Intervals hold the truth, and are never much wider than by people's labels alone."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from annotation.estimate_coverage import EMOBANK, MODELS, load, mean_of, measure, statistics
from evaluation.reference_rows import CHAT_13B
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.annotation.correlations import correlation
from emollms.annotation.estimands import EstimateInterval, LabelledOutcome, difference, fraction, mean, three_ways
from emollms.annotation.quantiles import quantile
from emollms.annotation.regression import Regressors, regression
from emollms.errors import UsageError

JUST_OVER = 1 + 1e-9
MORE = partial(pytest.param, marks=pytest.mark.slow)
KINDS = ("mean", "difference", "fraction", "quantile", "correlation", "linear", "logistic")


@pytest.mark.parametrize("labels", [MORE(30), 100, MORE(400)])
@pytest.mark.parametrize("name", ["V-reg", "EI-reg", "SST", *EMOBANK])
@pytest.mark.parametrize("model", MODELS)
def test_intervals_hold_the_truth_on_real_answers(reference_dir: Path, model: str, name: str, labels: int) -> None:
    ((_, gold, predicted),) = load(reference_dir, model, name)
    found = measure(mean_of(gold, predicted), len(gold), labels, 2_000)
    assert 0.93 <= found.coverage <= 0.97
    assert found.widest <= 1.03 * JUST_OVER
    if name == "SST":
        assert found.naive == 0
    least = {"V-reg": 0.6, "SST": 0.55}
    if model == CHAT_13B and labels == 100 and name in least:
        assert found.saved >= least[name]


@pytest.mark.parametrize("name", ["V-reg", MORE("SST"), MORE(EMOBANK[0])])
@pytest.mark.parametrize("model", MODELS)
def test_no_statistic_is_wider_than_by_people_alone_on_real_answers(reference_dir: Path, model: str, name: str) -> None:
    """With few labels, where estimates move most; 60 draws tell of coverage only that none is far off."""
    ((_, gold, predicted),) = load(reference_dir, model, name)
    ((_, _, other),) = load(reference_dir, MODELS[model == MODELS[0]], name)
    for statistic, estimator in statistics(gold, predicted, other).items():
        found = measure(estimator, len(gold), 50, 60)
        assert found.widest <= 1.03 * JUST_OVER, statistic
        assert found.coverage >= 0.82, statistic


@given(
    st.integers(0, 100_000), st.integers(30, 200), st.sampled_from(KINDS), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_never_wider_than_by_people_alone(
    seed: int, labels: int, kind: str, larger: bool, uneven: bool, rare: bool
) -> None:
    """Whatever the predictions are: nearly right, of heavy tails, the other way round, or nothing to do with labels."""
    random, rows = np.random.default_rng(seed), 600
    gold = random.normal(size=rows)
    predicted = random.choice([0, 0.2, 1.0, -1]) * gold + random.standard_t(2, rows) * random.choice([0.1, 1, 5])
    if rare:
        predicted, gold = (predicted > 1.5) * 1.0, (gold > 1.5) * 1.0
    chances = np.where(np.arange(rows) % 3 == 0, 3.0, 1.0) if uneven else np.ones(rows)
    labelled = np.sort(random.choice(rows, labels, replace=False, p=chances / chances.sum()))
    weights = 1 / chances[labelled] if uneven else None
    outcome = LabelledOutcome(predicted, gold[labelled], labelled, weights, larger)
    groups = (np.arange(rows) % 3 == 0).astype(np.int64)
    other = random.choice([0, 0.5, 3.0]) * gold + random.normal(size=rows)
    terms = np.column_stack([np.ones(rows), groups, other])
    high = LabelledOutcome((predicted > 0.5) * 1.0, (gold[labelled] > 0.5) * 1.0, labelled, weights, larger)
    if kind in ("linear", "logistic"):
        logistic = kind == "logistic"
        try:
            found = regression(
                high if logistic else outcome, Regressors(("one", "group", "other"), terms, terms[labelled]), logistic
            )
        except UsageError:  # a term tells all 0 from all 1
            assert logistic
            return
        every = list(found.values())
    else:
        every = [
            {
                "mean": lambda: mean(outcome),
                "difference": lambda: difference(outcome, groups),
                "fraction": lambda: fraction(high),
                "quantile": lambda: quantile(outcome, float(random.choice([0.1, 0.5, 0.9]))),
                "correlation": lambda: correlation(outcome, LabelledOutcome(other, other[labelled], labelled)),
            }[kind]()
        ]
    for one in every:
        assert 0 <= one.rectified.width <= 1.03 * JUST_OVER * one.people.width


def test_an_interval_that_moved_to_a_wide_place_is_shortened_about_its_estimate() -> None:
    naive, people = EstimateInterval(0.2, 0.1, 0.3), EstimateInterval(0.5, 0.45, 0.55)
    found = three_ways(EstimateInterval(0.4, 0.3, 0.45), people, naive, 0.7)
    assert found.rectified.width == pytest.approx(1.03 * people.width)
    assert found.rectified.value == 0.4
    assert (0.4 - found.rectified.low) / (found.rectified.high - 0.4) == pytest.approx(2)
    assert found.lam == 0.7
    # Labels that leave no doubt are not doubted for the sake of predictions.
    certain = EstimateInterval(0.5, 0.5, 0.5)
    assert three_ways(EstimateInterval(0.4, 0.3, 0.6), certain, naive, 0.7).rectified == certain
