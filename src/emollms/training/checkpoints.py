"""Which checkpoint of a run can be gone on from.

The trainer writes the model, then the optimiser, the learning rate, the random numbers and, last, `trainer_state.json`;
with several processes some files can come even later. A kill, a full disk or a power failure leaves half of them. So a
checkpoint counts when it holds `complete.json`, written after all the rest, and when its files are still those that
stand there.
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
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, rotate_checkpoints

from emollms.storage import write_whole

MARKER = "complete.json"
HASHED = 16 * 2**20
"""Bytes up to which the content of a file is checked, and not only its length."""

_NAME = re.compile(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)")


class _File(BaseModel):
    size: int
    sha256: str | None


class _Marker(BaseModel):
    step: int
    files: dict[str, _File]


class MarkComplete(TrainerCallback):
    """Seal each checkpoint when it is on disk, and only then remove older ones. Add it after all other callbacks.

    The trainer's own `save_total_limit` must be None: it removes the last good checkpoint before the new one counts.

    Args:
        keep: how many checkpoints stay, the newest and the best always among them; None for all.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._keep = keep

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Wait for the other processes, and write the list of files."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.barrier()
        if args.should_save:
            folder = Path(str(args.output_dir))
            seal(folder / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}", state.global_step)
            best = state.best_model_checkpoint
            rotate_checkpoints(str(folder), self._keep, str(best) if best else None)


def seal(checkpoint: Path, step: int) -> None:
    """Say that a checkpoint is complete: flush its files to the disk, then list them in `complete.json`."""
    files = {}
    for path in _files(checkpoint):
        _flush(path)
        files[path.relative_to(checkpoint).as_posix()] = _measured(path)
    write_whole(checkpoint / MARKER, _Marker(step=step, files=files).model_dump_json(indent=1))
    _flush(checkpoint)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest `checkpoint-N` in `folder` that is complete and undamaged; None where there is none."""
    return next((path for path in reversed(_checkpoints(folder)) if defect(path) is None), None)


def remove_broken(folder: Path) -> list[Path]:
    """Remove every checkpoint that cannot be gone on from, so that nothing is written into its rest; gives them."""
    broken = [path for path in _checkpoints(folder) if defect(path) is not None]
    for path in broken:
        (path / MARKER).unlink(missing_ok=True)
        shutil.rmtree(path)
    return broken


def defect(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in a few words; None where nothing is."""
    try:
        marker = _Marker.model_validate_json((checkpoint / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{MARKER} is missing: it was not written to its end"
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError):
        return f"{MARKER} is damaged"
    for name, listed in marker.files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != listed.size:
            return f"{name} has {path.stat().st_size} bytes and had {listed.size}"
        if _measured(path) != listed:
            return f"{name} has another content than it had"
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
    """Have a file, or the list of a folder, on the disk and not only in memory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
