"""Runs on several processes: the command line once a process, started by accelerate with the settings TRL ships."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import yaml

from emollms import optional
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.training.recipe import Recipe, accelerate_settings

EXIT_CODE = 75
"""Of a run that was stopped and can be resumed: EX_TEMPFAIL of sysexits.h, on which schedulers can start it again."""
STOP_FILE = "EMOLLMS_STOP_FILE"
"""Names a file: once it exists, the processes of a run save and stop, and write their exit code into it."""


class Interrupted(EmollmsError):  # noqa: N818 - the user asked for it; it is no error
    """A run was asked to stop. All that it did is in its last checkpoint."""

    exit_code = EXIT_CODE


class DivergedError(EmollmsError):
    """The loss, gradient or weights of a run stopped being finite. All its processes raise it at the same step."""


class LaunchError(EmollmsError):
    """The processes of a run failed, or were stopped; the first of them has printed why.

    Args:
        exit_code: what they ended with; `EXIT_CODE` where the run was asked to stop and can be resumed.
    """

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code
        how = "were stopped, and the same call resumes" if exit_code == EXIT_CODE else "failed; see what they printed"
        super().__init__(f"the processes of the run {how} (exit code {exit_code})")


def launcher(recipe: Recipe) -> list[str] | None:
    """The command that starts the processes of a recipe; None where this process trains by itself.

    That is so for one process, and inside a launcher, which sets `LOCAL_RANK`.

    Raises:
        UsageError: there are no such settings of accelerate, or what they need is not installed.
    """
    processes = recipe.values.get("processes", 1)
    settings = recipe.values.get("accelerate")
    if "LOCAL_RANK" in os.environ or (settings is None and processes == 1):
        return None
    if not isinstance(processes, int) or processes < 1:
        raise UsageError(f"{recipe.where('processes')}: processes is {processes!r}; give a whole number from 1")
    if settings is None:  # torch's own launcher, which needs no GPU
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    file = settings_file(str(settings))
    _check_deepspeed(file)
    count = ["--num_processes", str(processes)]
    return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file), *count]


def run_until_stopped(command: Sequence[str]) -> int:
    """Run a launcher; SIGTERM and the first Ctrl-C make its processes save and stop, and a second Ctrl-C ends them.

    The launcher never receives the signals: it would kill its processes half a minute later, saved or not.

    Returns:
        Its exit code, or the one that its processes left with `report_exit_code`: `EXIT_CODE` where they were stopped.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stop"
        process = subprocess.Popen(command, env={**os.environ, STOP_FILE: str(file)}, start_new_session=True)

        def request_stop(number: int, _: object) -> None:
            if number == signal.SIGINT and file.exists():
                os.killpg(process.pid, signal.SIGTERM)
            file.touch()

        # Python lets only the main thread handle signals; a thread that trains leaves them alone.
        handled = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
        before = {one: signal.signal(one, request_stop) for one in handled}
        try:
            code = process.wait()
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
        left = file.read_text() if code == 0 and file.exists() else ""
        return int(left) if left.isdigit() else code


def is_launched() -> bool:
    """Whether this process was started by `run_until_stopped`."""
    return STOP_FILE in os.environ


def report_exit_code(code: int) -> bool:
    """Leave the exit code of a run that all processes ended to `run_until_stopped`, if that started this process.

    A process that ends with another code than 0 makes its launcher print pages about an error.
    """
    if is_launched():
        Path(os.environ[STOP_FILE]).write_text(str(code))
    return is_launched()


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
