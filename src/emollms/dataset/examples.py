"""Examples on their way: one Arrow file a task and split, read back by memory map."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa

from emollms.corpora.base import Example, Profile
from emollms.corpora.ratings import Value
from emollms.dataset.schema import EXAMPLE_SCHEMA
from emollms.pii.mask import mask, mask_column
from emollms.prompts.answers import answer
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, get_task


def mask_texts(examples: pa.RecordBatch) -> pa.RecordBatch:
    """Examples with masked texts, and targets masked as they are in their texts.

    Args:
        examples: examples, with `EXAMPLE_SCHEMA`.
    """
    texts = mask_column(examples["text"])
    targets = examples["target"]
    if targets.null_count < len(targets):
        rows = zip(examples["text"].to_pylist(), texts.to_pylist(), targets.to_pylist(), strict=True)
        targets = pa.array([_target(*row) for row in rows], targets.type)
    for name, column in {"text": texts, "target": targets}.items():
        examples = examples.set_column(examples.schema.get_field_index(name), examples.schema.field(name), column)
    return examples


def _target(text: str, masked: str, target: str | None) -> str | None:
    """A target with the placeholders that it has in its text; None where the text no longer names it."""
    if target is None or target not in text:
        return target and mask(target)
    alone = " ".join(target.split())
    shown = mask(f"{text}\n{alone}").rpartition("\n")[2]  # numbers placeholders as in the text
    return shown if shown in " ".join(masked.split()) else None


BATCH = 500
DECIMALS = 12
"""Decimals of scores: corpora give at most eleven (means of ratings), and float noise, as in 0.30000000000000004, comes
after the fifteenth."""
Group = tuple[str, str]
"""A task and a split."""


class ExampleStore:
    """Examples on disk, in the order in which they came.

    Memory does not grow with their number: at most `BATCH` examples a group are held.

    Args:
        folder: a new folder for the files.
        profile: the profile of the data set.

    Attributes:
        rows: how many examples each group has.
    """

    def __init__(self, folder: Path, profile: Profile = "release") -> None:
        folder.mkdir()
        self.folder, self.profile = folder, profile
        self.rows: Counter[Group] = Counter()
        self._waiting: dict[Group, list[tuple[str, Example]]] = {}
        self._writers: dict[Group, pa.ipc.RecordBatchFileWriter] = {}

    def add(self, corpus: str, example: Example) -> None:
        """Take in an example of a corpus."""
        group = (example.task, example.split)
        waiting = self._waiting.setdefault(group, [])
        waiting.append((corpus, example))
        self.rows[group] += 1
        if len(waiting) == BATCH:
            self._write(group)

    def close(self) -> None:
        """Write what waits; nothing can be added after that."""
        for group in self._waiting:
            self._write(group)
        for writer in self._writers.values():
            writer.close()

    def groups(self) -> list[Group]:
        """Task and split of all examples, in the order of their first one."""
        return list(self._waiting)

    def batches(self, group: Group) -> Iterator[pa.RecordBatch]:
        """The examples of a group, with `EXAMPLE_SCHEMA`."""
        with pa.memory_map(str(self._path(group))) as stream, pa.ipc.open_file(stream) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def _path(self, group: Group) -> Path:
        return self.folder / f"{group[0]}.{group[1]}.arrow"

    def _write(self, group: Group) -> None:
        waiting, self._waiting[group] = self._waiting[group], []
        if group not in self._writers:
            self._writers[group] = pa.ipc.new_file(str(self._path(group)), EXAMPLE_SCHEMA)
        if waiting:
            self._writers[group].write_batch(to_arrow(group[0], waiting, self.profile))


def to_arrow(task_name: str, rows: list[tuple[str, Example]], profile: Profile = "release") -> pa.RecordBatch:
    """Examples of a task, each with the name of its corpus, as a batch with `EXAMPLE_SCHEMA`.

    Args:
        task_name: the task.
        rows: the examples.
        profile: `release` rounds scores to `DECIMALS`; `paper` leaves them and the answers made of them as they were.
    """
    decimals = DECIMALS if profile == "release" else None
    graded = [_grade(task_name, example.value, example.emotion, decimals) for _, example in rows]
    columns = {
        "source_id": [example.source_id for _, example in rows],
        "text": [example.text for _, example in rows],
        "completion": [completion for completion, _, _, _ in graded],
        "gold": [_gold(example, decimals) for _, example in rows],
        "score": [score for _, score, _, _ in graded],
        "label": [label for _, _, label, _ in graded],
        "labels": [labels for _, _, _, labels in graded],
        "emotion": [example.emotion for _, example in rows],
        "target": [example.target for _, example in rows],
        "language": [example.language for _, example in rows],
        "corpus": [corpus for corpus, _ in rows],
        "spread": [example.spread and round(example.spread, DECIMALS) for _, example in rows],
        "raters": [example.raters for _, example in rows],
        "votes": [[_vote(vote, example) for vote in example.votes] for _, example in rows],
    }
    return pa.record_batch(columns, schema=EXAMPLE_SCHEMA)


def _gold(example: Example, decimals: int | None) -> str:
    """The gold as its corpus has it, without the float noise of a number such as 0.30000000000000004."""
    value, gold = example.value, example.gold
    if decimals is None or not isinstance(value, float) or value == round(value, decimals):
        return gold
    try:
        return str(round(value, decimals)) if float(gold) == value else gold
    except ValueError:
        return gold


def _vote(vote: Value, example: Example) -> str:
    """What a rater said, as text: a number, or labels."""
    if not isinstance(vote, tuple):
        return f"{vote:.{DECIMALS}g}"
    task = get_task(example.task)
    return ", ".join(vote) or (isinstance(task, MultiLabelTask) and task.nothing) or ""


@cache
def _grade(
    task_name: str, value: Value, emotion: str | None, decimals: int | None
) -> tuple[str, float | None, int | None, list[str]]:
    """Completion, score, label and labels of a value; few values differ, so each is worked out once."""
    task = get_task(task_name)
    if isinstance(task, RegressionTask) and isinstance(value, float):
        score = task.to_unit(value) if decimals is None else round(task.to_unit(round(value, decimals)), decimals)
        return answer(task, score, emotion), score, None, []
    if isinstance(task, OrdinalTask) and isinstance(value, int):
        return answer(task, value, emotion), float(value), list(task.classes).index(value), []
    if isinstance(task, MultiLabelTask) and isinstance(value, tuple):
        return answer(task, value), None, None, [label for label in task.labels if label in value]
    raise TypeError(f"{task_name} takes no {type(value).__name__}")
