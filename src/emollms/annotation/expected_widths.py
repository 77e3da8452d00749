"""How wide an interval will be, before people label."""

import math
from dataclasses import dataclass

import numpy as np

from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.annotation.drawing import sampling_probabilities
from emollms.annotation.uncertainty import spread_of
from emollms.evaluation.metrics import Floats, Integers

BUDGETS = (50, 100, 200, 400, 800)


@dataclass(frozen=True)
class ExpectedWidth:
    """How wide a 95 % interval of a mean is expected to be.

    Args:
        labels: labels by people.
        people: by these alone.
        even: with predictions, rows drawn evenly.
        sample: with predictions, rows drawn as here.
    """

    labels: int
    people: float
    even: float
    sample: float


def expected_widths(
    one: AnsweredQuestion,
    labels: tuple[Integers, Floats] | None,
    errors: Floats,
    free: Integers,
    budget: int,
) -> tuple[ExpectedWidth, ...]:
    """The widths that some numbers of labels are expected to give, by labels or by calibrated intervals.

    Args:
        one: the question, of whose mean the interval is.
        labels: rows that have labels, and these; None without any.
        errors: the expected error of each row, relative to the others.
        free: the rows without labels.
        budget: how many rows are drawn.
    """
    if one.kind == "labels" or (one.kind == "class" and one.task is None):
        return ()
    if labels is not None:
        own, gold = one.predicted[labels[0]], labels[1]
        said = ~np.isnan(own) & ~np.isnan(gold)
        if said.sum() < 10 or np.ptp(gold[said]) == 0:
            return ()
        slope = float(np.cov(own[said], gold[said])[0, 1] / max(1e-12, float(own[said].var(ddof=1))))
        spread, missed = float(gold[said].std(ddof=1)), float((gold - slope * own)[said].std(ddof=2))
    elif one.kind == "score" and one.low is not None and np.ptp(spread_of(one)) > 0:
        missed = float(np.sqrt(np.mean(spread_of(one)[free] ** 2)))
        spread = math.hypot(float(np.nanstd(one.predicted)), missed)
    else:
        return ()
    rows, relative = len(free), errors[free] / np.sqrt(np.mean(errors[free] ** 2))
    found = []
    for labels_count in sorted({*(count for count in BUDGETS if count < rows), budget}):
        drawn = sampling_probabilities(errors[free], float(labels_count))
        variance = float(np.sum((1 - drawn) / drawn * relative**2)) / rows**2
        even = (1 - labels_count / rows) / labels_count
        found.append(
            ExpectedWidth(
                labels_count,
                3.92 * spread * math.sqrt(even),
                3.92 * missed * math.sqrt(even),
                3.92 * missed * math.sqrt(variance),
            )
        )
    return tuple(found)
