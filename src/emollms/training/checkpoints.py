"""Checkpoints: which of them a run can be resumed from, how many stay, and whether the disk has room for them.

The trainer writes the model, then the optimizer, the scheduler, the random states and, last, `trainer_state.json`; with
several processes some files come even later. A kill, a full disk or a power failure leaves half of them, and a trainer
that resumes from half a checkpoint either fails or, worse, silently starts its optimizer anew. So a checkpoint is
sealed: `complete.json`, written after all the rest is flushed to the disk, lists every file with its size and hash, and
only a checkpoint whose files match that list counts.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from rich.filesize import decimal
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints

from emollms.errors import EmollmsError
from emollms.storage import write_whole

MARKER = "complete.json"
HASHED = 16 * 2**20
"""Largest file, in bytes, whose content is hashed. Of larger ones the size is checked: hashing gigabytes of weights at
each save would take longer than the save."""
RESERVE = 64 * 2**20
"""Bytes that stay free: logs, tokenizers, what others write at the same time."""

_NAME = re.compile(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)")


class _File(BaseModel):
    size: int
    sha256: str | None


class _Marker(BaseModel):
    step: int
    files: dict[str, _File]


class SealCallback(TrainerCallback):
    """Seals each checkpoint once it is on the disk, and only then removes older ones. Add it after all other callbacks.

    The trainer's own `save_total_limit` must be None: it would remove the last good checkpoint before the new one
    is sealed.

    Args:
        keep: how many checkpoints stay, the newest and the best always among them; None for all.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._keep = keep

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seal the checkpoint."""
        # Each process writes its own random state: the list is complete only after all of them.
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
        if args.should_save:
            folder = Path(str(args.output_dir))
            seal(folder / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}", state.global_step)
            best = state.best_model_checkpoint
            rotate_checkpoints(str(folder), self._keep, str(best) if best else None)


def seal(checkpoint: Path, step: int) -> None:
    """Mark a checkpoint as complete: flush its files to the disk, then list them in `complete.json`."""
    files = {}
    for path in _files(checkpoint):
        _flush(path)
        files[path.relative_to(checkpoint).as_posix()] = _measured(path)
    write_whole(checkpoint / MARKER, _Marker(step=step, files=files).model_dump_json(indent=1))
    _flush(checkpoint)  # the folder too: without it a power failure can lose the names of files that were flushed


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest `checkpoint-N` in `folder` that is complete and undamaged; None where there is none."""
    return next((path for path in reversed(_checkpoints(folder)) if defect(path) is None), None)


def remove_broken(folder: Path) -> list[Path]:
    """Remove every checkpoint that cannot be resumed from, so that the run writes its own there; returns them."""
    broken = [path for path in _checkpoints(folder) if defect(path) is not None]
    for path in broken:
        (path / MARKER).unlink(missing_ok=True)  # first, so that a kill in between leaves none that looks complete
        shutil.rmtree(path)
    return broken


def defect(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in a few words; None if nothing is."""
    try:
        marker = _Marker.model_validate_json((checkpoint / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{MARKER} is missing: the checkpoint is incomplete"
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError):
        return f"{MARKER} is damaged"
    for name, listed in marker.files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != listed.size:
            return f"{name} has {path.stat().st_size} bytes instead of {listed.size}"
        if _measured(path) != listed:
            return f"{name} has changed"
    return None


def _checkpoints(folder: Path) -> list[Path]:
    """All of them, the oldest first."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        named = _NAME.fullmatch(path.name)
        if named and path.is_dir():
            found[int(named[1])] = path
    return [found[step] for step in sorted(found)]


def _files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file() and not path.name.startswith(MARKER))


def _measured(path: Path) -> _File:
    size = path.stat().st_size
    if size > HASHED:
        return _File(size=size, sha256=None)
    return _File(size=size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _flush(path: Path) -> None:
    """Flush a file, or the list of names of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_space(out: Path, needed: int, what: str = "the run") -> None:
    """Check that a disk has room for what is going to be written.

    Args:
        out: a folder on the disk, existing or not; files that it holds count as written.
        needed: bytes that `out` will take.
        what: what they are for.

    Raises:
        EmollmsError: there is too little room.
    """
    here = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) if out.is_dir() else 0
    missing = max(0, needed - here) + RESERVE
    nearest = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < missing:
        raise EmollmsError(
            f"the disk of {out} is too small: {what} needs {decimal(missing)} and {decimal(free)} are free; "
            "make room, or choose a folder on another disk"
        )


def model_size(model: torch.nn.Module) -> int:
    """Bytes of a saved model; of one with an adapter only the trained weights are saved."""
    saved = _trained(model) if hasattr(model, "peft_config") else model.parameters()
    return sum(one.numel() * one.element_size() for one in saved)


def checkpoint_size(model: torch.nn.Module) -> int:
    """Bytes of a checkpoint: the model, and Adam's two moments of each trained weight; other optimizers keep less."""
    return model_size(model) + 2 * sum(one.numel() * one.element_size() for one in _trained(model))


def _trained(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [one for one in model.parameters() if one.requires_grad]
