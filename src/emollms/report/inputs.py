"""What a report is made from: the folders that `emollms evaluate` wrote, and the data sets they are about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from emollms.dataset.reader import TEST, Dataset, Row, asked_rows
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.run_folder import PREDICTIONS, SCORES, RunSettings
from emollms.evaluation.scores import Scores
from emollms.inference.predictions import Prediction, read_predictions
from emollms.tasks import TASKS


@dataclass(frozen=True)
class ScoredFolder:
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
    def settings(self) -> RunSettings:
        """What was asked for."""
        return self.scores.run.settings

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of its files."""
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in (SCORES, PREDICTIONS)}


@dataclass(frozen=True)
class ScoredData:
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

    def rows(self, task: str, run: ScoredFolder) -> list[Row]:
        """The rows of a task that `run` was asked, in order."""
        settings = run.settings
        return asked_rows(self.data.rows(task, TEST), settings.language, settings.limit, settings.seed)


def read_runs(folders: Sequence[Path]) -> list[ScoredFolder]:
    """The evaluations in these folders, each with a name of its own.

    Raises:
        UsageError: a folder holds none, or there is no folder.
        EmollmsError: a file is damaged.
    """
    if not folders:
        raise UsageError("a report needs at least one folder that `emollms evaluate` wrote")
    runs: list[ScoredFolder] = []
    for folder in folders:
        run = _read_run(folder)
        same = sum(other.scores.name == run.name for other in runs)
        runs.append(replace(run, name=f"{run.name} ({same + 1})") if same else run)
    return runs


def _read_run(folder: Path) -> ScoredFolder:
    for name in (SCORES, PREDICTIONS):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} is no finished evaluation: {name} is missing; `emollms evaluate` writes it")
    path = folder / SCORES
    scores = Scores.read(path)
    if alien := [task for task in scores.tasks if task not in TASKS]:
        raise EmollmsError(f"{path} has scores of {alien[0]!r}, which is no task of this version")
    return ScoredFolder(folder, scores.name, scores, read_predictions(folder / PREDICTIONS))


def benchmark_of(run: ScoredFolder, data: str | None) -> ScoredData:
    """The data set that `run` is about.

    Args:
        run: the evaluation.
        data: a folder or repo to take instead of the one that the run names.

    Raises:
        UsageError: it is not there, or is another one.
    """
    place = data or run.scores.run.data_target()
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
    return ScoredData(opened)
