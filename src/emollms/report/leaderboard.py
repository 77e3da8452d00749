"""A leaderboard from published answers: every model scored again on the rows of the benchmark, and ranked.

Models are sorted by their mean rank over the tasks; its interval comes from resamples of rows that are the same for all
models, each ranked anew (the bootstrap of `evaluation.bootstrap`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from emollms.dataset.reader import TEST, Dataset
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.answer_sets import AnswerSet, asked_rows, is_answer_set, local_answers
from emollms.evaluation.bootstrap import Interval, interval
from emollms.evaluation.ceiling import ceiling_of
from emollms.evaluation.comparison import paired_samples
from emollms.evaluation.metrics import Floats
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.prediction_files import read_answers
from emollms.evaluation.ranks import mean_ranks
from emollms.evaluation.scores import Scores
from emollms.evaluation.scoring import RESAMPLES, ScoredTask, gold_label, score, task_scores, unannotated_of
from emollms.evaluation.task_metrics import metrics_of
from emollms.evaluation.task_scores import TaskScores
from emollms.inference.decoding import Decode
from emollms.inference.predictions import Prediction
from emollms.report.model import ScoreCell
from emollms.report.tables import cell
from emollms.tasks import TASKS, Task, get_task


@dataclass(frozen=True)
class RankedModel:
    """A model on a leaderboard.

    Args:
        name: its name.
        answers: where its answers are: `OWNER/NAME@COMMIT`, or a folder.
        kind: model, endpoint, predictions or baseline.
        model: its repo or name, as the run knew it; empty where it has none.
        mean_rank: the mean of its ranks over all tasks, 1 the best; a task that it does not answer ranks last.
        low: lower end of its 95 % interval.
        high: upper end.
        cells: its score by task, of those that it answers.
        seconds: of computing, for a thousand rows; None where nothing was computed.
        machine: what computed them.
        remarks: what is unusual in how its answers were read.
    """

    name: str
    answers: str
    kind: str
    model: str
    mean_rank: float
    low: float
    high: float
    cells: Mapping[str, ScoreCell]
    seconds: float | None
    machine: str
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class RankedTask:
    """A task on a leaderboard.

    Args:
        name: its name.
        about: what it asks.
        metric: its published metric, for people.
        rows: the rows of each model.
        ceiling: the highest score that the noise of its gold labels allows; None where it is unknown.
    """

    name: str
    about: str
    metric: str
    rows: int
    ceiling: float | None = None


@dataclass(frozen=True)
class Ranking:
    """A leaderboard, the best model first; `as_json` is its data.

    Args:
        benchmark: title of the data set.
        version: its version and profile.
        content_hash: hash of its rows.
        language: code of the language.
        tasks: its tasks that any model answers.
        models: the models.
    """

    benchmark: str
    version: str
    content_hash: str
    language: str
    tasks: Sequence[RankedTask]
    models: Sequence[RankedModel]

    def as_json(self) -> dict[str, object]:
        """All of it, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _ScoredAnswers:
    """Answers, and their scores on the rows of the benchmark by task."""

    name: str
    place: str
    scores: Scores
    tasks: Mapping[str, ScoredTask]


def rank_answers(answers: Sequence[str], data: Dataset) -> Ranking:
    """The leaderboard of published answers.

    Args:
        answers: `OWNER/NAME[@REVISION]`, or folders of published answers.
        data: the benchmark that they answer.

    Raises:
        UsageError: there are no answers, they are to other rows than the benchmark's, or to different rows, or in
            several languages.
        EmollmsError: the scores that were published are not those of the answers; or the Hub cannot be reached.
    """
    if not answers:
        raise UsageError("a leaderboard needs answers that `emollms publish answers` published")
    entries = [_read(name, data) for name in answers]
    languages = {one.scores.run.settings.language for one in entries}
    if len(languages) > 1:
        raise UsageError(f"the answers are in {', '.join(sorted(languages))}; make a leaderboard of each language")
    names = [name for name in TASKS if any(name in one.tasks for one in entries)]
    values, samples = _paired([one.tasks for one in entries], names)
    ranks, resampled = mean_ranks(values), mean_ranks(samples)
    models = [_model(one, float(ranks[number]), interval(resampled[:, number])) for number, one in enumerate(entries)]
    manifest = data.manifest
    return Ranking(
        benchmark=manifest.title,
        version=f"{manifest.version}, profile {manifest.settings.get('profile', 'unknown')}",
        content_hash=manifest.content_hash,
        language=next(iter(languages)),
        tasks=[_task(get_task(name), data, entries) for name in names],
        models=sorted(models, key=lambda one: (one.mean_rank, one.name)),
    )


