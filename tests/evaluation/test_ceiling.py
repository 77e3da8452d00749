"""The human ceiling: its formula on made-up raters, and the recorded figures against EmoBank's own files."""

import csv
from pathlib import Path

import numpy as np
import pytest

from emollms.evaluation.ceiling import (
    KNOWN_CEILINGS,
    ceiling_of,
    ceiling_of_ratings,
    human_ceiling,
    noise_of_combined,
    noise_of_mean,
)
from emollms.evaluation.metrics import Floats
from emollms.tasks import DIMENSIONS, get_task


def test_it_is_the_r_of_the_truth() -> None:
    """Predictions that know the true score reach it: here 4 raters whose noise is as large as the truth's spread."""
    random = np.random.default_rng(1)
    truth = random.normal(size=20_000)
    ratings = truth[:, None] + random.normal(size=(20_000, 4))
    reached = np.corrcoef(truth, ratings.mean(axis=1))[0, 1]
    assert reached == pytest.approx(np.sqrt(0.8), abs=0.01)
    assert ceiling_of_ratings(ratings).value == pytest.approx(reached, abs=0.01)


def test_raters_may_be_missing() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(size=20_000)
    ratings = truth[:, None] + random.normal(size=(20_000, 6))
    ratings[random.uniform(size=ratings.shape) < 0.3] = np.nan
    ratings[:, 0] = truth + random.normal(size=20_000)
    reached = np.corrcoef(truth, np.nanmean(ratings, axis=1))[0, 1]
    assert ceiling_of_ratings(ratings).value == pytest.approx(reached, abs=0.01)


def test_spread_by_hand() -> None:
    spread = np.std([1, 2, 2, 3])  # divided by 4
    assert noise_of_mean(np.array([spread]), np.array([4.0]))[0] == pytest.approx(np.var([1, 2, 2, 3], ddof=1) / 4)
    assert np.isnan(noise_of_mean(np.array([0.0]), np.array([1.0]))[0])
    gold, noise = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3])
    assert human_ceiling(gold, noise).value == pytest.approx(np.sqrt(1 - 0.2 / 1.0))
    assert noise_of_combined([noise, noise], [np.full(3, 4.0)] * 2) == pytest.approx(noise / 2)
    one, other = np.array([1.0, 2, 2, 3]), np.array([4.0, 5])
    noises = [noise_of_mean(np.array([own.std()]), np.array([float(len(own))])) for own in (one, other)]
    found = noise_of_combined(noises, [np.array([4.0]), np.array([2.0])])
    assert found[0] == pytest.approx((4 * one.var(ddof=1) + 2 * other.var(ddof=1)) / 36)  # of a mean of six numbers


def test_where_there_is_no_ceiling() -> None:
    assert not ceiling_of_ratings(np.array([[1.0, np.nan], [2.0, np.nan]])).is_defined
    assert not human_ceiling(np.ones(5), np.full(5, 0.1)).is_defined
    assert human_ceiling(np.array([0.0, 1.0]), np.array([9.0, 9.0])).value == 0  # all of it is noise
    assert ceiling_of(get_task("SST"), {"sst"}) is None


def test_known_ceilings() -> None:
    emobank = get_task("EmoBank")
    assert ceiling_of(emobank, {"emobank"}, "arousal") == 0.681
    assert ceiling_of(emobank, {"emobank"}) == pytest.approx((0.897 + 0.681 + 0.646) / 3)
    assert ceiling_of(get_task("V-T"), {"vader"}) == 0.993
    assert ceiling_of(get_task("V-T"), {"vader", "sample"}) is None  # other gold has another noise
    for name, known in KNOWN_CEILINGS.items():
        assert tuple(known.parts) == (get_task(name).emotions or ("",))


def perspective(root: Path, name: str) -> dict[str, dict[str, str]]:
    with (root / "emobank" / name).open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def column(rows: list[dict[str, str]], name: str) -> Floats:
    return np.array([float(row[name]) for row in rows])


@pytest.mark.corpora
def test_the_figures_of_emobank_come_from_its_files(corpora_dir: Path) -> None:
    combined, *two = (perspective(corpora_dir, f"{name}.csv") for name in ("emobank", "reader", "writer"))
    rows = list(combined.values())
    assert len(rows) == 10_062
    for dimension in DIMENSIONS:
        letter = dimension[0].upper()
        noises, raters = [], []
        for name, table in zip(("EmoBank-reader", "EmoBank-writer"), two, strict=True):
            own = [table[row["id"]] for row in rows]
            noise = noise_of_mean(column(own, f"std{letter}"), column(own, "N"))
            noises.append(noise)
            raters.append(column(own, "N"))
            assert human_ceiling(column(own, letter), noise).value == pytest.approx(
                KNOWN_CEILINGS[name].parts[dimension], abs=0.0005
            )
        found = human_ceiling(column(rows, letter), noise_of_combined(noises, raters)).value
        assert found == pytest.approx(KNOWN_CEILINGS["EmoBank"].parts[dimension], abs=0.0005)
