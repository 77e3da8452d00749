"""What training draws from: the examples of a data set, each with its wordings, as tokens."""

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

from emollms.dataset.reader import Dataset, Row, one_wording, sample
from emollms.dedup.normalize import normalize
from emollms.errors import UsageError, unknown
from emollms.inference.encoding import PromptEncoder
from emollms.tasks import RegressionTask, get_task
from emollms.training.arguments import TuningArguments, Wordings
from emollms.training.expected_value_loss import NO_NODE, NumberTrees
from emollms.training.manifest import RowsRecord
from emollms.training.tokenize import encode

TRAIN, VALIDATION = "train", "validation"
COLUMNS = ("id", "text", "prompt", "completion", "score", "language")
PORTION = 8192  # rows that are made tokens at a time
Numbers = NDArray[np.int64]
_WORDING = re.compile(r"/\d+$")


@dataclass(frozen=True)
class Examples:
    """The training examples of one task: each a run of rows that differ in their wording alone.

    Args:
        rows: the rows, with `COLUMNS`.
        first: where each example begins in them.
        count: how many wordings it has.
        shared: examples that were left out because their text stands in validation.
    """

    rows: pa.Table
    first: Numbers
    count: Numbers
    shared: int

    def units(self, wordings: Wordings) -> int:
        """How many rows an epoch takes, before weights."""
        return int(self.count.sum()) if wordings == "all" else len(self.first)


