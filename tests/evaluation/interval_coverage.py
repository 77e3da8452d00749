"""Coverage and calibration error of intervals on the released models' answers: a table of both models' tasks.

    EMOLLMS_CORPORA=corpora python tests/evaluation/interval_coverage.py --halves 100

Intervals are fitted on a random half of the texts of a task and measured on the other half; the answers lie beside the
corpora, in `reference/`. `--shift` fits on V-reg (tweets) and measures on SST (sentences of film reviews).
"""

import argparse
import os
import re
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.reference_rows import BLOOM, CHAT_13B, SCALES, answers

from emollms.evaluation.conformal import COVERAGE, NEAR, Conformal
from emollms.evaluation.metrics import Flags, Floats
from emollms.evaluation.reliability import calibration_error, reliability
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

MODELS = (CHAT_13B, BLOOM)
SCORES = ("V-reg", "EI-reg", "SST", "EmoBank", "V-A", "V-M", "V-NYT", "V-T")
NAMES = (*SCORES, "V-oc", "EI-oc", "SST5", "TDT", "E-c", "GoEmotions")
# The files have the probabilities of V-oc from 3 down to -3, and those of TDT as 1, 0, -1.
DESCENDING = ("V-oc", "TDT")
DRAWS = 8  # each measured row is given so many draws, evenly spaced: the rate and not one throw of the dice is measured
CLOSE = 1e-9


@dataclass(frozen=True)
class Rows:
    """A model's answers to a task: what `Conformal.fit` takes."""

    task: Task
    predicted: Floats
    gold: Any
    groups: Sequence[Hashable]

    def of(self, chosen: Flags) -> "Rows":
        groups = [group for group, one in zip(self.groups, chosen, strict=True) if one]
        return Rows(self.task, self.predicted[chosen], self.gold[chosen], groups)


class Measured(NamedTuple):
    """What a fit is worth on other rows.

    Args:
        coverage: how often intervals hold the gold score or class; of labels that texts have, how many possibly apply.
        spared: of labels that texts have not, how many do not certainly apply; 1 for scores and classes.
        error: expected calibration error of the confidence.
        chance: what it would be if the confidence were the true probability, by chance alone.
        size: the mean width of intervals of scores, on 0..1; the mean number of classes, or of labels that are neither
            certain nor impossible.
    """

    coverage: float
    spared: float
    error: float
    chance: float
    size: float


def load(reference_dir: Path, model: str, name: str) -> Rows:
    """The rows of a task with an answer, and for classes with probabilities."""
    read = answers(reference_dir, model, name, "lenient")
    task = read.task
    classes = isinstance(task, OrdinalTask)
    used = [
        place
        for place, (parsed, shares) in enumerate(zip(read.parsed, read.probabilities, strict=True))
        if parsed.value is not None and (shares or not classes)
    ]
    values: list[Any] = [read.parsed[place].value for place in used]
    gold = [read.gold_labels[place] for place in used]
    groups = [text_of(read.prompts[place]) for place in used]
    if isinstance(task, RegressionTask):
        low, high = SCALES.get(name, (0.0, 1.0))
        return Rows(task, (np.array(values) - low) / (high - low), (np.array(gold) - low) / (high - low), groups)
    if isinstance(task, OrdinalTask):
        numbers = list(task.classes)
        table = np.array([read.probabilities[place] for place in used])
        table = table[:, ::-1] if name in DESCENDING else table
        return Rows(task, table, np.array([numbers.index(one) for one in gold]), groups)
    assert isinstance(task, MultiLabelTask)
    said = np.array([[float(label in value) for label in task.labels] for value in values])
    return Rows(task, said, np.array([[label in one for label in task.labels] for one in gold]), groups)


def text_of(prompt: str) -> str:
    """The text that a prompt asks about."""
    found = re.search(
        r"(?:Tweet|Text): (.*?)(?: Emotion E: .*)? (?:Intensity|This tweet|This text|Sentiment|Target)", prompt, re.S
    )
    return found[1] if found else prompt


