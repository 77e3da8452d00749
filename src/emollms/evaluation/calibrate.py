"""Fitting temperatures, thresholds and intervals on validation rows; test rows are never used."""

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa

from emollms.dataset.held_out import is_held_out
from emollms.dataset.reader import Dataset, Row, choose_language, one_wording, sample
from emollms.dataset.specs import as_names
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.evaluation.baselines import LEXICONS
from emollms.evaluation.beliefs import Belief, belief, combined
from emollms.evaluation.calibration import VALIDATION, Calibration, TaskCalibration, fit_task
from emollms.evaluation.conformal import COVERAGE
from emollms.evaluation.evaluate import check_map, check_model_name, check_one
from emollms.evaluation.model_predictor import ModelPredictor, model_predictor, tasks_of
from emollms.evaluation.parsing import probability_names
from emollms.evaluation.predictors import BaselinePredictor, Predictor, can_answer, identity
from emollms.inference import engines
from emollms.inference.companions import held_out_fraction
from emollms.inference.predictions import Prediction
from emollms.locations import is_local
from emollms.progress import OnProgress, show_progress, silent
from emollms.prompts.framing import Template
from emollms.storage import CALIBRATION
from emollms.tables.files import Warn, no_warning
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task, get_task


def calibrate(
    data: str | Path,
    out: str | Path | None = None,
    model: str | Sequence[str] | None = None,
    *,
    endpoint: str | None = None,
    baseline: str | Sequence[str] | None = None,
    task: str | Sequence[str] = (),
    coverage: float = COVERAGE,
    engine: engines.Name | None = None,
    limit: int | None = None,
    seed: int = 0,
    map: str | Path | None = None,
    template: Template = "auto",
    dtype: str = "auto",
    language: str | None = None,
    workers: int = 8,
    per_minute: float | None = None,
    progress: bool | OnProgress = False,
    warn: Warn = no_warning,
) -> Calibration:
    """Fit intervals, temperatures (classes) and thresholds (labels) on validation rows, and write them to a file.

    The parameters are the options of `emollms calibrate`, and those of `evaluate` of the same name. Several models and
    baselines are calibrated as the ensemble that `annotate` makes of them.

    Args:
        data: a data set with a validation split; each of its texts is asked about with one wording. Those that a model
            was trained on (`validation_fraction` of its recipe, in its `run.json`) are left out.
        out: the file; it appears when all is done. None for `calibration.json` in the folder of a model, where
            `annotate` and `publish model` find it.
        model: as for `evaluate`; several for an ensemble.
        endpoint: as for `evaluate`; where the server gives no log-probabilities, answers alone are calibrated.
        baseline: `vader` or `textblob`, or both; alone, or in the ensemble.
        task: names of tasks; empty for all that can be answered.
        coverage: the probability that an interval is to hold the truth, above 0 and below 1.
        engine: as for `evaluate`.
        limit: rows of a task, a sample that is the same each time; None for all.
        seed: of samples of rows, and of the folds that intervals are fitted on.
        map: as for `evaluate`; the calibration is used with the same one.
        template: as for `evaluate`; the calibration is used with the same one.
        dtype: as for `evaluate`.
        language: code of the language; None for English, or the only one.
        workers: as for `evaluate`.
        per_minute: as for `evaluate`.
        progress: as for `evaluate`.
        warn: called with a line that the user should see.

    Raises:
        UsageError: the call is wrong, there is no validation split, or nothing in it to calibrate.
        EmollmsError: data, model or server fail, or none of the answers to a task is valid.
    """
    models, baselines = as_names(model or ()), as_names(baseline or ())
    if not (models or endpoint or baselines):
        raise UsageError("give a --model, an --endpoint or a --baseline to calibrate")
    for name in baselines:
        if name not in LEXICONS:
            raise unknown("baseline that annotates", name, LEXICONS)
    check_map(map, () if endpoint else models)
    if models or endpoint:
        check_one(models, endpoint, engine=engine)
    if not 0 < coverage < 1:
        raise UsageError(f"--coverage {coverage:g} is no probability of an interval; give a number such as 0.9")
    place = _place(out, models, bool(endpoint or baselines))
    predictors: list[Predictor] = []
    if endpoint:
        name = models[0] if models else ""
        predictors.append(
            ModelPredictor(
                name, engine=engine, url=endpoint, template=template, workers=workers, per_minute=per_minute, warn=warn
            )
        )
    else:
        for name in models:
            check_model_name(name, engine, dtype, warn)
        predictors += [
            model_predictor(name, map=map, engine=engine, template=template, dtype=dtype, warn=warn) for name in models
        ]
    tuned = tuple(task for one in predictors for task in tasks_of(one) or ())
    predictors += [BaselinePredictor(name) for name in baselines]
    opened, tasks = Dataset(data), as_names(task)
    with show_progress(progress=progress) as on_progress:
        return fit_calibration(
            predictors, opened, place, tasks=tasks, coverage=coverage, limit=limit, seed=seed, language=language,
            tuned=tuned, held_out=_held_out(() if endpoint else models, warn), on_progress=on_progress,
        )  # fmt: skip