@dataclass(frozen=True)
class TrainingRows:
    """Tokens of all rows that a run may draw, and the way to draw them.

    Args:
        tokens: columns `input_ids`, `labels`, `nodes`, `gold`, `length`.
        draws: for each epoch the numbers of its rows in `tokens`, each epoch in one and the same number.
        trees: finds the nodes of number trees.
        counts: what there is, by name of the task.
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
        """Tokens of each row that are learnt."""
        return np.asarray(pc.list_value_length(self.tokens.data["labels"]), dtype=np.int64)


def training_rows(
    data: Dataset,
    codec: PromptEncoder,
    tuning: TuningArguments,
    *,
    epochs: Callable[[int], float],
    max_length: int | None,
    seed: int,
) -> TrainingRows:
    """The rows of a run.

    Args:
        data: a data set with a training split.
        codec: the tokenizer of the model.
        tuning: the data that a recipe asks for.
        epochs: the rows of an epoch to the passes over the data; each pass has draws of its own.
        max_length: the most tokens of a row; examples with a longer one are left out, and counted.
        seed: decides the draws.

    Raises:
        UsageError: the data set has no such task or language, or nothing is left of it.
    """
    names = [task.name for task in data.tasks(TRAIN, tuning.tasks or ())]
    there = [task.name for task in data.tasks(TRAIN, ())]
    for name in tuning.task_weights:  # those of a task that is not asked for do no harm
        if name not in there:
            raise unknown("task in task_weights", name, there)
    known = _validation_texts(data)
    examples = {name: _examples(data, name, tuning, known, seed) for name in names}
    size = sum(_size(own.units(tuning.wordings), tuning.task_weights.get(name, 1.0)) for name, own in examples.items())
    if not size:
        raise UsageError(f"{data.target} has no row to train on; look at tasks, languages and task_weights")
    trees, drawn, offset = NumberTrees(codec), [], 0
    for number, (name, own) in enumerate(examples.items()):
        found = _draw(codec, name, own, tuning, trees, ceil(epochs(size)), max_length, [seed, number])
        drawn.append(replace(found, epochs=[rows + offset for rows in found.epochs]))
        offset += len(found.tokens)
    tokens = TokenDataset(InMemoryTable(pa.concat_tables([one.tokens for one in drawn])))
    draws = [np.concatenate(own) for own in zip(*(one.epochs for one in drawn), strict=True)]
    if not len(draws[0]):
        raise UsageError(f"every row of {data.target} is longer than {max_length} tokens; raise max_length")
    return TrainingRows(tokens, draws, trees, dict(zip(names, (one.count for one in drawn), strict=True)))


@dataclass(frozen=True)
class _Drawn:
    """The rows that are drawn of one task: for each epoch their numbers in `tokens`."""

    tokens: pa.Table
    epochs: Sequence[Numbers]
    count: RowsRecord


def _draw(
    codec: PromptEncoder, name: str, examples: Examples, tuning: TuningArguments, trees: NumberTrees, epochs: int,
    max_length: int | None, seed: Sequence[int],
) -> _Drawn:  # fmt: skip
    """Draw the rows of one task, and make those tokens that some epoch needs."""
    units = _units(examples, tuning, epochs, seed)
    needed = np.unique(units)
    tokens = _tokens(codec, examples.rows.take(pa.array(needed)), trees, name)
    places = np.searchsorted(needed, units)
    limit = np.iinfo(np.int64).max if max_length is None else max_length
    kept = (np.asarray(tokens["length"], dtype=np.int64)[places] <= limit).all(axis=0)
    weight = tuning.task_weights.get(name, 1.0)
    chosen = [_weighted(own[kept], weight, [*seed, epoch]) for epoch, own in enumerate(places)]
    count = RowsRecord(train=int(kept.sum()), validation=0, cut_off=int((~kept).sum()), shared=examples.shared)
    return _Drawn(tokens, chosen, count)


def validation_rows(data: Dataset, tuning: TuningArguments, seed: int) -> dict[str, list[Row]]:
    """The validation rows that are looked at, by name of the task: each text and emotion with one wording.

    Raises:
        UsageError: the data set has no validation split.
    """
    found = {}
    for task in data.tasks(VALIDATION, tuning.tasks or ()):
        rows = [row for row in data.rows(task.name, VALIDATION) if not tuning.languages or _is_of(row, tuning)]
        found[task.name] = sample(one_wording(rows, seed), tuning.selection_rows, seed)
    return {name: rows for name, rows in found.items() if rows}


def validation_tokens(
    data: Dataset, codec: PromptEncoder, chosen: Mapping[str, Sequence[Row]], trees: NumberTrees
) -> TokenDataset:
    """The tokens of validation rows, for their loss; columns as those of `TrainingRows.tokens`."""
    parts = []
    for name, rows in chosen.items():
        table = data.table(name, VALIDATION, COLUMNS)
        own = table.filter(pc.is_in(table["id"], pa.array([row["id"] for row in rows])))
        parts.append(_tokens(codec, own, trees, name))
    return TokenDataset(InMemoryTable(pa.concat_tables(parts)))


def _is_of(row: Row, tuning: TuningArguments) -> bool:
    return row["language"] in (tuning.languages or ())


def _validation_texts(data: Dataset) -> pa.Array:
    """Every text of the validation split, of whatever task, in the form in which texts are compared."""
    here = {count.task for count in data.manifest.counts if count.split == VALIDATION and count.rows}
    columns = [data.table(name, VALIDATION, ["text"])["text"].unique() for name in sorted(here)]
    return pc.unique(normalize(pa.concat_arrays(columns))) if columns else pa.array([], pa.large_string())


def _examples(data: Dataset, name: str, tuning: TuningArguments, known: pa.Array, seed: int) -> Examples:
    rows = data.table(name, TRAIN, COLUMNS)
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
    """Rows by epoch and unit, shape (epochs, units): a unit is an example with one wording, or each of its rows."""
    if tuning.wordings == "all":
        spans = [np.arange(first, first + count) for first, count in zip(examples.first, examples.count, strict=True)]
        return np.tile(np.concatenate([np.zeros(0, np.int64), *spans]), (epochs, 1))
    drawn = np.random.default_rng(list(seed)).integers(examples.count, size=(epochs, len(examples.first)))
    return examples.first + drawn


def _size(units: int, weight: float) -> int:
    """How many rows `_weighted` gives."""
    whole, part = divmod(weight, 1.0)
    return units * int(whole) + round(part * units)


def _weighted(units: Numbers, weight: float, seed: Sequence[int]) -> Numbers:
    """Each unit `weight` times: whole times all of them, and a part of them once more."""
    whole, part = divmod(weight, 1.0)
    more = np.random.default_rng(list(seed)).permutation(len(units))[: round(part * len(units))]
    return np.concatenate([np.repeat(units, int(whole)), units[np.sort(more)]])


def _tokens(codec: PromptEncoder, rows: pa.Table, trees: NumberTrees, name: str) -> pa.Table:
    """The tokens of rows, with the nodes of the numbers that they are to say."""
    is_number = isinstance(get_task(name), RegressionTask)
    parts = []
    for start in range(0, max(len(rows), 1), PORTION):
        portion = rows.slice(start, PORTION)
        prompts, answers = portion["prompt"].to_pylist(), portion["completion"].to_pylist()
        found = encode(codec, prompts, answers)
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
