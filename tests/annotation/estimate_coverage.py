"""How often intervals of estimates hold the truth, and what they save, on the answers of the released models.

    EMOLLMS_CORPORA=corpora python tests/annotation/estimate_coverage.py --labels 100 --draws 2000

Of each task the gold of all rows is known: the truth is their mean, or the fraction of a label. Each draw reveals the
gold of some rows at random. The answers lie beside the corpora, in `reference/`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.reference_rows import BLOOM, CHAT_13B, SCALES, answers

from emollms.annotation.annotated_tables import Floats
from emollms.annotation.estimands import LabelledOutcome, ThreeWays, fraction, mean
from emollms.tasks import MultiLabelTask

MODELS = (CHAT_13B, BLOOM)
NAMES = (
    "V-reg", "EI-reg", "SST", "EmoBank", "V-A", "V-M", "V-NYT", "V-T", "V-oc", "EI-oc", "SST5", "TDT", "E-c",
    "GoEmotions",
)  # fmt: skip


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


def load(reference_dir: Path, model: str, name: str) -> list[tuple[str, Floats, Floats]]:
    """Gold and predictions on 0..1, by label where there are labels, else once."""
    read = answers(reference_dir, model, name, "lenient")
    if isinstance(read.task, MultiLabelTask):
        said = [one.value if isinstance(one.value, tuple) else () for one in read.parsed]
        sides = (read.gold_labels, said)
        return [
            (label, *(np.array([label in one for one in side], np.float64) for side in sides))
            for label in read.task.labels
        ]
    low, high = SCALES.get(name, (0.0, 1.0))
    numbers = np.array([np.nan if one.value is None else one.value for one in read.parsed], np.float64)
    numbers = np.where(np.isnan(numbers), np.nanmean(numbers), numbers)
    return [("", (np.array(read.gold_labels, np.float64) - low) / (high - low), (numbers - low) / (high - low))]


def measure(
    gold: Floats, predicted: Floats, labels: int, draws: int, is_fraction: bool = False, seed: int = 0
) -> Measured:
    """Coverage and saving over random draws of labels."""
    random, truth, rows = np.random.default_rng(seed), gold.mean(), len(gold)
    found: list[ThreeWays] = []
    for _ in range(draws):
        labelled = np.sort(random.choice(rows, labels, replace=False))
        found.append((fraction if is_fraction else mean)(LabelledOutcome(predicted, gold[labelled], labelled)))
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
    options = parser.parse_args()
    reference_dir = Path(os.environ["EMOLLMS_CORPORA"]).resolve().parent / "reference"
    print("| model | task | texts | holds the truth | people alone | naive | labels saved |")
    print("| --- | --- " + "| ---: " * 5 + "|")
    for model in MODELS:
        for name in options.task:
            parts = load(reference_dir, model, name)
            one = average(
                [measure(gold, said, options.labels, options.draws, bool(label)) for label, gold, said in parts]
            )
            figures = f"{one.coverage:.1%} | {one.people:.1%} | {one.naive:.0%} | {max(0, one.saved):.0%}"
            print(f"| {model} | {name} | {len(parts[0][1]):,} | {figures.replace('%', ' %')} |", flush=True)


if __name__ == "__main__":
    main()
