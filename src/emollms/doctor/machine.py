"""The device, the memory, and the caches with the room on their disks."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emollms import hardware
from emollms.corpora import registry
from emollms.locations import cache_root
from emollms.optional import is_installed

if TYPE_CHECKING:
    import torch

_SECONDS = 2.0
"""How long the files of one cache are counted."""


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


def torch_device() -> "torch.device | None":
    """The device that torch would use; None where torch is not installed."""
    return hardware.default_device() if is_installed("torch") else None


def device_state(found: "torch.device | None") -> DeviceState:
    """What computes, where torch would use `found`; None without torch."""
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


def caches() -> Iterator[CacheState]:
    """What was fetched or made, and where."""
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
