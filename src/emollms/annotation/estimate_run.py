"""The estimates of one call, from tables that are read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from emollms.annotation.correlations import correlation
from emollms.annotation.covariates import column_outcome, frames_of_formula
from emollms.annotation.estimands import LabelledOutcome, ThreeWays, difference, fraction, mean
from emollms.annotation.estimate_results import OneEstimate
from emollms.annotation.gold_tables import GoldAndAnnotated
from emollms.annotation.outcomes import Statistic, outcomes
from emollms.annotation.quantiles import quantile
from emollms.annotation.regression import read_formula, regression, regressors
from emollms.annotation.table_frames import text_of
from emollms.errors import UsageError, unknown
from emollms.evaluation.metrics import Integers
from emollms.tables.files import Warn

FEWEST, FEWEST_OF_GROUP = 30, 10
"""Labels below which an interval does not hold what it promises: of all, and of a group."""


@dataclass(frozen=True)
class WantedEstimates:
    """What is to be estimated."""

    of: tuple[str, ...]
    by: str | None
    fraction: tuple[str, ...]
    quantile: tuple[float, ...]
    correlation: tuple[str, ...]
    formula: str | None
    logistic: bool
    level: float


@dataclass(frozen=True)
class Estimation:
    """The estimates of one call.

    Args:
        read: answers and labels.
        asked: what is to be estimated.
        larger: whether a larger population is asked about.
        warn: is told what a reader must know.
    """

    read: GoldAndAnnotated
    asked: WantedEstimates
    larger: bool
    warn: Warn

    def statistics(self) -> Iterator[OneEstimate]:
        """What is asked for besides a formula, of each outcome and group."""
        names = self.asked.of or list(self.read.questions)
        for name in names:
            for one in outcomes(
                self.read, name, self.asked.fraction, bool(self.asked.quantile), self.larger, self.warn
            ):
                self._check_labels(one.name, one.outcome)
                yield from self._of_statistic(one)

    def _of_statistic(self, one: Statistic) -> Iterator[OneEstimate]:
        everyone = np.arange(self.read.rows)
        if self.asked.by is None:
            yield from self._of_rows(one, everyone, "")
            return
        groups = self._groups(one)
        for name, rows in groups.items():
            yield from self._of_rows(one, rows, name)
        if self.asked.quantile or self.asked.correlation:
            return
        first, *others = groups
        for name in others:
            rows = np.sort(np.concatenate([groups[first], groups[name]]))
            own = one.outcome.of(rows)
            found = difference(own, np.isin(rows, groups[name]).astype(np.int64), self.asked.level)
            yield self._estimate(one, one.statistic, f"{name} − {first}", found, own)

    def _of_rows(self, one: Statistic, rows: Integers, group: str) -> Iterator[OneEstimate]:
        own, level = one.outcome.of(rows), self.asked.level
        for q in self.asked.quantile:
            yield self._estimate(one, f"quantile {q:g}", group, quantile(own, q, level), own)
        for column in self.asked.correlation:
            other = replace(column_outcome(self.read, column), weights=None).of(rows)
            yield self._estimate(one, f"correlation with {column}", group, correlation(own, other, level), own)
        if not (self.asked.quantile or self.asked.correlation):
            found = fraction(own, level) if one.is_fraction else mean(own, level)
            yield self._estimate(one, one.statistic, group, found, own)

    def _estimate(
        self, one: Statistic, statistic: str, group: str, found: ThreeWays, own: LabelledOutcome
    ) -> OneEstimate:
        return OneEstimate(
            one.name, statistic, group, found.rectified, found.people, found.naive, len(own.gold), len(own.predicted),
            _saved(found, own), found.lam, self.asked.level,
        )  # fmt: skip

    def _check_labels(self, name: str, outcome: LabelledOutcome) -> None:
        if len(outcome.gold) < FEWEST:
            labelled = f"{len(outcome.gold)} rows of {self.read.annotated.name} have labels of {name} by people"
            raise UsageError(f"{labelled}, and an interval needs {FEWEST}; label more (emollms sample draws them)")

    def _groups(self, one: Statistic) -> dict[str, Integers]:
        """The rows of each group that has enough labels, by its name."""
        by, frame = str(self.asked.by), self.read.annotated.frame
        if by not in frame:
            raise unknown(f"column of {self.read.annotated.name}", by, map(str, frame.columns))
        names = np.array([text_of(value) or "" for value in frame[by]], dtype=object)
        found: dict[str, Integers] = {}
        counts = {name: int((names[one.outcome.labelled] == name).sum()) for name in sorted(set(names)) if name}
        for name, count in counts.items():
            if count >= FEWEST_OF_GROUP:
                found[name] = np.flatnonzero(names == name)
        few = [f"{name!r} ({count})" for name, count in counts.items() if name not in found]
        labelled = [name for name, count in counts.items() if count]
        if len(labelled) < 2:
            missing = [name for name in counts if name not in labelled]
            raise UsageError(
                f"gold covers one group of {by} only, {next(iter(labelled), 'none')!r}; label rows of "
                f"{', '.join(map(repr, missing[:5])) or 'another group'} too"
            )
        if len(found) < 2:
            short = ", ".join(few[:5])
            raise UsageError(
                f"--by {by}: a group needs {FEWEST_OF_GROUP} labels, and fewer have {short}; label more of them"
            )
        if few:
            self.warn(f"groups of {by} with fewer than {FEWEST_OF_GROUP} labels are left out: {', '.join(few[:10])}")
        return found

    def regression(self) -> Iterator[OneEstimate]:
        """The coefficients of the formula."""
        formula, logistic = str(self.asked.formula), self.asked.logistic
        left, right = read_formula(formula)
        some = outcomes(self.read, left, self.asked.fraction, True, self.larger, self.warn)
        one = next(iter(some))
        if len(some) > 1:
            raise UsageError(f"--formula: {left} has several labels; name one with --fraction")
        self._check_labels(left, one.outcome)
        if logistic and (one.outcome.gold.min() < 0 or one.outcome.gold.max() > 1):
            raise UsageError(f"--logistic: {left} is not on 0 to 1; name a class with --fraction")
        outcome = replace(one.outcome, predicted=np.clip(one.outcome.predicted, 0, 1)) if logistic else one.outcome
        every, labelled = frames_of_formula(self.read, one.outcome.labelled)
        terms = regressors(right, every, labelled)
        if len(outcome.gold) < FEWEST + 5 * (len(terms.names) - 2):
            few = f"{len(outcome.gold)} labels are too few for {len(terms.names)} coefficients"
            raise UsageError(f"--formula: {few}; label more rows, or leave terms out")
        for name, found in regression(outcome, terms, logistic, self.asked.level).items():
            shown = f"coefficient of {name}" + (" (log odds)" if logistic else "")
            yield OneEstimate(
                formula, shown, "", found.rectified, found.people, found.naive, len(outcome.gold), self.read.rows,
                _saved(found, outcome), found.lam, self.asked.level,
            )  # fmt: skip


def _saved(found: ThreeWays, own: LabelledOutcome) -> float:
    """The fraction of labels that people alone would need for as narrow an interval, and that are spared."""
    if not found.people.width:
        return 0.0
    ratio = (found.rectified.width / found.people.width) ** 2
    left = 1.0 if own.larger else 1 - len(own.gold) / len(own.predicted)
    return float(max(0.0, (1 - ratio) * left))
