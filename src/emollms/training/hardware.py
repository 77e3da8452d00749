"""What a run runs on, and the most memory it took."""

import os
import platform
import re
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from emollms.training.manifest import Hardware

_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


def describe_hardware(*, precision: str, attention: str, kernels: Iterable[str], processes: int) -> Hardware:
    """The machine of this process.

    Args:
        precision: type of the numbers in which the model is computed.
        attention: implementation of attention.
        kernels: further kernels in use.
        processes: processes that train together, on this machine and others.
    """
    import torch

    count = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    name, memory = _accelerator() if count else (_cpu_name(), 0)
    return Hardware(
        device=name,
        accelerators=count,
        accelerator_memory=memory,
        cpu=_cpu_name(),
        cores=_cores(),
        memory=_memory(),
        processes=processes,
        precision=precision,
        attention=attention,
        kernels=list(kernels),
    )


def peak_memory() -> int:
    """The most bytes that this process held at once, on its accelerator where there is one, else in main memory."""
    import torch

    if torch.accelerator.is_available():
        devices = range(torch.accelerator.device_count())
        try:
            return max(torch.accelerator.max_memory_allocated(one) for one in devices)
        except (RuntimeError, NotImplementedError, AttributeError):  # not every kind of accelerator counts
            pass
    return _peak_resident()


def _peak_resident() -> int:
    """VmHWM, which is this program's own; where there is none ru_maxrss, which can be that of the one that began it."""
    line = re.search(r"^VmHWM:\s*(\d+) kB", _read(_PROC / "self" / "status"), re.MULTILINE)
    if line:
        return int(line[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _accelerator() -> tuple[str, int]:
    """Name and memory of the first one."""
    import torch

    device = torch.accelerator.current_accelerator()
    kind = getattr(torch, device.type if device else "cuda")
    if not hasattr(kind, "get_device_properties"):
        return f"{platform.processor() or platform.machine()} {kind.__name__.removeprefix('torch.')}", 0
    found = kind.get_device_properties(0)
    return str(found.name), int(found.total_memory)


def _cpu_name() -> str:
    line = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", _read(_PROC / "cpuinfo"), re.MULTILINE)
    return line[1].strip() if line else platform.processor() or platform.machine()


def _cores() -> int:
    """Cores that this process may run on, and is given the time of."""
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = re.fullmatch(r"(\d+) (\d+)\s*", _read(_CGROUP / "cpu.max"))
    return max(1, min(may, -(-int(share[1]) // int(share[2])))) if share else may


def _memory() -> int:
    """Bytes of main memory, or of the part of it that this process may take."""
    all_of_it = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _read(_CGROUP / "memory.max").strip()
    return min(all_of_it, int(limit)) if limit.isdigit() else all_of_it


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
