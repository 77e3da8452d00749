"""Calibration: what is fitted on validation rows, temperatures, thresholds and intervals, and the file that keeps it.

See `temperature`, `thresholds` and `conformal`. Probabilities are floats of shape (rows, classes), in the order of
`task.classes`, or (rows, labels) in that of `task.labels`.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollms.errors import UsageError
from emollms.evaluation.conformal import COVERAGE, Calibrated, Conformal
from emollms.evaluation.conformal_scores import folds_of
from emollms.evaluation.metrics import Flags, Floats, Integers
from emollms.evaluation.reliability import calibration_error, class_reliability, normalized, reliability
from emollms.evaluation.temperature import fit_temperature, temper
from emollms.evaluation.thresholds import fit_thresholds
from emollms.inference.decoding import likely_labels
from emollms.inference.label_sets import best_label_sets
from emollms.storage import write_whole
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task

VALIDATION = "validation"


class TaskCalibration(BaseModel):
    """What was fitted for a task.

    Args:
        temperature: of class probabilities; None for other tasks, and where only answers are known.
        thresholds: of each label; None for other tasks, and where only answers are known.
        rows: how many validation rows it was fitted on.
        error_before: expected calibration error of the probabilities of those rows before; None for scores.
        error_after: and after, at the temperature; that of labels stays. For scores, that of the confidence.
        conformal: intervals and confidence; None in a file of an earlier version.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(default=None, gt=0)
    thresholds: dict[str, float] | None = None
    rows: int = Field(ge=1)
    error_before: float | None = Field(default=None, ge=0, le=1)
    error_after: float = Field(ge=0, le=1)
    conformal: Conformal | None = None

    def apply(
        self, task: Task, score: float | None, probabilities: Mapping[str, float] | None, draw: float
    ) -> Calibrated:
        """Calibrate one prediction.

        Args:
            task: the task it was fitted for.
            score: the score on 0..1; None for classes and labels.
            probabilities: by class number or label; those of a score are given back as they are.
            draw: a number on 0..1 that breaks ties; the text should decide it, so that the same text gets the same.
        """
        if self.conformal:
            told = (
                likely_labels(task, probabilities or {}, self.thresholds) if isinstance(task, MultiLabelTask) else None
            )
            return self.conformal.apply(task, score, probabilities, draw, told)
        if isinstance(task, OrdinalTask) and probabilities and self.temperature:
            table = temper(np.array([list(probabilities.values())]), self.temperature)[0]
            return Calibrated(dict(zip(probabilities, table.tolist(), strict=True)), float(table.max()), None, None)
        return Calibrated(probabilities, None, None, None)


