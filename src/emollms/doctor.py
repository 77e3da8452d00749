"""What this machine offers to the package: versions, device, precision, memory, caches, the Hub, recipes that fit."""

import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.requirements import Requirement

from emollms import __version__, hardware
from emollms.corpora import registry
from emollms.hardware import Precision
from emollms.locations import cache_root
from emollms.network import hub_problem
from emollms.optional import is_installed
from emollms.training.estimate import H100, TWO_CORES, Estimate, estimate
from emollms.training.recipe import Recipe, find_recipes, load_recipe

if TYPE_CHECKING:
    import torch

PACKAGE = "emollms"
_FOR_DEVELOPERS = frozenset(("dev", "bench", "docs"))
_SECONDS = 2.0
"""How long the files of one cache are counted."""
_LEAST_FREE = 1e9
"""Bytes of a disk below which a cache is short of room."""


@dataclass(frozen=True)
class PackageState:
    """A package that this one needs.

    Args:
        name: its name on PyPI.
        wanted: the versions that are needed, such as `>=5.20`; may be empty.
        version: the one that is installed; None where there is none.
        fits: whether it is one of them.
    """

    name: str
    wanted: str
    version: str | None
    fits: bool


@dataclass(frozen=True)
class ExtraState:
    """An extra of this package: what it brings for one kind of work.

    Args:
        name: of the extra.
        packages: what it brings.
    """

    name: str
    packages: tuple[PackageState, ...]

    @property
    def lacking(self) -> tuple[PackageState, ...]:
        """Its packages that are missing, or have a version that does not fit."""
        return tuple(one for one in self.packages if not one.fits)

    @property
    def command(self) -> str:
        """What installs those; empty where nothing is lacking."""
        return f"pip install '{PACKAGE}[{self.name}]'" if self.lacking else ""


@dataclass(frozen=True)
class DeviceState:
    """What computes.

    Args:
        name: of the accelerator, or of the CPU where there is none.
        kind: as torch names it: `cpu`, `cuda`, `mps`, …
        accelerators: how many there are.
        accelerator_memory: bytes of one; 0 without.
        cpu: name of the CPU.
        cores: that this process may use.
        memory: bytes of main memory that this process may use.
        available: bytes of it that could be taken now; None where the system does not tell.
    """

    name: str
    kind: str
    accelerators: int
    accelerator_memory: int
    cpu: str
    cores: int
    memory: int
    available: int | None

    @property
    def capacity(self) -> int:
        """Bytes that a model can take on one device."""
        return self.accelerator_memory or self.memory


@dataclass(frozen=True)
class CacheState:
    """A folder of what was fetched or made.

    Args:
        what: it holds.
        folder: where it is.
        variable: the environment variable that moves it.
        bytes: that its files take; 0 where it is not there.
        files: their number.
        is_complete: whether all files were counted; of large caches, those of two seconds.
        free: bytes free on its disk.
    """

    what: str
    folder: Path
    variable: str
    bytes: int
    files: int
    is_complete: bool
    free: int


@dataclass(frozen=True)
class RecipeFit:
    """Whether a recipe can be trained here, by the rule of thumb of `training.estimate`.

    Args:
        name: of the recipe.
        method: `full`, `lora` or `qlora`.
        devices: that train together.
        memory: bytes on each.
        seconds: on an H100 each where there is an accelerator, else on two CPU cores.
        fits: whether it can.
        reason: why not; empty where it can.
    """

    name: str
    method: str
    devices: int
    memory: float
    seconds: float
    fits: bool
    reason: str


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
        problems: what stands in the way of any work, a line each.
        hints: what stands in the way of some, a line each.
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
    found = _torch_device()
    device = _device(found)
    caches = tuple(_caches())
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
        caches=caches,
        hub=constants.ENDPOINT,
        hub_problem=hub_problem(),
        token=where_token(),
        recipes=tuple(fit(load_recipe(name), device) for name in find_recipes()),
        problems=tuple(_problems(packages)),
        hints=tuple(_hints(found is not None, caches)),
    )


def installed(package: str = PACKAGE) -> tuple[tuple[PackageState, ...], tuple[ExtraState, ...]]:
    """What an installed package always needs, and its extras, those for developers left out.

    Args:
        package: its name on PyPI.
    """
    try:
        about = metadata(package)
    except PackageNotFoundError:  # run from a folder that was never installed
        return (), ()
    needed = [Requirement(text) for text in about.get_all("Requires-Dist") or ()]
    extras = [name for name in about.get_all("Provides-Extra") or () if name not in _FOR_DEVELOPERS]
    always = tuple(_state(one) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""}))
    brought = {name: {one.name: _state(one) for one in _requirements_of(package, name, needed)} for name in extras}
    return always, tuple(ExtraState(name, tuple(brought[name].values())) for name in sorted(extras))


def _requirements_of(package: str, extra: str, needed: list[Requirement]) -> Iterator[Requirement]:
    """The requirements of an extra, with those of the extras that it includes."""
    for one in needed:
        if one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""}):
            if one.name == package:
                for other in one.extras:
                    yield from _requirements_of(package, other, needed)
            else:
                yield one


def _state(needed: Requirement) -> PackageState:
    try:
        found: str | None = version(needed.name)
    except PackageNotFoundError:
        found = None
    fits = found is not None and needed.specifier.contains(found, prereleases=True)
    return PackageState(needed.name, str(needed.specifier), found, fits)