def halves(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """Two random halves of the texts."""
    texts = list(dict.fromkeys(rows.groups))
    order = np.random.default_rng(seed).permutation(len(texts))
    place = dict(zip(texts, order, strict=True))
    first = np.array([place[group] < len(texts) // 2 for group in rows.groups])
    return rows.of(first), rows.of(~first)


def measure(fitted: Conformal, rows: Rows, seed: int = 0) -> Measured:
    """Coverage and calibration error on other rows than those of the fit."""
    random = np.random.default_rng(seed)
    count = len(rows.groups)
    draws = np.concatenate([(part + random.random(count)) / DRAWS for part in range(DRAWS)])
    predicted = np.tile(rows.predicted, (DRAWS, *[1] * (rows.predicted.ndim - 1)))
    gold = np.tile(rows.gold, (DRAWS, *[1] * (rows.gold.ndim - 1)))
    found = fitted.intervals(rows.task, predicted, draws)
    spared = 1.0
    if isinstance(rows.task, RegressionTask):
        coverage = ((found.low - CLOSE <= gold) & (gold <= found.high + CLOSE)).mean()
        right = np.abs(predicted - gold) <= NEAR + CLOSE
        size = (found.high - found.low).mean()
    elif isinstance(rows.task, OrdinalTask):
        coverage = ((found.low <= gold) & (gold <= found.high)).mean()
        assert found.probabilities is not None
        right = found.probabilities.argmax(axis=1) == gold
        size = (found.high - found.low + 1).mean()
    else:
        coverage, spared = found.high[gold].mean(), (~found.low)[~gold].mean()
        right = ((predicted >= 0.5) == gold).all(axis=1)
        size = (found.high & ~found.low).sum(axis=1).mean()
    confidence = found.confidence[:count]
    error = calibration_error(reliability(confidence, right[:count]))
    chances = [calibration_error(reliability(confidence, random.random(count) < confidence)) for _ in range(8)]
    return Measured(float(coverage), float(spared), error, float(np.mean(chances)), float(size))


def over_halves(rows: Rows, count: int, coverage: float = COVERAGE) -> list[Measured]:
    """What fits on `count` random halves are worth on the other half."""
    found = []
    for seed in range(count):
        fitting, measured = halves(rows, seed)
        fitted = Conformal.fit(rows.task, fitting.predicted, fitting.gold, fitting.groups, coverage, seed=seed)
        found.append(measure(fitted, measured, seed))
    return found


def shift(reference_dir: Path, model: str) -> tuple[Measured, Measured]:
    """Fitted on all tweets of V-reg: measured on a half of them after a fit on the other, and on SST."""
    tweets, reviews = load(reference_dir, model, "V-reg"), load(reference_dir, model, "SST")
    fitted = Conformal.fit(tweets.task, tweets.predicted, tweets.gold, tweets.groups)
    own = over_halves(tweets, 20)
    return Measured(*np.mean(own, axis=0).tolist()), measure(fitted, reviews)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--halves", type=int, default=20)
    parser.add_argument("--task", nargs="*", default=NAMES)
    parser.add_argument("--shift", action="store_true")
    options = parser.parse_args()
    reference_dir = Path(os.environ["EMOLLMS_CORPORA"]).resolve().parent / "reference"
    if options.shift:
        print(
            "| model | coverage on V-reg | on SST | calibration error on V-reg | on SST |\n| --- " + "| ---: " * 4 + "|"
        )
        for model in MODELS:
            own, other = shift(reference_dir, model)
            print(f"| {model} | {own.coverage:.3f} | {other.coverage:.3f} | {own.error:.3f} | {other.error:.3f} |")
        return
    print("| model | task | rows | coverage | mean error | not certain | size | ECE | by chance |")
    print("| --- | --- " + "| ---: " * 7 + "|")
    for model in MODELS:
        for name in options.task:
            rows = load(reference_dir, model, name)
            found = np.array(over_halves(rows, options.halves))
            coverage, spared, error, chance, size = found.mean(axis=0)
            off = np.abs(found[:, 0] - COVERAGE).mean()
            told = f"{spared:.3f}" if isinstance(rows.task, MultiLabelTask) else ""
            print(
                f"| {model} | {name} | {len(rows.groups)} | {coverage:.3f} | {off:.3f} | {told} | {size:.2f} "
                f"| {error:.3f} | {chance:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
