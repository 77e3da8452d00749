"""What the machine has, and what is decided on it: cgroups of both versions, a measured speed, and a cache that never
fails a run."""

import json
import os
import resource
import subprocess
import sys

import pytest
import torch

from emollms import bfloat16, hardware
from emollms.bfloat16 import bfloat16_speed
from emollms.hardware import (
    cores,
    describe_hardware,
    inference_precision,
    limit_threads,
    main_memory,
    peak_memory,
    slow_bfloat16,
    training_attention,
    training_precision,
)

CPU = torch.device("cpu")
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def describe():
    return describe_hardware(
        precision="float32", precision_reason="asked for", attention="sdpa", kernels=("liger",), processes=2
    )


def test_this_machine():
    found = describe()
    assert found.accelerators == torch.accelerator.device_count()
    assert found.cpu != ""
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert 2**28 < found.memory <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (found.precision, found.precision_reason, found.attention) == ("float32", "asked for", "sdpa")
    assert (found.kernels, found.processes) == (["liger"], 2)


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Made-up /proc and cgroup folders; gives what writes a file into them."""
    monkeypatch.setattr(hardware, "_PROC", tmp_path)
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(hardware, "_allowed_cores", lambda: 8)

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_limits_of_a_container_count(files):
    files(cpu_dot_max="250000 100000\n", memory_dot_max="123456789\n")
    files(cpuinfo="processor\t: 0\nmodel name\t: Abacus 9000\nmodel name\t: Abacus 9000\n")
    found = describe()
    assert (found.cores, found.memory, found.cpu) == (3, 123456789, "Abacus 9000")


def test_limits_of_a_group_and_of_those_above_it_count(files):
    files(self__cgroup="0::/user.slice/job\n", user_dot_slice__job__cpu_dot_max="max 100000\n")
    files(user_dot_slice__cpu_dot_max="100000 50000\n", user_dot_slice__job__memory_dot_max="1000000\n")
    assert (cores(), main_memory()) == (2, 1_000_000)


def test_limits_of_the_first_version_of_cgroups_count(files):
    files(self__cgroup="12:cpu,cpuacct:/docker/1\n9:memory:/docker/1\n0::/\n")
    files(**{"cpu,cpuacct__cpu.cfs_quota_us": "150000\n", "cpu,cpuacct__cpu.cfs_period_us": "100000\n"})
    files(**{"memory__docker__1__memory.limit_in_bytes": "2000000\n"})
    assert (cores(), main_memory()) == (2, 2_000_000)


def test_no_limit_is_no_limit(files):
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (cores(), main_memory()) == (8, whole)
    files(cpu_dot_max="max 100000\n", memory_dot_max="max\n")
    assert (cores(), main_memory()) == (8, whole)
    files(self__cgroup="12:cpu,cpuacct:/\n9:memory:/\n")
    files(**{"cpu,cpuacct__cpu.cfs_quota_us": "-1\n", "cpu,cpuacct__cpu.cfs_period_us": "100000\n"})
    files(**{"memory__memory.limit_in_bytes": "9223372036854771712\n"})
    assert (cores(), main_memory()) == (8, whole)
    assert describe().cpu != ""


def test_a_quota_limits_the_threads_of_torch_where_nobody_else_did(files, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    limit_threads()
    assert "OMP_NUM_THREADS" not in os.environ
    files(cpu_dot_max="200000 100000\n")
    limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    limit_threads()
    assert os.environ["OMP_NUM_THREADS"] == "5"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and nothing remembered in this process; gives its file."""
    monkeypatch.delenv("EMOLLMS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bfloat16_speed.cache_clear()
    yield tmp_path / "cache" / "emollms" / "hardware.json"
    bfloat16_speed.cache_clear()


@pytest.fixture
def speeds(cache, monkeypatch):
    """Machines on which bfloat16 is so many times as fast; gives how often it was measured."""

    def set_speed(value):
        measured = []
        monkeypatch.setattr(bfloat16, "_measure_apart", lambda: measured.append(1) or value)
        bfloat16_speed.cache_clear()
        return measured

    return set_speed


@pytest.mark.parametrize(
    ("speed", "precision", "reason", "attention"),
    [
        (0.0163, "float32", "bfloat16 is 0.016 times as fast as float32 here", None),
        (1.1, "float32", "bfloat16 is 1.1 times as fast as float32 here", None),
        (2.04, "bfloat16", "bfloat16 is 2 times as fast as float32 here", "eager"),
        (13.7, "bfloat16", "bfloat16 is 14 times as fast as float32 here", "eager"),
        (0.0, "float32", "bfloat16 is 0 times as fast as float32 here", None),
    ],
)
def test_training_takes_bfloat16_where_it_is_fast(speeds, cache, speed, precision, reason, attention):
    speeds(speed)
    found = training_precision(CPU)
    assert (found.name, found.reason) == (precision, reason)
    assert training_attention(CPU, found.name) == attention


@pytest.mark.parametrize(
    ("speed", "major", "training", "inference", "attention"),
    [
        (0.4, 7, "float32", "float32", None),  # Volta and Turing
        (9.0, 8, "bfloat16", "bfloat16", "flash_attention_2"),
        (14.0, 9, "bfloat16", "bfloat16", "flash_attention_3"),
    ],
)
def test_a_gpu_computes_in_bfloat16_where_it_is_fast(monkeypatch, speed, major, training, inference, attention):
    """What a GPU says of itself is made up, there being none in most places where tests run."""
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(hardware, "accelerator", lambda: ("Abacus GPU", 2**34))
    monkeypatch.setattr(hardware, "bfloat16_speed", lambda device, name: speed)
    monkeypatch.setattr(hardware, "find_spec", lambda name: object())  # every kernel is installed
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    found = training_precision(gpu)
    assert (found.name, inference_precision(gpu).name) == (training, inference)
    assert ("float16, which overflows in some models" in found.reason) == (training == "float32")
    assert training_attention(gpu, found.name) == attention
    assert training_attention(gpu, "float16") == ("flash_attention_3" if major >= 9 else
                                                  "flash_attention_2" if major == 8 else None)  # fmt: skip
    monkeypatch.setattr(hardware, "find_spec", lambda name: None)
    assert training_attention(gpu, found.name) is None


@pytest.mark.parametrize("speed", [0.02, 14.0])
def test_inference_on_a_cpu_is_in_float32_whatever_its_speed(speeds, speed):
    assert speeds(speed) == []
    found = inference_precision(CPU)
    assert found.name == "float32"
    assert "must not depend on how rows are batched" in found.reason


def test_asking_for_slow_bfloat16_gives_a_warning(speeds, cache):
    measured = speeds(0.0712)
    assert slow_bfloat16("bfloat16", CPU) == (
        "bfloat16 is 0.071 times as fast as float32 on this machine; take float32"
    )
    assert measured == [1]
    cache.unlink()
    measured = speeds(1.0)
    assert slow_bfloat16("bfloat16", CPU) is None
    assert [slow_bfloat16(name, CPU) for name in ("auto", "float32", "float16")] == [None] * 3
    assert measured == [1]  # for bfloat16 alone


def test_the_speed_is_measured_once_and_kept_for_the_machine(speeds, cache, monkeypatch):
    measured = speeds(0.5)
    assert bfloat16_speed(CPU, "Abacus") == bfloat16_speed(CPU, "Abacus") == 0.5
    bfloat16_speed.cache_clear()
    assert bfloat16_speed(CPU, "Abacus") == 0.5  # from the file
    assert len(measured) == 1
    assert list(json.loads(cache.read_text()).values()) == [0.5]
    assert [path.name for path in cache.parent.iterdir()] == ["hardware.json"]
    bfloat16_speed(CPU, "Another")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    bfloat16_speed.cache_clear()
    bfloat16_speed(CPU, "Abacus")
    monkeypatch.setattr(torch, "__version__", "99.0")
    bfloat16_speed.cache_clear()
    bfloat16_speed(CPU, "Abacus")
    assert len(measured) == 4
    assert len(json.loads(cache.read_text())) == 4


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000, b'{"KEY": "fast"}', b'{"KEY": NaN}',
                b'{"KEY": -1.0}', b'{"KEY": true}']
)  # fmt: skip
def test_a_damaged_cache_is_measured_again_and_mended(speeds, cache, content):
    measured = speeds(3.0)
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content.replace(b"KEY", bfloat16._key("Abacus").encode()))
    assert bfloat16_speed(CPU, "Abacus") == 3.0
    bfloat16_speed.cache_clear()
    assert bfloat16_speed(CPU, "Abacus") == 3.0
    assert len(measured) == 1


