"""The machine: its device, cores and memory, and the precision and attention that suit it."""

import os
import platform
import re
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from emollms.bfloat16 import bfloat16_speed
from emollms.storage import Strict

if TYPE_CHECKING:
    import torch

MIN_SPEEDUP = 1.5
"""How many times as fast as in float32 a product must be for bfloat16 to pay: casts, and all that is no product, eat
the rest. SmolLM2-135M trains 1.6 times as fast where it is 3.9 (AVX-512 with bfloat16), 0.4 where it is 0.4 (without)
and 0.075 where it is 0.07 (AVX2); on these figures it breaks even at 1.3."""
_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


class Hardware(Strict):
    """What a run ran on.

    Args:
        device: name of the accelerator, or of the CPU.
        accelerators: how many; 0 on a CPU alone.
        accelerator_memory: bytes of one; 0 without.
        cpu: name of the CPU.
        cores: how many cores the run could use.
        memory: bytes of main memory that the run could use.
        processes: processes that trained together.
        precision: `float32`, `bfloat16` or `float16`, in which the model was computed.
        precision_reason: why; empty in records of older versions.
        attention: implementation of attention.
        kernels: further kernels that were used, such as `liger`.
    """

    device: str
    accelerators: int
    accelerator_memory: int
    cpu: str
    cores: int
    memory: int
    processes: int
    precision: str
    precision_reason: str = ""
    attention: str
    kernels: list[str]


@dataclass(frozen=True)
class Precision:
    """The precision for a machine.

    Args:
        name: `float32`, `bfloat16` or `float16`.
        reason: why, in a few words.
    """

    name: str
    reason: str


def training_precision(device: "torch.device") -> Precision:
    """Mixed precision in bfloat16 where that is faster on `device`, else float32.

    Never float16, which Turing and Volta GPUs are fast in: it overflows in T5 and Gemma 3, and its small gradients
    are lost without loss scaling. float32 is right for every model; a recipe can ask for float16.
    """
    found = _measured(device)
    if device.type == "cpu" or found.name == "bfloat16":
        return found
    return Precision(found.name, f"{found.reason}, and float16, which overflows in some models, was not asked for")


def inference_precision(device: "torch.device") -> Precision:
    """float32 on a CPU, whatever its speed; on a GPU bfloat16 where that is faster.

    In bfloat16 a row's probabilities depend on the rows beside it in a batch, and differ between engines in the third
    decimal.
    """
    if device.type == "cpu":
        return Precision("float32", "on a CPU scores must not depend on how rows are batched, as in bfloat16 they do")
    return _measured(device)


def slow_bfloat16(name: str, device: "torch.device") -> str | None:
    """A warning, if bfloat16 was asked for and float32 is faster on this device; otherwise None.

    Args:
        name: the precision that was asked for.
        device: what computes.
    """
    if name != "bfloat16" or (speed := _bfloat16_speed(device)) >= 1:
        return None
    return f"bfloat16 is {_shown(speed)} times as fast as float32 on this machine; take float32"


def training_attention(device: "torch.device", precision: str) -> str | None:
    """The fastest implementation of attention for training; None for the default of transformers, mostly torch's sdpa.

    On a CPU in bfloat16 plain attention is at least as fast as sdpa. SmolLM2-135M, tokens a CPU second, eager and sdpa:
    192 and 189 (AVX-512 with bfloat16), 51 and 50 (AVX-512 without); with AMX eager was clearly ahead. In float32 both
    are equal (113 and 120 with AVX-512, 122 and 120 with AVX2), and sdpa needs less memory.
    """
    if device.type == "cpu":
        return "eager" if precision == "bfloat16" else None
    if device.type != "cuda" or precision == "float32":  # flash attention computes in half precision only
        return None
    import torch

    major = torch.cuda.get_device_capability(device)[0]
    if major >= 9 and find_spec("flash_attn_interface"):
        return "flash_attention_3"
    return "flash_attention_2" if major >= 8 and find_spec("flash_attn") else None


def default_device() -> "torch.device":
    """The accelerator in use, or the CPU where there is none."""
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def _measured(device: "torch.device") -> Precision:
    speed = _bfloat16_speed(device)
    return Precision(
        "bfloat16" if speed >= MIN_SPEEDUP else "float32", f"bfloat16 is {_shown(speed)} times as fast as float32 here"
    )


