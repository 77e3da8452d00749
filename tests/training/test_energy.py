import sys
from types import SimpleNamespace

import pytest
import torch

from emollms.training.energy import EnergyMeter

RANGE = 262_143_328_850


@pytest.fixture
def powercap(tmp_path):
    """Two packages, the memory and the cores of the first, the whole board, and the first again by another way."""
    zones = {
        "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram", "intel-rapl:1": "package-1",
        "intel-rapl:2": "psys", "intel-rapl-mmio:0": "package-0",
    }  # fmt: skip
    for zone, name in zones.items():
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
        (tmp_path / zone / "energy_uj").write_text("1000000\n")
    return tmp_path


def tick(powercap, zone, microjoules):
    (powercap / zone / "energy_uj").write_text(f"{microjoules}\n")


def test_packages_and_memory_are_added_and_nothing_is_counted_twice(powercap):
    meter = EnergyMeter(powercap)
    meter.start()
    assert meter.source == "RAPL (2 packages)"
    assert meter.joules() == 0
    for zone, energy in (("0", 3_000_000), ("1", 1_500_000), ("0:1", 1_250_000), ("0:0", 9_000_000), ("2", 9_000_000)):
        tick(powercap, f"intel-rapl:{zone}", energy)
    tick(powercap, "intel-rapl-mmio:0", 3_000_000)
    assert meter.joules() == pytest.approx(2.75)


def test_counters_that_start_again_at_zero(powercap):
    tick(powercap, "intel-rapl:0", RANGE - 500_000)
    meter = EnergyMeter(powercap)
    meter.start()
    tick(powercap, "intel-rapl:0", 250_000)
    assert meter.joules() == pytest.approx(0.75)
    tick(powercap, "intel-rapl:0", RANGE - 750_000)
    before = meter.joules()
    tick(powercap, "intel-rapl:0", 0)
    assert meter.stop() == pytest.approx(before + 0.75)


def test_nothing_counts_after_the_stop_and_a_new_start_counts_from_there(powercap):
    meter = EnergyMeter(powercap)
    meter.start()
    tick(powercap, "intel-rapl:1", 2_000_000)
    assert meter.stop() == 1
    tick(powercap, "intel-rapl:1", 9_000_000)
    assert meter.joules() == 1
    meter.start()
    tick(powercap, "intel-rapl:1", 9_500_000)
    assert meter.joules() == 0.5


def test_a_counter_that_cannot_be_read_any_more_keeps_what_it_had(powercap):
    meter = EnergyMeter(powercap)
    meter.start()
    tick(powercap, "intel-rapl:0", 5_000_000)
    assert meter.joules() == 4
    (powercap / "intel-rapl:0" / "energy_uj").unlink()
    assert meter.joules() == 4


def test_no_counters_no_number(tmp_path, powercap):
    for meter in (EnergyMeter(tmp_path / "none"), EnergyMeter(tmp_path)):
        for zone in powercap.iterdir():
            (zone / "energy_uj").unlink(missing_ok=True)  # as for those who may not read them
        meter.start()
        assert (meter.joules(), meter.source, meter.stop()) == (None, None, None)


class FakeNvml:
    """NVML with two GPUs, for there is none here."""

    class NVMLError(Exception):
        pass

    def __init__(self):
        self.energy = {"GPU-a": 7_000_000, "GPU-b": 1_000}
        self.broken = False

    def nvmlInit(self):  # noqa: N802 - the library's name
        if self.broken:
            raise self.NVMLError

    def nvmlDeviceGetHandleByUUID(self, name):  # noqa: N802
        assert name in self.energy
        return name

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        if self.broken:
            raise self.NVMLError
        return self.energy[handle]


@pytest.fixture
def nvml(monkeypatch):
    library = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda one: SimpleNamespace(uuid="ab"[one]))
    return library


def test_gpus_are_added_to_processors(nvml, powercap):
    meter = EnergyMeter(powercap)
    meter.start()
    assert meter.source == "NVML (2 GPUs), RAPL (2 packages)"
    nvml.energy = {"GPU-a": 7_002_500, "GPU-b": 1_500}
    tick(powercap, "intel-rapl:0", 2_000_000)
    assert meter.joules() == pytest.approx(2.5 + 0.5 + 1)
    nvml.broken = True
    assert meter.stop() == pytest.approx(4)


def test_with_a_process_for_each_gpu_only_theirs_count(nvml, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    meter = EnergyMeter(tmp_path)
    meter.start()
    assert meter.source == "NVML (2 GPUs)"


def test_a_driver_that_does_not_answer(nvml, tmp_path):
    nvml.broken = True
    meter = EnergyMeter(tmp_path)
    meter.start()
    assert (meter.source, meter.joules()) == (None, None)


def test_without_the_package_for_gpus(nvml, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    meter = EnergyMeter(tmp_path)
    meter.start()
    assert meter.source is None