def test_a_cache_that_cannot_be_written_does_no_harm(speeds, cache, monkeypatch, tmp_path):
    speeds(3.0)
    cache.mkdir(parents=True)  # a folder where the file belongs
    assert bfloat16_speed(CPU, "Abacus") == 3.0
    assert list(cache.parent.iterdir()) == [cache]
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    bfloat16_speed.cache_clear()
    assert bfloat16_speed(CPU, "Abacus") == 3.0


def test_the_cache_is_where_the_package_keeps_its_own(speeds, cache, monkeypatch, tmp_path):
    speeds(3.0)
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path / "own"))
    bfloat16_speed(CPU, "Abacus")
    assert (tmp_path / "own" / "hardware.json").is_file()
    assert not cache.exists()


def test_the_speed_is_that_of_this_machine_and_measuring_changes_nothing(cache):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert bfloat16_speed(CPU, "Abacus") > 0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_avx2_alone_is_slow_in_bfloat16(cache, monkeypatch):
    """Limits that torch reads when it is loaded, in the process that measures."""
    for name, value in AVX2.items():
        monkeypatch.setenv(name, value)
    assert training_precision(CPU).name == "float32"


def test_where_no_process_can_be_started_it_is_measured_here(cache, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert bfloat16_speed(CPU, "Abacus") > 0


def test_a_device_without_bfloat16_is_slow_in_it(monkeypatch):
    def refused(device):
        raise TypeError("BFloat16 is not supported on MPS")

    monkeypatch.setattr(bfloat16, "_ratio", refused)
    assert bfloat16._measure(CPU) == 0.0


def test_nothing_of_it_imports_torch():
    source = (
        "import sys, emollms.hardware as h; h.cores(), h.main_memory(), h.cpu_name(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_peak_memory_grows_and_does_not_shrink():
    before = peak_memory()
    block = bytearray(os.urandom(1)) * (before + 2**26)
    during = peak_memory()
    assert during > before + 2**25
    del block
    assert peak_memory() > before + 2**25  # Linux counts by and large, per thread


def test_peak_memory_is_not_that_of_the_parent():
    block = b"x" * 2**29
    source = "from emollms.hardware import _peak_resident; print(_peak_resident())"
    peak = int(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout)
    assert 2**20 < peak < len(block)


def test_peak_memory_without_proc(files):
    assert hardware._peak_resident() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
