"""Tell that a disk is too small before it is full."""

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, SaveStrategy

from emollms.errors import EmollmsError

if TYPE_CHECKING:
    from torch import nn

RESERVE = 64 * 2**20
"""Bytes that stay free: logs, tokenizers, what others write at the same time."""

_STATES = {"adafactor": 0.05, "lion": 1, "sgd": 1, "rmsprop": 1, "adagrad": 1, "adalomo": 0, "lomo": 0}
"""Numbers that an optimiser keeps for each trained one, by how its name begins; 2, as Adam has, for the others."""


def check_space(out: Path, needed: int, what: str = "the run") -> None:
    """Make sure that there is room.

    Args:
        out: a folder, there or not, on the disk in question.
        needed: bytes that will be written.
        what: what they are for.

    Raises:
        EmollmsError: there is not.
    """
    free = shutil.disk_usage(_existing(out)).free
    if free < needed + RESERVE:
        raise EmollmsError(
            f"the disk of {out} is too small: {what} needs {readable(needed + RESERVE)} and {readable(free)} are free; "
            "make room, or choose a folder on another disk"
        )


def readable(size: float) -> str:
    """A number of bytes for people: `1.4 GB`."""
    if size < 1000:
        return f"{size:.0f} bytes"
    power = min(int(math.log10(size) / 3), 4)
    return f"{size / 1000**power:.1f} {('', 'kB', 'MB', 'GB', 'TB')[power]}"


def model_size(model: "nn.Module") -> int:
    """Bytes of what a save of `model` writes: for an adapter only what was trained, for others all weights."""
    some = _trained(model) if hasattr(model, "peft_config") else model.parameters()
    return sum(one.numel() * one.element_size() for one in some)


def checkpoint_size(model: "nn.Module", optimizer: str = "adamw_torch") -> int:
    """Bytes of a checkpoint, an estimate from above.

    Args:
        model: what is trained.
        optimizer: the name, as transformers has it; an eight-bit one keeps a byte a number.
    """
    states = next((count for name, count in _STATES.items() if optimizer.startswith(name)), 2)
    eight = "8bit" in optimizer
    kept = sum(one.numel() * (1 if eight else one.element_size()) for one in _trained(model))
    return model_size(model) + int(kept * states)


def needed_for(out: Path, checkpoint: int, model: int, keep: int | None, saves: int) -> int:
    """Bytes that a run still writes: its checkpoints, one more while the oldest is not removed yet, and the model.

    Args:
        out: the folder of its checkpoints; what is there already counts.
        checkpoint: bytes of one checkpoint.
        model: bytes of the model at the end.
        keep: how many checkpoints stay; None for all.
        saves: how many checkpoints the run makes.
    """
    most = saves if keep is None else min(keep + 1, saves)
    return max(0, most * checkpoint - folder_size(out)) + model


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


class CheckSpace(TrainerCallback):
    """Look before each checkpoint whether it fits, so that none is half written for want of room.

    Args:
        estimate: bytes of a checkpoint; from the first one on, its real size is used where that is more.
    """

    def __init__(self, estimate: int) -> None:
        self._size = estimate

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Look, where a checkpoint is due."""
        self._look(args, state, control)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Look, where a checkpoint is due."""
        self._look(args, state, control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Measure what was written."""
        self._size = max(self._size, folder_size(_place(args, state)))

    def _look(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        due = control.should_save or (control.should_evaluate and args.save_strategy == SaveStrategy.BEST)
        if due and args.should_save and not _place(args, state).exists():
            check_space(Path(str(args.output_dir)), self._size, f"the checkpoint of step {state.global_step}")


def _place(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"


def _trained(model: "nn.Module") -> "list[nn.Parameter]":
    return [one for one in model.parameters() if one.requires_grad]


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())
