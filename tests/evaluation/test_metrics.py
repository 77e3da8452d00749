"""Metrics against slow, direct implementations of their definitions, and where they have no value."""

import warnings
from itertools import product

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emollms.evaluation import metrics
from emollms.evaluation.metrics import Flags, Floats
from emollms.evaluation.task_metrics import TASK_METRICS, Metric

relaxed = settings(deadline=None)  # the first call imports scikit-learn; machines are shared
ROWS = st.shared(st.integers(0, 30), key="rows")
scores = arrays(np.float64, ROWS, elements=st.integers(0, 20).map(lambda number: number / 20))
classes = arrays(np.float64, ROWS, elements=st.integers(-3, 3).map(float))
labels = arrays(np.bool_, st.tuples(ROWS, st.just(4)))
ALL_METRICS = {metric.name: metric for own in TASK_METRICS.values() for metric in own.metrics}


def slow_pearson(gold: Floats, said: Floats) -> float:
    if len(gold) < 2 or len(set(gold)) == 1 or len(set(said)) == 1:
        return 0.0
    x, y = [value - sum(gold) / len(gold) for value in gold], [value - sum(said) / len(said) for value in said]
    return sum(a * b for a, b in zip(x, y, strict=True)) / (sum(a * a for a in x) * sum(b * b for b in y)) ** 0.5


def slow_kappa(gold: Floats, said: Floats, names: list[float]) -> float:
    pairs = [(names.index(g), names.index(s)) for g, s in zip(gold, said, strict=True) if s in names]
    seen = sum((a - b) ** 2 for a, b in pairs)
    chance = sum((a - b) ** 2 for (a, _), (_, b) in product(pairs, pairs)) / max(len(pairs), 1)
    return 1 - seen / chance if chance else 0.0


def slow_f1(gold: Flags, said: Flags) -> float:
    both = sum(1 for g, s in zip(gold, said, strict=True) if g and s)
    return 2 * both / (sum(gold) + sum(said)) if sum(gold) + sum(said) else 0.0


def slow_jaccard(gold: Flags, said: Flags) -> float:
    total = 0.0
    for g, s in zip(gold, said, strict=True):
        has, says = set(np.flatnonzero(g)), set(np.flatnonzero(s))
        total += len(has & says) / len(has | says) if has | says else 1.0
    return total / len(gold) if len(gold) else 0.0


def slow_jaccard_weighted(gold: Flags, said: Flags) -> float:
    total = 0.0
    for g, s in zip(gold.T, said.T, strict=True):
        total += sum(g) * (sum(g & s) / sum(g | s) if sum(g | s) else 0.0)
    return total / gold.sum() if gold.any() else 0.0


@relaxed
@given(scores, scores)
def test_pearson(gold: Floats, said: Floats) -> None:
    assert metrics.pearson(gold, said).value == pytest.approx(slow_pearson(gold, said), abs=1e-9)
    half, some = gold >= 0.5, gold != 0
    assert metrics.pearson(gold, said, metrics.upper_half).value == pytest.approx(
        slow_pearson(gold[half], said[half]), abs=1e-9
    )
    assert metrics.pearson(gold, said, metrics.nonzero).value == pytest.approx(
        slow_pearson(gold[some], said[some]), abs=1e-9
    )


@relaxed
@given(classes, classes)
def test_kappa(gold: Floats, said: Floats) -> None:
    names = sorted(set(gold))
    assert metrics.kappa(gold, said).value == pytest.approx(slow_kappa(gold, said, names), abs=1e-9)
    some = gold != 0
    assert metrics.kappa(gold, said, metrics.nonzero).value == pytest.approx(
        slow_kappa(gold[some], said[some], names), abs=1e-9
    )


def test_kappa_by_hand() -> None:
    """Places, not numbers: the official script counts -1 and 1 as neighbours where gold has no 0."""
    gold, said = np.array([-1.0, -1, 1, 3]), np.array([-1.0, 1, 1, 1])
    assert metrics.kappa(gold, said).value == pytest.approx(1 - 2 / (14 / 4))
    assert metrics.kappa(gold, np.array([0.0, 0, 0, 0])).value == 0.0


