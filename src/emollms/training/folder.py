"""The folder of a run: one run at a time, the same settings each time it is taken up again, nothing half-made in it."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emollms.errors import UsageError
from emollms.training.manifest import CHECKPOINTS, NAME

SETTINGS = "settings.json"


def begin(out: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Write the settings of a run, or make sure that they are those of the run that is there.

    A run that has saved nothing yet, as one whose settings were refused, may be begun with others.

    Args:
        out: the folder.
        settings: all that its weights follow from.
        resume: whether there must be a run.

    Raises:
        UsageError: there is none, or it has other settings; the message names those that differ.
    """
    path = out / SETTINGS
    if resume and not path.is_file():
        raise UsageError(f"{out} holds no run to go on with; leave --resume out to begin one")
    if not (is_finished(out) or any(out.glob(f"{CHECKPOINTS}/*/"))):
        draft = out / f"{SETTINGS}.draft"
        draft.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(path)
        return
    before, now = _flat(json.loads(path.read_text(encoding="utf-8"))), _flat(json.loads(json.dumps(settings)))
    differing = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if differing:
        shown = "; ".join(f"{name} was {before.get(name)!r}, now {now.get(name)!r}" for name in differing[:3])
        raise UsageError(f"{out} holds a run with other settings ({shown}); choose another --out")


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, those of the recipe by `recipe.NAME`."""
    recipe = {f"recipe.{name}": value for name, value in settings["recipe"].items()}
    return {name: value for name, value in settings.items() if name != "recipe"} | recipe


def is_finished(out: Path) -> bool:
    """Whether the run in a folder is done."""
    return (out / NAME).is_file()


def draft_of(place: Path) -> Path:
    """Where a folder is written before it is whole: beside its place."""
    return place.with_name(f"{place.name}.draft")


def clear_draft(place: Path) -> None:
    """Remove what an attempt that did not come to its end left. One process does it, before any of them writes."""
    shutil.rmtree(draft_of(place), ignore_errors=True)


def move_in(draft: Path, place: Path) -> None:
    """Put a folder that is whole in its place."""
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)


def check_shard_size(size: str) -> None:
    """Make sure that the largest size of a file of weights is one, such as `2GB`.

    Raises:
        UsageError: it is not.
    """
    if not re.fullmatch(r"[1-9]\d*[KMGT]B", size):
        raise UsageError(f"--shard-size {size!r} is no size; give a number and KB, MB, GB or TB, such as 2GB")
