"""Whether bfloat16 is fast on this machine: measured, since that torch can compute in it says little about its speed.

With AVX2 alone a product in bfloat16 takes ten to a hundred times as long as in float32. The answer is cached.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emollms.locations import cache_root
from emollms.storage import write_json

if TYPE_CHECKING:
    import torch

_SECONDS = 0.05
_CPU_SHAPE, _GPU_SHAPE = (128, 576, 1536), (4096, 2048, 2048)
"""Tokens, inputs and outputs of the layer that is timed: the feed-forward layer of a small model with few tokens, since
AVX2 takes seconds for more; on a GPU enough to outweigh the start of a kernel."""
_ISA_VARIABLES = (
    "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR",
)  # fmt: skip
_CPUINFO = Path("/proc/cpuinfo")


@cache
def bfloat16_speed(device: "torch.device", name: str) -> float:
    """How many times as fast as in float32 a layer is computed in bfloat16, forward and backward; 0 where it is not.

    Measured for about 50 ms, in CPU time on a CPU, so that other work on the machine hardly counts. The answer is
    kept in `hardware.json` in the cache of this package, for this device, CPU, torch and these limits to instructions.

    Args:
        device: where to measure.
        name: the model of the device.
    """
    key = _key(name)
    known = _read_cache().get(key)
    if isinstance(known, float) and 0 <= known < float("inf"):
        return known
    speed = _measure_apart() if device.type == "cpu" else _measure(device)
    _write_cache(key, speed)
    return speed


def _measure_apart() -> float:
    """Measure the CPU in a process with one thread.

    Threads that wait for each other on a busy machine use CPU time. And `torch.set_num_threads` cannot be undone: it
    also keeps MKL from choosing its threads, so that a run that measured would differ in the last bits from others.
    """
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(command, env=alone, check=True, capture_output=True, text=True)
        return float(done.stdout.split()[-1])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        import torch

        return _measure(torch.device("cpu"))


def _measure(device: "torch.device") -> float:
    try:
        return round(_ratio(device), 4)
    except (RuntimeError, TypeError, NotImplementedError):  # such as Apple's GPUs before macOS 14
        return 0.0


def _ratio(device: "torch.device") -> float:
    import torch

    rows, inputs, outputs = _CPU_SHAPE if device.type == "cpu" else _GPU_SHAPE

    def layer(dtype: torch.dtype) -> Callable[[], object]:
        def values(*shape: int) -> torch.Tensor:  # no random numbers are drawn: a run's own must stay as they are
            count = shape[0] * shape[1]
            return torch.linspace(-1, 1, count, device=device).reshape(shape).to(dtype)

        x, weight, gradient = values(rows, inputs), values(outputs, inputs), values(rows, outputs)
        return lambda: (x @ weight.T, gradient @ weight, gradient.T @ x)

    with torch.inference_mode():
        single, half = layer(torch.float32), layer(torch.bfloat16)
        _seconds(single, device), _seconds(half, device)  # kernels are compiled, and threads started
        times: list[tuple[float, float]] = []
        while len(times) < 3 or sum(map(sum, times)) < _SECONDS:
            times.append((_seconds(single, device), _seconds(half, device)))
    return min(one for one, _ in times) / max(min(two for _, two in times), 1e-9)


def _seconds(work: Callable[[], object], device: "torch.device") -> float:
    """CPU seconds on a CPU, seconds on an accelerator, which computes while the CPU moves on."""
    import torch

    if device.type == "cpu":
        begin = time.process_time()
        work()
        return time.process_time() - begin
    torch.accelerator.synchronize(device)
    begin = time.perf_counter()
    work()
    torch.accelerator.synchronize(device)
    return time.perf_counter() - begin


def _key(device: str) -> str:
    """All that the speed depends on."""
    import torch

    text = _CPUINFO.read_text(encoding="utf-8", errors="replace") if _CPUINFO.is_file() else ""
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    limits = [f"{name}={os.environ[name]}" for name in _ISA_VARIABLES if name in os.environ]
    known = [*sorted(flags[1].split() if flags else ()), torch.backends.cpu.get_cpu_capability(), platform.machine()]
    digest = hashlib.sha256(" ".join(known).encode()).hexdigest()[:16]
    return ", ".join([device, f"torch {torch.__version__}", f"instructions {digest}", *limits])


def _cache_file() -> Path:
    return cache_root() / "hardware.json"


def _read_cache() -> dict[str, Any]:
    """What was measured before; a cache that is damaged or cannot be read holds nothing."""
    with suppress(OSError, ValueError, RecursionError, RuntimeError):  # RuntimeError: there is no home folder
        found = json.loads(_cache_file().read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _write_cache(key: str, speed: float) -> None:
    """Keep an answer; where that cannot be, it is measured again the next time."""
    with suppress(OSError, RuntimeError):
        write_json(_cache_file(), {**_read_cache(), key: speed})


if __name__ == "__main__":
    import torch

    print(_measure(torch.device("cpu")))
