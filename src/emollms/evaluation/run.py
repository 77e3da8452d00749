"""A benchmark run: a predictor's answers to the tasks of a data set, written as they come, and their scores.

A folder of a run holds `run.json` (settings and data, written first), `predictions.jsonl` (a line an answer, as it
comes), and `scores.json` (written last, whole or not at all).
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from emollms.dataset.reader import TEST, Dataset, Row, asked_rows, choose_language
from emollms.dataset.specs import ALL_LANGUAGES
from emollms.errors import UsageError
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.ensemble import EnsemblePredictor
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.predictors import Predictor
from emollms.evaluation.run_folder import (
    PREDICTIONS,
    RUN,
    SCORES,
    EvaluationRecord,
    RunSettings,
    check_engine,
    check_settings,
    claimed,
    has_answers,
    machine_note,
    new_record,
    read_record,
)
from emollms.evaluation.scales import Scale
from emollms.evaluation.scores import ScoredRun, Scores
from emollms.evaluation.scoring import task_scores
from emollms.evaluation.task_metrics import Policy
from emollms.evaluation.task_scores import SampledRows, TaskScores
from emollms.inference.decoding import Decode
from emollms.inference.engine import EngineInfo
from emollms.inference.predictions import Prediction, PredictionFile, read_predictions
from emollms.progress import OnProgress, silent
from emollms.prompts.answers import Parse
from emollms.storage import LOCK
from emollms.tables.files import Warn, no_warning
from emollms.tasks import Task, get_task


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What is asked, and how answers are scored.

    Args:
        tasks: names of tasks; empty for all that the predictor can answer.
        decode: how a model decodes, and whether probabilities are scored where there are some.
        limit: the most rows of a task, of `all` languages in each; None for all.
        seed: of samples of rows, and of sampled answers.
        policy: what an invalid answer counts as.
        calibration: temperatures and thresholds to apply.
        language: code of the language, or `all`; None for English, or the only one, or, of a benchmark in many, all.
        parse: the rule that answers are parsed by; the values of the other one are in `scores.json`, too.
        scale: what regression answers are on: `unit`, 0..1; `native`, the task's own range; `auto` decides for each
            task by all its answers, and keeps 0..1 unless they clearly look native.
    """

    tasks: Sequence[str] = ()
    decode: Decode = Decode.expected_value
    limit: int | None = None
    seed: int = 0
    policy: Policy = "official"
    calibration: Calibration | None = None
    language: str | None = None
    parse: Parse = "strict"
    scale: Scale = "auto"


@dataclass(frozen=True)
class EvaluationPlan:
    """The rows of a run.

    Args:
        rows: the rows that are asked, by name of the task.
        of: how many rows there are, by name of the task.
        language: their language, or `all`.
    """

    rows: Mapping[str, Sequence[Row]]
    of: Mapping[str, int]
    language: str

    @property
    def count(self) -> int:
        """How many rows there are, over all tasks."""
        return sum(map(len, self.rows.values()))


def plan(predictor: Predictor, data: Dataset, options: EvaluationOptions) -> EvaluationPlan:
    """The rows that a run asks.

    Raises:
        UsageError: the data set has no test rows, no such task or language, or the predictor has no answer.
    """
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit} leaves no row; give 1 or more")
    tasks = predictor.answerable(data.tasks(TEST, options.tasks), everything=not options.tasks)
    every = {task.name: data.rows(task.name, TEST) for task in tasks}
    asked = options.language or data.default_language
    language = choose_language((row for rows in every.values() for row in rows), asked, several=True)
    spoken = {task: asked_rows(rows, language, None) for task, rows in every.items()}
    spoken = {task: rows for task, rows in spoken.items() if rows}
    chosen = {task: asked_rows(rows, language, options.limit, options.seed) for task, rows in spoken.items()}
    return EvaluationPlan(chosen, {task: len(rows) for task, rows in spoken.items()}, language)


def run_benchmark(
    predictor: Predictor,
    data: Dataset,
    out: Path,
    options: EvaluationOptions,
    *,
    command: Sequence[str] = (),
    on_progress: OnProgress = silent,
    warn: Warn = no_warning,
) -> Scores:
    """Evaluate a predictor; a run that was killed is resumed, and a finished one is read, not run again.

    Args:
        predictor: what answers.
        data: the data set.
        out: the folder of the run.
        options: what is asked, and how answers are scored.
        command: the command line, for the record.
        on_progress: called with the task, the rows that are answered, and all rows.
        warn: called with a line that the user should see.

    Raises:
        UsageError: the call is wrong, or `out` holds another run.
        EmollmsError: data, model or server fail.
    """
    planned = plan(predictor, data, options)
    settings = settings_of(predictor, data, options, planned)
    with claimed(out), closing(predictor):
        before = read_record(out / RUN, EvaluationRecord) if has_answers(out) else None
        if before:
            # Unset fields are left out: a record of an older version differs in what it does not have.
            check_settings(
                out, before.settings.model_dump(mode="json", exclude_unset=True), settings.model_dump(mode="json")
            )
        if before and (out / SCORES).is_file():
            scores = Scores.read(out / SCORES)
        else:
            record = before
            if record is None:
                engine = _start(predictor, options)
                record = new_record(predictor.name, predictor.kind, command, settings, data.describe(), engine)
                record.write(out)
            _answer(predictor, planned, out, before, on_progress, warn)
            scores = _scores(record, planned, read_predictions(out / PREDICTIONS), options)
            scores.write(out / SCORES)
            (out / LOCK).unlink(missing_ok=True)
    for line in scores.remarks():
        warn(line)
    return scores