def _held_out(models: Sequence[str], warn: Warn) -> float:
    """Of validation texts, the fraction that none of some models was trained on."""
    fractions = {model: held_out_fraction(model) for model in models}
    for model, fraction in fractions.items():
        if fraction < 1:
            warn(f"{model} was trained on validation texts too; the {fraction:.0%} that it was not trained on are used")
    return min(fractions.values(), default=1.0)


def _place(out: str | Path | None, models: Sequence[str], others: bool) -> Path:
    """The file to write."""
    if out is not None:
        if Path(out).is_dir():
            raise UsageError(f"{out} is a folder; name a file")
        return Path(out)
    if others or len(models) != 1 or not is_local(models[0]):
        raise UsageError("name a file with --out; without, the calibration is kept in the folder of one model")
    return Path(models[0]) / CALIBRATION


def fit_calibration(
    predictors: Sequence[Predictor],
    data: Dataset,
    out: Path,
    *,
    tasks: Sequence[str] = (),
    coverage: float = COVERAGE,
    limit: int | None = None,
    seed: int = 0,
    language: str | None = None,
    tuned: Sequence[str] = (),
    held_out: float = 1.0,
    on_progress: OnProgress = silent,
) -> Calibration:
    """Calibrate who answers, one or an ensemble, open or not; otherwise as `calibrate`.

    Args:
        predictors: who answers.
        data: the data set.
        out: the file.
        tasks: names of tasks; empty for all that can be answered.
        coverage: of the intervals.
        limit: rows of a task.
        seed: of samples and folds.
        language: code of the language.
        tuned: the tasks that the models were tuned on: those without validation rows are listed as uncalibrated.
        held_out: of validation texts, the fraction that was not trained on; see `is_held_out`.
        on_progress: called with the task, the rows that are answered, and all rows.
    """
    rows = _rows(predictors, data, tasks, limit, seed, language, held_out)
    answering = {name: [one for one in predictors if can_answer(one, get_task(name))] for name in rows}
    done, total = 0, sum(len(own) * len(answering[name]) for name, own in rows.items())
    fitted: dict[str, TaskCalibration] = {}
    with ExitStack() as stack:
        for one in predictors:
            stack.enter_context(closing(one))
        identities = [identity(one) for one in predictors]
        infos = [one.start() for one in predictors]
        for one in predictors:
            one.prepare([(get_task(name), own) for name, own in rows.items() if one in answering[name]])
        for name, own in rows.items():
            found: list[dict[str, Prediction]] = []
            for one in answering[name]:
                found.append({})
                for prediction in one.predict(get_task(name), own, ()):
                    found[-1][prediction.id] = prediction
                    done += 1
                    on_progress(name, done, total)
            fitted[name] = _fit(get_task(name), own, found, coverage, seed)
        names = [one.name for one in predictors]
    info = infos[0] if len(infos) == 1 else None
    is_hashed = info is not None and str(info.revision).startswith("sha256:")
    calibration = Calibration(
        model=info.model if info and not is_hashed else " + ".join(names),  # weights say more than where they lie
        model_hash=info.revision if info else None,
        predictors=[json.loads(one) for one in identities],
        data=f"{data.manifest.data_set} {data.manifest.version}",
        data_hash=data.manifest.content_hash,
        settings={
            "engine": info.engine if info else None,
            "dtype": info.dtype if info else None,
            "template": info.template if info else None,
            "limit": limit,
            "coverage": coverage,
            **({} if held_out >= 1 else {"validation_fraction": held_out}),
        },
        tasks=fitted,
        uncalibrated=_uncalibrated(predictors, data, fitted, tuned),
    )
    calibration.write(out)
    return calibration


