"""A benchmark run: answers of one source to the tasks of a data set, written as they come, and their scores.

A folder of a run holds `run.json` (settings and data, written first), `predictions.jsonl` (a line an answer, as it
comes), and `scores.json` (written last, whole or not at all).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emollms.dataset.reader import TEST, Dataset, Row, choose_language, sample
from emollms.errors import UsageError
from emollms.evaluation.fitted import Calibration
from emollms.evaluation.parsing import read_all
from emollms.evaluation.predictors import Source
from emollms.evaluation.run_folder import (
    FORMAT,
    PREDICTIONS,
    RUN,
    SCORES,
    check_engine,
    check_settings,
    claimed,
    has_answers,
    machine_note,
    new_record,
    read_json,
)
from emollms.evaluation.scales import Scale
from emollms.evaluation.scoring import task_scores
from emollms.evaluation.task_metrics import Policy
from emollms.inference.decoding import Mode
from emollms.inference.engine import EngineInfo
from emollms.inference.predictions import Note, Prediction, PredictionFile, read_predictions
from emollms.prompts.answers import Parse
from emollms.storage import LOCK, write_json
from emollms.tasks import Task, get_task

DIFFERENCE = 0.005
"""How far the figures of the two rules may be apart before it is said."""


def remarks(scores: Mapping[str, Any]) -> list[str]:
    """Lines about tasks that `auto` read on their native scale, and tasks whose scores depend on the rule.

    Args:
        scores: what `scores.json` holds.
    """
    found = _native(scores["tasks"])
    for name, task in scores["tasks"].items():
        found += _rules(name, task)
    return found


def _native(tasks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shown = []
    for name, task in tasks.items():
        scale = task.get("scale") or {}
        if scale.get("asked") == "auto" and scale["name"] == "native":
            ends = f"{scale['low']:g} to {scale['high']:g}"
            shown.append(f"{name} ({scale['outside']:,} of {scale['numbers']:,} outside 0 to 1, read on {ends})")
    if not shown:
        return []
    return [f"answers look native: {', '.join(shown)}; --scale unit reads them on 0 to 1, --scale native says so"]


def _rules(name: str, task: Mapping[str, Any]) -> list[str]:
    """A line if the rule makes a difference in any metric of a task."""
    rules = task.get("by_parse")
    if not rules:
        return []
    strict, lenient = rules["strict"], rules["lenient"]
    apart = {
        task["metrics"][metric]["title"]: (value, lenient["metrics"][metric])
        for metric, value in strict["metrics"].items()
        if abs(value - lenient["metrics"][metric]) > DIFFERENCE
    }
    if not apart:
        return []
    figures = ", ".join(f"{title} {one:.3f} strict, {other:.3f} lenient" for title, (one, other) in apart.items())
    other = "lenient" if task.get("parse", "strict") == "strict" else "strict"
    return [
        f"{name}: {figures} ({strict['invalid']:,} and {lenient['invalid']:,} of {task['n']:,} answers invalid); "
        f"--parse {other} scores by the other rule"
    ]


Tell = Callable[[str, int, int], None]
"""Is told the task, how many rows are answered, and how many there are, over all tasks."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked, and how answers are scored.

    Args:
        tasks: names of tasks; empty for all that the source answers.
        mode: how a model decodes, and whether probabilities are scored where there are some.
        limit: the most rows of a task; None for all.
        seed: of samples of rows, and of sampled answers.
        policy: what an answer that cannot be read counts as.
        calibration: temperatures and thresholds to apply.
        language: code of the language; None for English, or the only one.
        parse: the rule that answers are read by; the figures of the other one are in `scores.json`, too.
        scale: what regression answers are on: `unit`, 0..1; `native`, the task's own range; `auto` decides for each
            task by all its answers, and keeps 0..1 unless they clearly look native.
    """

    tasks: Sequence[str] = ()
    mode: Mode = "expectation"
    limit: int | None = None
    seed: int = 0
    policy: Policy = "official"
    calibration: Calibration | None = None
    language: str | None = None
    parse: Parse = "strict"
    scale: Scale = "auto"


@dataclass(frozen=True)
class Plan:
    """The rows of a run.

    Args:
        rows: the rows that are asked, by name of the task.
        of: how many rows there are, by name of the task.
        language: their language.
    """

    rows: Mapping[str, Sequence[Row]]
    of: Mapping[str, int]
    language: str

    @property
    def count(self) -> int:
        """How many rows there are, over all tasks."""
        return sum(map(len, self.rows.values()))


@dataclass(frozen=True)
class Finished:
    """A run that is done.

    Args:
        scores: what `scores.json` holds.
        already: whether it was done before.
    """

    scores: Mapping[str, Any]
    already: bool


def plan(source: Source, data: Dataset, options: Options) -> Plan:
    """The rows that a run asks.

    Raises:
        UsageError: the data set has no test rows, no such task or language, or the source has no answer.
    """
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit} leaves no row; give 1 or more")
    tasks = source.about(data.tasks(TEST, options.tasks), everything=not options.tasks)
    every = {task.name: data.rows(task.name, TEST) for task in tasks}
    language = choose_language((row for rows in every.values() for row in rows), options.language)
    spoken = {task: [row for row in rows if row["language"] == language] for task, rows in every.items()}
    spoken = {task: rows for task, rows in spoken.items() if rows}
    chosen = {task: sample(rows, options.limit, options.seed) for task, rows in spoken.items()}
    return Plan(chosen, {task: len(rows) for task, rows in spoken.items()}, language)


def evaluate(
    source: Source,
    data: Dataset,
    out: Path,
    options: Options,
    *,
    command: Sequence[str] = (),
    tell: Tell = lambda task, done, total: None,
    note: Note = lambda text: None,
) -> Finished:
    """Run a benchmark; a run that was killed goes on, and a finished one is not run again.

    Args:
        source: who answers.
        data: the data set.
        out: the folder of the run.
        options: what is asked, and how answers are scored.
        command: the command line, for the record.
        tell: is told of progress.
        note: is told what else happens.

    Raises:
        UsageError: the call is wrong, or `out` holds another run.
        EmollmsError: data, model or server fail.
    """
    planned = plan(source, data, options)
    settings = settings_of(source, data, options, planned)
    with claimed(out), closing(source):
        before = read_json(out / RUN) if has_answers(out) else None
        if before:
            check_settings(out, before["settings"], settings)
        if before and (scores := read_json(out / SCORES)):
            return _finished(scores, True, note)
        record = before or {
            "name": source.name,
            "kind": source.kind,
            "command": list(command),
            **new_record(settings, data.describe(), _start(source, options)),
        }
        if not before:
            write_json(out / RUN, {"format": FORMAT, **record})
        _answer(source, planned, out, record if before else None, tell, note)
        scores = _scores(record, planned, read_predictions(out / PREDICTIONS), options)
        write_json(out / SCORES, {"format": FORMAT, **scores})
        (out / LOCK).unlink(missing_ok=True)
    return _finished(scores, False, note)


def _finished(scores: Mapping[str, Any], already: bool, note: Note) -> Finished:
    for line in remarks(scores):
        note(line)
    return Finished(scores, already)


def settings_of(source: Source, data: Dataset, options: Options, planned: Plan) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    fitted = options.calibration
    return {
        "source": source.settings(),
        "decode": None if source.kind == "baseline" else options.mode,
        "data": data.manifest.content_hash,
        "split": TEST,
        "tasks": list(planned.rows),
        "language": planned.language,
        "limit": options.limit,
        "seed": options.seed,
        "policy": options.policy,
        "calibration": fitted.model_dump(mode="json") if fitted else None,
        "parse": options.parse,
        "scale": options.scale,
    }


def _start(source: Source, options: Options) -> dict[str, Any] | None:
    """Get the source ready, and describe its engine."""
    info = source.start()
    if info and options.calibration:
        _check_calibration(options.calibration, info)
    return info.as_dict() if info else None


def _check_calibration(fitted: Calibration, info: EngineInfo) -> None:
    """Make sure that a calibration is for this model, as it is asked now; a copy of it elsewhere is the same model."""
    same = fitted.model_hash is not None and fitted.model_hash == info.revision
    fitted.check_model(fitted.model if same else info.model, info.revision)
    template = fitted.settings.get("template")
    if template is not None and template != info.template:
        raise UsageError(
            f"the calibration was fitted with --template {template}, and this is --template {info.template}; "
            "use one for both"
        )


def _answer(source: Source, planned: Plan, out: Path, begun: Mapping[str, Any] | None, tell: Tell, note: Note) -> None:
    """Write what is missing of the answers; of a run that goes on, only with the model that it began with."""
    with PredictionFile(out / PREDICTIONS, note) as file:
        missing = [task for task, rows in planned.rows.items() if any(row["id"] not in file.known for row in rows)]
        if begun and missing:
            note(f"{out}: {len(file.known):,} of {planned.count:,} rows are answered; going on")
            info = source.start(begun["engine"])
            engine = info.as_dict() if info else None
            check_engine(out, begun["engine"], engine)
            if told := machine_note(out, begun["engine"], engine):
                note(told)
        for task in missing:
            tell(task, len(file.known), planned.count)
            for prediction in source.answer(get_task(task), planned.rows[task], frozenset(file.known)):
                file.add([prediction])
                tell(task, len(file.known), planned.count)


def _scores(
    record: Mapping[str, Any], planned: Plan, predictions: Mapping[str, Prediction], options: Options
) -> dict[str, Any]:
    """What `scores.json` holds."""
    tasks = {name: _task_scores(get_task(name), planned, predictions, options) for name in planned.rows}
    seconds = sum(prediction.seconds for prediction in predictions.values())
    run = {key: value for key, value in record.items() if key not in ("format", "name", "kind")}
    return {
        "format": 1,
        "name": record["name"],
        "kind": record["kind"],
        "run": run | {"rows": planned.count, "seconds": round(seconds, 3)},
        "tasks": tasks,
    }


def _task_scores(task: Task, planned: Plan, predictions: Mapping[str, Prediction], options: Options) -> dict[str, Any]:
    rows = planned.rows[task.name]
    fitted = options.calibration.tasks.get(task.name) if options.calibration else None
    read = read_all(task, rows, predictions, options.mode, fitted, options.parse, options.scale)
    scored = task_scores(task, rows, read, options.policy)
    taken = {"sample": {"rows": len(rows), "of": planned.of[task.name], "seed": options.seed}}
    return scored | taken | ({"calibration": read.calibration} if read.calibration else {})
