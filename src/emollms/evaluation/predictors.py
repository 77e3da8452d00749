"""Who answers the rows of a run: a model (see `model_source`), a baseline, or a file of answers given elsewhere."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.baselines import baseline
from emollms.evaluation.prediction_files import prediction_files, read_answers
from emollms.inference.engine import EngineInfo
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import answer
from emollms.tables.files import Dialect, Warn, no_warning
from emollms.tasks import Task

Kind = Literal["model", "endpoint", "predictions", "baseline"]
BASELINE_NAMES = {
    "vader": "VADER",
    "vader-threshold": "VADER (threshold)",
    "textblob": "TextBlob",
    "mean": "mean score",
    "majority": "majority class",
}


class Source(Protocol):
    """Who answers."""

    @property
    def kind(self) -> Kind:
        """What it is."""
        ...

    @property
    def name(self) -> str:
        """Its name for people."""
        ...

    def settings(self) -> dict[str, Any]:
        """What tells it from others, known before it is loaded."""
        ...

    def about(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """Those of `tasks` that it answers; all of them, or an error, where they were asked for one by one."""
        ...

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo | None:
        """Get ready, and tell which engine it is, where there is one.

        Args:
            begun: the description of the engine with which a run began that is resumed; what was decided for it stays.
        """
        ...

    def answer(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """The predictions of `rows` whose ids are not `known`, as they come."""
        ...

    def close(self) -> None:
        """Let go of what `start` took."""
        ...


@dataclass(frozen=True)
class BaselineSource:
    """A lexicon, or constants.

    Args:
        baseline: one of `baselines.BASELINES`.
        training: name of a task to its training rows, for constants; empty where there are none.
        shown: its name for people, if it is another.
    """

    baseline: str
    training: Callable[[str], Sequence[Row]] = lambda task: ()
    shown: str | None = None

    @property
    def kind(self) -> Kind:
        """What it is."""
        return "baseline"

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.shown or BASELINE_NAMES.get(self.baseline, self.baseline)

    def settings(self) -> dict[str, Any]:
        """See `Source.settings`."""
        return {"baseline": self.baseline}

    def about(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """See `Source.about`.

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

    def start(self, begun: Mapping[str, Any] | None = None) -> None:
        """There is nothing to load."""

    def answer(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Source.answer`."""
        languages = {row["language"] for row in rows}
        training = [row for row in self.training(task.name) if row["language"] in languages]
        values = baseline(self.baseline, task, training).predict(rows)
        for row, value in zip(rows, values, strict=True):
            if row["id"] not in known:
                yield Prediction(str(row["id"]), answer(task, value, row["emotion"]))

    def close(self) -> None:
        """There is nothing to let go of."""


@dataclass
class FileSource:
    """Answers in a file, or a folder of files; see `prediction_files`.

    Args:
        path: the file or folder.
        known: the id of every row of the data set's test split, to the name of its task, in order.
        shown: its name for people, if it is another.
        rows: the rows, where more is known of them; answers without ids, and submissions to SemEval-2018, need it.
        dialect: how a text file is written, where its suffix does not say it.
        warn: is told what was left out of the file.
    """

    path: Path
    known: Mapping[str, str]
    shown: str | None = None
    rows: BenchmarkRows | None = None
    dialect: Dialect | None = None
    warn: Warn = no_warning

    def __post_init__(self) -> None:
        rows = self.rows or BenchmarkRows.of_ids(self.known)
        self._predictions = read_answers(self.path, rows, self.dialect, self.warn)

    @property
    def kind(self) -> Kind:
        """What it is."""
        return "predictions"

    @property
    def name(self) -> str:
        """Its name for people: that of the file, or of the folder of a run or of logs."""
        stem = self.path.name.split(".")[0] if self.path.is_file() else self.path.resolve().name
        is_part = self.path.is_file() and (stem == "predictions" or stem.startswith("samples_"))
        return self.shown or (self.path.resolve().parent.name if is_part else stem)

    def settings(self) -> dict[str, Any]:
        """See `Source.settings`."""
        digests = [hashlib.sha256(file.path.read_bytes()).hexdigest() for file in prediction_files(self.path)]
        whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return {"predictions": f"sha256:{whole}"}

    def about(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """Those with at least one answer; all that were asked for one by one."""
        answered = {self.known[row_id] for row_id in self._predictions}
        fitting = tuple(task for task in tasks if not everything or task.name in answered)
        if len(fitting) < len(tasks):
            names = ", ".join(task.name for task in fitting)
            self.warn(f"{self.path} answers {len(fitting)} of {len(tasks)} tasks, {names}; the others are left out")
        return fitting

    def start(self, begun: Mapping[str, Any] | None = None) -> None:
        """There is nothing to load."""

    def answer(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Source.answer`; rows without an answer stay without one."""
        ids = [str(row["id"]) for row in rows if row["id"] not in known]
        return (self._predictions[row_id] for row_id in ids if row_id in self._predictions)

    def close(self) -> None:
        """There is nothing to let go of."""
