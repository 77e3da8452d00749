"""Measures of agreement against scikit-learn, scipy, krippendorff and plain loops."""

from itertools import pairwise, product

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as oracle

from emollms.evaluation import metrics
from emollms.evaluation.agreement import alpha, consensus, counted, measures_of, take
from emollms.evaluation.krippendorff import masi_distances
from emollms.evaluation.metrics import Flags, Floats

CLASSES = tuple(map(str, range(-3, 4)))
NAN = float("nan")


def measured(level: str, gold: Floats, said: Floats, options: tuple[str, ...] = ()) -> dict[tuple[str, str], float]:
    found = take(measures_of(level, gold, said, options), resamples=10)  # type: ignore[arg-type]
    return {(one.name, one.part): one.value for one in found}


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def test_scores(random: np.random.Generator) -> None:
    gold = random.uniform(size=200)
    said = 0.3 + 0.4 * gold + random.normal(scale=0.1, size=200)
    found = measured("interval", gold, said)
    assert found["pearson", ""] == pytest.approx(stats.pearsonr(gold, said)[0], abs=1e-9)
    assert found["mae", ""] == pytest.approx(oracle.mean_absolute_error(gold, said), abs=1e-9)
    both = np.vstack([gold, said])
    assert found["alpha", ""] == pytest.approx(krippendorff.alpha(both, level_of_measurement="interval"), abs=1e-9)
    lin = 2 * np.cov(gold, said, ddof=0)[0, 1] / (gold.var() + said.var() + (gold.mean() - said.mean()) ** 2)
    assert found["concordance", ""] == pytest.approx(lin, abs=1e-9)


def test_concordance_falls_where_r_does_not() -> None:
    gold = np.linspace(0, 1, 50)
    assert metrics.concordance(gold, gold).value == pytest.approx(1)
    assert metrics.concordance(gold, gold / 2).value < 0.6
    assert metrics.pearson(gold, gold / 2).value == pytest.approx(1)
    assert not metrics.concordance(np.ones(5), np.ones(5)).is_defined
    assert metrics.concordance(np.ones(5), np.linspace(0, 1, 5)).value == 0


def test_ordered_classes(random: np.random.Generator) -> None:
    gold = random.integers(-3, 3, size=300).astype(float)
    said = np.clip(gold + random.integers(-1, 4, size=300), -3, 3)  # 3 is said, and never gold
    found = measured("ordinal", gold, said, CLASSES)
    numbers = list(range(-3, 4))
    kappa = oracle.cohen_kappa_score(gold, said, labels=numbers, weights="quadratic")
    assert found["kappa", ""] == pytest.approx(kappa, abs=1e-9)
    expected = krippendorff.alpha(np.vstack([gold, said]), level_of_measurement="ordinal")
    assert found["alpha", ""] == pytest.approx(expected, abs=1e-9)
    assert found["accuracy", ""] == pytest.approx(oracle.accuracy_score(gold, said), abs=1e-9)
    assert found["macro_f1", ""] == pytest.approx(oracle.f1_score(gold, said, average="macro"), abs=1e-9)
    each = oracle.f1_score(gold, said, average=None, labels=numbers)
    assert [found["f1", name] for name in CLASSES] == pytest.approx(each, abs=1e-9)


def test_classes_without_an_order(random: np.random.Generator) -> None:
    gold, said = random.integers(0, 4, size=(2, 200)).astype(float)
    found = measured("nominal", gold, said, ("calm", "tense", "tired", "glad"))
    expected = krippendorff.alpha(np.vstack([gold, said]), level_of_measurement="nominal")
    assert found["alpha", ""] == pytest.approx(expected, abs=1e-9)
    assert found["f1", "tired"] == pytest.approx(oracle.f1_score(gold == 2, said == 2), abs=1e-9)


def test_label_sets(random: np.random.Generator) -> None:
    gold = random.uniform(size=(200, 5)) < 0.3
    gold[:, 4] = False
    said = gold ^ (random.uniform(size=(200, 5)) < 0.15)
    said[:, 4] = False
    found = measured("set", gold.astype(float), said.astype(float), tuple("abcde"))
    assert found["macro_f1", ""] == pytest.approx(
        oracle.f1_score(gold, said, average="macro", zero_division=0), abs=1e-9
    )
    assert found["micro_f1", ""] == pytest.approx(oracle.f1_score(gold, said, average="micro"), abs=1e-9)
    assert found["alpha", ""] == pytest.approx(slow_masi_alpha(np.stack([gold, said], axis=1).astype(float)), abs=1e-9)
    assert found["f1", "b"] == pytest.approx(oracle.f1_score(gold[:, 1], said[:, 1]), abs=1e-9)
    assert np.isnan(found["f1", "e"])  # nobody gives it


