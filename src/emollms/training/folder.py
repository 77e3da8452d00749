"""The folder of a run: one run at a time, the same settings each time it is taken up again, nothing half-made in it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from emollms.errors import UsageError
from emollms.training.manifest import NAME

SETTINGS = "settings.json"
LOCK = ".lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """`out` for one run at a time; it is made if it is not there.

    Raises:
        UsageError: it is a file, holds something else, or another run is writing into it.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; choose another --out")
    if out.is_dir() and not (out / SETTINGS).is_file() and any(path.name != LOCK for path in out.iterdir()):
        raise UsageError(f"{out} is there and holds no run of ours; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / LOCK, timeout=0):
            yield
    except Timeout:
        raise UsageError(f"another run is writing into {out}; wait for it, or choose another --out") from None


def begin(out: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Write the settings of a run, or make sure that they are those of the run that is there.

    Args:
        out: the folder.
        settings: all that its weights follow from.
        resume: whether there must be a run.

    Raises:
        UsageError: there is none, or it has other settings; the message names those that differ.
    """
    path = out / SETTINGS
    if not path.is_file():
        if resume:
            raise UsageError(f"{out} holds no run to go on with; leave --resume out to begin one")
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


def drafted(place: Path) -> Path:
    """Where a folder is written before it is whole: beside its place, empty."""
    draft = place.with_name(f"{place.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    return draft


def move_in(draft: Path, place: Path) -> None:
    """Put a folder that is whole in its place."""
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)
