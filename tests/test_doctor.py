"""`emollms doctor`: what is found on a machine, without a network, without torch, and with packages that do not fit."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.doctor.machine import DeviceState
from emollms.doctor.packages import PackageState, installed, package_problems
from emollms.doctor.recipes import fit
from emollms.training.estimate import estimate
from emollms.training.recipe import find_recipes, load_recipe

CPU = DeviceState("a CPU", "cpu", 0, 0, "a CPU", 2, 24 * 10**9, None)
GPUS = DeviceState("a GPU", "cuda", 8, 80 * 10**9, "a CPU", 64, 10**12, None)
TOKEN = "hf_thisIsNoTokenOfAnybody"
WITHOUT_TORCH = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "trl"):
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Hidden())
from emollms.cli import main
main()
"""


def run(folder: Path, *words: str, code: str = "from emollms.cli import main; main()", **environment: str) -> Any:
    """The command in a process of its own, which may not ask the Hub and has a home of its own."""
    home = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf"), "EMOLLMS_CACHE": str(folder / "cache")}
    known = {name: value for name, value in os.environ.items() if name not in ("EMOLLMS_CORPORA", "HF_TOKEN")}
    call = [sys.executable, "-c", code, "doctor", *words]
    return subprocess.run(call, env={**known, **home, **environment}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("doctor")
    (made / "cache" / "onnx").mkdir(parents=True)
    (made / "cache" / "answers.sqlite").write_bytes(b"a" * 1000)
    (made / "cache" / "onnx" / "model").write_bytes(b"a" * 500)
    (made / "hf" / "hub" / "blobs").mkdir(parents=True)
    (made / "hf" / "hub" / "blobs" / "one").write_bytes(b"a" * 300)
    (made / "hf" / "hub" / "name").symlink_to(made / "hf" / "hub" / "blobs" / "one")
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What the command finds as JSON, with a token, and a folder of corpora that is not there."""
    done = run(folder, "--json", HF_TOKEN=TOKEN, EMOLLMS_CORPORA=str(folder / "nowhere"))
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_versions_device_and_precision(found: dict[str, Any]) -> None:
    import torch

    from emollms import hardware

    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    packages = {one["name"]: one for one in found["packages"]}
    assert {"datasets", "numpy", "huggingface-hub"} <= set(packages)
    assert all(one["fits"] for one in packages.values())
    assert {one["name"]: one["version"] for one in found["optional_packages"]}["torch"] == torch.__version__
    assert found["device"]["cores"] == hardware.cores()
    assert found["memory"] == hardware.main_memory()
    device = hardware.default_device()
    assert found["precision_of_answers"]["name"] == hardware.inference_precision(device).name
    assert found["precision_of_training"]["reason"]


def test_caches_with_their_sizes(found: dict[str, Any], folder: Path) -> None:
    caches = {one["variable"]: one for one in found["caches"]}
    assert (caches["EMOLLMS_CACHE"]["bytes"], caches["EMOLLMS_CACHE"]["files"]) == (1500, 2)
    assert (caches["HF_HUB_CACHE"]["bytes"], caches["HF_HUB_CACHE"]["files"]) == (300, 1)
    assert caches["HF_DATASETS_CACHE"]["folder"] == str(folder / "hf" / "datasets")
    assert (caches["EMOLLMS_CORPORA"]["bytes"], caches["EMOLLMS_CORPORA"]["files"]) == (0, 0)
    assert found["hints"] == [f"EMOLLMS_CORPORA names {folder / 'nowhere'}, and there is no such folder"]


def test_the_hub_and_a_token_that_is_not_shown(found: dict[str, Any]) -> None:
    assert found["hub"]["problem"] == "HF_HUB_OFFLINE is set, so that the Hub is not asked"
    assert found["token"] == "set by HF_TOKEN"


def test_recipes_that_fit(found: dict[str, Any]) -> None:
    assert [one["recipe"] for one in found["recipes"]] == list(find_recipes())
    assert found["recipes_that_fit"] == sum(one["fits"] for one in found["recipes"])
    assert all(bool(one["reason"]) != one["fits"] for one in found["recipes"])


def test_without_torch_it_says_how_to_get_it(folder: Path) -> None:
    done = run(folder, "--json", code=WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["precision_of_answers"] is None
    assert found["token"] is None
    assert any("pip install 'emollms[annotate]'" in line for line in found["hints"])
    small = next(one for one in found["recipes"] if one["recipe"] == "emosmol-135m")
    assert "pip install 'emollms[train]'" in small["reason"] or small["memory"] > found["memory"]


def test_the_token_of_a_file_is_found(folder: Path) -> None:
    (folder / "token").write_text(TOKEN)
    done = run(folder, HF_TOKEN_PATH=str(folder / "token"), code=WITHOUT_TORCH)
    assert f"token\tin {folder / 'token'}\n" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "device", "reason"),
    [
        ("emosmol-135m", CPU, ""),
        ("emosmol-135m", replace(CPU, memory=2 * 10**9), "needs 7 GB; the device has 2 GB"),
        ("llama-3.1-8b-qlora", CPU, "its four bits need an NVIDIA GPU"),
        ("llama-3.1-8b-qlora", replace(GPUS, kind="xpu"), "its four bits need an NVIDIA GPU"),
        ("llama-3.1-8b-fsdp", replace(GPUS, accelerators=4), "needs 8 devices; here is 4"),
        ("llama-3.1-8b-fsdp", GPUS, ""),
        ("emobloom-7b", CPU, "needs 2 devices; here is 1"),
    ],
)
def test_why_a_recipe_does_not_fit(name: str, device: DeviceState, reason: str) -> None:
    found = fit(load_recipe(name), device)
    assert (found.fits, found.reason) == (not reason, reason)


@given(name=st.sampled_from(sorted(find_recipes())), memory=st.integers(10**9, 10**12))
def test_a_recipe_fits_where_its_estimate_does(name: str, memory: int) -> None:
    recipe = load_recipe(name)
    found = fit(recipe, replace(GPUS, accelerator_memory=memory))
    assert found.fits <= (estimate(recipe).memory <= memory)
    assert ("the device has" in found.reason) == (estimate(recipe).memory > memory)


METADATA = """\
Metadata-Version: 2.4
Name: half-installed
Version: 1
Provides-Extra: one
Provides-Extra: two
Provides-Extra: dev
Requires-Dist: numpy>=2
Requires-Dist: pytest<1
Requires-Dist: not-there>=3
Requires-Dist: for-windows; sys_platform == "win32"
Requires-Dist: packaging; extra == "one"
Requires-Dist: half-installed[one]; extra == "two"
Requires-Dist: not-there-either; extra == "two"
Requires-Dist: a-linter; extra == "dev"
"""


@pytest.fixture
def half_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The packages and the extras of a distribution of which parts are missing."""
    (tmp_path / "half_installed-1.dist-info").mkdir()
    (tmp_path / "half_installed-1.dist-info" / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(str(tmp_path))
    return installed("half-installed")


def test_packages_that_are_missing_or_too_old(half_installed: Any) -> None:
    packages, extras = half_installed
    assert [(one.name, one.fits) for one in packages] == [("numpy", True), ("pytest", False), ("not-there", False)]
    assert packages[2] == PackageState("not-there", ">=3", None, False)
    assert [one.name for one in extras] == ["one", "two"]
    one, two = extras
    assert (one.lacking, one.command) == ((), "")
    assert [each.name for each in two.packages] == ["packaging", "not-there-either"]
    assert [each.name for each in two.lacking] == ["not-there-either"]


def test_what_all_work_needs_is_a_problem(half_installed: Any) -> None:
    problems = list(package_problems(half_installed[0]))
    assert problems[0].startswith("pytest<1 is needed, and ")
    assert problems[1] == "not-there>=3 is needed, and is not installed; run: pip install 'not-there>=3'"
    assert list(package_problems(())) == [
        "emollms is not installed, so that versions cannot be checked; run: pip install -e ."
    ]