def slow_masi(one: set[int], other: set[int]) -> float:
    if one == other:
        return 0.0
    share = 1.0 if one == other else 2 / 3 if one <= other or other <= one else 1 / 3 if one & other else 0.0
    return 1 - share * len(one & other) / len(one | other)


def slow_masi_alpha(ratings: Floats) -> float:
    """By krippendorff, whose values are numbers of sets, with the distances of `slow_masi`."""
    rated = ~np.isnan(ratings).any(axis=2)
    sets = sorted({tuple(row) for row in ratings[rated].tolist()})
    codes = np.full(rated.shape, np.nan)
    for unit, rater in zip(*np.nonzero(rated), strict=True):
        codes[unit, rater] = sets.index(tuple(ratings[unit, rater].tolist()))
    table = np.array([[slow_masi(set(np.flatnonzero(a)), set(np.flatnonzero(b))) for b in sets] for a in sets])

    def distance(v1: Floats, v2: Floats, **_: object) -> Floats:
        return table[v1.astype(int), v2.astype(int)]

    return float(krippendorff.alpha(codes.T, level_of_measurement=distance))


def test_masi_by_hand() -> None:
    a, ab, bc, none = (np.array(flags, dtype=bool) for flags in ([1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]))
    assert masi_distances(ab, ab) == 0
    assert masi_distances(a, ab) == pytest.approx(1 - 1 / 2 * 2 / 3)
    assert masi_distances(ab, bc) == pytest.approx(1 - 1 / 3 * 1 / 3)
    assert masi_distances(a, bc) == 1
    assert masi_distances(none, a) == 1
    assert masi_distances(none, none) == 0


def several(random: np.random.Generator, missing: float) -> Floats:
    """Five raters of a hundred texts, of whom some rated none or one."""
    truth = random.integers(0, 5, size=(100, 1))
    ratings = np.clip(truth + random.integers(-1, 2, size=(100, 5)), 0, 4).astype(float)
    ratings[random.uniform(size=ratings.shape) < missing] = NAN
    ratings[0], ratings[1, 1:] = NAN, NAN
    return ratings


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_of_several_raters(level: str, missing: float, random: np.random.Generator) -> None:
    ratings = several(random, missing)
    found = alpha(level, ratings, tuple("01234"))  # type: ignore[arg-type]
    assert found.value == pytest.approx(krippendorff.alpha(ratings.T, level_of_measurement=level), abs=1e-9)


def test_masi_alpha_of_several_raters(random: np.random.Generator) -> None:
    ratings = (random.uniform(size=(80, 4, 3)) < 0.4).astype(float)
    ratings[random.uniform(size=(80, 4)) < 0.3] = NAN
    assert alpha("set", ratings).value == pytest.approx(slow_masi_alpha(ratings), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, (8, 3), elements=st.sampled_from([NAN, -2.0, 0.0, 1.0, 7.0])))
def test_alpha_of_any_ratings(ratings: Floats) -> None:
    """Equal to krippendorff wherever that has a value."""
    pairable = ratings[(~np.isnan(ratings)).sum(axis=1) > 1]
    if len(set(pairable[~np.isnan(pairable)].tolist())) < 2:
        for level in ("interval", "ordinal", "nominal"):
            options = ("-2", "0", "1", "7")
            assert not alpha(level, ratings if level != "nominal" else coded(ratings), options).is_defined  # type: ignore[arg-type]
        return
    for level in ("interval", "ordinal"):
        found = alpha(level, ratings, ("-2", "0", "1", "7")).value  # type: ignore[arg-type]
        assert found == pytest.approx(krippendorff.alpha(ratings.T, level_of_measurement=level), abs=1e-9)


def coded(ratings: Floats) -> Floats:
    return np.where(np.isnan(ratings), NAN, np.searchsorted([-2, 0, 1, 7], np.nan_to_num(ratings)))


def test_the_order_of_raters_does_not_matter(random: np.random.Generator) -> None:
    ratings = several(random, 0.4)
    shuffled = random.permuted(ratings, axis=1)
    for level in ("nominal", "ordinal", "interval"):
        one, other = alpha(level, ratings, tuple("01234")), alpha(level, shuffled, tuple("01234"))  # type: ignore[arg-type]
        assert one.value == pytest.approx(other.value, abs=1e-12)


