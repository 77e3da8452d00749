"""What a report is made from: the folders that `emollms evaluate` wrote, and the data sets they are about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollms.dataset.reader import TEST, Dataset, Row, sample
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.fitted import Calibration
from emollms.evaluation.run_folder import PREDICTIONS, SCORES
from emollms.evaluation.task_metrics import Policy
from emollms.inference.decoding import Mode
from emollms.inference.predictions import Prediction, read_predictions
from emollms.prompts.answers import Parse
from emollms.tasks import TASKS


class _Entry(BaseModel):
    """A part of `scores.json`; evaluation may write more than a report shows."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class FigureEntry(_Entry):
    """A value with its 95 % interval, None where the metric is undefined, and the rows it is from."""

    value: float
    low: float | None
    high: float | None
    n: int


class MetricEntry(FigureEntry):
    """A metric, and its parts: emotions, labels or classes."""

    title: str
    parts: dict[str, FigureEntry] = {}


class InvalidEntry(_Entry):
    """Answers that could not be read, by reason, and what they count as."""

    policy: Policy
    rate: float
    n: int
    reasons: dict[str, int]


class BinEntry(_Entry):
    """A bar of a reliability diagram; see `calibration.Bin`."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class CalibrationEntry(_Entry):
    """Expected calibration error, and the reliability diagram."""

    error: float
    bins: list[BinEntry]


class ScaleEntry(_Entry):
    """The scale that answers were read on; see `scales.ScaleChoice`."""

    name: Literal["unit", "native"]


class ParseEntry(_Entry):
    """The metrics by one rule for reading answers, and how many answers are invalid by it."""

    metrics: dict[str, float]
    invalid: int


class TaskEntry(_Entry):
    """The scores of a task; see `TaskScore.as_json`."""

    main: str
    value: float
    n: int
    scored: int
    invalid: InvalidEntry
    metrics: dict[str, MetricEntry]
    calibration: CalibrationEntry | None = None
    parse: Parse = "strict"
    scale: ScaleEntry | None = None
    by_parse: dict[Parse, ParseEntry] = {}


class SettingsEntry(_Entry):
    """What decides rows and scores; see `run.settings_of`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    data: str
    decode: Mode | None
    language: str = "en"
    limit: int | None = None
    seed: int = 0
    calibration: Calibration | None = None


class RunEntry(_Entry):
    """The manifest of a run."""

    model_config = ConfigDict(frozen=True, extra="allow")

    settings: SettingsEntry
    data: dict[str, Any]


class Scores(_Entry):
    """A `scores.json`."""

    format: Literal[1]
    name: str = Field(min_length=1)
    kind: str
    run: RunEntry
    tasks: dict[str, TaskEntry]


@dataclass(frozen=True)
class Run:
    """A finished evaluation.

    Args:
        folder: where it is.
        name: its name, one of its own in the report.
        scores: what it says of itself.
        predictions: its predictions by id.
    """

    folder: Path
    name: str
    scores: Scores
    predictions: Mapping[str, Prediction]

    @property
    def settings(self) -> SettingsEntry:
        """What was asked for."""
        return self.scores.run.settings

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of its files."""
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in (SCORES, PREDICTIONS)}


@dataclass(frozen=True)
class Benchmark:
    """The data set that a run is about.

    Args:
        data: the data set.
    """

    data: Dataset

    @cached_property
    def public(self) -> frozenset[str]:
        """The corpora whose texts may be passed on."""
        return frozenset(source.corpus for source in self.data.manifest.sources if source.redistribution == "text")

    def may_show(self, row: Row) -> bool:
        """Whether the text of a row may be redistributed."""
        return row["corpus"] in self.public

    def rows(self, task: str, run: Run) -> list[Row]:
        """The rows of a task that `run` was asked, in order."""
        settings = run.settings
        rows = [row for row in self.data.rows(task, TEST) if row["language"] == settings.language]
        return sample(rows, settings.limit, settings.seed)


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The evaluations in these folders, each with a name of its own.

    Raises:
        UsageError: a folder holds none, or there is no folder.
        EmollmsError: a file is damaged.
    """
    if not folders:
        raise UsageError("a report needs at least one folder that `emollms evaluate` wrote")
    runs: list[Run] = []
    for folder in folders:
        run = _read_run(folder)
        same = sum(other.scores.name == run.name for other in runs)
        runs.append(replace(run, name=f"{run.name} ({same + 1})") if same else run)
    return runs


def _read_run(folder: Path) -> Run:
    for name in (SCORES, PREDICTIONS):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} is no finished evaluation: {name} is missing; `emollms evaluate` writes it")
    path = folder / SCORES
    try:
        scores = Scores.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EmollmsError(f"{path} is damaged ({where}: {first['msg']}); run `emollms evaluate` again") from None
    if alien := [task for task in scores.tasks if task not in TASKS]:
        raise EmollmsError(f"{path} has scores of {alien[0]!r}, which is no task of this version")
    return Run(folder, scores.name, scores, read_predictions(folder / PREDICTIONS))


def benchmark_of(run: Run, data: str | None) -> Benchmark:
    """The data set that `run` is about.

    Args:
        run: the evaluation.
        data: a folder or repo to take instead of the one that the run names.

    Raises:
        UsageError: it is not there, or is another one.
    """
    about = run.scores.run.data
    place = data or about.get("path") or "@".join(filter(None, (about.get("repo"), about.get("commit"))))
    if not place:
        raise UsageError(f"{run.folder / SCORES} does not say where its data set is; give it with --data")
    try:
        opened = Dataset(place)
    except UsageError:
        raise UsageError(f"{place}, the data set of {run.folder}, is not here; give it with --data") from None
    found = opened.manifest.content_hash
    if found != run.settings.data:
        raise UsageError(
            f"{place} has content hash {found}, but {run.folder} was evaluated on {run.settings.data}; "
            "give the evaluated data set with --data"
        )
    return Benchmark(opened)
