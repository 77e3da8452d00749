"""May a model stand in for a rater? The alternative annotator test.

Calderon, Reichart and Dror, 2025, "The Alternative Annotator Test for LLM-as-a-Judge: How to Statistically Justify
Replacing Human Annotators with LLMs" (ACL; arXiv 2501.10970). Each rater is left out in turn; the model and that rater
are compared by how near they are to the other raters of each text. The rater loses where the model is not worse by
more than ε, the saving that a model is worth; ω, the winning rate, is the fraction of raters that lose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emollms.errors import UsageError
from emollms.evaluation.metrics import Flags, Floats
from emollms.optional import require

Alignment = Literal["rmse", "accuracy", "masi"]
EPSILONS: Mapping[str, float] = {"experts": 0.2, "trained": 0.15, "crowd": 0.1}
"""What the paper advises, by who the raters are: the dearer they are, the more a model may be worse."""
PASSES = 0.5
"""From this winning rate on the model may stand in."""
LEVEL = 0.05
FEWEST_TEXTS = 10
"""A rater of fewer texts is left out of the test; no test could tell anything."""
FEW_TEXTS = 30
"""Below it the t-test's assumption of normal means is doubtful, and Wilcoxon's signed-rank test takes its place."""
FEWEST_RATERS = 3
_TIE = 1e-12


@dataclass(frozen=True)
class RaterOutcome:
    """One rater, left out and compared with the model.

    Args:
        rater: the rater.
        n: the texts that the rater, another rater and the model rated.
        model_advantage: fraction of texts on which the model is at least as near to the other raters as the rater is.
        rater_advantage: fraction on which the rater is at least as near as the model is; ties count in both.
        test: the test that `p` is from.
        p: one-sided, of the hypothesis that the rater is better by ε or more.
        p_adjusted: the same after the correction of Benjamini and Yekutieli.
        model_wins: whether the hypothesis is rejected.
    """

    rater: str
    n: int
    model_advantage: float
    rater_advantage: float
    test: Literal["t-test", "Wilcoxon"]
    p: float
    p_adjusted: float
    model_wins: bool


@dataclass(frozen=True)
class AlternativeAnnotatorTest:
    """The outcome of the test.

    Args:
        epsilon: ε.
        alignment: how nearness to the other raters is measured.
        level: the false discovery rate.
        raters: each of them.
        left_out: raters of fewer than `FEWEST_TEXTS` texts.
        winning_rate: ω, 0..1.
        advantage: ρ, the mean advantage of the model, 0..1.
        cautions: assumptions that do not hold here.
    """

    epsilon: float
    alignment: Alignment
    level: float
    raters: Sequence[RaterOutcome]
    left_out: Sequence[str]
    winning_rate: float
    advantage: float
    cautions: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether the model may stand in for a rater: ω is at least ½."""
        return self.winning_rate >= PASSES