def test_a_resample_is_the_measure_of_the_rows_drawn(random: np.random.Generator) -> None:
    """Each measure is a function of sums: a row that counts twice is two rows."""
    gold, said = random.integers(-3, 4, size=(2, 40)).astype(float)
    times = random.integers(0, 4, size=40)
    for level, a, b, options in (
        ("interval", gold / 3, said / 3, ()),
        ("ordinal", gold, said, CLASSES),
        ("nominal", gold + 3, said + 3, CLASSES),
        ("set", *(metrics.one_hot(one, np.arange(-3, 4)).astype(float) for one in (gold, said)), CLASSES),
    ):
        repeated = measures_of(level, np.repeat(a, times, axis=0), np.repeat(b, times, axis=0), options)  # type: ignore[arg-type]
        weighted = measures_of(level, a, b, options)  # type: ignore[arg-type]
        by_name = {(one.name, one.part): one.sums for one in weighted}
        for one in repeated:
            sums = by_name[one.name, one.part]
            drawn = (sums.columns * times[:, None]).sum(axis=0, keepdims=True)
            if one.name != "macro_f1" or level == "set":  # the classes that occur may be fewer
                assert float(sums.total(drawn)[0]) == pytest.approx(one.sums.value, abs=1e-9), (level, one)


def test_intervals_hold_the_truth() -> None:
    """Of r with n = 100 and a true r of .6: 95 % of intervals, here of 300 draws."""
    random, held = np.random.default_rng(0), 0
    for _ in range(300):
        gold = random.normal(size=100)
        said = 0.6 * gold + 0.8 * random.normal(size=100)
        found = take(measures_of("interval", gold, said)[:1], resamples=400)[0]
        held += found.low <= 0.6 <= found.high
    assert 0.91 <= held / 300 <= 0.98


def test_weights_repeat_rows(random: np.random.Generator) -> None:
    gold, said = random.uniform(size=(2, 30))
    times = random.integers(1, 5, size=30)
    weighted = take(measures_of("interval", gold, said), times.astype(float), resamples=20)
    repeated = take(measures_of("interval", np.repeat(gold, times), np.repeat(said, times)), resamples=20)
    for one, other in zip(weighted[:3], repeated[:3], strict=True):  # alpha depends on the number of texts too
        assert one.value == pytest.approx(other.value, abs=1e-9)
    assert weighted[0].n == 30


def test_constant_answers_have_no_correlation() -> None:
    found = {one.name: one for one in take(measures_of("interval", np.linspace(0, 1, 9), np.full(9, 0.5)))}
    assert np.isnan(found["pearson"].value)
    assert np.isnan(found["pearson"].low)
    assert found["mae"].value == pytest.approx(5 / 18)
    assert found["concordance"].value == 0


def test_what_raters_say_together() -> None:
    votes = np.array([[0, 0, 1], [0, 1, NAN], [2, NAN, NAN], [NAN, NAN, NAN]])
    assert consensus("nominal", votes).tolist() == pytest.approx([0, NAN, 2, NAN], nan_ok=True)
    assert consensus("ordinal", votes).tolist() == pytest.approx([0, 0, 2, NAN], nan_ok=True)
    assert consensus("interval", votes).tolist() == pytest.approx([1 / 3, 0.5, 2, NAN], nan_ok=True)
    labels = np.array([[[1, 0], [0, 0]], [[1, 1], [NAN, NAN]]])
    assert consensus("set", labels).tolist() == [[1, 0], [1, 1]]


def test_what_of_a_text_is_averaged() -> None:
    assert [(part, list(own)) for part, own in counted("ordinal", np.array([-1.0, 2]), CLASSES)] == [("", [-1, 2])]
    of_classes = dict(counted("nominal", np.array([0.0, 1, 1]), ("glad", "sad")))
    assert (of_classes["glad"].mean(), of_classes["sad"].mean()) == pytest.approx((1 / 3, 2 / 3))


def flags(values: list[int]) -> Flags:
    return np.array(values, dtype=bool)


def test_masi_is_symmetric_and_bounded() -> None:
    sets = [flags(list(bits)) for bits in product([0, 1], repeat=3)]
    for one, other in pairwise(sets):
        assert masi_distances(one, other) == masi_distances(other, one)
        assert 0 <= masi_distances(one, other) <= 1
