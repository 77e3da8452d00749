"""How often intervals of estimates hold the truth, and what they save, on the answers of the released models.

    EMOLLMS_CORPORA=corpora python tests/annotation/estimate_coverage.py --labels 100 --draws 2000
    EMOLLMS_CORPORA=corpora python tests/annotation/estimate_coverage.py --every-statistic --task V-reg SST

Of each task the gold of all rows is known: the truth is their mean, or the fraction of a label. Each draw reveals the
gold of some rows at random. The answers lie beside the corpora, in `reference/`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.reference_rows import BLOOM, CHAT_13B, SCALES, answers

from emollms.annotation.correlations import correlation
from emollms.annotation.estimands import LabelledOutcome, ThreeWays, difference, fraction, mean
from emollms.annotation.quantiles import quantile
from emollms.annotation.regression import Regressors, regression
from emollms.evaluation.metrics import Floats, Integers
from emollms.tasks import MultiLabelTask

MODELS = (CHAT_13B, BLOOM)
EMOBANK = ("EmoBank/valence", "EmoBank/arousal", "EmoBank/dominance")
NAMES = (
    "V-reg", "EI-reg", "SST", *EMOBANK, "V-A", "V-M", "V-NYT", "V-T", "V-oc", "EI-oc", "SST5", "TDT", "E-c",
    "GoEmotions",
)  # fmt: skip
TERMS = ("one", "group", "other")
Estimator = Callable[[Integers], ThreeWays]
"""An estimate by the labels of some rows, which are given by their places."""


@dataclass(frozen=True)
class Measured:
    """What intervals are worth.

    Args:
        coverage: how often they hold the truth.
        people: how often those from people's labels alone do.
        naive: how often the usual one of the mean answer does: always, or never, as it is the same in each draw.
        widest: the widest against that from people's labels alone.
        saved: the fraction of labels that people alone would need for the mean width, and that are spared.
    """

    coverage: float
    people: float
    naive: float
    widest: float
    saved: float


@cache
def load(reference_dir: Path, model: str, name: str) -> list[tuple[str, Floats, Floats]]:
    """Gold and predictions on 0..1, by label where there are labels, else once; `EmoBank/valence` is one dimension."""
    name, _, dimension = name.partition("/")
    read = answers(reference_dir, model, name, "lenient")
    if isinstance(read.task, MultiLabelTask):
        said = [one.value if isinstance(one.value, tuple) else () for one in read.parsed]
        sides = (read.gold_labels, said)
        return [
            (label, *(np.array([label in one for one in side], np.float64) for side in sides))
            for label in read.task.labels
        ]
    low, high = SCALES.get(name, (0.0, 1.0))
    own = np.array([not dimension or emotion == dimension for emotion in read.emotions])
    numbers = np.array([np.nan if one.value is None else one.value for one in read.parsed], np.float64)[own]
    numbers = np.where(np.isnan(numbers), np.nanmean(numbers), numbers)
    gold = np.array(read.gold_labels, np.float64)[own]
    return [("", (gold - low) / (high - low), (numbers - low) / (high - low))]


def mean_of(gold: Floats, predicted: Floats, is_fraction: bool = False) -> Estimator:
    """The mean of all rows, or the fraction."""
    statistic = fraction if is_fraction else mean
    return lambda own: statistic(LabelledOutcome(predicted, gold[own], own))


def statistics(gold: Floats, predicted: Floats, other: Floats) -> dict[str, Estimator]:
    """Every kind of estimate of a score.

    Args:
        gold: the score, of all rows.
        predicted: a model's answers.
        other: another number that is known of all rows.
    """
    groups = np.arange(len(gold)) % 3 // 2
    middle = np.median(gold)
    high = ((gold > middle) * 1.0, (predicted > middle) * 1.0)
    # As it is, it may tell all high labels of a draw from all low ones, and a logistic regression has no solution.
    blurred = other + np.random.default_rng(0).normal(0, other.std(), len(other))
    regressors = np.column_stack([np.ones(len(gold)), groups, blurred])

    def outcome(own: Integers) -> LabelledOutcome:
        return LabelledOutcome(predicted, gold[own], own)

    def term(at: int, logistic: bool) -> Estimator:
        def of(own: Integers) -> ThreeWays:
            some = LabelledOutcome(high[1], high[0][own], own) if logistic else outcome(own)
            return regression(some, Regressors(TERMS, regressors, regressors[own]), logistic)[TERMS[at]]

        return of

    return {
        "mean": mean_of(gold, predicted),
        "difference of two groups": lambda own: difference(outcome(own), groups),
        "fraction above the median": mean_of(*high, is_fraction=True),
        "median": lambda own: quantile(outcome(own), 0.5),
        "quantile 0.85": lambda own: quantile(outcome(own), 0.85),
        "correlation": lambda own: correlation(outcome(own), LabelledOutcome(other, other[own], own)),
        **{f"linear regression, {TERMS[at]}": term(at, logistic=False) for at in (1, 2)},
        **{f"logistic regression, {TERMS[at]}": term(at, logistic=True) for at in (1, 2)},
    }


def measure(estimator: Estimator, rows: int, labels: int, draws: int, seed: int = 0) -> Measured:
    """Coverage and saving over random draws of labels."""
    random, truth = np.random.default_rng(seed), estimator(np.arange(rows)).people.value
    found = [estimator(np.sort(random.choice(rows, labels, replace=False))) for _ in range(draws)]
    ours, people, naive = ([getattr(one, way) for one in found] for way in ("rectified", "people", "naive"))
    holds = [float(np.mean([one.low <= truth <= one.high for one in some])) for some in (ours, people, naive)]
    widths = [np.array([one.width for one in some]) for some in (ours, people)]
    saved = (1 - (widths[0].mean() / widths[1].mean()) ** 2) * (1 - labels / rows)
    return Measured(*holds, float((widths[0] / np.maximum(widths[1], 1e-12)).max()), float(saved))


def average(some: Sequence[Measured]) -> Measured:
    columns = np.array([[one.coverage, one.people, one.naive, one.widest, one.saved] for one in some])
    return Measured(*columns[:, :3].mean(axis=0), columns[:, 3].max(), columns[:, 4].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--task", nargs="*", default=NAMES)
    parser.add_argument("--model", nargs="*", default=MODELS)
    parser.add_argument("--every-statistic", action="store_true")
    options = parser.parse_args()
    reference_dir = Path(os.environ["EMOLLMS_CORPORA"]).resolve().parent / "reference"
    print("| model | task | texts | holds the truth | people alone | naive | labels saved | widest |")
    print("| --- | --- " + "| ---: " * 6 + "|")

    def line(model: str, name: str, rows: int, one: Measured) -> None:
        figures = f"{one.coverage:.1%} | {one.people:.1%} | {one.naive:.0%} | {max(0, one.saved):.0%}"
        print(f"| {model} | {name} | {rows:,} | {figures.replace('%', ' %')} | {one.widest:.2f} |", flush=True)

    for model in options.model:
        for name in options.task:
            parts = load(reference_dir, model, name)
            rows = len(parts[0][1])
            if options.every_statistic:
                ((_, gold, said),) = parts
                ((_, _, other),) = load(reference_dir, MODELS[model == MODELS[0]], name)
                for statistic, estimator in statistics(gold, said, other).items():
                    line(model, f"{name}, {statistic}", rows, measure(estimator, rows, options.labels, options.draws))
                continue
            estimators = [mean_of(gold, said, bool(label)) for label, gold, said in parts]
            found = average([measure(one, rows, options.labels, options.draws) for one in estimators])
            line(model, name, rows, found)


if __name__ == "__main__":
    main()
