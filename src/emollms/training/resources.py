"""What a run has used so far, over all times it was taken up again: kept beside each checkpoint."""

import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from emollms.hardware import peak_memory

NAME = "usage.json"


class Usage(BaseModel):
    """What was used.

    Args:
        started: UTC, ISO 8601, of the first start.
        seconds: of training.
        joules: energy that the GPUs took; None where they do not count it.
        peak_memory: bytes.
        resumed: how often the run was taken up again.
    """

    started: str
    seconds: float = 0.0
    joules: float | None = None
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
        self._joules = gpu_joules()

    def so_far(self) -> Usage:
        """All that was used."""
        now, known = gpu_joules(), self.before.joules
        if now is not None and self._joules is not None:
            known = now - self._joules + (known or 0.0)
        return self.before.model_copy(
            update={
                "seconds": self.before.seconds + time.monotonic() - self._begun,
                "joules": known,
                "peak_memory": max(self.before.peak_memory, peak_memory()),
            }
        )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write it into the checkpoint."""
        if args.should_save:
            folder = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            (folder / NAME).write_text(self.so_far().model_dump_json(indent=2), encoding="utf-8")


def gpu_joules() -> float | None:
    """Joules that the GPUs of this process took since their driver was loaded, by NVML's own counter.

    None where nothing is counted: without a GPU of NVIDIA from Volta on, or without the package `nvidia-ml-py`.
    """
    import torch

    if not torch.cuda.is_available():
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        # One GPU a process where there are several processes, else all that this one sees.
        several = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > 1
        mine = [torch.cuda.current_device()] if several else range(torch.cuda.device_count())
        handles = [
            pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(one).uuid}") for one in mine
        ]
        return float(sum(map(pynvml.nvmlDeviceGetTotalEnergyConsumption, handles))) / 1e3
    except (ImportError, pynvml.NVMLError):
        return None


def read_usage(checkpoint: Path) -> Usage:
    """What had been used when a checkpoint was written."""
    return Usage.model_validate_json((checkpoint / NAME).read_text(encoding="utf-8"))
