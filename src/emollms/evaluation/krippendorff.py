"""Krippendorff's alpha of several raters, as sums over units, so that its interval is a bootstrap over units.

Definitions: Krippendorff, 2011, "Computing Krippendorff's Alpha-Reliability"; the distance of label sets is MASI
(Passonneau, 2006, "Measuring Agreement on Set-valued Items (MASI) for Semantic and Pragmatic Annotation", LREC).

Ratings are arrays of shape (units, raters); NaN, or a code below 0, is a rating that is missing. Who gave a rating does
not matter to alpha, and a unit with fewer than two ratings does not count. Where all ratings are the same, alpha is
undefined; its value is then 0, and `RowSums.is_defined` false.
"""

from itertools import combinations

import numpy as np

from emollms.evaluation.metrics import Flags, Floats, Integers, RowSums


def interval_alpha(ratings: Floats) -> RowSums:
    """Alpha with squared differences: for scores.

    Args:
        ratings: numbers of shape (units, raters).
    """
    packed = _packed(ratings)
    known = ~np.isnan(packed)
    size = _size(known)
    center, spread = (np.nanmean(packed), np.nanstd(packed)) if known.any() else (0.0, 1.0)
    values = np.where(known & (size > 0)[:, None], (packed - center) / (spread or 1.0), 0.0)
    total, squares = values.sum(axis=1), (values**2).sum(axis=1)
    # The sum of the squared differences of all ordered pairs of m numbers is 2 (m Σx² - (Σx)²).
    within = 2 * (size * squares - total**2) / np.maximum(size - 1, 1)

    def alpha(sums: Floats) -> Floats:
        n, total, squares, within = sums.T
        return _alpha(within, 2 * (n * squares - total**2) / np.maximum(n - 1, 1))

    return RowSums(np.column_stack([size, total, squares, within]), alpha, _differ(packed, size))


def ordinal_alpha(codes: Integers) -> RowSums:
    """Alpha of ordered classes, whose distance is that of their mean ranks among all ratings.

    Args:
        codes: positions of the classes in their order, of shape (units, raters).
    """
    kinds = int(codes.max(initial=0)) + 1
    counts = _counts(codes, kinds)
    size = counts.sum(axis=1)
    counts[size < 2] = 0
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, range(kinds), range(kinds)] -= counts
    columns = (pairs / np.maximum(size - 1, 1)[:, None, None]).reshape(len(codes), kinds**2)

    def alpha(sums: Floats) -> Floats:
        pairs = sums.reshape(len(sums), kinds, kinds)
        each = pairs.sum(axis=2)
        ranks = each.cumsum(axis=1) - each / 2
        distances = (ranks[:, :, None] - ranks[:, None, :]) ** 2
        chance = each[:, :, None] * each[:, None, :] / np.maximum(each.sum(axis=1) - 1, 1)[:, None, None]
        return _alpha((pairs * distances).sum(axis=(1, 2)), (chance * distances).sum(axis=(1, 2)))

    return RowSums(columns, alpha, int((counts.sum(axis=0) > 0).sum()) > 1)


def nominal_alpha(codes: Integers) -> RowSums:
    """Alpha of classes without an order: two are equal or not.

    Args:
        codes: numbers of the classes, of shape (units, raters).
    """
    kinds = int(codes.max(initial=0)) + 1
    return _fixed_distances(codes, 1.0 - np.eye(kinds))


def masi_alpha(labels: Flags, rated: Flags) -> RowSums:
    """Alpha of label sets, with the MASI distance.

    Args:
        labels: which labels each rater gave, of shape (units, raters, labels).
        rated: whether a rater rated a unit, of shape (units, raters).
    """
    units, raters, width = labels.shape
    sets, codes = np.unique(labels.reshape(units * raters, width), axis=0, return_inverse=True)
    found = np.where(rated, codes.reshape(units, raters), -1).astype(np.int64)
    return _fixed_distances(found, masi_distances(sets[:, None, :], sets[None, :, :]))


def masi_distances(one: Flags, other: Flags) -> Floats:
    """1 - the Jaccard index × monotonicity (1 for equal sets, 2/3 for a subset, 1/3 for an overlap, 0 for none).

    Args:
        one: label sets as booleans, labels last.
        other: label sets that are compared with them, of a shape that fits.

    Returns:
        Distances, 0..1; 0 for two empty sets, 1 for an empty set and another.
    """
    both, either = (one & other).sum(axis=-1), (one | other).sum(axis=-1)
    left, right = (one & ~other).any(axis=-1), (other & ~one).any(axis=-1)
    monotonicity = np.where(~left & ~right, 1.0, np.where(~left | ~right, 2 / 3, 1 / 3))
    jaccard = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    return np.asarray(1 - jaccard * monotonicity, dtype=np.float64)


def _fixed_distances(codes: Integers, distances: Floats) -> RowSums:
    """Alpha with distances that do not depend on how often a value is given."""
    packed = _packed(np.where(codes < 0, np.nan, codes.astype(np.float64)))
    known = ~np.isnan(packed)
    size = _size(known)
    places = np.where(known, packed, 0).astype(np.int64)
    within = np.zeros(len(codes))
    for i, j in combinations(range(packed.shape[1]), 2):
        within += np.where(known[:, i] & known[:, j], 2 * distances[places[:, i], places[:, j]], 0.0)
    counts = _counts(codes, len(distances))
    counts[size == 0] = 0
    columns = np.column_stack([within / np.maximum(size - 1, 1), counts])

    def alpha(sums: Floats) -> Floats:
        within, counts = sums[:, 0], sums[:, 1:]
        chance = ((counts @ distances) * counts).sum(axis=1)
        return _alpha(within, chance / np.maximum(counts.sum(axis=1) - 1, 1))

    return RowSums(columns, alpha, _differ(packed, size))


def _packed(ratings: Floats) -> Floats:
    """Ratings with the missing ones last, in as few columns as hold them all: crowds have many raters, few a unit."""
    missing = np.isnan(ratings)
    order = np.argsort(missing, axis=1, kind="stable")
    width = int((~missing).sum(axis=1).max(initial=0))
    return np.asarray(np.take_along_axis(ratings, order, axis=1)[:, :width], dtype=np.float64)


def _size(known: Flags) -> Floats:
    """How many ratings of each unit count: 0 where there is a single one."""
    size = known.sum(axis=1).astype(np.float64)
    return np.where(size > 1, size, 0.0)


def _counts(codes: Integers, kinds: int) -> Floats:
    """How often each unit was given each code, of shape (units, kinds)."""
    counts = np.zeros((len(codes), kinds))
    rows, columns = np.nonzero(codes >= 0)
    np.add.at(counts, (rows, codes[rows, columns]), 1.0)
    return counts


def _differ(packed: Floats, size: Floats) -> bool:
    """Whether two ratings that count differ."""
    counted = packed[size > 0]
    known = counted[~np.isnan(counted)]
    return len(known) > 1 and bool(np.ptp(known) > 0)


def _alpha(observed: Floats, expected: Floats) -> Floats:
    """1 - observed / expected disagreement; 0 where nothing differs."""
    some = expected > 1e-12
    return np.where(some, 1 - observed / np.where(some, expected, 1.0), 0.0)
