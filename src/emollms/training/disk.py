"""Whether a disk has room for what a run is going to write."""

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from emollms.errors import EmollmsError

if TYPE_CHECKING:
    from torch import nn

RESERVE = 64 * 2**20
"""Bytes that stay free: logs, tokenizers, what others write at the same time."""


def check_space(out: Path, needed: int, what: str = "the run") -> None:
    """Make sure that there is room.

    Args:
        out: a folder, there or not, on the disk in question; files that it holds are counted as written.
        needed: bytes that `out` will take.
        what: what they are for.

    Raises:
        EmollmsError: there is not.
    """
    here = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) if out.is_dir() else 0
    missing = max(0, needed - here) + RESERVE
    nearest = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < missing:
        raise EmollmsError(
            f"the disk of {out} is too small: {what} needs {readable(missing)} and {readable(free)} are free; "
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


def checkpoint_size(model: "nn.Module") -> int:
    """Bytes of a checkpoint: the model, and two numbers for each trained one, as Adam keeps; others keep fewer."""
    return model_size(model) + 2 * sum(one.numel() * one.element_size() for one in _trained(model))


def _trained(model: "nn.Module") -> "list[nn.Parameter]":
    return [one for one in model.parameters() if one.requires_grad]
