"""Soft targets: what a teacher says of texts, beside the gold of a data set, for one-pass classifiers.

A teacher fills in what a text has no gold for; where it has, `alpha` is the teacher's part of the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emollms.dataset.reader import Dataset, Row, sample
from emollms.dedup.normalize import normalize
from emollms.errors import UsageError
from emollms.inference.heads import Heads, Text
from emollms.progress import OnProgress
from emollms.tasks import TASKS, Task
from emollms.training.arguments import TuningArguments
from emollms.training.data import task_names, validation_rows
from emollms.training.manifest import RowsRecord, TeacherRecord

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SoftTargets:
    """What a teacher says of texts.

    Args:
        heads: the outputs of the tasks that it was asked.
        texts: the texts to train on, no two of which are normalized alike.
        targets: of shape (texts, outputs), on 0..1; NaN where the teacher has no answer.
        record: who the teacher is, and which texts it labelled.
        validation: rows of texts that are not trained on, by name of the task; their gold is what the teacher says, and
            `soft` their targets. Empty where a data set has validation rows.
    """

    heads: Heads
    texts: Sequence[str]
    targets: Floats
    record: TeacherRecord
    validation: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """The number of texts with a target, by name of the task."""
        known = ~np.isnan(self.targets)
        return {name: int(known[:, _columns(self.heads, name)].any(axis=1).sum()) for name in self.heads.tasks}


class TargetSource(Protocol):
    """Where soft targets come from."""

    def settings(self) -> dict[str, object]:
        """What they depend on; a run is resumed only with equal settings."""
        ...

    def targets(self, on_progress: OnProgress) -> SoftTargets:
        """Make them, or read those that were made; called once, when the folder of the run is there and locked."""
        ...


def tasks_of(data: Dataset | None, tuning: TuningArguments, soft: SoftTargets | None) -> list[Task]:
    """The tasks of a run: those of its data set, and those that its teacher was asked."""
    names = {*(task_names(data, tuning) if data else ()), *(soft.heads.tasks if soft else ())}
    return [task for name, task in TASKS.items() if name in names]


def held_out_rows(
    data: Dataset | None, soft: SoftTargets | None, tuning: TuningArguments, seed: int
) -> dict[str, list[Row]]:
    """The validation rows of an evaluation, by name of the task: those of the data set, or else of the teacher."""
    if data is not None:
        return validation_rows(data, tuning, seed)
    chosen = soft.validation if soft else {}
    return {name: sample(rows, tuning.selection_rows, seed) for name, rows in chosen.items() if rows}


def mixed(
    heads: Heads, texts: Sequence[Text], gold: Floats, soft: SoftTargets, weights: Floats | None = None
) -> tuple[list[Text], Floats, Floats]:
    """Gold and soft targets together.

    Args:
        heads: the outputs.
        texts: the texts with gold.
        gold: of shape (texts, outputs), on 0..1; NaN where there is none.
        soft: what the teacher says.
        weights: of the gold, of its shape; None for 1.

    Returns:
        The texts, those with gold first; their targets; and the weight of each target, of the same shape.

    Raises:
        UsageError: an output has no target at all.
    """
    taught = np.full((len(soft.texts), len(heads.outputs)), np.nan, np.float32)
    taught[:, [heads.outputs.index(name) for name in soft.heads.outputs]] = soft.targets
    plain = [place for place, text in enumerate(texts) if isinstance(text, str)]
    forms = normalize(pa.array([texts[place] for place in plain], pa.large_string()))
    found = pc.index_in(normalize(pa.array(soft.texts, pa.large_string())), forms)
    has_gold = np.asarray(found.is_valid())
    targets, weight = gold.copy(), soft.record.weight
    weights = np.ones_like(gold) if weights is None else weights.copy()
    places = np.array(plain, dtype=np.int64)[found.drop_null().to_numpy()]
    own, said, alpha = targets[places], taught[has_gold], soft.record.alpha
    missing = np.isnan(own)
    # Cross entropy is linear in its target, and a squared error too but for a constant: this mixes the two losses.
    both = np.where(np.isnan(said), own, (1 - alpha) * own + alpha * said)
    targets[places] = np.where(missing, said, both)
    weights[places] = np.where(missing, weight, weights[places])
    new = taught[~has_gold]
    targets = np.concatenate([targets, new])
    weights = np.concatenate([weights, np.full_like(new, weight)])
    for output, column in zip(heads.outputs, targets.T, strict=True):
        if np.isnan(column).all():
            raise UsageError(f"nothing says what {output} should be: neither gold nor the teacher; see --task")
    others = [text for text, known in zip(soft.texts, has_gold, strict=True) if not known]
    return [*texts, *others], targets, weights


def with_taught(counts: Mapping[str, RowsRecord], soft: SoftTargets) -> dict[str, RowsRecord]:
    """The numbers of training examples, with those of the teacher."""
    nothing = RowsRecord(train=0, validation=0, cut_off=0, shared=0)
    taught = soft.counts()
    names = [name for name in TASKS if name in counts or name in taught]
    return {name: counts.get(name, nothing).model_copy(update={"taught": taught.get(name, 0)}) for name in names}


def _columns(heads: Heads, task: str) -> list[int]:
    """The outputs of a task."""
    asked = [one for one in heads.record.questions if one.task == task]
    slices = [heads.columns(TASKS[task], one.emotion) for one in asked]
    return [place for own in slices for place in range(own.start, own.stop)]
