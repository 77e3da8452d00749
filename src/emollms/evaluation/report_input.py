"""What a report is made from: the folders that `emollms evaluate` wrote, and the data sets they are about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.schemes import Policy
from emollms.inference.predictions import Prediction, read_predictions
from emollms.repository.manifest import Manifest, read_manifest
from emollms.repository.remote import local_copy
from emollms.tasks import TASKS

SCORES, PREDICTIONS = "scores.json", "predictions.jsonl"
Row = Mapping[str, Any]
_COLUMNS = ("id", "text", "gold", "score", "labels", "emotion", "language", "corpus")


class _Entry(BaseModel):
    """A part of `scores.json`; evaluation may write more than a report shows."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class FigureEntry(_Entry):
    """A value with its 95 % interval, and the rows it is from."""

    value: float
    low: float
    high: float
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


class TaskEntry(_Entry):
    """The scores of a task; see `TaskScore.as_json`."""

    main: str
    value: float
    n: int
    scored: int
    invalid: InvalidEntry
    metrics: dict[str, MetricEntry]
    calibration: CalibrationEntry | None = None


class Scores(_Entry):
    """A `scores.json`."""

    format: Literal[1]
    name: str = Field(min_length=1)
    kind: str
    run: dict[str, Any]
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
    def facts(self) -> Mapping[str, Any]:
        """The manifest of the run."""
        return self.scores.run

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of its files."""
        return {
            name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in (SCORES, PREDICTIONS)
        }


@dataclass(frozen=True)
class Benchmark:
    """The data set that a run is about.

    Args:
        folder: where it is.
        manifest: its manifest.
    """

    folder: Path
    manifest: Manifest

    @cached_property
    def public(self) -> frozenset[str]:
        """The corpora whose texts may be passed on."""
        return frozenset(source.corpus for source in self.manifest.sources if source.redistribution == "text")

    def rows(self, task: str) -> list[Row]:
        """All rows of a task, in order.

        Raises:
            UsageError: it has none.
        """
        folder = self.folder / "data" / task
        if not folder.is_dir():
            raise UsageError(f"{self.folder} has no rows of task {task}; give the evaluated data set with --data")
        rows: list[Row] = pq.read_table(folder, columns=list(_COLUMNS), partitioning=None).to_pylist()
        return rows


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
    said = run.facts.get("data")
    about: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    place = data or about.get("path") or about.get("repo")
    if not place:
        raise UsageError(f"{run.folder / SCORES} does not say where its data set is; give it with --data")
    try:
        folder = local_copy(str(place))
    except UsageError:
        raise UsageError(f"{place}, the data set of {run.folder}, is not here; give it with --data") from None
    manifest = read_manifest(folder)
    expected = about.get("content_hash")
    if expected and manifest.content_hash != expected:
        raise UsageError(
            f"{folder} has content hash {manifest.content_hash}, but {run.folder} was evaluated on {expected}; "
            "give the evaluated data set with --data"
        )
    return Benchmark(folder, manifest)
