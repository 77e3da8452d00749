"""What a model and people said of the same texts, compared in every way that `emollms.agree` shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from emollms.annotation.agreement import GroupBias, RaterAgreement, WordingAgreement
from emollms.annotation.answered_questions import AnsweredQuestion
from emollms.evaluation import metrics
from emollms.evaluation.agreement import (
    Level,
    Measure,
    MeasuredValue,
    alpha,
    consensus,
    counted,
    main_measure,
    take,
)
from emollms.evaluation.alternative_annotator import (
    FEWEST_TEXTS,
    Alignment,
    AlternativeAnnotatorTest,
    alternative_annotator_test,
)
from emollms.evaluation.ceiling import ceiling_of_ratings, human_ceiling
from emollms.evaluation.metrics import Flags, Floats, Integers

Groups = Mapping[str, Sequence[tuple[str, Flags]]]
"""By what texts are grouped, and which texts are in each group."""
_ALIGNMENTS: Mapping[Level, Alignment] = {
    "interval": "rmse", "ordinal": "accuracy", "nominal": "accuracy", "set": "masi",
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Texts with what people and a model say of them; NaN where one says nothing.

    Args:
        level: what is measured.
        options: see `agreement.measures_of`.
        gold: what people say together, of shape (texts,) or (texts, labels).
        predicted: what the model says, in the same form.
        ratings: what each rater says, of shape (texts, raters) or (texts, raters, labels).
        weights: how many texts each stands for; None where all stand for the same number.
    """

    level: Level
    options: tuple[str, ...]
    gold: Floats
    predicted: Floats
    ratings: Floats
    weights: Floats | None

    @cached_property
    def both(self) -> Flags:
        """The texts that people and the model say something of."""
        return ~missing(self.level, self.gold) & ~missing(self.level, self.predicted)

    def on(self, rows: Flags) -> "Compared":
        """Some of the texts."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(
            self, gold=self.gold[rows], predicted=self.predicted[rows], ratings=self.ratings[rows], weights=weights
        )


def missing(level: Level, values: Floats) -> Flags:
    """Where there is no value; of label sets, whose labels are last, no set."""
    empty = np.isnan(values)
    return np.asarray(empty.any(axis=-1) if level == "set" else empty, dtype=np.bool_)


def biases(every: Compared, groups: Groups) -> list[GroupBias]:
    """How much more the model says than people, in each group of texts."""
    found = []
    for by, parts in groups.items():
        for group, rows in parts:
            some = every.on(rows & every.both)
            if len(some.gold):
                found += _biases(some, by, group)
    return found


def _biases(some: Compared, by: str, group: str) -> list[GroupBias]:
    gold, model = (dict(counted(some.level, said, some.options)) for said in (some.gold, some.predicted))
    measures = [Measure("bias", "bias", metrics.mean(model[part] - own), part) for part, own in gold.items()]
    found = []
    for one in take(measures, some.weights):
        people, said = (float(np.average(values[one.part], weights=some.weights)) for values in (gold, model))
        found.append(GroupBias(by, group, one.part, people, said, one))
    return found


def alpha_of_raters(rated: Compared) -> list[MeasuredValue]:
    """Alpha of the raters, and with the model as one more of them."""
    with_model = np.concatenate([rated.ratings, rated.predicted[:, None]], axis=1)
    return take(
        [
            Measure("alpha_people", "α of the raters", alpha(rated.level, rated.ratings, rated.options)),
            Measure("alpha_with_model", "α with the model as a rater", alpha(rated.level, with_model, rated.options)),
        ],
        rated.weights,
    )


def ceiling_of_gold(both: Compared, noise: tuple[Floats, Floats] | None) -> MeasuredValue | None:
    """The highest r that the raters' noise allows; None where it is unknown.

    Args:
        both: the texts.
        noise: means of raters, and the squared standard error of each, where these are known and not the ratings.
    """
    if both.level != "interval":
        return None
    sums = ceiling_of_ratings(both.ratings) if noise is None else human_ceiling(*noise)
    if not sums.is_defined:
        return None
    known = int(sums.columns[:, 0].sum())
    return take([Measure("ceiling", "human ceiling of r", sums, n=known)], both.weights)[0]


def each_rater(both: Compared, raters: Sequence[str]) -> list[RaterAgreement]:
    """The main measure of each rater, and of the model, with what the other raters say together."""
    rated = ~missing(both.level, both.ratings)
    found = []
    for number, rater in enumerate(raters):
        others = both.ratings.copy()
        others[:, number] = np.nan
        together = consensus(both.level, others)
        rows = rated[:, number] & ~missing(both.level, together)
        if rows.sum() >= FEWEST_TEXTS:
            answers = (both.ratings[rows, number], both.predicted[rows])
            measures = [main_measure(both.level, together[rows], said, both.options) for said in answers]
            found.append(RaterAgreement(rater, *take(measures, None if both.weights is None else both.weights[rows])))
    return found


def alternative_of(both: Compared, raters: Sequence[str], epsilon: float) -> AlternativeAnnotatorTest | None:
    """The alternative annotator test."""
    rated = ~missing(both.level, both.ratings)
    return alternative_annotator_test(
        both.predicted, both.ratings, rated, raters, _ALIGNMENTS[both.level], epsilon=epsilon
    )


def wordings_of(every: Compared, asked: Sequence[AnsweredQuestion], labelled: Integers) -> list[WordingAgreement]:
    """The main measure and the mean answer of each wording of a question."""
    if not asked:
        return []
    said = [one.predicted[labelled] for one in asked]
    rows = every.both & ~np.any([missing(every.level, one) for one in said], axis=0)
    if not rows.any():
        return []
    gold = every.gold[rows]
    measures = [main_measure(every.level, gold, one[rows], every.options) for one in said]
    taken = take(measures, None if every.weights is None else every.weights[rows])
    return [
        WordingAgreement(number, value, _mean_answer(every.level, one.predicted))
        for number, (one, value) in enumerate(zip(asked, taken, strict=True))
    ]


def _mean_answer(level: Level, predicted: Floats) -> float:
    known = predicted[~missing(level, predicted)]
    return float((known.sum(axis=1) if level == "set" else known).mean()) if len(known) else float("nan")