class Calibration(BaseModel):
    """What was fitted for a model, or for several that answer together.

    Args:
        model: path, or repository and revision, of the model; the names of several.
        model_hash: hash of its weights, where it is known; None for several.
        predictors: for each, what tells it apart from others (see `predictors.identity`); empty in a file of an earlier
            version.
        data: name of the data set.
        data_hash: content hash of the data set.
        settings: what else the probabilities depend on, such as the engine and the data type.
        tasks: what was fitted, by task.
        uncalibrated: the tasks of the model or the data set without validation rows, or that were not asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    model_hash: str | None = None
    predictors: list[dict[str, str | None]] = []
    data: str
    data_hash: str
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    tasks: dict[str, TaskCalibration]
    uncalibrated: list[str] = []

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

    def check_predictors(self, identities: Sequence[Mapping[str, Any]]) -> None:
        """Make sure that it was fitted for those who annotate, in any order.

        Args:
            identities: what `predictors.identity` says of each.

        Raises:
            UsageError: it was fitted for others, or with prompts in another template.
        """
        if self.predictors:
            same = sorted(map(_told_apart, self.predictors)) == sorted(map(_told_apart, identities))
        else:
            one, own = identities[0], self.settings.get("template")
            known = one.get("revision") == self.model_hash if self.model_hash else one.get("model") == self.model
            same = len(identities) == 1 and known and own in (None, one.get("template"))
        if not same:
            there = [_shown(one) for one in self.predictors] or [f"{self.model} ({self.model_hash})"]
            raise UsageError(
                f"the calibration was fitted for {' + '.join(there)}, not for {' + '.join(map(_shown, identities))}; "
                "run `emollms calibrate` for what annotates"
            )

    def of_repo(self, model: str) -> Self:
        """The same as that of the model whose repo it lies in, `OWNER/NAME[@REVISION]`."""
        return self.model_copy(update={"model": model.partition("@")[0], "model_hash": None, "predictors": []})

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


def _told_apart(identity: Mapping[str, Any]) -> str:
    """What makes another model of it; engines, precisions and the addresses of servers do not."""
    return json.dumps(
        {name: identity[name] for name in sorted(identity) if name not in ("engine", "dtype", "endpoint")}
    )


def _shown(identity: Mapping[str, Any]) -> str:
    name = identity.get("baseline") or identity.get("model") or ""
    more = [str(identity[one]) for one in ("revision", "template", "decode") if identity.get(one)]
    return f"{name} ({', '.join(more)})".strip() if more else str(name)


def fit_task(
    task: Task,
    predicted: Floats,
    gold: Floats | Integers | Flags,
    split: str,
    labels: Sequence[str] = (),
    *,
    groups: Sequence[Hashable] | None = None,
    coverage: float = COVERAGE,
    surely: bool = True,
    seed: int = 0,
) -> TaskCalibration:
    """Fit a task's temperature or thresholds, and its intervals.

    Args:
        task: the task.
        predicted: the scores on 0..1, or probabilities of shape (rows, classes) or (rows, labels), in the task's order.
        gold: the score on 0..1 or the class number of each row, or booleans of shape (rows, labels).
        split: where the rows come from.
        labels: the names of the columns, where the rows do not ask for all labels of the task.
        groups: what the rows of one text have in common; None where each row has a text of its own.
        coverage: the probability that an interval is to hold the truth, 0..1.
        surely: whether the probabilities are a model's; where they are answers alone, 0 and 1, there is no temperature
            and no threshold to fit.
        seed: of folds and ties.

    Raises:
        UsageError: the rows are not validation rows, or there is none.
    """
    if split != VALIDATION:
        raise UsageError(f"calibration is fitted on validation rows only, not on {split!r}")
    if not len(gold):
        raise UsageError(f"no validation row of task {task.name}; calibration needs some")
    rows = len(gold)
    if isinstance(task, RegressionTask):
        fitted = Conformal.fit(task, predicted, gold, groups, coverage, seed=seed)
        return TaskCalibration(rows=rows, error_after=fitted.error, conformal=fitted)
    if isinstance(task, OrdinalTask):
        columns = np.searchsorted(list(task.classes), gold)
        temperature = fit_temperature(predicted, columns) if surely else None
        tables = (predicted, temper(predicted, temperature or 1.0))
        before, after = (calibration_error(class_reliability(table, columns)) for table in tables)
        fitted = Conformal.fit(task, normalized(predicted), columns, groups, coverage, seed=seed)
        return TaskCalibration(
            temperature=temperature, rows=rows, error_before=before, error_after=after, conformal=fitted
        )
    assert isinstance(task, MultiLabelTask)
    right, names = np.asarray(gold, dtype=np.bool_), tuple(labels or task.labels)
    limits = dict(zip(names, fit_thresholds(task, predicted, right).tolist(), strict=True)) if surely else None
    told = _told(task, predicted, right, folds_of(groups or range(rows), seed)) if surely else None
    fitted = Conformal.fit(task, predicted, right, groups, coverage, names, told, seed)
    error = calibration_error(reliability(predicted.ravel(), right.ravel()))
    return TaskCalibration(thresholds=limits, rows=rows, error_before=error, error_after=error, conformal=fitted)


def _told(task: MultiLabelTask, probabilities: Floats, gold: Flags, folds: Integers) -> Flags:
    """The labels that each row is told, by thresholds of the other folds: its own would be too good on it."""
    told = np.zeros_like(gold)
    for fold in np.unique(folds):
        inside = folds != fold
        limits = fit_thresholds(task, probabilities[inside], gold[inside])
        told[~inside] = best_label_sets(probabilities[~inside], limits, at_least_one=task.nothing is None)
    return told
