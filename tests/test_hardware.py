import os
import resource
import subprocess
import sys

import pytest

from emollms.training import hardware
from emollms.training.hardware import describe_hardware, peak_memory


def describe():
    return describe_hardware(precision="float32", attention="sdpa", kernels=("liger",), processes=2)


def test_this_machine():
    found = describe()
    assert found.accelerators == 0
    assert found.device == found.cpu != ""
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert 2**28 < found.memory <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (found.precision, found.attention, found.kernels, found.processes) == ("float32", "sdpa", ["liger"], 2)


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Made-up /proc and cgroup folders."""
    monkeypatch.setattr(hardware, "_PROC", tmp_path)
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    return tmp_path


def test_limits_of_a_container_count(files):
    (files / "cpu.max").write_text("50000 100000\n")
    (files / "memory.max").write_text("123456789\n")
    (files / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9000\nmodel name\t: Abacus 9000\n")
    found = describe()
    assert (found.cores, found.memory, found.cpu) == (1, 123456789, "Abacus 9000")


def test_no_limits_and_no_files(files):
    whole = describe()
    (files / "cpu.max").write_text("max 100000\n")
    (files / "memory.max").write_text("max\n")
    assert describe() == whole
    assert whole.cpu != ""


def test_peak_memory_grows_and_does_not_shrink():
    before = peak_memory()
    block = bytearray(os.urandom(1)) * (before + 2**26)
    during = peak_memory()
    assert during > before + 2**25
    del block
    assert peak_memory() > before + 2**25  # Linux counts by and large, per thread


def test_peak_memory_is_not_that_of_the_parent():
    block = b"x" * 2**29
    source = "from emollms.training.hardware import _peak_resident; print(_peak_resident())"
    peak = int(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout)
    assert 2**20 < peak < len(block)


def test_peak_memory_without_proc(files):
    assert hardware._peak_resident() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
