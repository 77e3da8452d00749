"""Models and lexicons that answer together: the mean of what they believe, as `annotate` takes it."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from emollms.dataset.reader import Row
from emollms.errors import UsageError
from emollms.evaluation.beliefs import Belief, belief, combined, combined_thresholds
from emollms.evaluation.predictors import Predictor, PredictorKind, can_answer, identity
from emollms.inference.decoding import Decode, likely_labels
from emollms.inference.engine import EngineInfo
from emollms.inference.predictions import Prediction
from emollms.prompts.answers import Value, answer
from emollms.tasks import MultiLabelTask, OrdinalTask, Task


@dataclass
class EnsemblePredictor(Predictor):
    """An ensemble. Each task is answered by the members that can; an invalid answer is left out of the mean.

    Args:
        members: models and lexicons, two or more.
        display_name: its name for people; None for theirs, joined by a plus.
    """

    kind: ClassVar[PredictorKind] = "model"
    decode: ClassVar[Decode] = Decode.expected_value
    members: Sequence[Predictor]
    display_name: str | None = None

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.display_name or " + ".join(one.name for one in self.members)

    def settings(self) -> dict[str, Any]:
        """See `Predictor.settings`."""
        return {"ensemble": [one.settings() for one in self.members]}

    def answerable(self, tasks: Sequence[Task], everything: bool) -> tuple[Task, ...]:
        """See `Predictor.answerable`.

        Raises:
            UsageError: no member has an answer to a task that was asked for, or to any.
        """
        fitting = tuple(task for task in tasks if self._members(task))
        missing = [task.name for task in tasks if task not in fitting]
        if missing and not (everything and fitting):
            raise UsageError(f"none of {self.name} has an answer to {', '.join(missing)}; name other tasks")
        return fitting

    def thresholds(self, task: Task) -> Mapping[str, float] | None:
        """See `Predictor.thresholds`."""
        return combined_thresholds([one.thresholds(task) for one in self._members(task)])

    def start(self, begun: Mapping[str, Any] | None = None) -> EngineInfo:
        """Load the models; a value that all of them share is given once."""
        before = dict(begun or {}).get("settings", {}).get("models") or [None] * len(self.members)
        infos = [one.start(known) for one, known in zip(self.members, before, strict=True)]
        found = [info for info in infos if info is not None]

        def shared(name: str) -> str:
            return " + ".join(dict.fromkeys(str(getattr(info, name)) for info in found))

        return EngineInfo(
            engine=shared("engine"),
            model=" + ".join(one.name for one in self.members),
            revision=" + ".join(str(info.revision) for info in found),
            dtype=shared("dtype"),
            device=shared("device"),
            template=shared("template"),
            settings={"models": [info.as_dict() if info else None for info in infos]},
            versions={name: version for info in found for name, version in info.versions.items()},
        )

    def identities(self) -> list[dict[str, Any]]:
        """See `predictors.identity`, of each member."""
        return [json.loads(identity(one)) for one in self.members]

    def prepare(self, asked: Sequence[tuple[Task, Sequence[Row]]]) -> None:
        """See `Predictor.prepare`."""
        for one in self.members:
            one.prepare([(task, rows) for task, rows in asked if one in self._members(task)])

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        """See `Predictor.predict`; the last member answers row by row, after all others."""
        *others, last = self._members(task)
        said = [{found.id: found for found in one.predict(task, rows, known)} for one in others]
        row_of, limits = {str(row["id"]): row for row in rows}, self.thresholds(task)
        for found in last.predict(task, rows, known):
            own = [answers[found.id] for answers in said if found.id in answers]
            yield _together(task, row_of[found.id], [*own, found], limits)

    def close(self) -> None:
        """Release the models."""
        for one in self.members:
            one.close()

    def _members(self, task: Task) -> list[Predictor]:
        return [one for one in self.members if can_answer(one, task)]


def _together(task: Task, row: Row, said: Sequence[Prediction], thresholds: Mapping[str, float] | None) -> Prediction:
    """The mean of predictions for a row; where none is valid, the first as it is."""
    seconds = sum(one.seconds for one in said)
    beliefs = [found for one in said if isinstance(found := belief(task, row["emotion"], one), Belief)]
    if not beliefs:
        return Prediction(said[0].id, said[0].answer, None, seconds)
    mean = combined(beliefs)
    shares = mean.probabilities or {}
    value: Value
    if isinstance(task, MultiLabelTask):
        value = likely_labels(task, shares, thresholds)
    elif isinstance(task, OrdinalTask):
        value = int(max(shares, key=lambda name: shares[name]))
    else:
        value = mean.score or 0.0
    return Prediction(said[0].id, answer(task, value, row["emotion"]), mean.probabilities, seconds)