def _rows(
    predictors: Sequence[Predictor],
    data: Dataset,
    tasks: Sequence[str],
    limit: int | None,
    seed: int,
    language: str | None,
    held_out: float,
) -> dict[str, list[Row]]:
    """The validation rows of tasks that can be calibrated, by name of the task."""
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no row; give 1 or more")
    chosen = data.tasks(VALIDATION, tasks)
    fitting = [task for task in chosen if any(can_answer(one, task) for one in predictors)]
    if not fitting or (tasks and len(fitting) < len(chosen)):
        others = ", ".join(task.name for task in chosen if task not in fitting)
        raise UsageError(f"{' + '.join(one.name for one in predictors)}: no answer to {others}; name other tasks")
    every = {task.name: data.rows(task.name, VALIDATION) for task in fitting}
    spoken = choose_language((row for rows in every.values() for row in rows), language)
    own = {task: one_wording([row for row in rows if row["language"] == spoken], seed) for task, rows in every.items()}
    for task, rows in own.items():
        kept = is_held_out(pa.array([row["text"] for row in rows], pa.string()), held_out)
        own[task] = list(compress(rows, kept))
    found = {task: sample(rows, limit, seed) for task, rows in own.items() if rows}
    if not found:
        raise UsageError(f"no validation text is left of {', '.join(own)} that the model was not trained on")
    return found


def _uncalibrated(
    predictors: Sequence[Predictor],
    data: Dataset,
    fitted: dict[str, TaskCalibration],
    tuned: Sequence[str],
) -> list[str]:
    """The tasks of the model or the data set without validation rows, or that were not asked for."""
    here = [*tuned, *(count.task for count in data.manifest.counts if count.rows)]
    left = [name for name in dict.fromkeys(here) if name not in fitted]
    return [name for name in left if any(can_answer(one, get_task(name)) for one in predictors)]


def _fit(
    task: Task, rows: Sequence[Row], found: Sequence[dict[str, Prediction]], coverage: float, seed: int
) -> TaskCalibration:
    """Fit a task on its rows with a valid answer; those without are told nothing of, calibrated or not."""
    said: list[tuple[Row, Belief]] = []
    for row in rows:
        own = [belief(task, row["emotion"], one[str(row["id"])]) for one in found if str(row["id"]) in one]
        if valid := [one for one in own if isinstance(one, Belief)]:
            said.append((row, combined(valid)))
    if not said:
        raise EmollmsError(f"none of {len(rows):,} answers to task {task.name} is valid; try another --engine")
    used, beliefs = [row for row, _ in said], [one for _, one in said]
    names = probability_names(task, used)
    gold: list[object]
    if isinstance(task, RegressionTask):
        predicted = np.array([one.score for one in beliefs], dtype=np.float64)
        gold = [float(row["score"]) for row in used]
    else:
        predicted = np.array([[(one.probabilities or {}).get(name, 0.0) for name in names] for one in beliefs])
        if isinstance(task, OrdinalTask):
            gold = [int(row["score"]) for row in used]
        else:
            assert isinstance(task, MultiLabelTask)
            gold = [[name in row["labels"] for name in names] for row in used]
    return fit_task(
        task, predicted, np.array(gold), VALIDATION, names, groups=[str(row["text"]) for row in used],
        coverage=coverage, surely=all(one.surely for one in beliefs), seed=seed,
    )  # fmt: skip
