"""Runs on several processes: the same command again, by accelerate, with the settings that TRL ships."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from emollms.errors import UsageError, unknown
from emollms.training.recipe import Recipe, accelerate_settings


def launched(recipe: Recipe) -> int | None:
    """Run this command on all processes that a recipe asks for, and wait for it.

    Args:
        recipe: the recipe; `accelerate` names the settings, `processes` their number.

    Returns:
        The exit code; None where this process is to do the work itself: it is one of several already, or the only one.

    Raises:
        UsageError: there are no such settings.
    """
    processes = recipe.values.get("processes", 1)
    settings = recipe.values.get("accelerate")
    if "LOCAL_RANK" in os.environ or (settings is None and processes == 1):
        return None
    if not isinstance(processes, int) or processes < 1:
        raise UsageError(f"{recipe.where('processes')}: processes is {processes!r}; give a whole number from 1")
    command = _command(str(settings) if settings is not None else None, processes)
    module = [*command, "-m", "emollms", *sys.argv[1:]]
    return subprocess.run(module, check=False).returncode


def _command(settings: str | None, processes: int) -> list[str]:
    """What starts the processes: accelerate, or without settings torch's launcher, which needs no GPU."""
    if settings is None:
        return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    count = ["--num_processes", str(processes)]
    return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(settings_file(settings)), *count]


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
        raise UsageError("this needs trl; install it with: pip install 'emollms[train]'")
    shipped = {path.stem: path for path in (Path(spec.origin).parent / "accelerate_configs").glob("*.yaml")}
    known = shipped | accelerate_settings()
    if settings not in known:
        raise unknown("accelerate settings", settings, known)
    return known[settings]