def _torch_device() -> "torch.device | None":
    """The device that torch would use; None where torch is not installed."""
    return hardware.default_device() if is_installed("torch") else None


def _device(found: "torch.device | None") -> DeviceState:
    facts = {
        "cpu": hardware.cpu_name(), "cores": hardware.cores(), "memory": hardware.main_memory(),
        "available": hardware.available_memory(),
    }  # fmt: skip
    if found is None or found.type == "cpu":
        return DeviceState(name=hardware.cpu_name(), kind="cpu", accelerators=0, accelerator_memory=0, **facts)  # type: ignore[arg-type]
    import torch

    name, memory = hardware.accelerator()
    count = torch.accelerator.device_count()
    return DeviceState(name=name, kind=found.type, accelerators=count, accelerator_memory=memory, **facts)  # type: ignore[arg-type]


def _caches() -> Iterator[CacheState]:
    from huggingface_hub import constants

    datasets = os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets"
    corpora = registry.home()
    # By default the corpora lie inside the cache of the package, and would be counted twice.
    yield _cache("answers, models and measurements of this package", cache_root(), "EMOLLMS_CACHE", corpora)
    yield _cache("source corpora", corpora, "EMOLLMS_CORPORA")
    yield _cache("repos of the Hub", Path(constants.HF_HUB_CACHE), "HF_HUB_CACHE")
    yield _cache("chunks of the Hub (Xet)", Path(constants.HF_XET_CACHE), "HF_XET_CACHE")
    yield _cache("tables of `datasets`", Path(datasets), "HF_DATASETS_CACHE")


def _cache(what: str, folder: Path, variable: str, without: Path | None = None) -> CacheState:
    size = files = 0
    ends, is_complete = time.monotonic() + _SECONDS, True
    for one in _files_in(folder, without):
        size, files = size + one, files + 1
        if time.monotonic() > ends:
            is_complete = False
            break
    return CacheState(what, folder, variable, size, files, is_complete, _free(folder))


def _files_in(folder: Path, without: Path | None) -> Iterator[int]:
    """The bytes of each file below a folder; links, by which the Hub's cache names its files, are no files."""
    try:
        entries = list(os.scandir(folder))
    except OSError:  # not there, or not ours to read
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if Path(entry.path) != without:
                yield from _files_in(Path(entry.path), without)
        elif entry.is_file(follow_symlinks=False):
            try:
                yield entry.stat(follow_symlinks=False).st_size
            except OSError:  # it went away meanwhile
                continue


def _free(folder: Path) -> int:
    """Bytes free for the user on the disk of a folder, or of the nearest one above that is there."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    found = os.statvfs(there)
    return found.f_bavail * found.f_frsize


def where_token() -> str | None:
    """Where a token of the Hub was found; None where there is none. The token itself is not returned."""
    from huggingface_hub import constants, get_token

    if not get_token():
        return None
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(variable):
            return f"set by {variable}"
    return f"in {constants.HF_TOKEN_PATH}"


def fit(recipe: Recipe, device: DeviceState) -> RecipeFit:
    """Whether a recipe can be trained on a device, and if not, why."""
    found = estimate(recipe)
    reason = _hindrance(recipe, found, device)
    seconds = found.seconds(H100) if device.accelerators else found.seconds(TWO_CORES, 1)
    return RecipeFit(recipe.name, found.method, found.devices, found.memory, seconds, not reason, reason)


def _hindrance(recipe: Recipe, found: Estimate, device: DeviceState) -> str:
    """Why a recipe cannot be trained on a device; empty where it can."""
    if found.method == "qlora" and device.kind != "cuda":
        return "its four bits need an NVIDIA GPU"
    if found.devices > max(device.accelerators, 1):
        return f"needs {found.devices} devices; here is {max(device.accelerators, 1)}"
    if found.memory > device.capacity:
        return f"needs {found.memory / 1e9:.0f} GB; the device has {device.capacity / 1e9:.0f} GB"
    lacking = [name for name in _packages_of(recipe, found.method) if not is_installed(name)]
    return f"needs {', '.join(lacking)}: pip install 'emollms[{_extra_of(lacking)}]'" if lacking else ""


def _packages_of(recipe: Recipe, method: str) -> Iterator[str]:
    """The optional packages that a recipe needs beside torch."""
    yield from ("torch", "transformers", "trl", "accelerate")
    if method != "full":
        yield "peft"
    if method == "qlora" or "8bit" in str(recipe.values.get("optim")):
        yield "bitsandbytes"
    if "zero" in str(recipe.values.get("accelerate")):
        yield "deepspeed"


def _extra_of(lacking: list[str]) -> Literal["gpu", "train", "train,gpu"]:
    gpu = {"bitsandbytes", "deepspeed"}
    if gpu >= set(lacking):
        return "gpu"
    return "train,gpu" if gpu & set(lacking) else "train"


def _problems(packages: tuple[PackageState, ...]) -> Iterator[str]:
    """What stands in the way of any work."""
    if not packages:
        yield f"{PACKAGE} is not installed, so that versions cannot be checked; run: pip install -e ."
    for one in packages:
        if not one.fits:
            yield f"{_described(one)}; run: pip install '{one.name}{one.wanted}'"


def _described(one: PackageState) -> str:
    found = f"{one.version} is installed" if one.version else "is not installed"
    return f"{one.name}{one.wanted} is needed, and {found}"


def _hints(has_torch: bool, caches: tuple[CacheState, ...]) -> Iterator[str]:
    """What stands in the way of some work."""
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
