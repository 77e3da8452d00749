"""A probability for each label of a multi-label task.

An answer names its labels in one order, so it is a walk through the labels that only goes forward and stops somewhere.
The model is asked for the first step, P(the answer begins with i) over all labels and the words for none, and for the
second after each possible first one, q(j | i) = P("i, j") / P("i"). What is no further label is the stop, so no end
token is needed, and servers that cannot score one do as well. Then, in the order of the labels,

    P(j) = P(first is j) + sum over i before j of P(i) · q(j | i).

This is exact for answers of up to two labels; after that the last label stands for those before it. It needs a fixed
number of tokens (one step a label; the 2^11 or 2^28 sets need no list), gives every label a probability, and these are
marginals: each can be thresholded and calibrated by itself.
"""

import math
from collections.abc import Mapping, Sequence

from emollms.tasks import MultiLabelTask


def label_continuations(task: MultiLabelTask, labels: Sequence[str]) -> list[str]:
    """What is scored: each label, the words for none (if any), then each two labels in order.

    Args:
        task: the task.
        labels: those of its labels that are asked for.
    """
    nothing = [task.nothing] if task.nothing else []
    pairs = [f"{first}, {second}" for number, first in enumerate(labels) for second in labels[number + 1 :]]
    return [*labels, *nothing, *pairs]


def label_probabilities(task: MultiLabelTask, labels: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """The probability that each label is named.

    Args:
        task: the task.
        labels: those of its labels that are asked for.
        scores: log-probabilities of the `label_continuations`.
    """
    singles = len(labels) + (1 if task.nothing else 0)
    most = max(scores[:singles])
    total = math.fsum(math.exp(score - most) for score in scores[:singles])
    reached = [math.exp(score - most) / total for score in scores[: len(labels)]]
    pair = singles
    for number in range(len(labels)):
        count = len(labels) - number - 1
        # Rounding may make the steps from a label a little more than certain.
        steps = [math.exp(min(0.0, score - scores[number])) for score in scores[pair : pair + count]]
        certain = max(1.0, math.fsum(steps))
        for offset, step in enumerate(steps, number + 1):
            reached[offset] += reached[number] * step / certain
        pair += count
    return {label: min(1.0, share) for label, share in zip(labels, reached, strict=True)}


def likely_labels(
    task: MultiLabelTask, probabilities: Mapping[str, float], thresholds: Mapping[str, float] | None = None
) -> list[str]:
    """The labels to answer with: those at or above their threshold; where one is needed, at least the likeliest.

    Args:
        task: the task.
        probabilities: of each label.
        thresholds: of labels; .5 for those that have none.
    """
    limits = thresholds or {}
    chosen = [label for label, share in probabilities.items() if share >= limits.get(label, 0.5)]
    if not chosen and task.nothing is None:
        return [max(probabilities, key=lambda label: probabilities[label])]
    return chosen
