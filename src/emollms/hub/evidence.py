"""What is known of a model besides its run: its scores and its calibration, which must be of these very weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.run_folder import SCORES
from emollms.evaluation.scores import Scores
from emollms.storage import weights_hash


@dataclass(frozen=True)
class Evidence:
    """Scores and calibration of a model.

    Args:
        folder: the model.
        repo: where it is published to; what was scored there is taken for it.
        scores: folders of `emollms evaluate`.
        calibration: file of `emollms calibrate`.
    """

    folder: Path
    repo: str
    scores: Sequence[Path] = ()
    calibration: Path | None = None

    @cached_property
    def _hash(self) -> str:
        return weights_hash(self.folder)

    def read_scores(self) -> tuple[list[Scores], list[str]]:
        """What each `scores.json` holds, and notes about those that nobody can check.

        Raises:
            UsageError: a folder holds none, or they are of another model.
            EmollmsError: a file is damaged.
        """
        found: list[Scores] = []
        notes: list[str] = []
        for folder in self.scores:
            if not (folder / SCORES).is_file():
                raise UsageError(f"{folder} holds no {SCORES}; make it with `emollms evaluate --out {folder}`")
            scores = Scores.read(folder / SCORES)
            notes += self._check(folder, scores)
            found.append(scores)
        return found, notes

    def _check(self, folder: Path, scores: Scores) -> list[str]:
        """Refuse scores of another model.

        Returns:
            A note, if nobody can know.
        """
        source = scores.run.settings.source
        if not source:
            raise EmollmsError(f"{folder / SCORES} does not say what was scored; evaluate the model again")
        model = str(source.get("model", ""))
        if "baseline" in source:
            raise UsageError(f"{folder} holds scores of the baseline {source['baseline']}, not of the model")
        if "weights" in source and source["weights"] != self._hash:
            raise UsageError(f"{folder} holds scores of other weights than those in {self.folder}; evaluate these")
        if "endpoint" in source or "predictions" in source:
            what = f"the served model {model}" if model else "a file of answers"
            return [f"the scores in {folder} are of {what}; that it is this model is for you to know"]
        if model and model.partition("@")[0] != self.repo:
            raise UsageError(f"{folder} holds scores of {model}, not of {self.folder} or {self.repo}; evaluate these")
        return []

    def read_calibration(self) -> Mapping[str, Any] | None:
        """What the file of the calibration holds; None without one.

        Raises:
            UsageError: it is none, or of other weights.
        """
        if self.calibration is None:
            return None
        fitted = Calibration.read(self.calibration)
        if (fitted.model_hash or "").startswith("sha256:") and fitted.model_hash != self._hash:
            raise UsageError(
                f"{self.calibration} was fitted for other weights than those in {self.folder}; calibrate these"
            )
        if len(fitted.predictors) > 1 or any("baseline" in one for one in fitted.predictors):
            raise UsageError(f"{self.calibration} was fitted for {fitted.model}, not for {self.folder} alone")
        return dict(json.loads(fitted.model_dump_json()))
