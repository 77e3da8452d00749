"""Which recipes can be trained here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from emollms.doctor.machine import DeviceState
from emollms.optional import is_installed
from emollms.training.estimate import H100, TWO_CORES, Estimate, estimate
from emollms.training.recipe import Recipe


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
