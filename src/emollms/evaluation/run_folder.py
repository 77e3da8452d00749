"""The folder of a run and its record: what was asked, with which settings, so that it is resumed by the same run only.

Trainings use the same checks for their folders.
"""

import json
import platform
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from emollms import hardware
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.calibration import Calibration
from emollms.evaluation.scales import Scale
from emollms.evaluation.task_metrics import Policy
from emollms.inference.decoding import Decode
from emollms.inference.engine import versions_of
from emollms.prompts.answers import Parse
from emollms.storage import LOCK, locked, write_json

FORMAT: Final = 1
RUN = "run.json"
PREDICTIONS = "predictions.jsonl"
SCORES = "scores.json"
PACKAGES = ("emollms", "numpy", "scipy", "vaderSentiment", "textblob")
IDENTITY = ("engine", "model", "revision", "dtype", "template")
"""What must be the same of an engine for a run to be resumed."""
Record = TypeVar("Record", bound=BaseModel)


class RunSettings(BaseModel):
    """What decides rows and scores; a run is resumed only with the same settings.

    Args:
        source: what identifies the predictor, see `Predictor.settings`.
        decode: how a model decodes; None for a baseline.
        data: content hash of the data set.
        split, tasks, language, limit, seed: which rows are asked.
        policy: what invalid answers count as.
        calibration: temperatures and thresholds that are applied.
        parse: the rule that answers are parsed by.
        scale: the scale that was asked for.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    source: dict[str, Any] = {}
    decode: Decode | None
    data: str = ""
    split: str = "test"
    tasks: list[str] = []
    language: str = "en"
    limit: int | None = None
    seed: int = 0
    policy: Policy = "official"
    calibration: Calibration | None = None
    parse: Parse = "strict"
    scale: Scale = "auto"


class RunFacts(BaseModel):
    """What was run.

    Args:
        command: the command line; empty for a call from Python.
        settings: see there.
        data: the data set, see `Dataset.describe`.
        engine: the engine's description of itself, where there is one.
        versions: packages and their versions.
        hardware: the machine, without its name.
        started_utc: ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command: list[str] = []
    settings: RunSettings
    data: dict[str, Any]
    engine: dict[str, Any] | None = None
    versions: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    started_utc: str = ""

    def data_target(self) -> str:
        """The folder or `REPO@COMMIT` of the data set; empty where it is not recorded."""
        return str(self.data.get("path") or "@".join(filter(None, (self.data.get("repo"), self.data.get("commit")))))


class _Named(BaseModel):
    format: Literal[1] = FORMAT
    name: str
    kind: str


class EvaluationRecord(RunFacts, _Named):  # in this order, since the file has format, name and kind first
    """What `run.json` holds: the name and kind of what is evaluated, and the facts of the run."""

    def write(self, folder: Path) -> None:
        """Write it into the folder of a run, whole or not at all."""
        write_json(folder / RUN, self.model_dump(mode="json"))


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
    name: str,
    kind: str,
    command: Sequence[str],
    settings: RunSettings,
    data: Mapping[str, Any],
    engine: Mapping[str, Any] | None,
) -> EvaluationRecord:
    """The record of a run that begins now, on this machine; the arguments are those of `EvaluationRecord`."""
    return EvaluationRecord(
        name=name,
        kind=kind,
        command=list(command),
        settings=settings,
        data=dict(data),
        engine=dict(engine) if engine else None,
        versions=versions_of(PACKAGES) | dict((engine or {}).get("versions", {})),
        hardware=machine() | ({"device": engine["device"]} if engine else {}),
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def machine() -> dict[str, object]:
    """The machine; not its name."""
    return {"system": platform.platform(), "processor": hardware.cpu_name(), "cores": hardware.cores()}


def has_answers(out: Path) -> bool:
    """Whether a run in `out` got as far as an answer, or its end; one that did not may begin anew, otherwise."""
    answers = out / PREDICTIONS
    return (out / SCORES).is_file() or (answers.is_file() and answers.stat().st_size > 0)


def read_record(path: Path, kind: type[Record]) -> Record:
    """Read a file of a run.

    Args:
        path: the file.
        kind: its model, with a field `format`.

    Raises:
        EmollmsError: it is damaged, or of another version of this package.
        OSError: it is not there.
    """
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise EmollmsError(f"{path} is damaged ({error}); remove the folder, or evaluate into another one") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise EmollmsError(f"{path} is not of format {FORMAT}; remove the folder, or evaluate into another one")
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EmollmsError(f"{path} is damaged ({where}: {first['msg']}); run `emollms evaluate` again") from None


def check_settings(out: Path, before: Mapping[str, Any], now: Mapping[str, Any], ignored: Collection[str] = ()) -> None:
    """Make sure that a run in `out` is the one that is asked for.

    Args:
        out: the folder.
        before: the settings that it was begun with.
        now: those that are asked for.
        ignored: names of settings that may differ.

    Raises:
        UsageError: its settings differ; the message tells which.
    """
    asked = json.loads(json.dumps(now))  # as it is read back: tuples are lists there
    differing = [
        f"{name}: {_shown(old)}, not {_shown(new)}"
        for name, old, new in _differences(before, asked)
        if name.partition(".")[0] not in ignored
    ]
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