@relaxed
@given(classes, classes)
def test_accuracy_and_macro_f1_of_classes(gold: Floats, said: Floats) -> None:
    assert metrics.accuracy(gold, said).value == pytest.approx(float(np.mean(gold == said)) if len(gold) else 0.0)
    seen = np.unique(gold).astype(np.int64)
    value = metrics.macro_f1(metrics.one_hot(gold, seen), metrics.one_hot(said, seen)).value
    expected = np.mean([slow_f1(gold == number, said == number) for number in seen]) if len(seen) else 0.0
    assert value == pytest.approx(expected)


@relaxed
@given(labels, labels)
def test_labels(gold: Flags, said: Flags) -> None:
    assert metrics.jaccard(gold, said).value == pytest.approx(slow_jaccard(gold, said))
    assert metrics.jaccard_weighted(gold, said).value == pytest.approx(slow_jaccard_weighted(gold, said))
    assert metrics.micro_f1(gold, said).value == pytest.approx(slow_f1(gold.ravel(), said.ravel()))
    each = [slow_f1(g, s) for g, s in zip(gold.T, said.T, strict=True)]
    columns = [metrics.macro_f1(gold[:, [place]], said[:, [place]]).value for place in range(gold.shape[1])]
    assert columns == pytest.approx(each)
    assert metrics.macro_f1(gold, said).value == pytest.approx(np.mean(each))


def test_one_label_is_no_pair_of_classes() -> None:
    gold, said = np.array([[True], [True], [False]]), np.array([[True], [False], [False]])
    assert metrics.macro_f1(gold, said).value == pytest.approx(2 / 3)
    assert metrics.jaccard_weighted(gold, said).value == pytest.approx(1 / 2)
    assert metrics.jaccard(gold, said).value == pytest.approx(2 / 3)


def test_against_the_libraries() -> None:
    generator = np.random.default_rng(1)
    x = generator.random(500)
    y = x + generator.random(500)
    assert metrics.pearson(x, y).value == pytest.approx(scipy.stats.pearsonr(x, y).statistic)
    g, p = generator.integers(0, 4, 500), generator.integers(0, 4, 500)
    assert metrics.kappa(g * 1.0, p * 1.0).value == pytest.approx(
        sklearn.metrics.cohen_kappa_score(g, p, weights="quadratic")
    )
    seen = np.unique(g)
    assert metrics.macro_f1(metrics.one_hot(g * 1.0, seen), metrics.one_hot(p * 1.0, seen)).value == pytest.approx(
        sklearn.metrics.f1_score(g, p, average="macro")
    )
    gold, said = generator.random((500, 11)) < 0.2, generator.random((500, 11)) < 0.2
    assert metrics.jaccard_weighted(gold, said).value == pytest.approx(
        sklearn.metrics.jaccard_score(gold, said, average="weighted")
    )
    for average in ("micro", "macro"):
        value = {"micro": metrics.micro_f1, "macro": metrics.macro_f1}[average](gold, said).value
        assert value == pytest.approx(sklearn.metrics.f1_score(gold, said, average=average))


def test_an_expected_class_is_rounded_and_none_is_wrong() -> None:
    values = np.array([1.49, 1.5, -0.5, -0.51, np.nan])
    assert metrics.to_classes(values).tolist() == [1, 2, 0, -1, metrics.NO_CLASS]
    assert metrics.accuracy(np.array([1.0, 2, 0, -1, 0]), values).value == pytest.approx(0.8)


@pytest.mark.parametrize("name", ALL_METRICS)
def test_a_value_whatever_the_input(name: str) -> None:
    metric = ALL_METRICS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for gold, said in degenerate(metric):
            assert np.isfinite(metric.sums(gold, said).value), (gold, said)


def degenerate(metric: Metric) -> list[tuple[np.ndarray, np.ndarray]]:
    if "jaccard" in metric.name or "f1" in metric.name:
        some = np.array([[True, False], [False, False]])
        none = np.zeros_like(some)
        return [(some[:0], some[:0]), (some, none), (none, some), (none, none), (some[:1], some[:1]), (~none, ~none)]
    line = np.array([0.0, 1.0, 0.0, 1.0])
    zeros, tiny = np.zeros(4), np.array([1.0, 1.0, 1.0, 1.0 + 1e-15])
    arrays_ = [line[:0], line[:1], line, zeros, zeros + 0.1, tiny]
    return [(gold, said) for gold, said in product(arrays_, arrays_) if len(gold) == len(said)]


def test_no_metric_was_forgotten() -> None:
    assert len(ALL_METRICS) == len({metric.title for metric in ALL_METRICS.values()}) == 10
