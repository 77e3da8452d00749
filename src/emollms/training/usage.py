"""What a run has used so far, over all times it was taken up again: kept beside each checkpoint."""

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from emollms.hardware import peak_memory
from emollms.training.energy import EnergyMeter

NAME = "usage.json"


class Usage(BaseModel):
    """What was used.

    Args:
        started: UTC, ISO 8601, of the first start.
        seconds: of training.
        joules: energy; None where it cannot be read.
        source: what it was read from.
        peak_memory: bytes.
        resumed: how often the run was taken up again.
    """

    started: str
    seconds: float = 0.0
    joules: float | None = None
    source: str | None = None
    peak_memory: int = 0
    resumed: int = 0


class MeasureUsage(TrainerCallback):
    """Adds up what is used, and keeps it with each checkpoint.

    Args:
        before: what was used until the checkpoint from which the run goes on.
    """

    def __init__(self, before: Usage) -> None:
        self.before = before
        self._begun = time.monotonic()
        self._meter = EnergyMeter()
        self._meter.start()

    def so_far(self) -> Usage:
        """All that was used."""
        joules = self._meter.joules()
        known = self.before.joules if joules is None else joules + (self.before.joules or 0.0)
        return self.before.model_copy(
            update={
                "seconds": self.before.seconds + time.monotonic() - self._begun,
                "joules": known,
                "source": self._meter.source or self.before.source,
                "peak_memory": max(self.before.peak_memory, peak_memory()),
            }
        )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write it into the checkpoint."""
        if args.should_save:
            folder = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            (folder / NAME).write_text(self.so_far().model_dump_json(indent=2), encoding="utf-8")


def read_usage(checkpoint: Path) -> Usage:
    """What had been used when a checkpoint was written."""
    return Usage.model_validate_json((checkpoint / NAME).read_text(encoding="utf-8"))
