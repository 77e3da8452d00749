from itertools import chain

import numpy as np
import pytest

from emollms.training.sampler import EpochSampler

DRAWS = [np.arange(0, 50), np.arange(30, 80)]
LENGTHS = np.random.default_rng(5).integers(20, 200, size=80)


def order(epoch, group, seed=1, batch=8):
    sampler = EpochSampler(DRAWS, LENGTHS, batch, group, seed)
    sampler.epoch = epoch
    return list(sampler)


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("epoch", [0, 1])
def test_an_epoch_takes_each_of_its_rows_once(epoch, group):
    assert sorted(order(epoch, group)) == DRAWS[epoch].tolist()


@pytest.mark.parametrize("group", [False, True])
def test_the_order_follows_from_seed_and_epoch(group):
    assert order(0, group) == order(0, group)
    assert order(0, group) != order(0, group, seed=2)
    assert [row - 30 for row in order(1, group)] != order(0, group)


def padding(rows, batch=8):
    steps = [LENGTHS[rows[start : start + batch]] for start in range(0, len(rows), batch)]
    return sum(int(step.max() * len(step) - step.sum()) for step in steps)


def test_grouping_saves_most_of_the_padding():
    assert padding(order(0, group=True)) < 0.5 * padding(order(0, group=False))


def test_the_longest_row_comes_first_and_lengths_are_not_in_order():
    rows = order(0, group=True)
    assert LENGTHS[rows[:8]].max() == LENGTHS[DRAWS[0]].max()
    means = [LENGTHS[rows[start : start + 8]].mean() for start in range(8, 48, 8)]
    assert means != sorted(means)
    assert means != sorted(means, reverse=True)


def test_fewer_rows_than_a_step():
    assert sorted(order(0, True, batch=64)) == DRAWS[0].tolist()


@pytest.mark.parametrize("steps", [3, 4, 6, 8])
def test_the_rows_of_the_first_steps(steps):
    sampler = EpochSampler(DRAWS, LENGTHS, 8, True, 1)
    epochs = [order(0, True), order(1, True)]
    # 50 rows, two batches of 8 a step: three steps of 16 rows and one of 2.
    by_hand = [rows[start : start + 16] for rows in epochs for start in (0, 16, 32, 48)]
    assert sampler.taken(steps, batches=2) == list(chain.from_iterable(by_hand[:steps]))
