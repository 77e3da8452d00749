"""Bootstrap intervals: known analytic cases, pairing, and that weights are what a slow bootstrap draws."""

import time

import numpy as np
import pytest

from emollms.evaluation.bootstrap import interval, resample
from emollms.evaluation.metrics import accuracy, mean, pearson


def test_accuracy_has_the_width_of_a_binomial() -> None:
    gold = np.zeros(2000)
    said = (np.arange(2000) >= 1400).astype(float)
    samples = resample([accuracy(gold, said)], 4000, np.random.default_rng(0))[0]
    found = interval(samples)
    half = 1.96 * (0.7 * 0.3 / 2000) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.001)


def test_pearson_has_the_width_that_fisher_gives() -> None:
    generator = np.random.default_rng(3)
    x = generator.normal(size=1500)
    y = 0.8 * x + 0.6 * generator.normal(size=1500)
    r = pearson(x, y).value
    found = interval(resample([pearson(x, y)], 4000, generator)[0])
    low, high = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / (1500 - 3) ** 0.5)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.004)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(300):
        x = generator.normal(size=200)
        y = 0.6 * x + 0.8 * generator.normal(size=200)
        found = interval(resample([pearson(x, y)], 400, generator)[0])
        covered += found.low <= 0.6 <= found.high
    assert 0.90 <= covered / 300 <= 0.99


def test_each_sample_is_the_metric_on_rows_drawn_with_replacement() -> None:
    x, y = np.random.default_rng(1).random((2, 50))
    found = resample([pearson(x, y)], 20, np.random.default_rng(5))[0]
    draws = np.random.default_rng(5).integers(50, size=(20, 50))
    assert found == pytest.approx([pearson(x[rows], y[rows]).value for rows in draws])


def test_metrics_share_their_draws() -> None:
    values = np.random.default_rng(1).random(100)
    first, second = resample([mean(values), mean(values + 1)], 200, np.random.default_rng(2))
    assert second - first == pytest.approx(np.ones(200))


def test_a_thousand_resamples_of_the_largest_task_take_seconds() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.random((2, 5427))
    start = time.process_time()
    resample([pearson(x, y)], 1000, generator)
    assert time.process_time() - start < 10


def test_no_row() -> None:
    nothing = np.zeros(0)
    assert resample([mean(nothing)], 5, np.random.default_rng(0))[0].tolist() == [0.0] * 5
