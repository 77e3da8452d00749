"""The record of a run: what was asked of whom with which settings, so that it can go on, and be told from others."""

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emollms import hardware
from emollms.errors import EmollmsError, UsageError
from emollms.inference.engine import versions_of
from emollms.storage import LOCK, locked

FORMAT = 1
RUN = "run.json"
PREDICTIONS = "predictions.jsonl"
SCORES = "scores.json"
PACKAGES = ("emollms", "numpy", "scipy", "vaderSentiment", "textblob")
IDENTITY = ("engine", "model", "revision", "dtype", "template")
"""What must be the same of an engine for a run to go on."""


@contextmanager
def claimed(out: Path, marker: str = RUN) -> Iterator[None]:
    """`out` for one run at a time; it is made if it is not there.

    Args:
        out: the folder.
        marker: the file that a folder of such a run holds from its beginning.

    Raises:
        UsageError: it is no folder, holds something else, or another run is writing into it.
    """
    check_place(out, marker)
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    with locked(out / LOCK, f"another run is writing into {out}; wait for it, or choose another --out"):
        try:
            yield
        except BaseException:
            if is_new and [path.name for path in out.iterdir()] == [LOCK]:
                shutil.rmtree(out, ignore_errors=True)  # a run that was refused leaves nothing behind
            raise


def check_place(out: Path, marker: str) -> None:
    """Make sure that a folder can take a run, or holds one already; arguments as for `claimed`.

    Raises:
        UsageError: it is no folder, or holds something else.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; choose another --out")
    if out.is_dir() and not (out / marker).is_file() and any(path.name != LOCK for path in out.iterdir()):
        raise UsageError(f"{out} is there and holds no run of ours; choose another --out")


def new_record(
    settings: Mapping[str, Any], data: Mapping[str, Any], engine: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What `run.json` says when a run begins.

    Args:
        settings: what must be the same for the run to go on.
        data: the data set.
        engine: the engine's description of itself, where there is one.
    """
    return {
        "settings": dict(settings),
        "data": dict(data),
        "engine": dict(engine) if engine else None,
        "versions": versions_of(PACKAGES) | dict((engine or {}).get("versions", {})),
        "hardware": machine() | ({"device": engine["device"]} if engine else {}),
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def machine() -> dict[str, object]:
    """The machine; not its name."""
    return {"system": platform.platform(), "processor": hardware.cpu_name(), "cores": hardware.cores()}


def has_answers(out: Path) -> bool:
    """Whether a run in `out` got as far as an answer, or its end; one that did not may begin anew, otherwise."""
    answers = out / PREDICTIONS
    return (out / SCORES).is_file() or (answers.is_file() and answers.stat().st_size > 0)


def read_json(path: Path) -> dict[str, Any] | None:
    """An object of this format; None where the file is not there.

    Raises:
        EmollmsError: it is damaged, or of another version of this package.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EmollmsError(f"{path} is damaged ({error}); choose another --out, or remove the folder") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise EmollmsError(f"{path} is not of format {FORMAT}; choose another --out, or remove the folder")
    return found


def check_settings(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Make sure that a run in `out` is the one that is asked for.

    Raises:
        UsageError: its settings differ; the message tells which.
    """
    asked = json.loads(json.dumps(now))
    differing = [f"{name}: {_shown(old)}, not {_shown(new)}" for name, old, new in _differences(before, asked)]
    if differing:
        raise UsageError(f"{out} holds a run with other settings ({'; '.join(differing)}); choose another --out")


def check_engine(out: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> None:
    """Make sure that the model behind the same name is still the one that a run began with.

    Raises:
        UsageError: it is not.
    """
    if before is None or now is None:
        return
    for name in IDENTITY:
        if before.get(name) != now.get(name):
            old, new = _shown(before.get(name)), _shown(now.get(name))
            raise UsageError(f"{out} was begun with another model ({name}: {old}, not {new}); choose another --out")


def machine_note(out: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str | None:
    """What differs in the machine a run is resumed on, where that can change the last digits of answers."""
    if before is None or now is None or now["engine"] == "endpoint":
        return None
    # Why a type of numbers was chosen is another thing when a run is resumed: its record asks for the same type.
    old, new = ({"device": one.get("device")} | dict(one.get("settings", {})) for one in (before, now))
    old, new = ({name: value for name, value in one.items() if name != "dtype_reason"} for one in (old, new))
    differing = [f"{name} {_shown(one)}, now {_shown(other)}" for name, one, other in _differences(old, new)]
    if not differing:
        return None
    return f"{out} was begun with {', '.join(differing)}: the last digits of its answers may differ from a whole run's"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any, Any]]:
    for key in [*before, *(key for key in now if key not in before)]:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{at}{key}.")
        elif old != new:
            yield f"{at}{key}", old, new


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
