"""From answers and labels to outcomes: a number for each row, of which a mean or a fraction is taken."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.annotation.estimands import LabelledOutcome
from emollms.annotation.gold_tables import GoldAndAnnotated
from emollms.errors import UsageError
from emollms.evaluation.metrics import Floats
from emollms.tables.files import Warn
from emollms.tasks import OrdinalTask

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class Statistic:
    """An outcome, and what it is the mean of.

    Args:
        name: the question.
        statistic: `mean`, or `fraction of joy`.
        outcome: the outcome.
        is_fraction: whether it is 0 or 1.
    """

    name: str
    statistic: str
    outcome: LabelledOutcome
    is_fraction: bool


def outcomes(
    read: GoldAndAnnotated, name: str, fraction: Sequence[str], ordered: bool, larger: bool, warn: Warn
) -> list[Statistic]:
    """The outcomes of a question.

    Args:
        read: answers and labels.
        name: the question.
        fraction: classes, labels or conditions; empty for the mean of a score or of the numbers of classes, and for the
            fraction of each own class or label.
        ordered: whether only an outcome with an order will do, as for quantiles.
        larger: whether a larger population is asked about.
        warn: is told of rows without an answer.

    Raises:
        UsageError: there is no such class or label, or no order.
    """
    one = read.questions[name]
    asked, gold = one.asked, one.gold
    if not fraction and (asked.kind == "score" or isinstance(asked.task, OrdinalTask)):
        return [_statistic(read, asked, "mean", asked.predicted, gold, larger, warn)]
    if ordered and not fraction:
        raise UsageError(f"{name} has no order; name a class or label with --fraction")
    found = []
    for option in fraction or asked.options:
        predicted, people = _is(asked, option, one.ratings)
        found.append(
            _statistic(
                read,
                asked,
                f"fraction {option if option[0] in '<>' else f'of {option}'}",
                predicted,
                people,
                larger,
                warn,
            )
        )
    return found


def _is(asked: AnsweredQuestion, option: str, ratings: Floats) -> tuple[Floats, Floats]:
    """Whether the model, and what fraction of its raters, gave each row a class, a label, or a score of a condition."""
    if asked.kind == "score" or re.match("[<>]", option):
        condition = re.fullmatch(r"(>=|<=|>|<)\s*(-?[\d.]+)", option.strip())
        if condition is None or asked.kind == "labels":
            raise UsageError(f"--fraction {option!r} is no condition on the score {asked.name}; give one such as >=0.5")
        compare, limit = _COMPARED[condition[1]], float(condition[2])
        predicted = np.where(np.isnan(asked.predicted), np.nan, compare(asked.predicted, limit))
        return predicted, _share(np.where(np.isnan(ratings), np.nan, compare(ratings, limit)))
    if asked.kind == "class":
        wanted = float(asked.read([option], "--fraction")[0])
        at = asked.options.index(str(int(wanted))) if isinstance(asked.task, OrdinalTask) else int(wanted)
        predicted = np.where(np.isnan(asked.predicted), np.nan, asked.predicted == wanted)
        people = _share(np.where(np.isnan(ratings), np.nan, ratings == wanted))
    else:
        at = int(np.argmax(asked.read([[option]], "--fraction")[0]))
        predicted, people = asked.predicted[:, at], _share(ratings[:, :, at])
    if asked.probabilities is not None:  # says more than the answer alone
        predicted = np.where(np.isnan(asked.probabilities[:, at]), predicted, asked.probabilities[:, at])
    return predicted, people


def _share(ratings: Floats) -> Floats:
    given = ~np.isnan(ratings)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(given, ratings, 0).sum(axis=1) / given.sum(axis=1))


def _statistic(
    read: GoldAndAnnotated,
    asked: AnsweredQuestion,
    statistic: str,
    predicted: Floats,
    gold: Floats,
    larger: bool,
    warn: Warn,
) -> Statistic:
    if gold.ndim > 1:
        raise UsageError(f"{asked.name} has several labels; name one with --fraction")
    missing = np.isnan(predicted)
    if missing.all():
        raise UsageError(f"{read.annotated.name} has no answer to {asked.name}; every cell is empty")
    if missing.any():
        count = int(missing.sum())
        warn(f"{count:,} of {read.rows:,} rows have no answer to {asked.name}; the mean of the others is taken for it")
        # Any number will do that does not depend on people's labels: rectifying removes what is wrong with it.
        predicted = np.where(missing, predicted[~missing].mean(), predicted)
    said = ~np.isnan(gold)
    weights = None if read.weights is None else read.weights[said]
    outcome = LabelledOutcome(predicted, gold[said], read.labelled[said], weights, larger)
    return Statistic(asked.name, statistic, outcome, statistic != "mean")