def _bfloat16_speed(device: "torch.device") -> float:
    return bfloat16_speed(device, cpu_name() if device.type == "cpu" else accelerator()[0])


def _shown(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"


def describe_hardware(
    *, precision: str, precision_reason: str, attention: str, kernels: Iterable[str], processes: int
) -> Hardware:
    """The machine of this process; arguments as those of `Hardware`."""
    import torch

    count = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    name, memory = accelerator() if count else (cpu_name(), 0)
    return Hardware(
        device=name,
        accelerators=count,
        accelerator_memory=memory,
        cpu=cpu_name(),
        cores=cores(),
        memory=main_memory(),
        processes=processes,
        precision=precision,
        precision_reason=precision_reason,
        attention=attention,
        kernels=list(kernels),
    )


def peak_memory() -> int:
    """The most bytes that this process held at once, on its accelerator where there is one, else in main memory."""
    import torch

    if torch.accelerator.is_available():
        devices = range(torch.accelerator.device_count())
        with suppress(RuntimeError, NotImplementedError, AttributeError):  # some kinds do not tell what they allocated
            return max(torch.accelerator.max_memory_allocated(one) for one in devices)
    return _peak_resident()


def _peak_resident() -> int:
    """VmHWM, which is this program's own; where there is none ru_maxrss, which can be that of the one that began it."""
    line = re.search(r"^VmHWM:\s*(\d+) kB", _read(_PROC / "self" / "status"), re.MULTILINE)
    if line:
        return int(line[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def accelerator() -> tuple[str, int]:
    """Name of the first accelerator, and bytes of its memory; 0 where torch does not tell them."""
    import torch

    device = torch.accelerator.current_accelerator()
    kind = getattr(torch, device.type if device else "cuda")
    if not hasattr(kind, "get_device_properties"):
        return f"{platform.processor() or platform.machine()} {kind.__name__.removeprefix('torch.')}", 0
    found = kind.get_device_properties(0)
    return str(found.name), int(found.total_memory)


def cpu_name() -> str:
    """The model of the CPU."""
    line = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", _read(_PROC / "cpuinfo"), re.MULTILINE)
    return line[1].strip() if line else platform.processor() or platform.machine()


def limit_threads() -> None:
    """Let torch start no more threads than a container has CPU time for; call it before torch is imported.

    torch counts the cores that it may run on, and with a quota of CPU time its threads then wait for each other.
    """
    if cores() < _allowed_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores()))


def cores() -> int:
    """Cores that this process may run on, and is given the time of: affinity, and quotas of cgroups."""
    quotas = [_allowed_cores()]
    for folder in _groups("cpu"):
        one = re.fullmatch(r"(\d+) (\d+)\s*", _read(folder / "cpu.max")) or re.fullmatch(
            r"(\d+)\s+(\d+)\s*", f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
        )
        if one and int(one[2]):
            quotas.append(-(-int(one[1]) // int(one[2])))
    return max(1, min(quotas))


def _allowed_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main_memory() -> int:
    """Bytes of main memory, or of the part of it that cgroups let this process take."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for folder in _groups("memory"):
        found = [_read(folder / name).strip() for name in ("memory.max", "memory.limit_in_bytes")]
        limits += [int(limit) for limit in found if limit.isdigit()]
    return min(limits)


def available_memory() -> int | None:
    """Bytes of main memory that programs could take now; None where the system does not tell."""
    line = re.search(r"^MemAvailable:\s*(\d+) kB", _read(_PROC / "meminfo"), re.MULTILINE)
    return min(int(line[1]) * 1024, main_memory()) if line else None


def _groups(controller: str) -> Iterator[Path]:
    """Folders with limits of this process: its cgroup and those above it, version 2 and 1.

    In a container the path of the group may be that of the host; the limits then are in the root.
    """
    for line in _read(_PROC / "self" / "cgroup").splitlines() or ["0::/"]:
        number, _, rest = line.partition(":")
        names, _, place = rest.partition(":")
        roots = ("", "unified") if number == "0" else (names, controller) if controller in names.split(",") else ()
        inside = Path(place.lstrip("/"))
        for root in roots:
            yield from (_CGROUP / root / part for part in (inside, *inside.parents))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
