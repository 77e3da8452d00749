"""The folder of a run: one run at a time, the same settings whenever it is resumed, nothing half-written in it."""

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.run_folder import check_settings
from emollms.storage import write_json
from emollms.training.manifest import CHECKPOINTS, NAME
from emollms.training.precision import Resolved

SETTINGS = "settings.json"
_RESOLVED = "resolved"


def begin(out: Path, settings: Mapping[str, Any], resolved: Resolved, resume: bool) -> None:
    """Write the settings of a new run, or check that they are those of the run in the folder.

    A run that has saved nothing yet, such as one whose settings were refused, may be started with others.

    Args:
        out: the folder.
        settings: all that its weights depend on.
        resolved: what was decided on this machine; it is written, and never compared: a run may resume on another.
        resume: whether there must be a run.

    Raises:
        UsageError: there is none, or it has other settings; the message names those that differ.
        EmollmsError: the file with its settings is damaged.
    """
    if resume and not (out / SETTINGS).is_file():
        raise UsageError(f"{out} holds no run to resume; leave out --resume to start one")
    if not (is_finished(out) or any(out.glob(f"{CHECKPOINTS}/*/"))):
        write_settings(out, settings, resolved)
        return
    check_settings(out, _read_settings(out), settings, ignored=(_RESOLVED,))


def write_settings(out: Path, settings: Mapping[str, Any], resolved: Resolved) -> None:
    """Write the settings of a run, whole or not at all."""
    write_json(out / SETTINGS, {**settings, _RESOLVED: resolved.model_dump()})


def kept_resolved(out: Path, settings: Mapping[str, Any]) -> Resolved | None:
    """What was decided when the run in a folder started; None if there is none with these settings."""
    with suppress(OSError, EmollmsError, ValueError):  # `begin` reports what is damaged
        before = _read_settings(out)
        resolved = before.pop(_RESOLVED, None)
        if before == _plain(settings):
            return Resolved.model_validate(resolved)
    return None


def _read_settings(out: Path) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found.get("recipe"), dict):
            return found
    raise EmollmsError(f"{out / SETTINGS} is damaged; choose another --out, or remove the folder")


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are read back."""
    found: dict[str, Any] = json.loads(json.dumps(settings))
    return found


def is_finished(out: Path) -> bool:
    """Whether the run in a folder has finished."""
    return (out / NAME).is_file()


def draft_of(place: Path) -> Path:
    """Where a folder is written before it is complete: beside its final place."""
    return place.with_name(f"{place.name}.draft")


def clear_draft(place: Path) -> None:
    """Remove what an interrupted attempt left. One process does it, before any of them writes."""
    shutil.rmtree(draft_of(place), ignore_errors=True)


def check_shard_size(size: str) -> None:
    """Check the largest size of a file of weights, such as `2GB`.

    Raises:
        UsageError: it is not a size.
    """
    if not re.fullmatch(r"[1-9]\d*[KMGT]B", size):
        raise UsageError(f"--shard-size {size!r} is not a size; give a number and KB, MB, GB or TB, such as 2GB")