def _read(name: str, data: Dataset) -> _ScoredAnswers:
    """Published answers, scored again; the scores must be the published ones."""
    folder = local_answers(name)
    if not is_answer_set(folder):
        raise UsageError(f"{name} holds no answers that `emollms publish answers` published")
    found = AnswerSet.read(folder)
    found.check_rows(data)
    predictions = read_answers(folder, BenchmarkRows.of(data))
    tasks = {}
    for task in map(get_task, found.scores.tasks):
        tasks[task.name], again = _score(task, found.scores, predictions, data)
        if again != found.scores.tasks[task.name]:
            raise EmollmsError(f"{name}: the scores of {task.name} are not those of its answers; publish them again")
    commit = "" if Path(name).is_dir() or "@" in name else f"@{folder.name[:12]}"
    return _ScoredAnswers(
        found.scores.name, Path(name).name if Path(name).is_dir() else f"{name}{commit}", found.scores, tasks
    )


def _score(
    task: Task, scores: Scores, predictions: Mapping[str, Prediction], data: Dataset
) -> tuple[ScoredTask, TaskScores]:
    settings, rows = scores.run.settings, asked_rows(data, task, scores)
    fitted = settings.calibration.tasks.get(task.name) if settings.calibration else None
    decode = settings.decode or Decode.expected_value
    parsed = parse_predictions(task, rows, predictions, decode, fitted, settings.parse, settings.scale)
    scored = score(
        task, [gold_label(task, row) for row in rows], parsed.parsed, [row["emotion"] for row in rows], settings.policy,
        unannotated=unannotated_of(rows), resamples=1,
    )  # fmt: skip
    return scored, task_scores(task, rows, parsed, settings.policy, scores.tasks[task.name].sample)


def _paired(entries: Sequence[Mapping[str, ScoredTask]], names: Sequence[str]) -> tuple[Floats, Floats]:
    """Scores of shape (models, tasks), and on resamples of rows (resamples, models, tasks); NaN for none."""
    values = np.full((len(entries), len(names)), np.nan)
    samples = np.full((RESAMPLES, *values.shape), np.nan)
    for column, name in enumerate(names):
        having = [number for number, one in enumerate(entries) if name in one]
        found = paired_samples([entries[number][name] for number in having])
        for number, (value, drawn) in zip(having, found, strict=True):
            values[number, column], samples[:, number, column] = value, drawn
    return values, samples


def _task(task: Task, data: Dataset, entries: Sequence[_ScoredAnswers]) -> RankedTask:
    rows = next(one.tasks[task.name].n for one in entries if task.name in one.tasks)
    corpora = set(data.table(task.name, TEST, ["corpus"])["corpus"].to_pylist())
    return RankedTask(task.name, task.about, metrics_of(task).main.title, rows, ceiling_of(task, corpora))


def _model(entry: _ScoredAnswers, rank: float, found: Interval) -> RankedModel:
    run = entry.scores.run
    engine = run.engine or {}
    cost = 1000 * run.seconds / run.rows if run.seconds and run.rows else None
    return RankedModel(
        name=entry.name,
        answers=entry.place,
        kind=entry.scores.kind,
        model=str(engine.get("model") or ""),
        mean_rank=rank,
        low=found.low,
        high=found.high,
        cells={name: one for name, task in entry.scores.tasks.items() if (one := cell(task.main_metric))},
        seconds=cost,
        machine=_machine(run.hardware) if cost is not None else "",
        remarks=_remarks(entry.scores),
    )


def _machine(hardware: Mapping[str, object]) -> str:
    """What computed answers: an accelerator, else the processor with its cores."""
    device = str(hardware.get("device") or "cpu")
    if device != "cpu":
        return device
    return f"{hardware.get('processor') or 'a CPU'}, {hardware.get('cores', 1)} cores"


def _remarks(scores: Scores) -> list[str]:
    settings = scores.run.settings
    drawn = any(one.sample and one.sample.rows < one.sample.of for one in scores.tasks.values())
    found = [f"a sample of {settings.limit:,} rows a task"] if drawn and settings.limit else []
    found += [f"answers parsed {settings.parse}ly"] if settings.parse != "strict" else []
    found += ["probabilities calibrated"] if settings.calibration else []
    return found
