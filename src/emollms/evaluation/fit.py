"""Fitting temperatures and thresholds of a model on validation rows; test rows are never looked at."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from emollms.dataset.reader import Dataset, Row, choose_language, one_wording, sample
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.fitted import VALIDATION, Calibration, TaskCalibration, fit_task
from emollms.evaluation.model_source import ModelSource
from emollms.evaluation.parsing import columns, probabilities
from emollms.inference.predictions import Prediction
from emollms.tasks import MultiLabelTask, OrdinalTask, Task, get_task

Tell = Callable[[str, int, int], None]


def calibrate(
    source: ModelSource,
    data: Dataset,
    out: Path,
    *,
    tasks: Sequence[str] = (),
    limit: int | None = None,
    language: str | None = None,
    tell: Tell = lambda task, done, total: None,
) -> Calibration:
    """Fit a model's temperatures and thresholds on the validation split of `data`, and write them to `out`.

    Args:
        source: the model, which is to give probabilities.
        data: a data set with a validation split; each of its texts is asked about with one wording.
        out: the file; it appears when all is done.
        tasks: names of tasks with classes or labels; empty for all of them.
        limit: the most rows of a task.
        language: code of the language; None for English, or the only one.
        tell: is told of progress.

    Raises:
        UsageError: there is no validation split, or nothing in it to calibrate.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file")
    rows = _rows(data, tasks, limit, source.seed, language)
    done, total = 0, sum(map(len, rows.values()))
    fitted: dict[str, TaskCalibration] = {}
    with closing(source):
        info = source.start()
        for name, own in rows.items():
            task = get_task(name)
            found: dict[str, Prediction] = {}
            for prediction in source.answer(task, own, ()):
                found[prediction.id] = prediction
                done += 1
                tell(name, done, total)
            fitted[name] = _fit(task, own, [found[row["id"]] for row in own])
    calibration = Calibration(
        model=info.model,
        model_hash=info.revision,
        data=f"{data.manifest.data_set} {data.manifest.version}",
        data_hash=data.manifest.content_hash,
        settings={"engine": info.engine, "dtype": info.dtype, "template": info.template, "limit": limit},
        tasks=fitted,
    )
    calibration.write(out)
    return calibration


def _rows(
    data: Dataset, tasks: Sequence[str], limit: int | None, seed: int, language: str | None
) -> dict[str, list[Row]]:
    """The validation rows of tasks that can be calibrated, by name of the task."""
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no row; give 1 or more")
    chosen = data.tasks(VALIDATION, tasks)
    fitting = [task for task in chosen if isinstance(task, OrdinalTask | MultiLabelTask)]
    if not fitting or (tasks and len(fitting) < len(chosen)):
        others = ", ".join(task.name for task in chosen if task not in fitting)
        raise UsageError(f"{others}: a score has neither classes nor labels; there is nothing to calibrate")
    every = {task.name: data.rows(task.name, VALIDATION) for task in fitting}
    spoken = choose_language((row for rows in every.values() for row in rows), language)
    own = {task: one_wording([row for row in rows if row["language"] == spoken], seed) for task, rows in every.items()}
    return {task: sample(rows, limit, seed) for task, rows in own.items() if rows}


def _fit(task: Task, rows: Sequence[Row], predictions: Sequence[Prediction]) -> TaskCalibration:
    names = columns(task, rows)
    table = [probabilities(task, names, prediction) for prediction in predictions]
    if None in table:
        raise EmollmsError(f"the model gave no probabilities of the answers to task {task.name}; try another --engine")
    if isinstance(task, MultiLabelTask):
        gold = np.array([[name in row["labels"] for name in names] for row in rows])
    else:
        gold = np.array([int(row["score"]) for row in rows])
    return fit_task(task, np.array(table, dtype=np.float64), gold, VALIDATION, names)
