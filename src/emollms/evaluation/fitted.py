"""What was fitted on validation rows, as a file: temperatures, thresholds, and the model and data they belong to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, ValidationError

from emollms.errors import UsageError
from emollms.evaluation.calibration import (
    apply_thresholds,
    calibration_error,
    class_reliability,
    expected_value,
    fit_temperature,
    fit_thresholds,
    reliability,
    temper,
)
from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.storage import Strict, write_whole
from emollms.tasks import MultiLabelTask, OrdinalTask, Task

VALIDATION = "validation"


class TaskCalibration(Strict):
    """What was fitted for a task.

    Args:
        temperature: of class probabilities; None for a task of labels.
        thresholds: of each label; None for a task of classes.
        rows: how many validation rows it was fitted on.
        error_before: expected calibration error of those rows before.
        error_after: and after, at the temperature; that of labels stays.
    """

    temperature: float | None = Field(default=None, gt=0)
    thresholds: dict[str, float] | None = None
    rows: int = Field(ge=1)
    error_before: float = Field(ge=0, le=1)
    error_after: float = Field(ge=0, le=1)

    def distributions(self, probabilities: Floats) -> Floats:
        """Class probabilities at the fitted temperature."""
        return temper(probabilities, self.temperature or 1.0)

    def expected_classes(self, task: OrdinalTask, probabilities: Floats) -> Floats:
        """The expected class of each row."""
        return expected_value(self.distributions(probabilities), list(task.classes))

    def labels(self, task: MultiLabelTask, probabilities: Floats) -> Flags:
        """The labels of each row; at least one where the task has no answer without."""
        thresholds = self.thresholds or {}
        limits = np.array([thresholds.get(label, 0.5) for label in task.labels])
        return apply_thresholds(probabilities, limits, at_least_one=task.nothing is None)


class Calibration(Strict):
    """What was fitted for a model.

    Args:
        model: path, or repository and revision, of the model.
        model_hash: hash of its weights, where it is known.
        data: name of the data set.
        data_hash: content hash of the data set.
        settings: what else the probabilities depend on, such as the engine and the data type.
        tasks: what was fitted, by task.
    """

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
        gold: the class number of each row, or truth values of shape (rows, labels).
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
