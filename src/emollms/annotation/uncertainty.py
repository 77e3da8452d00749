"""How wrong answers are expected to be: by intervals, probabilities, confidence, and labels that are there."""

from collections.abc import Sequence

import numpy as np

from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.evaluation.metrics import Floats, Integers


def expected_errors(asked: Sequence[AnsweredQuestion], labels: dict[str, tuple[Integers, Floats]]) -> Floats:
    """How far each answer is expected to be from people's label, relative to the others; the mean over questions.

    Args:
        asked: the questions.
        labels: of some of these, by name: rows that have labels, and these.
    """
    found = []
    for one in asked:
        spread = spread_of(one)
        if one.name in labels and np.ptp(spread) > 0:
            spread = _scaled(spread, one, *labels[one.name])
        found.append(spread / spread.mean())
    return np.asarray(np.mean(found, axis=0))


def spread_of(one: AnsweredQuestion) -> Floats:
    """The standard deviation of people's labels about an answer, as the model sees it; 1 where it says nothing."""
    if one.probabilities is not None and not np.isnan(one.probabilities).all():
        shares = np.clip(np.nan_to_num(one.probabilities, nan=0.5), 0.0, 1.0)
        if one.kind == "class":
            shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
        return np.asarray(np.sqrt((shares * (1 - shares)).sum(axis=1)) + 1e-3)
    confidence = one.confidence
    if one.low is not None and one.high is not None and not np.isnan(one.high - one.low).all():
        width = one.high - one.low
        return np.asarray(np.where(np.isnan(width), np.nanmax(width), width) / 3.29 + 1e-3)  # a 90 % interval
    if confidence is not None and not np.isnan(confidence).all():
        sure = np.clip(np.nan_to_num(confidence, nan=0.0), 0.0, 1.0)
        return np.asarray(np.sqrt(1 - sure) + 1e-3)
    return np.ones(one.predicted.shape[0])


def _scaled(spread: Floats, one: AnsweredQuestion, labelled: Integers, gold: Floats) -> Floats:
    """The spread, where labels show that it tells how wrong answers are; and the more even, the less it does."""
    missed = _missed(one, labelled, gold)
    said = ~np.isnan(missed)
    if said.sum() < 10 or np.ptp(spread[labelled[said]]) == 0:
        return spread
    squares = spread[labelled[said]] ** 2
    slope, base = np.polyfit(squares, missed[said] ** 2, 1)
    fitted = base + slope * spread**2
    least = max(1e-6, float(np.mean(missed[said] ** 2)) / 4)
    return np.asarray(np.sqrt(np.maximum(fitted, least))) if slope > 0 else np.ones_like(spread)


def _missed(one: AnsweredQuestion, labelled: Integers, gold: Floats) -> Floats:
    own = one.predicted[labelled]
    if one.kind == "score" or (one.kind == "class" and one.task is not None):
        return np.asarray(gold - own)
    wrong = own != gold
    return np.asarray(np.sqrt(wrong.sum(axis=1)) if wrong.ndim > 1 else wrong * 1.0)
