"""The texts of a data set, each once, with what is known of it for every output of a one-pass classifier.

A data set has a row for each question about a text and each wording of it; here a text is one row whose targets are
gold where a task has it, and NaN elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emollms.dataset.reader import Dataset
from emollms.errors import UsageError
from emollms.inference.heads import Heads, Text, text_of
from emollms.inference.heads_engine import encode
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task
from emollms.training.arguments import TuningArguments
from emollms.training.data import TRAIN, VALIDATION, examples_of, held_out_texts, mixing_weight, task_names
from emollms.training.frozen_layers import Features
from emollms.training.manifest import RowsRecord
from emollms.training.soft_targets import SoftTargets, mixed, with_taught

COLUMNS_OF_A_TEXT = ("text", "input_ids", "targets", "weights")
COLUMNS = (
    "id", "text", "target", "score", "labels", "emotion", "language", "corpus", "spread", "raters", "votes"
)  # fmt: skip
_NOISE = 0.1
"""About the error of a good model, on 0..1: the noise of a gold score counts against it."""
Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class HeadRows:
    """The texts of a run, or of its validation.

    Args:
        ids: the tokens of each text, once, in the order of the data set.
        targets: of shape (texts, outputs), on 0..1; NaN where there is no gold.
        counts: the numbers of training examples, by name of the task.
        rates: of each text, how often it is drawn in an epoch: 1, or less where the data set has a mixing limit.
        seed: of the draws.
        epochs: how many epochs are drawn.
        features: of frozen layers, for the texts that are drawn.
        weights: of each target in the loss, of the shape of `targets`; None where all count alike.
    """

    ids: Sequence[Sequence[int]]
    targets: Floats
    counts: Mapping[str, RowsRecord] = field(default_factory=dict)
    rates: NDArray[np.float64] | None = None
    seed: int = 0
    epochs: int = 1
    features: Features = field(default_factory=dict)
    weights: Floats | None = None

    @cached_property
    def draws(self) -> list[Numbers]:
        """For each epoch the numbers of its texts; all epochs have as many."""
        return [self._draw(epoch) for epoch in range(self.epochs)]

    def _draw(self, epoch: int) -> Numbers:
        if self.rates is None:
            return np.arange(len(self.ids))
        random = np.random.default_rng([self.seed, epoch])
        drawn = []
        for rate in np.unique(self.rates):
            own = np.flatnonzero(self.rates == rate)
            drawn.append(random.permutation(own)[: round(rate * len(own))])
        return np.sort(np.concatenate(drawn))

    @cached_property
    def lengths(self) -> Numbers:
        """Tokens of each text."""
        return np.array([len(one) for one in self.ids], dtype=np.int64)

    @cached_property
    def answer_lengths(self) -> Numbers:
        """Outputs of each text with a loss."""
        return np.asarray((~np.isnan(self.targets)).sum(axis=1), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = {"text": number, "input_ids": self.ids[number], "targets": self.targets[number]}
        return row if self.weights is None else row | {"weights": self.weights[number]}


@dataclass
class Gold:
    """What is known of texts: a text that has two gold labels for a question gets their mean, as their weights do.

    Args:
        heads: the outputs.
    """

    heads: Heads
    places: dict[Text, int] = field(default_factory=dict)
    sums: list[Floats] = field(default_factory=list)
    counts: list[Floats] = field(default_factory=list)
    weight_sums: list[Floats] = field(default_factory=list)

    def add(self, task: Task, row: Mapping[str, Any]) -> None:
        """Take in a row; for its keys see `targets_of`."""
        place = self.places.setdefault(text_of(task, row), len(self.places))
        if place == len(self.sums):
            self.sums.append(np.zeros(len(self.heads.outputs), np.float32))
            self.counts.append(np.zeros(len(self.heads.outputs), np.float32))
            self.weight_sums.append(np.zeros(len(self.heads.outputs), np.float32))
        columns = self.heads.columns(task, row["emotion"])
        found = targets_of(task, row)
        self.sums[place][columns] += np.nan_to_num(found)
        self.counts[place][columns] += ~np.isnan(found)
        self.weight_sums[place][columns] += weight_of(task, row) * ~np.isnan(found)

    @property
    def texts(self) -> list[Text]:
        """The texts, in the order in which they came."""
        return list(self.places)

    def targets(self) -> Floats:
        """Of shape (texts, outputs), on 0..1; NaN where there is no gold."""
        return self._means(self.sums)

    def weights(self) -> Floats:
        """Of each target in the loss, of the same shape; 1 where there is no gold."""
        return np.asarray(np.nan_to_num(self._means(self.weight_sums), nan=1.0), dtype=np.float32)

    def _means(self, sums: Sequence[Floats]) -> Floats:
        shape = len(self.texts), len(self.heads.outputs)
        every, counts = (np.reshape(np.array(one, dtype=np.float32), shape) for one in (sums, self.counts))
        return np.asarray(every / np.where(counts, counts, np.nan), dtype=np.float32)


def targets_of(task: Task, row: Mapping[str, Any]) -> Floats:
    """What the outputs of a question should be, on 0..1; NaN for labels that the corpus did not annotate.

    Where raters differ, classes and labels are soft: the fraction of the votes. A score is the mean of its raters: the
    expected squared error over them is that of their mean, and a constant; see `weight_of`.

    Args:
        task: the task.
        row: with `score`, `labels`, and where there are any `unannotated` and `votes`; or with `soft`, the targets.
    """
    if "soft" in row:
        return np.asarray(row["soft"], dtype=np.float32)
    if isinstance(task, RegressionTask):
        return np.array([row["score"]], dtype=np.float32)
    if isinstance(task, OrdinalTask):
        said = [float(vote) for vote in row.get("votes") or [row["score"]]]
        return np.array([np.mean(np.array(said) >= number) for number in list(task.classes)[1:]], dtype=np.float32)
    assert isinstance(task, MultiLabelTask)
    asked, chosen = task.labels_asked(row), [set(vote.split(", ")) for vote in row.get("votes") or ()]
    votes = chosen or [set(row["labels"])]
    return np.array(
        [sum(label in vote for vote in votes) / len(votes) if label in asked else np.nan for label in task.labels],
        dtype=np.float32,
    )


def weight_of(task: Task, row: Mapping[str, Any]) -> float:
    """How much a gold score counts: less, the less sure its raters make it.

    By the inverse of its variance, where that of a model's error is `_NOISE` squared, and that of the mean of n raters
    their own by n. Classes and labels count alike: their targets are soft.

    Args:
        task: the task.
        row: with `spread`, the standard deviation of the raters on 0..1, and their number `raters`, where it has them.
    """
    spread = row.get("spread")
    if not isinstance(task, RegressionTask) or spread is None:
        return 1.0
    return float(_NOISE**2 / (_NOISE**2 + spread**2 / (row.get("raters") or 1)))


def head_rows(
    data: Dataset | None,
    tokenizer: Any,
    heads: Heads,
    tuning: TuningArguments,
    *,
    max_length: int,
    seed: int,
    soft: SoftTargets | None = None,
) -> HeadRows:
    """The training texts of a data set, and those that a teacher labelled.

    Args:
        data: a data set with a training split; None where a teacher gave all targets.
        tokenizer: of the model, with its cue.
        heads: the outputs.
        tuning: the data settings of a recipe.
        max_length: the most tokens of a text; longer ones are cut.
        seed: of the choice under `train_limit`.
        soft: what a teacher says.

    Raises:
        UsageError: nothing is left of the data set, or an output has no target.
    """
    gold, counts, rates = _gold(data, heads, tuning, seed) if data else (Gold(heads), {}, {})
    texts, targets, weights = gold.texts, gold.targets(), gold.weights()
    drawn = [rates[text] for text in texts]
    if soft is not None:
        texts, targets, weights = mixed(heads, texts, targets, soft, weights)
        counts = with_taught(counts, soft)
        drawn += [1.0] * (len(texts) - len(drawn))
    ids = encode_all(tokenizer, texts, max_length)
    return HeadRows(ids, targets, counts, np.array(drawn), seed, weights=None if (weights == 1).all() else weights)


def _gold(
    data: Dataset, heads: Heads, tuning: TuningArguments, seed: int
) -> tuple[Gold, dict[str, RowsRecord], dict[Text, float]]:
    """The gold of the training texts of a data set, the numbers of examples, and how often each text is drawn."""
    known, gold, counts, rates = held_out_texts(data, tuning), Gold(heads), {}, dict[Text, float]()
    for name in task_names(data, tuning):
        examples = examples_of(data, name, tuning, known, seed, COLUMNS)
        rows = _annotated(data, name, examples.rows.take(pa.array(examples.first)))
        rate = mixing_weight(examples, data.manifest.mixing_limit)
        for row in rows:
            gold.add(get_task(name), row)
            text = text_of(get_task(name), row)
            rates[text] = max(rate, rates.get(text, 0.0))
        counts[name] = RowsRecord(train=len(rows), validation=0, cut_off=0, shared=examples.shared)
    if not gold.places:
        raise UsageError(f"{data.target} has no rows to train on; check tasks and languages")
    return gold, counts, rates


def encode_all(tokenizer: Any, texts: Sequence[Text], max_length: int) -> list[list[int]]:
    """The tokens of texts, some of which come with a target."""
    found: list[list[int]] = [[]] * len(texts)
    for kind in (str, tuple):
        places = [place for place, text in enumerate(texts) if isinstance(text, kind)]
        for place, ids in zip(places, encode(tokenizer, [texts[one] for one in places], max_length), strict=True):
            found[place] = ids
    return found


def _annotated(data: Dataset, task: str, table: pa.Table) -> list[dict[str, Any]]:
    """Rows that say which labels their corpus left out."""
    rows: list[dict[str, Any]] = table.to_pylist()
    kinds = {(row["corpus"], row["language"]) for row in rows}
    # Rows come of both splits where a recipe trains on validation texts too: what either leaves out is not learned.
    left_out = {
        (corpus, code): tuple(
            label for split in (TRAIN, VALIDATION) for label in data.manifest.unannotated(corpus, task, split, code)
        )
        for corpus, code in kinds
    }
    for row in rows:
        row["unannotated"] = left_out[row["corpus"], row["language"]]
    return rows
