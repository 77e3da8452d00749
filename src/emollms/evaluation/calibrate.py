"""Fitting temperatures and thresholds of a model on validation rows; test rows are never used."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from emollms.dataset.reader import Dataset, Row, choose_language, one_wording, sample
from emollms.dataset.specs import as_names
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.calibration import VALIDATION, Calibration, TaskCalibration, fit_task
from emollms.evaluation.evaluate import check_model_name, check_one
from emollms.evaluation.parsing import ordered_probabilities, probability_names
from emollms.evaluation.predictors import ModelPredictor
from emollms.inference import engines
from emollms.inference.decoding import Decode
from emollms.inference.predictions import Prediction
from emollms.progress import OnProgress, show_progress, silent
from emollms.prompts.framing import Template
from emollms.tables.files import Warn, no_warning
from emollms.tasks import MultiLabelTask, OrdinalTask, Task, get_task


def calibrate(
    data: str | Path,
    out: str | Path,
    model: str | None = None,
    *,
    endpoint: str | None = None,
    task: str | Sequence[str] = (),
    engine: engines.Name | None = None,
    limit: int | None = None,
    seed: int = 0,
    template: Template = "auto",
    dtype: str = "auto",
    language: str | None = None,
    workers: int = 8,
    per_minute: float | None = None,
    progress: bool | OnProgress = False,
    warn: Warn = no_warning,
) -> Calibration:
    """Fit a model's temperatures (classes) and thresholds (labels) on validation rows, and write them to a file.

    The parameters are the options of `emollms calibrate`, and those of `evaluate` of the same name.

    Args:
        data: a data set with a validation split; each of its texts is asked about with one wording.
        out: the file; it appears when all is done.
        model: as for `evaluate`.
        endpoint: as for `evaluate`; the server must give log-probabilities.
        task: names of tasks with classes or labels; empty for all of them.
        engine: as for `evaluate`.
        limit: rows of a task, a sample that is the same each time; None for all.
        seed: of samples of rows.
        template: as for `evaluate`; the calibration is used with the same one.
        dtype: as for `evaluate`.
        language: code of the language; None for English, or the only one.
        workers: as for `evaluate`.
        per_minute: as for `evaluate`.
        progress: as for `evaluate`.
        warn: called with a line that the user should see.

    Raises:
        UsageError: the call is wrong, there is no validation split, or nothing in it to calibrate.
        EmollmsError: data, model or server fail, or the model gives no probabilities.
    """
    out = Path(out)
    check_one(model, endpoint, engine=engine)
    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file")
    if not endpoint:
        check_model_name(model, engine, dtype, warn)
    predictor = ModelPredictor(
        model or "", Decode.expected_value, engine, endpoint, template, dtype, seed,
        workers=workers, per_minute=per_minute, needs_probabilities=True, warn=warn,
    )  # fmt: skip
    opened, tasks = Dataset(data), as_names(task)
    with show_progress(progress=progress) as on_progress:
        return fit_calibration(
            predictor, opened, out, tasks=tasks, limit=limit, language=language, on_progress=on_progress
        )


def fit_calibration(
    predictor: ModelPredictor,
    data: Dataset,
    out: Path,
    *,
    tasks: Sequence[str] = (),
    limit: int | None = None,
    language: str | None = None,
    on_progress: OnProgress = silent,
) -> Calibration:
    """Fit the temperatures and thresholds of a model that is open or can be opened; otherwise as `calibrate`."""
    rows = _rows(data, tasks, limit, predictor.seed, language)
    done, total = 0, sum(map(len, rows.values()))
    fitted: dict[str, TaskCalibration] = {}
    with closing(predictor):
        info = predictor.start()
        for name, own in rows.items():
            task = get_task(name)
            found: dict[str, Prediction] = {}
            for prediction in predictor.predict(task, own, ()):
                found[prediction.id] = prediction
                done += 1
                on_progress(name, done, total)
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
    names = probability_names(task, rows)
    table = [ordered_probabilities(task, names, prediction) for prediction in predictions]
    if None in table:
        raise EmollmsError(f"the model gave no probabilities of the answers to task {task.name}; try another --engine")
    if isinstance(task, MultiLabelTask):
        gold = np.array([[name in row["labels"] for name in names] for row in rows])
    else:
        gold = np.array([int(row["score"]) for row in rows])
    return fit_task(task, np.array(table, dtype=np.float64), gold, VALIDATION, names)
