"""How a model agrees with people, as `emollms.agree` gives it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from emollms.evaluation.agreement import Level, MeasuredValue
from emollms.evaluation.alternative_annotator import AlternativeAnnotatorTest
from emollms.evaluation.metrics import Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GroupBias:
    """How much more the model says than people, in some of the texts.

    Args:
        by: what the texts are grouped by: a column, or `length`; "" for all texts.
        group: which of the groups.
        part: the class or label that is counted; "" for scores and ordered classes.
        people: the mean of what people say.
        model: the mean of what the model says.
        bias: the mean difference, model less people, with its interval and the number of texts.
    """

    by: str
    group: str
    part: str
    people: float
    model: float
    bias: MeasuredValue


@dataclass(frozen=True)
class RaterAgreement:
    """How a rater agrees with the others, for comparison with the model.

    Args:
        rater: the rater.
        value: the main measure of the rater and what the others say together.
        model: that of the model and the same, on the same texts.
    """

    rater: str
    value: MeasuredValue
    model: MeasuredValue


@dataclass(frozen=True)
class WordingAgreement:
    """What one wording of the question gives.

    Args:
        number: the number of the wording, from 0.
        value: the main measure, on the texts that all wordings have an answer to.
        mean: the mean answer over all annotated rows; of labels, the mean number of them.
    """

    number: int
    value: MeasuredValue
    mean: float


@dataclass(frozen=True)
class QuestionAgreement:
    """How a model agrees with people on one question.

    Args:
        name: the question.
        level: what is measured.
        n: texts that both answered.
        raters: the most raters of a text.
        unit: what scores, and so errors and biases, are on.
        measures: the measures, the main one first; those of single labels or classes last.
        bias: over all texts, and then by group and by length.
        people: alpha of the raters, and of the raters with the model as one more; empty where there is one rater.
        ceiling: the highest r that the raters' noise allows; None where their spread is unknown.
        each_rater: each rater of enough texts.
        alternative: the alternative annotator test; None where no two named raters share enough texts.
        wordings: every wording that was asked; empty where there was one.
        cautions: what a reader must know.
        gold: what people say, a text each.
        predicted: what the model says.
    """

    name: str
    level: Level
    n: int
    raters: int
    unit: str
    measures: Sequence[MeasuredValue]
    bias: Sequence[GroupBias]
    people: Sequence[MeasuredValue]
    ceiling: MeasuredValue | None
    each_rater: Sequence[RaterAgreement]
    alternative: AlternativeAnnotatorTest | None
    wordings: Sequence[WordingAgreement]
    cautions: Sequence[str]
    gold: Floats = field(repr=False, compare=False)
    predicted: Floats = field(repr=False, compare=False)

    @property
    def main(self) -> MeasuredValue:
        """The main measure."""
        return self.measures[0]

    def measured(self) -> Iterator[tuple[str, MeasuredValue]]:
        """Every figure with the group of texts that it is about."""
        yield from (("", one) for one in [*self.measures, *self.people, *([self.ceiling] if self.ceiling else [])])
        yield from ((f"{one.by}: {one.group}" if one.by else "", one.bias) for one in self.bias)

    def lines(self) -> Iterator[str]:
        """The figures for people, a line each."""
        people = "1 rater" if self.raters == 1 else f"up to {self.raters} raters"
        yield f"{self.name}: {self.n:,} texts, gold of {people}"
        rows = [*self.measures, *self.people, *([self.ceiling] if self.ceiling else [])]
        titles = [one.title + (f", {one.part}" if one.part else "") for one in rows]
        for title, one in zip(titles, rows, strict=True):
            yield f"  {title:<{max(map(len, titles))}}  {shown(one)}"
        yield from (f"  {line}" for line in [*self._bias_lines(), *self._rater_lines(), *self._wording_lines()])
        yield from (f"  caution: {one}" for one in self.cautions)

    def _bias_lines(self) -> Iterator[str]:
        for one in self.bias:
            if one.by and one.part:  # too many lines: they are in `to_pandas` and in the page
                continue
            about = f"{one.by} {one.group}: " if one.by else ""
            part = f"{one.part}: " if one.part else ""
            yield f"{about}{part}bias {signed(one.bias)}, people {number(one.people)}, model {number(one.model)}"

    def _rater_lines(self) -> Iterator[str]:
        if self.each_rater:
            own = mean_of([one.value.value for one in self.each_rater])
            model = mean_of([one.model.value for one in self.each_rater])
            about = f"{self.each_rater[0].value.title} with the other raters, mean of {len(self.each_rater)}"
            yield f"{about}: a rater {number(own)}, the model {number(model)}"
        if self.alternative:
            yield verdict(self.alternative)

    def _wording_lines(self) -> Iterator[str]:
        if self.wordings:
            title, count = self.wordings[0].value.title, len(self.wordings)
            values, means = [one.value.value for one in self.wordings], [one.mean for one in self.wordings]
            yield f"{count} wordings: {title} {spread(values)}; mean answer {spread(means)}"


@dataclass(frozen=True)
class Agreement:
    """How a model agrees with people.

    Args:
        annotated: the annotated table.
        gold: the people's.
        rows: rows of the annotated table.
        questions: each question that both answered, by name.
        weighted: whether texts count by their sampling weights.
        resamples: bootstrap resamples behind each interval.
        models: what the record of the annotations says of the models.
    """

    annotated: str
    gold: str
    rows: int
    questions: Mapping[str, QuestionAgreement]
    weighted: bool
    resamples: int
    models: Sequence[str] = ()

    def __getitem__(self, name: str) -> QuestionAgreement:
        return self.questions[name]

    def __repr__(self) -> str:
        head = f"Agreement of {self.annotated} ({self.rows:,} rows) with {self.gold}; in brackets 95 % intervals"
        return "\n".join([head, *(line for one in self.questions.values() for line in one.lines())])

    def to_pandas(self) -> "pd.DataFrame":
        """Every figure: question, measure, part (label or class), texts (the group), value, low, high and n."""
        import pandas as pd

        rows = [
            (name, one.name, one.part, group, one.value, one.low, one.high, one.n)
            for name, question in self.questions.items()
            for group, one in [*question.measured(), *_of_raters(question), *_of_wordings(question)]
        ]
        return pd.DataFrame(rows, columns=["question", "measure", "part", "texts", "value", "low", "high", "n"])


def _of_raters(question: QuestionAgreement) -> Iterator[tuple[str, MeasuredValue]]:
    for one in question.each_rater:
        yield f"rater: {one.rater}", one.value
        yield f"rater: {one.rater}, by the model", one.model
    if found := question.alternative:
        nan = math.nan
        yield "", MeasuredValue("winning_rate", "winning rate ω", "", found.winning_rate, nan, nan, question.n)
        yield "", MeasuredValue("advantage", "advantage probability ρ", "", found.advantage, nan, nan, question.n)


def _of_wordings(question: QuestionAgreement) -> Iterator[tuple[str, MeasuredValue]]:
    for one in question.wordings:
        yield f"wording: {one.number}", one.value
        mean = MeasuredValue("mean", "mean answer", "", one.mean, math.nan, math.nan, one.value.n)
        yield f"wording: {one.number}", mean


def number(value: float) -> str:
    """A figure with three digits behind the point: `.832`, `-.041`, `undefined`."""
    if math.isnan(value):
        return "undefined"
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def shown(one: MeasuredValue) -> str:
    """A figure with its interval: `.832 (.801 to .859)`."""
    return (
        number(one.value) if math.isnan(one.low) else f"{number(one.value)} ({number(one.low)} to {number(one.high)})"
    )


def signed(one: MeasuredValue) -> str:
    """A bias with its interval: `+.041 (-.002 to .084)`."""
    return ("+" if one.value > 0 else "") + shown(one)


def spread(values: Sequence[float]) -> str:
    """Where values lie that are defined, their standard deviation, and how many are not."""
    known = [value for value in values if not math.isnan(value)]
    if len(known) < 2:
        return number(known[0] if known else math.nan)
    undefined = f", {len(values) - len(known)} undefined" if len(known) < len(values) else ""
    return f"{number(min(known))} to {number(max(known))} (sd {number(float(np.std(known, ddof=1)))}{undefined})"


def mean_of(values: Sequence[float]) -> float:
    """The mean of those that are defined."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def verdict(found: AlternativeAnnotatorTest) -> str:
    """The outcome of the alternative annotator test in words."""
    wins = sum(one.model_wins for one in found.raters)
    may = "may stand in for a rater" if found.passed else "may not stand in for a rater"
    return (
        f"alternative annotator test (ε = {number(found.epsilon)}): the model {may}; it wins against {wins} of "
        f"{len(found.raters)} raters, ω = {number(found.winning_rate)}, ρ = {number(found.advantage)}"
    )
