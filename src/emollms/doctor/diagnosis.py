"""A diagnosis of this machine: what is installed, what fits, and what is wrong."""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emollms import __version__, hardware
from emollms.corpora import registry
from emollms.doctor.machine import CacheState, DeviceState, caches, device_state, torch_device
from emollms.doctor.packages import ExtraState, PackageState, installed, package_problems
from emollms.doctor.recipes import RecipeFit, fit
from emollms.hardware import Precision
from emollms.network import hub_problem
from emollms.training.estimate import H100, TWO_CORES
from emollms.training.recipe import find_recipes, load_recipe

_LEAST_FREE = 1e9
"""Bytes of a disk below which a cache is short of room."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Args:
        emollms: version of this package.
        python: version of Python.
        executable: the program that runs it.
        system: the operating system.
        packages: what this package always needs.
        extras: what it needs for one kind of work.
        device: what computes; `kind` is `cpu` where torch is not installed.
        inference: the precision that `auto` takes for answers, and why; None without torch.
        training: the same for training.
        attention: the implementation of attention for training; None for the default of transformers.
        caches: what was fetched or made.
        hub: the address of the Hub.
        hub_problem: why it cannot be asked; None where it answers.
        token: where a token of the Hub was found, which itself is never shown; None where there is none.
        recipes: which of them fit.
        problems: without a remedy nothing works; a line each.
        hints: without a remedy some commands do not work; a line each.
    """

    emollms: str
    python: str
    executable: str
    system: str
    packages: tuple[PackageState, ...]
    extras: tuple[ExtraState, ...]
    device: DeviceState
    inference: Precision | None
    training: Precision | None
    attention: str | None
    caches: tuple[CacheState, ...]
    hub: str
    hub_problem: str | None
    token: str | None
    recipes: tuple[RecipeFit, ...]
    problems: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def speed_of(self) -> str:
        """What the seconds of `recipes` are of."""
        return H100.name if self.device.accelerators else TWO_CORES.name


def examine() -> Diagnosis:
    """Look at this machine. Without a network it takes seconds: the Hub is asked once, for four of them at most.

    torch is imported where it is installed; the first time, bfloat16 is timed for a second (see `bfloat16`).
    """
    from huggingface_hub import constants

    packages, extras = installed()
    found = torch_device()
    device = device_state(found)
    found_caches = tuple(caches())
    inference = training = attention = None
    if found is not None:
        inference, training = hardware.inference_precision(found), hardware.training_precision(found)
        attention = hardware.training_attention(found, training.name)
    return Diagnosis(
        emollms=__version__,
        python=platform.python_version(),
        executable=sys.executable,
        system=platform.platform(),
        packages=packages,
        extras=extras,
        device=device,
        inference=inference,
        training=training,
        attention=attention,
        caches=found_caches,
        hub=constants.ENDPOINT,
        hub_problem=hub_problem(),
        token=where_token(),
        recipes=tuple(fit(load_recipe(name), device) for name in find_recipes()),
        problems=tuple(package_problems(packages)),
        hints=tuple(_hints(found is not None, found_caches)),
    )


def where_token() -> str | None:
    """Where a token of the Hub was found; None where there is none. The token itself is not returned."""
    from huggingface_hub import constants, get_token

    if not get_token():
        return None
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(variable):
            return f"set by {variable}"
    return f"in {constants.HF_TOKEN_PATH}"


def _hints(has_torch: bool, caches: tuple[CacheState, ...]) -> Iterator[str]:
    """What some commands miss."""
    if not has_torch:
        yield "torch is not installed, so that no model runs here; run: pip install 'emollms[annotate]'"
    home = os.environ.get("EMOLLMS_CORPORA")
    if home and not Path(home).is_dir():
        yield f"EMOLLMS_CORPORA names {home}, and there is no such folder"
    for one in registry.broken():
        yield str(one)
    for folder, cache in {one.folder: one for one in caches}.items():
        if cache.free < _LEAST_FREE:
            yield f"{folder} has {cache.free / 1e6:.0f} MB free; {cache.variable} moves it to another disk"
        if folder.exists() and not os.access(folder, os.W_OK):
            yield f"{folder} cannot be written to; {cache.variable} moves it to another place"