def settings_of(
    predictor: Predictor, data: Dataset, options: EvaluationOptions, planned: EvaluationPlan
) -> RunSettings:
    """What must be the same for a run to be resumed."""
    return RunSettings(
        source=predictor.settings(),
        decode=None if predictor.kind == "baseline" else options.decode,
        data=data.manifest.content_hash,
        split=TEST,
        tasks=list(planned.rows),
        language=planned.language,
        limit=options.limit,
        seed=options.seed,
        policy=options.policy,
        calibration=options.calibration,
        parse=options.parse,
        scale=options.scale,
    )


def _start(predictor: Predictor, options: EvaluationOptions) -> dict[str, object] | None:
    """Get the predictor ready, and describe its engine."""
    info = predictor.start()
    if options.calibration and isinstance(predictor, EnsemblePredictor):
        options.calibration.check_predictors(predictor.identities())
    elif options.calibration and info:
        _check_calibration(options.calibration, info)
    return info.as_dict() if info else None


def _check_calibration(fitted: Calibration, info: EngineInfo) -> None:
    """Make sure that a calibration is for this model, as it is asked now; a copy of it elsewhere is the same model."""
    same = fitted.model_hash is not None and fitted.model_hash == info.revision
    fitted.check_model(fitted.model if same else info.model, info.revision)
    if fitted.predictors and fitted.predictors[0].get("map") != info.settings.get("map"):
        raise UsageError("the calibration was fitted with another --map; run `emollms calibrate` with this one")
    template = fitted.settings.get("template")
    if template is not None and template != info.template:
        raise UsageError(
            f"the calibration was fitted with --template {template}, and this is --template {info.template}; "
            "use one for both"
        )


def _answer(
    predictor: Predictor,
    planned: EvaluationPlan,
    out: Path,
    begun: EvaluationRecord | None,
    on_progress: OnProgress,
    warn: Warn,
) -> None:
    """Write the answers that are missing; in a resumed run, only with the model that it was begun with."""
    predictor.prepare([(get_task(task), rows) for task, rows in planned.rows.items()])
    with PredictionFile(out / PREDICTIONS, warn) as file:
        missing = [task for task, rows in planned.rows.items() if any(row["id"] not in file.known for row in rows)]
        if begun and missing:
            warn(f"{out}: {len(file.known):,} of {planned.count:,} rows are answered; resuming")
            info = predictor.start(begun.engine)
            engine = info.as_dict() if info else None
            check_engine(out, begun.engine, engine)
            if told := machine_note(out, begun.engine, engine):
                warn(told)
        for task in missing:
            on_progress(task, len(file.known), planned.count)
            for prediction in predictor.predict(get_task(task), planned.rows[task], frozenset(file.known)):
                file.add([prediction])
                on_progress(task, len(file.known), planned.count)


def _scores(
    record: EvaluationRecord,
    planned: EvaluationPlan,
    predictions: Mapping[str, Prediction],
    options: EvaluationOptions,
) -> Scores:
    facts = record.model_dump(mode="json", exclude={"format", "name", "kind"})
    seconds = round(sum(prediction.seconds for prediction in predictions.values()), 3)
    run = ScoredRun.model_validate(facts | {"rows": planned.count, "seconds": seconds})
    tasks = {name: _task_scores(get_task(name), planned, predictions, options) for name in planned.rows}
    return Scores(name=record.name, kind=record.kind, run=run, tasks=tasks)


def _task_scores(
    task: Task, planned: EvaluationPlan, predictions: Mapping[str, Prediction], options: EvaluationOptions
) -> TaskScores:
    rows = planned.rows[task.name]
    fitted = options.calibration.tasks.get(task.name) if options.calibration else None
    parsed = parse_predictions(task, rows, predictions, options.decode, fitted, options.parse, options.scale)
    drawn = SampledRows(rows=len(rows), of=planned.of[task.name], seed=options.seed)
    return task_scores(task, rows, parsed, options.policy, drawn, planned.language == ALL_LANGUAGES)
