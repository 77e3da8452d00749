"""What answers the rows of a benchmark: a model, here or behind a server, a baseline, or a file of answers."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from emollms.dataset.reader import Row
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.baselines import baseline
from emollms.evaluation.prediction_files import prediction_files, read_answers
from emollms.inference.engine import EngineInfo
from emollms.inference.model_names import resolve_model
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import answer
from emollms.storage import weights_hash
from emollms.tables.files import Dialect, Warn, no_warning
from emollms.tasks import Task

PredictorKind = Literal["model", "endpoint", "predictions", "baseline"]
BASELINE_NAMES = {
    "vader": "VADER",
    "vader-threshold": "VADER (threshold)",
    "textblob": "TextBlob",
    "mean": "mean score",
    "majority": "majority class",
}


class Predictor(ABC):
    """Answers the rows of tasks. What needs no loading inherits `start` and `close`, which do nothing."""

    kind: ClassVar[PredictorKind]

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name for people."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What identifies it, known before it is loaded: a run is resumed only by a predictor with equal settings."""

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """Those of `tasks` that it can answer.

        Args:
            tasks: the tasks.
            everything: whether they are all tasks of the data set, of which it may leave some out; tasks that were
                asked for by name are answered, or an error.
        """
        return tuple(tasks)

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo | None:
        """Load what it needs, and describe its engine, where it has one.

        Args:
            begun: the description of the engine that a resumed run began with; what `auto` stood for then stays.
        """
        return None

    def prepare(self, asked: Sequence[tuple[Task, Sequence[Row]]]) -> None:
        """Be told of all that will be asked, known or not, before the first `predict`: it may decide batches."""
        return None

    @abstractmethod
    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """The predictions of `rows` whose ids are not `known`, as they come."""

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """The thresholds by which it names labels of `task`, see `likely_labels`; None where none were fitted."""
        return None

    def count_tokens(self, asked: Sequence[tuple[Task, Row]]) -> int:
        """The tokens that it reads to answer rows, each of a task."""
        return 0

    def has_room(self, task: Task, row: Row) -> bool:
        """Whether it can read the text of a row of `task` as a whole, and answer."""
        return True

    def close(self) -> None:
        """Release what `start` loaded."""
        return None


@dataclass(frozen=True)
class BaselinePredictor(Predictor):
    """A lexicon, or constants.

    Args:
        baseline: one of `baselines.BASELINES`.
        training: name of a task to its training rows, for constants; empty where there are none.
        display_name: its name for people, if it is another.
    """

    kind: ClassVar[PredictorKind] = "baseline"
    baseline: str
    training: Callable[[str], Sequence[Row]] = lambda task: ()
    display_name: str | None = None

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.display_name or BASELINE_NAMES.get(self.baseline, self.baseline)

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`."""
        return {"baseline": self.baseline}

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """See `Predictor.answerable`.

        Raises:
            UsageError: it has no answer to a task that was asked for, or to any.
        """
        fitting = tuple(task for task in tasks if not everything or self._fits(task))
        for task in fitting or tasks[:1]:
            baseline(self.baseline, task)
        return fitting

    def _fits(self, task: Task) -> bool:
        try:
            baseline(self.baseline, task)
        except UsageError:
            return False
        return True

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`."""
        for language in dict.fromkeys(row["language"] for row in rows):  # the constants of each are its own
            training = [row for row in self.training(task.name) if row["language"] == language]
            own = [row for row in rows if row["language"] == language]
            values = baseline(self.baseline, task, training).predict(own)
            for row, value in zip(own, values, strict=True):
                if row["id"] not in known:
                    yield Prediction(str(row["id"]), answer(task, value, row["emotion"]))


@dataclass
class FilePredictor(Predictor):
    """Answers in a file, or a folder of files; see `prediction_files`.

    Args:
        path: the file or folder.
        known: the id of every row of the data set's test split, to the name of its task, in order.
        display_name: its name for people, if it is another.
        rows: the rows, where more is known of them; answers without ids, and submissions to SemEval-2018, need it.
        dialect: how a text file is written, where its suffix does not say it.
        warn: called with a line about what was left out of the file.
    """

    kind: ClassVar[PredictorKind] = "predictions"
    path: Path
    known: Mapping[str, str]
    display_name: str | None = None
    rows: BenchmarkRows | None = None
    dialect: Dialect | None = None
    warn: Warn = no_warning

    def __post_init__(self) -> None:
        rows = self.rows or BenchmarkRows.of_ids(self.known)
        self._predictions = read_answers(self.path, rows, self.dialect, self.warn)

    @property
    def name(self) -> str:
        """Its name for people: that of the file, or of the folder of a run or of logs."""
        stem = self.path.name.split(".")[0] if self.path.is_file() else self.path.resolve().name
        is_part = self.path.is_file() and (stem == "predictions" or stem.startswith("samples_"))
        return self.display_name or (self.path.resolve().parent.name if is_part else stem)

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`."""
        digests = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in prediction_files(self.path)]
        whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return {"predictions": f"sha256:{whole}"}

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """Those with at least one answer; all that were asked for one by one."""
        answered = {self.known[row_id] for row_id in self._predictions}
        fitting = tuple(task for task in tasks if not everything or task.name in answered)
        if len(fitting) < len(tasks):
            names = ", ".join(task.name for task in fitting)
            self.warn(f"{self.path} answers {len(fitting)} of {len(tasks)} tasks, {names}; the others are left out")
        return fitting

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`; rows without an answer stay without one."""
        ids = [str(row["id"]) for row in rows if row["id"] not in known]
        return (self._predictions[row_id] for row_id in ids if row_id in self._predictions)


def identity(predictor: Predictor) -> str:
    """What the answers of a predictor depend on, as JSON: weights and not their place, the template, the dtype."""
    info = predictor.start()
    if info is None:
        return json.dumps(predictor.settings(), sort_keys=True)
    about = asdict(info)
    kept: dict[str, Any] = {name: about[name] for name in ("engine", "dtype", "template")}
    is_hash = str(info.revision).startswith("sha256:")
    kept |= {"revision": info.revision} if is_hash else {"model": info.model, "revision": info.revision}
    kept |= {"endpoint": info.device} if info.engine == "endpoint" else {}
    kept |= {"map": info.settings["map"]} if "map" in info.settings else {}
    return json.dumps(kept | {"decode": str(getattr(predictor, "decode", ""))}, sort_keys=True)


def can_answer(predictor: Predictor, task: Task) -> bool:
    """Whether a predictor has answers to a task."""
    try:
        return bool(predictor.answerable([task], everything=True))
    except EmollmsError:
        return False


def shown_name(model: str) -> str:
    """The name of a model for people: of a folder its last part."""
    return Path(model).resolve().name if Path(model).is_dir() else model


def place_of(model: str) -> dict[str, str]:
    """What identifies a model before it is loaded: a folder by its weights, wherever it is, a repository by name."""
    folder = Path(resolve_model(model))
    return {"weights": weights_hash(folder)} if folder.is_dir() else {"model": model}


def split_revision(model: str) -> tuple[str, str | None]:
    """Folder, or repository and revision, from `OWNER/NAME@REVISION`."""
    if Path(model).is_dir():
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None
