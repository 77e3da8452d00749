"""The result of `emollms.train`: a finished run, its folder and its record."""

from dataclasses import dataclass
from pathlib import Path

from emollms.training.manifest import MODEL, Evaluation, RunManifest


@dataclass(frozen=True, repr=False)
class TrainingRun:
    """A finished training run.

    Args:
        folder: with `model/`, `run.json` and `curves.png`.
        manifest: its record.
        already: whether it had finished before, and was not run again.
    """

    folder: Path
    manifest: RunManifest
    already: bool = False

    @property
    def model(self) -> Path:
        """The folder of the trained adapter or weights."""
        return self.folder / MODEL

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return self.manifest.steps

    @property
    def loss(self) -> float | None:
        """The last training loss; None where none was logged."""
        return self.manifest.losses[-1].loss if self.manifest.losses else None

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of the step whose weights were kept; None where that step was not evaluated."""
        return next((one for one in self.manifest.evaluations if one.step == self.manifest.best_step), None)

    @property
    def seconds(self) -> float:
        """Of training, over all resumptions."""
        return self.manifest.seconds

    def __repr__(self) -> str:
        """`TrainingRun(out/short: 400 steps in 12.3 minutes, loss 0.201, validation metric 0.512 at step 300)`."""
        parts = [f"{self.steps:,} steps in {self.seconds / 60:.1f} minutes"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.best:
            best = f"loss {self.best.loss:.3f}" if self.best.metric is None else f"metric {self.best.metric:.3f}"
            parts.append(f"validation {best} at step {self.best.step:,}")
        return f"TrainingRun({self.folder}: {', '.join(parts)})"
