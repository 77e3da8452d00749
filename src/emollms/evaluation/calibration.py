"""Calibration: temperatures and thresholds fitted on validation rows, the file that keeps them, calibration error.

Temperature: Guo et al., 2017, On Calibration of Modern Neural Networks, section 4.2; expected calibration error: the
same, section 2, with equally wide bins. Thresholds that maximise the F1 of a label: Lipton et al., 2014.

Probabilities are floats of shape (rows, classes), in the order of `task.classes`, or (rows, labels) in that of
`task.labels`; a row of class probabilities need not sum to 1, and is divided by its sum.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollms.errors import UsageError
from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.evaluation.reliability import calibration_error, class_reliability, normalized, reliability
from emollms.optional import require
from emollms.storage import write_whole
from emollms.tasks import MultiLabelTask, OrdinalTask, Task

VALIDATION = "validation"

FLOOR = 1e-7
"""What a probability of 0 counts as: those of files with six decimals were below 5e-7."""

_LOG_TEMPERATURES = (-3.0, 4.0)


def expected_value(probabilities: Floats, values: Sequence[float]) -> Floats:
    """The mean of `values` under each row's distribution: the expected class, or the expected score.

    Args:
        probabilities: of shape (rows, values).
        values: class numbers, or scores, in the order of the columns.
    """
    return np.asarray(normalized(probabilities) @ np.asarray(values, dtype=np.float64), dtype=np.float64)


def temper(probabilities: Floats, temperature: float, floor: float = FLOOR) -> Floats:
    """Distributions at `temperature`: p^(1/T), divided by its sum. Above 1 it flattens, below 1 it sharpens.

    Args:
        probabilities: class probabilities.
        temperature: above 0.
        floor: what smaller probabilities count as.
    """
    logits = np.log(np.maximum(normalized(probabilities), floor)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_temperature(probabilities: Floats, gold: Integers, floor: float = FLOOR) -> float:
    """The temperature that makes the gold most likely, within e^-3..e^4.

    Args:
        probabilities: class probabilities of validation rows.
        gold: the column of the right class, for each row.
        floor: what smaller probabilities count as.
    """
    if not len(gold):
        return 1.0
    rows = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        return -float(np.mean(np.log(temper(probabilities, np.exp(log_temperature), floor)[rows, gold])))

    found = require("scipy.optimize", "evaluate", "calibration").minimize_scalar(
        loss, bounds=_LOG_TEMPERATURES, method="bounded"
    )
    return float(np.exp(found.x))


def fit_thresholds(probabilities: Floats, gold: Flags) -> Floats:
    """The threshold of each label that gives it the best F1; half-way to the next probability. 0.5 without gold rows.

    Args:
        probabilities: of each label, of validation rows.
        gold: whether the row has it.
    """
    return np.array([_best_threshold(probabilities[:, i], gold[:, i]) for i in range(gold.shape[1])])


def _best_threshold(probabilities: Floats, gold: Flags) -> float:
    if not gold.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    chosen = np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(gold[order]) / (chosen + gold.sum())
    f1[:-1][ordered[:-1] == ordered[1:]] = -1  # equal probabilities are chosen together
    best = int(np.argmax(f1))
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + below) / 2)


def apply_thresholds(probabilities: Floats, thresholds: Floats, at_least_one: bool = False) -> Flags:
    """The labels whose probability reaches its threshold.

    Args:
        probabilities: of each label.
        thresholds: of each label, 0..1.
        at_least_one: give a row without labels the one that comes nearest to its threshold.
    """
    chosen = np.asarray(probabilities >= thresholds, dtype=np.bool_)
    if at_least_one:
        nearest = np.argmax(probabilities - thresholds, axis=1)
        empty = ~chosen.any(axis=1)
        chosen[empty, nearest[empty]] = True
    return chosen


class TaskCalibration(BaseModel):
    """What was fitted for a task.

    Args:
        temperature: of class probabilities; None for a task of labels.
        thresholds: of each label; None for a task of classes.
        rows: how many validation rows it was fitted on.
        error_before: expected calibration error of those rows before.
        error_after: and after, at the temperature; that of labels stays.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(default=None, gt=0)
    thresholds: dict[str, float] | None = None
    rows: int = Field(ge=1)
    error_before: float = Field(ge=0, le=1)
    error_after: float = Field(ge=0, le=1)

    def labels(self, task: MultiLabelTask, probabilities: Floats) -> Flags:
        """The labels of each row; at least one where the task has no answer without."""
        thresholds = self.thresholds or {}
        limits = np.array([thresholds.get(label, 0.5) for label in task.labels])
        return apply_thresholds(probabilities, limits, at_least_one=task.nothing is None)


class Calibration(BaseModel):
    """What was fitted for a model.

    Args:
        model: path, or repository and revision, of the model.
        model_hash: hash of its weights, where it is known.
        data: name of the data set.
        data_hash: content hash of the data set.
        settings: what else the probabilities depend on, such as the engine and the data type.
        tasks: what was fitted, by task.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    model_hash: str | None = None
    data: str
    data_hash: str
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    tasks: dict[str, TaskCalibration]

    def check_model(self, model: str, model_hash: str | None = None) -> None:
        """Make sure that it belongs to this model.

        Raises:
            UsageError: it was fitted for another one.
        """
        hashes = (self.model_hash, model_hash)
        if model != self.model or (None not in hashes and hashes[0] != hashes[1]):
            raise UsageError(
                f"the calibration was fitted for {self.model} ({self.model_hash}), not for {model} ({model_hash}); "
                "run `emollms calibrate` for this model"
            )

    def write(self, path: Path) -> None:
        """Write it to `path` as JSON, whole or not at all."""
        write_whole(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it from `path`.

        Raises:
            UsageError: the file is missing, or is no calibration.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; `emollms calibrate --out {path}` writes it") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"{path}: no calibration: {where}: {first['msg']}; run `emollms calibrate` again"
            ) from error


def fit_task(
    task: Task, probabilities: Floats, gold: Integers | Flags, split: str, labels: Sequence[str] = ()
) -> TaskCalibration:
    """Fit a task's temperature, or its thresholds.

    Args:
        task: a task of classes or of labels.
        probabilities: of shape (rows, classes) or (rows, labels), in the task's order.
        gold: the class number of each row, or booleans of shape (rows, labels).
        split: where the rows come from.
        labels: the names of the columns, where the rows do not ask for all labels of the task.

    Raises:
        UsageError: the rows are not validation rows, there is none, or the task is a regression.
    """
    if split != VALIDATION:
        raise UsageError(f"calibration is fitted on validation rows only, not on {split!r}")
    if not len(gold):
        raise UsageError(f"no validation row of task {task.name}; calibration needs some")
    if isinstance(task, OrdinalTask):
        columns = np.searchsorted(list(task.classes), gold)
        temperature = fit_temperature(probabilities, columns)
        errors = [
            calibration_error(class_reliability(table, columns))
            for table in (probabilities, temper(probabilities, temperature))
        ]
        return TaskCalibration(temperature=temperature, rows=len(gold), error_before=errors[0], error_after=errors[1])
    if isinstance(task, MultiLabelTask):
        right = np.asarray(gold, dtype=np.bool_)
        limits = dict(zip(labels or task.labels, fit_thresholds(probabilities, right).tolist(), strict=True))
        error = calibration_error(reliability(probabilities.ravel(), right.ravel()))
        return TaskCalibration(thresholds=limits, rows=len(gold), error_before=error, error_after=error)
    raise UsageError(f"task {task.name} has neither classes nor labels; there is nothing to calibrate")
