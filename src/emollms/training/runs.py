"""The runs that lie on this machine: trainings and evaluations."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emollms.dataset.versions import folders_with
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.run_folder import RUN, SCORES, EvaluationRecord, read_record
from emollms.evaluation.scores import Scores
from emollms.locations import missing
from emollms.training.folder import SETTINGS, is_finished
from emollms.training.manifest import read_run
from emollms.training.result import TrainingRun


@dataclass(frozen=True)
class RunEntry:
    """A run in a folder.

    Args:
        kind: what was done.
        name: of the recipe, or of what was evaluated; empty for a training that has not finished.
        data: the data set, as it was named, or its folder.
        is_finished: whether it has; the command that began it resumes it otherwise.
        scores: of a training, the validation metric of each task at the step that was kept; of an evaluation, the main
            metric of each task.
        folder: where it is.
    """

    kind: Literal["training", "evaluation"]
    name: str
    data: str
    is_finished: bool
    scores: dict[str, float]
    folder: Path


def find_runs(place: Path) -> list[RunEntry]:
    """The runs in a folder and the folders in it, down to the fourth level; damaged ones are left out.

    Args:
        place: the folder, of a run or of several.

    Raises:
        UsageError: it is not there, or is a file.
    """
    if not place.is_dir():
        raise UsageError(f"{place} is a file; name a folder") if place.exists() else missing(str(place))
    found = [_training(folder) for folder in folders_with(SETTINGS, place)]
    found += [_evaluation(folder) for folder in folders_with(RUN, place) if not (folder / SETTINGS).is_file()]
    return sorted((one for one in found if one), key=lambda one: (one.kind, str(one.folder)))


def _training(folder: Path) -> RunEntry | None:
    if not is_finished(folder):
        return RunEntry("training", "", "", False, {}, folder)
    try:
        run = TrainingRun(folder, read_run(folder))
    except EmollmsError:
        return None
    data = run.manifest.data
    scores = run.best.tasks if run.best else {}
    return RunEntry("training", run.manifest.recipe.name, data.target if data else "", True, scores, folder)


def _evaluation(folder: Path) -> RunEntry | None:
    """None for a model, which has the record of its training under the same name."""
    with suppress(EmollmsError, UsageError):
        record = read_record(folder / RUN, EvaluationRecord)
        is_done = (folder / SCORES).is_file()
        tasks = Scores.read(folder / SCORES).tasks if is_done else {}
        scores = {name: task.value for name, task in tasks.items()}
        return RunEntry("evaluation", record.name, record.data_target(), is_done, scores, folder)
    return None
