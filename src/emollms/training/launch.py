"""Runs on several processes: the same command again, by accelerate, with the settings that TRL ships."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import yaml

from emollms import optional
from emollms.errors import UsageError, unknown
from emollms.training.recipe import Recipe, accelerate_settings

EXIT_CODE = 75
"""Of a run that was stopped and can go on: EX_TEMPFAIL of sysexits.h. Schedulers can start it again on this code."""
STOP_FILE = "EMOLLMS_STOP_FILE"
"""Names a file: where it is there, the processes of a run save and stop, and write their exit code into it."""


def launched(recipe: Recipe) -> int | None:
    """Run this command on all processes that a recipe asks for, and wait for it.

    Args:
        recipe: the recipe; `accelerate` names the settings, `processes` their number.

    Returns:
        The exit code; None where this process is to do the work itself: it is one of several already, or the only one.

    Raises:
        UsageError: there are no such settings.
    """
    command = launcher(recipe)
    return None if command is None else run_until_asked([*command, "-m", "emollms", *sys.argv[1:]])


def launcher(recipe: Recipe) -> list[str] | None:
    """The command that starts the processes of a recipe; None where this process is to do the work itself.

    Raises:
        UsageError: there are no such settings, or what they need is not installed.
    """
    processes = recipe.values.get("processes", 1)
    settings = recipe.values.get("accelerate")
    if "LOCAL_RANK" in os.environ or (settings is None and processes == 1):
        return None
    if not isinstance(processes, int) or processes < 1:
        raise UsageError(f"{recipe.where('processes')}: processes is {processes!r}; give a whole number from 1")
    return _command(str(settings) if settings is not None else None, processes)


def run_until_asked(command: Sequence[str]) -> int:
    """Run a launcher; SIGTERM and the first Ctrl-C ask its processes to save and stop, and a second one ends them.

    The launcher does not see the signals: it would end its processes half a minute later, saved or not.

    Returns:
        Its exit code, or what its processes left with `tell_launcher`: `EXIT_CODE` where they were asked to stop.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stop"
        process = subprocess.Popen(command, env={**os.environ, STOP_FILE: str(file)}, start_new_session=True)

        def ask(number: int, _: object) -> None:
            if number == signal.SIGINT and file.exists():
                os.killpg(process.pid, signal.SIGTERM)
            file.touch()

        before = {one: signal.signal(one, ask) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            code = process.wait()
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
        left = file.read_text() if code == 0 and file.exists() else ""
        return int(left) if left.isdigit() else code


def tell_launcher(code: int) -> bool:
    """Leave the exit code of a run that all processes ended to `run_until_asked`, where that is above this process.

    A process of a launcher that does not end with 0 makes it print pages about an error.
    """
    named = os.environ.get(STOP_FILE)
    if named:
        Path(named).write_text(str(code))
    return bool(named)


def _command(settings: str | None, processes: int) -> list[str]:
    """What starts the processes: accelerate, or without settings torch's launcher, which needs no GPU."""
    if settings is None:
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    file = settings_file(settings)
    _check_deepspeed(file)
    count = ["--num_processes", str(processes)]
    return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file), *count]


def settings_file(settings: str) -> Path:
    """The file of accelerate's settings of this name.

    Raises:
        UsageError: there is none, or TRL is not installed.
    """
    if Path(settings).suffix in (".yaml", ".yml"):
        if not Path(settings).is_file():
            raise UsageError(f"accelerate: no such file: {settings}")
        return Path(settings)
    spec = find_spec("trl")
    if spec is None or spec.origin is None:
        raise optional.missing(["trl"], "train")
    shipped = {path.stem: path for path in (Path(spec.origin).parent / "accelerate_configs").glob("*.yaml")}
    known = shipped | accelerate_settings()
    if settings not in known:
        raise unknown("accelerate settings", settings, known)
    return known[settings]


def _check_deepspeed(file: Path) -> None:
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    if settings.get("distributed_type") == "DEEPSPEED":
        optional.check_installed(["deepspeed"], "gpu", file.stem)
