"""The training and validation rows of a data set, drawn and tokenized.

An example is a text with its label; in the data set it has a row for each wording of the instruction.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset as TokenDataset
from datasets.table import InMemoryTable
from numpy.typing import NDArray

from emollms.dataset.held_out import is_held_out
from emollms.dataset.reader import Dataset, Row, one_wording, sample
from emollms.dedup.normalize import normalize
from emollms.errors import UsageError, unknown
from emollms.inference.encoding import PromptEncoder
from emollms.tasks import TASKS, RegressionTask, get_task
from emollms.training.arguments import TuningArguments, Wordings
from emollms.training.expected_value_loss import NumberTrees
from emollms.training.manifest import RowsRecord
from emollms.training.tokenize import NO_NODE, encode

TRAIN, VALIDATION = "train", "validation"
COLUMNS = ("id", "text", "prompt", "completion", "score", "language")
PORTION = 8192  # rows that are tokenized at a time
Numbers = NDArray[np.int64]
_WORDING = re.compile(r"/[^/]+$")


@dataclass(frozen=True)
class Examples:
    """The training examples of one task: each is a sequence of rows that differ only in their wording.

    Args:
        rows: the rows.
        first: the first row of each example.
        count: the number of its wordings.
        shared: examples that were left out because their text also appears in validation.
    """

    rows: pa.Table
    first: Numbers
    count: Numbers
    shared: int

    def units(self, wordings: Wordings) -> int:
        """Rows of an epoch, before task weights."""
        return int(self.count.sum()) if wordings == "all" else len(self.first)


@dataclass(frozen=True)
class TrainingRows:
    """The tokens of all rows that a run draws, and the draws.

    Args:
        tokens: columns `input_ids`, `labels`, `nodes`, `gold`, `length`.
        draws: for each epoch the indices of its rows in `tokens`; all epochs have the same number of rows.
        trees: finds the nodes of number trees.
        counts: the numbers of rows, by name of the task.
    """

    tokens: TokenDataset
    draws: Sequence[Numbers]
    trees: NumberTrees
    counts: Mapping[str, RowsRecord]

    @cached_property
    def lengths(self) -> Numbers:
        """Tokens of each row."""
        return np.asarray(self.tokens["length"], dtype=np.int64)

    @cached_property
    def answer_lengths(self) -> Numbers:
        """Tokens of each row with a loss."""
        return np.asarray(pc.list_value_length(self.tokens.data["labels"]), dtype=np.int64)


def training_rows(
    data: Dataset,
    encoder: PromptEncoder,
    tuning: TuningArguments,
    *,
    epochs: Callable[[int], float],
    max_length: int | None,
    seed: int,
) -> TrainingRows:
    """The rows of a run.

    Args:
        data: a data set with a training split.
        encoder: prompts as tokens of the model.
        tuning: the data settings of a recipe.
        epochs: the number of epochs, given the rows of one; each epoch has its own draw.
        max_length: the most tokens of a row; examples that exceed it in any epoch are left out, and counted.
        seed: of the draws.

    Raises:
        UsageError: the data set has no such task or language, or nothing is left of it.
    """
    names = task_names(data, tuning)
    known = held_out_texts(data, tuning)
    examples = {name: examples_of(data, name, tuning, known, seed) for name in names}
    limit = data.manifest.mixing_limit
    weights = {name: tuning.task_weights.get(name, mixing_weight(own, limit)) for name, own in examples.items()}
    size = sum(_size(own.units(tuning.wordings), weights[name]) for name, own in examples.items())
    if not size:
        raise UsageError(f"{data.target} has no rows to train on; check tasks, languages and task_weights")
    trees, drawn, offset = NumberTrees(encoder), [], 0
    for number, (name, own) in enumerate(examples.items()):
        found = _draw(encoder, name, own, tuning, weights[name], trees, ceil(epochs(size)), max_length, [seed, number])
        drawn.append(replace(found, epochs=[rows + offset for rows in found.epochs]))
        offset += len(found.tokens)
    tokens = TokenDataset(InMemoryTable(pa.concat_tables([one.tokens for one in drawn])))
    draws = [np.concatenate(own) for own in zip(*(one.epochs for one in drawn), strict=True)]
    if not len(draws[0]):
        raise UsageError(f"every row of {data.target} is longer than {max_length} tokens; increase max_length")
    return TrainingRows(tokens, draws, trees, dict(zip(names, (one.count for one in drawn), strict=True)))


def task_names(data: Dataset, tuning: TuningArguments) -> list[str]:
    """The tasks of a run.

    Raises:
        UsageError: there is no such task, or the data set lacks it.
    """
    for name in tuning.task_weights:  # a recipe may weigh tasks that a data set lacks
        if name not in TASKS:
            raise unknown("task in task_weights", name, TASKS)
    return [task.name for task in data.tasks(TRAIN, tuning.tasks or ())]


@dataclass(frozen=True)
class _Drawn:
    """The rows that are drawn of one task: for each epoch their indices in `tokens`."""

    tokens: pa.Table
    epochs: Sequence[Numbers]
    count: RowsRecord


def _draw(
    encoder: PromptEncoder, name: str, examples: Examples, tuning: TuningArguments, weight: float, trees: NumberTrees,
    epochs: int, max_length: int | None, seed: Sequence[int],
) -> _Drawn:  # fmt: skip
    """Draw the rows of one task, and tokenize those that some epoch needs."""
    units = _units(examples, tuning, epochs, seed)
    chosen = [_weighted(np.arange(units.shape[1]), weight, [*seed, epoch]) for epoch in range(epochs)]
    drawn = [own[picked] for own, picked in zip(units, chosen, strict=True)]
    needed = np.unique(np.concatenate(drawn))
    tokens = _tokens(encoder, examples.rows.take(pa.array(needed)), trees, name)
    limit = np.iinfo(np.int64).max if max_length is None else max_length
    long = needed[np.asarray(tokens["length"], dtype=np.int64) > limit]
    # An example is left out of every epoch if any of its drawn wordings is too long: epochs must be of one length.
    kept = np.ones(units.shape[1], np.bool_)
    for own, picked in zip(drawn, chosen, strict=True):
        kept[picked[np.isin(own, long)]] = False
    found = [np.searchsorted(needed, own[kept[picked]]) for own, picked in zip(drawn, chosen, strict=True)]
    size = min(map(len, found))  # where epochs draw different examples, some lose more than others
    count = RowsRecord(train=int(kept.sum()), validation=0, cut_off=int((~kept).sum()), shared=examples.shared)
    return _Drawn(tokens, [own[:size] for own in found], count)


def validation_rows(data: Dataset, tuning: TuningArguments, seed: int) -> dict[str, list[Row]]:
    """The validation rows of an evaluation, by name of the task: each text and emotion with one wording.

    Raises:
        UsageError: the data set has no validation split.
    """
    found = {}
    for task in data.tasks(VALIDATION, tuning.tasks or ()):
        rows = data.rows(task.name, VALIDATION)
        kept = is_held_out(pa.array([row["text"] for row in rows]), tuning.validation_fraction)
        rows = [row for row, is_kept in zip(rows, kept, strict=True) if is_kept and _is_of(row, tuning)]
        found[task.name] = sample(one_wording(rows, seed), tuning.selection_rows, seed)
    return {name: rows for name, rows in found.items() if rows}


def validation_tokens(
    data: Dataset, encoder: PromptEncoder, chosen: Mapping[str, Sequence[Row]], trees: NumberTrees
) -> TokenDataset:
    """The tokens of validation rows, for their loss; columns as those of `TrainingRows.tokens`."""
    parts = []
    for name, rows in chosen.items():
        table = data.table(name, VALIDATION, COLUMNS)
        own = table.filter(pc.is_in(table["id"], pa.array([row["id"] for row in rows])))
        parts.append(_tokens(encoder, own, trees, name))
    return TokenDataset(InMemoryTable(pa.concat_tables(parts)))


def _is_of(row: Row, tuning: TuningArguments) -> bool:
    return not tuning.languages or row["language"] in tuning.languages


def held_out_texts(data: Dataset, tuning: TuningArguments) -> pa.Array:
    """The texts of validation, normalized, that are trained on for no task."""
    texts = split_texts(data, VALIDATION)
    return texts.filter(pa.array(is_held_out(texts, tuning.validation_fraction)))


def split_texts(data: Dataset, *splits: str) -> pa.Array:
    """The texts of some splits of all tasks, normalized."""
    here = {(count.task, count.split) for count in data.manifest.counts if count.split in splits and count.rows}
    columns = [data.table(name, split, ["text"])["text"].unique() for name, split in sorted(here)]
    return pc.unique(normalize(pa.concat_arrays(columns))) if columns else pa.array([], pa.large_string())


def examples_of(
    data: Dataset,
    name: str,
    tuning: TuningArguments,
    known: pa.Array,
    seed: int,
    columns: Sequence[str] = COLUMNS,
) -> Examples:
    """The training examples of a task whose texts are not among the `known` ones.

    Args:
        data: the data set.
        name: of the task.
        tuning: the data settings of a recipe.
        known: the texts that stay in validation.
        seed: of the choice under `train_limit`.
        columns: of the rows; `id`, `text` and `language` among them.
    """
    rows = data.table(name, TRAIN, columns)
    if tuning.validation_fraction < 1 and name in {task.name for task in data.tasks(VALIDATION)}:
        more = data.table(name, VALIDATION, columns)
        trained = ~is_held_out(more["text"], tuning.validation_fraction)
        rows = pa.concat_tables([rows, more.filter(pa.array(trained))])
    if tuning.languages:
        rows = rows.filter(pc.is_in(rows["language"], pa.array(tuning.languages)))
    stems = np.array([_WORDING.sub("", row_id) for row_id in rows["id"].to_pylist()], dtype=object)
    first = np.flatnonzero(np.r_[True, stems[1:] != stems[:-1]]) if len(stems) else np.zeros(0, np.int64)
    count = np.diff(np.r_[first, len(stems)])
    texts = normalize(rows["text"].take(pa.array(first)))
    apart = ~np.asarray(pc.is_in(texts, known))
    shared = int((~apart).sum())
    first, count = first[apart], count[apart]
    if tuning.train_limit is not None and tuning.train_limit < len(first):
        chosen = np.sort(np.random.default_rng(seed).permutation(len(first))[: tuning.train_limit])
        first, count = first[chosen], count[chosen]
    return Examples(rows, first, count, shared)


def _units(examples: Examples, tuning: TuningArguments, epochs: int, seed: Sequence[int]) -> Numbers:
    """Row indices of shape (epochs, units); a unit is an example with one drawn wording, or each of its rows."""
    if tuning.wordings == "all":
        spans = [np.arange(first, first + count) for first, count in zip(examples.first, examples.count, strict=True)]
        return np.tile(np.concatenate([np.zeros(0, np.int64), *spans]), (epochs, 1))
    drawn = np.random.default_rng(list(seed)).integers(examples.count, size=(epochs, len(examples.first)))
    return examples.first + drawn


def mixing_weight(examples: Examples, limit: int | None) -> float:
    """The weight that takes a task to the limit of its data set, where it has more examples; otherwise 1."""
    count = len(examples.first)
    return 1.0 if limit is None or count <= limit else limit / count


def _size(units: int, weight: float) -> int:
    """The number of rows that `_weighted` returns."""
    whole, part = divmod(weight, 1.0)
    return units * int(whole) + round(part * units)


def _weighted(units: Numbers, weight: float, seed: Sequence[int]) -> Numbers:
    """Each unit `weight` times: the whole part for all, and a random sample once more for the fraction."""
    whole, part = divmod(weight, 1.0)
    more = np.random.default_rng(list(seed)).permutation(len(units))[: round(part * len(units))]
    return np.concatenate([np.repeat(units, int(whole)), units[np.sort(more)]])


def _tokens(encoder: PromptEncoder, rows: pa.Table, trees: NumberTrees, name: str) -> pa.Table:
    """The tokens of rows, with the nodes of their gold numbers."""
    is_number = isinstance(get_task(name), RegressionTask)
    parts = []
    for start in range(0, max(len(rows), 1), PORTION):
        portion = rows.slice(start, PORTION)
        prompts, answers = portion["prompt"].to_pylist(), portion["completion"].to_pylist()
        found = encode(encoder, prompts, answers)
        nodes = [
            trees.path(prompt, row.labels) if is_number else [NO_NODE] * len(row.labels)
            for prompt, row in zip(prompts, found, strict=True)
        ]
        columns = {
            "input_ids": pa.array([row.ids for row in found], pa.list_(pa.int32())),
            "labels": pa.array([row.labels for row in found], pa.list_(pa.int32())),
            "nodes": pa.array(nodes, pa.list_(pa.int32())),
            "gold": pa.array(np.nan_to_num([float(a) if is_number else 0.0 for a in answers]), pa.float64()),
            "length": pa.array([len(row.ids) for row in found], pa.int64()),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)