def alternative_annotator_test(
    model: Floats | Flags,
    ratings: Floats | Flags,
    rated: Flags,
    raters: Sequence[str],
    alignment: Alignment,
    *,
    epsilon: float = EPSILONS["crowd"],
    level: float = LEVEL,
) -> AlternativeAnnotatorTest | None:
    """Compare a model with each of several raters.

    Args:
        model: the model's answers: scores or class numbers of shape (texts,), or labels as booleans of shape (texts,
            labels).
        ratings: the raters' answers, of shape (texts, raters) or (texts, raters, labels).
        rated: whether a rater rated a text, of shape (texts, raters).
        raters: their names.
        alignment: `rmse` for scores, `accuracy` for classes, `masi` for label sets.
        epsilon: ε, 0..1; see `EPSILONS`.
        level: the false discovery rate, between 0 and 1.

    Returns:
        None where fewer than two raters share `FEWEST_TEXTS` texts with another one.

    Raises:
        UsageError: ε is out of its range, or scipy is not installed.
    """
    if not 0 <= epsilon <= 1:
        raise UsageError(f"--epsilon {epsilon:g} is no difference of two fractions; give a number from 0 to 1")
    differences: dict[str, tuple[Flags, Flags]] = {}
    left_out: list[str] = []
    for number, rater in enumerate(raters):
        found = _advantages(model, ratings, rated, number, alignment)
        if len(found[0]) < FEWEST_TEXTS:
            left_out.append(rater)
        else:
            differences[rater] = found
    if len(differences) < 2:
        return None
    tests = {
        rater: _test(own.astype(float) - others.astype(float), epsilon) for rater, (others, own) in differences.items()
    }
    stats = require("scipy.stats", "evaluate", "the alternative annotator test")
    adjusted = stats.false_discovery_control([p for _, p in tests.values()], method="by")
    outcomes = [
        RaterOutcome(
            rater,
            len(own),
            float(others.mean()),
            float(own.mean()),
            tests[rater][0],
            tests[rater][1],
            float(p),
            bool(p <= level),
        )
        for (rater, (others, own)), p in zip(differences.items(), adjusted, strict=True)
    ]
    return AlternativeAnnotatorTest(
        epsilon=epsilon,
        alignment=alignment,
        level=level,
        raters=outcomes,
        left_out=left_out,
        winning_rate=float(np.mean([one.model_wins for one in outcomes])),
        advantage=float(np.mean([one.model_advantage for one in outcomes])),
        cautions=_cautions(outcomes),
    )


def _advantages(
    model: Floats | Flags, ratings: Floats | Flags, rated: Flags, number: int, alignment: Alignment
) -> tuple[Flags, Flags]:
    """On each text of a rater: whether the model is at least as near to the others, and whether the rater is."""
    others = rated.copy()
    others[:, number] = False
    texts = rated[:, number] & others.any(axis=1)
    others, counts = others[texts], others[texts].sum(axis=1)

    def distance(said: Floats | Flags) -> Floats:
        each = _distances(said[texts][:, None], ratings[texts], alignment)
        return np.asarray(np.where(others, each, 0.0).sum(axis=1) / counts, dtype=np.float64)

    # The root of the mean square is left out: it changes no order.
    of_model, of_rater = distance(model), distance(ratings[:, number])
    return np.asarray(of_model <= of_rater + _TIE), np.asarray(of_rater <= of_model + _TIE)


def _distances(one: Floats | Flags, others: Floats | Flags, alignment: Alignment) -> Floats:
    if alignment == "masi":
        from emollms.evaluation.krippendorff import masi_distances

        return masi_distances(one.astype(np.bool_), others.astype(np.bool_))
    if alignment == "accuracy":
        return np.asarray(one != others, dtype=np.float64)
    return np.asarray((one - others) ** 2, dtype=np.float64)


def _test(differences: Floats, epsilon: float) -> tuple[Literal["t-test", "Wilcoxon"], float]:
    """The name and the p of the one-sided test that the mean difference, rater less model, is below ε."""
    stats = require("scipy.stats", "evaluate", "the alternative annotator test")
    if len(differences) < FEW_TEXTS:
        if not np.any(differences - epsilon):  # nothing to rank
            return "Wilcoxon", 1.0
        return "Wilcoxon", float(stats.wilcoxon(differences - epsilon, alternative="less").pvalue)
    if np.ptp(differences) == 0:  # without variance there is no t
        return "t-test", 0.0 if differences[0] < epsilon else 1.0
    return "t-test", float(stats.ttest_1samp(differences, epsilon, alternative="less").pvalue)


def _cautions(outcomes: Sequence[RaterOutcome]) -> list[str]:
    found = []
    if len(outcomes) < FEWEST_RATERS:
        found.append(f"{len(outcomes)} raters are fewer than the {FEWEST_RATERS} that the test asks for")
    if few := [one.rater for one in outcomes if one.n < FEW_TEXTS]:
        found.append(
            f"{len(few)} of {len(outcomes)} raters have fewer than {FEW_TEXTS} texts; Wilcoxon's test is used for them"
        )
    return found
