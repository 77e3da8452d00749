"""Energy that is measured, by counters of the hardware; nothing is estimated from what a chip is said to need.

NVIDIA GPUs count since their driver was loaded (NVML, by NVIDIA's own package `nvidia-ml-py`); processors of Intel and
AMD since they were turned on (RAPL, in Linux's `/sys/class/powercap`, often for root only). Both count all that runs on
the machine. codecarbon falls back on estimates and zeus starts a process for each counter; they need 17 and 10
packages for these two reads.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")
_SECONDS = 30.0
"""Between reads: a counter that starts again at 0, after 260 kJ with many processors, must be seen each time."""


class _Counter(Protocol):
    def read(self) -> float:
        """Joules since some fixed moment."""


class EnergyMeter:
    """Joules that the GPUs in use and the processors of this machine took.

    Args:
        powercap: where Linux shows the counters of processors.
    """

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._counters: list[_Counter] = []
        self._powercap = powercap
        self._at_start = self._last = 0.0
        self._lock, self._over = threading.Lock(), threading.Event()
        self.source: str | None = None
        """What is read, such as `NVML (2 GPUs), RAPL (1 package)`; None where nothing can be."""

    def start(self) -> None:
        """Find the counters, and count from here."""
        graphics, processors = _graphics(), _processors(self._powercap)
        self._counters = [*graphics, *processors]
        found = [_told("NVML", "GPU", len(graphics)), _told("RAPL", "package", sum(one.whole for one in processors))]
        self.source = ", ".join(filter(None, found)) or None
        if not self._counters:
            return
        self._at_start = self._last = self._sum()
        self._over.clear()
        threading.Thread(target=self._watch, args=(self._over,), name="energy", daemon=True).start()

    def joules(self) -> float | None:
        """Joules since `start`; None where nothing can be read."""
        if not self._counters:
            return None
        with self._lock:
            if not self._over.is_set():
                self._last = self._sum()
            return self._last - self._at_start

    def stop(self) -> float | None:
        """End counting, and give `joules`."""
        total = self.joules()
        self._over.set()
        return total

    def _sum(self) -> float:
        return sum(one.read() for one in self._counters)

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(_SECONDS):
            self.joules()


class _Zone:
    """A counter of a processor: a file with microjoules that starts again at 0 above a limit."""

    def __init__(self, folder: Path, whole: bool) -> None:
        self.whole = whole
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last = int(self._file.read_text())
        self._total = 0

    def read(self) -> float:
        try:
            now = int(self._file.read_text())
        except (OSError, ValueError):  # the right to read it can be taken away
            return self._total / 1e6
        self._total += now - self._last if now >= self._last else now + self._range - self._last
        self._last = now
        return self._total / 1e6


class _Graphics:
    """A GPU."""

    def __init__(self, library: Any, handle: Any) -> None:
        self._library, self._handle = library, handle
        self._last = self._now()

    def read(self) -> float:
        with suppress(self._library.NVMLError):  # it can fall off the bus; what it took until then counts
            self._last = self._now()
        return self._last

    def _now(self) -> float:
        return float(self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3


def _graphics() -> list[_Graphics]:
    """The GPUs that this run uses on this machine: one a process, or all that it sees where it is one process."""
    import torch

    if not torch.cuda.is_available():
        return []
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        seen = torch.cuda.device_count()
        local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        names = [
            f"GPU-{torch.cuda.get_device_properties(one).uuid}"
            for one in range(min(seen, local) if local > 1 else seen)
        ]
        return [_Graphics(pynvml, pynvml.nvmlDeviceGetHandleByUUID(name)) for name in names]
    except pynvml.NVMLError:  # no driver, or GPUs before Volta, which do not count
        return []


def _processors(powercap: Path) -> list[_Zone]:
    """Packages and, where it is counted apart, memory."""
    zones = []
    for folder in sorted(powercap.glob("intel-rapl:*")):
        try:
            name = (folder / "name").read_text().strip()
            if name.startswith("package") or name == "dram":
                zones.append(_Zone(folder, name != "dram"))
        except (OSError, ValueError):
            continue
    return zones


def _told(by: str, what: str, count: int) -> str:
    return f"{by} ({count} {what}{'s' * (count > 1)})" if count else ""
