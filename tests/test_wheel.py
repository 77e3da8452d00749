"""The built wheel holds what git holds, and runs without the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOT_PACKAGES = ("builders", "recipes", "cards", "models", "validation")
FOLDERS = {"src/emollms": "emollms"} | {name: f"emollms/{name}" for name in ROOT_PACKAGES}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of what git has, so that left-overs of earlier builds cannot get in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def tracked() -> list[str]:
    """The files that git has, or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_wheel_holds_what_git_holds(wheel: Path) -> None:
    expected = {
        f"{package}{name.removeprefix(folder)}"
        for name in tracked()
        for folder, package in FOLDERS.items()
        if name.startswith(f"{folder}/")
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected


def run(wheel: Path, folder: Path, *command: str) -> str:
    """What a command of the wheel prints, unpacked in `folder`, far from the checkout."""
    zipfile.ZipFile(wheel).extractall(folder / "site")
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import emollms; "
        "assert emollms.__file__.startswith(sys.path[0]), emollms.__file__; from emollms.cli import main; main()"
    )
    whole = [sys.executable, "-c", script, str(folder / "site"), *command]
    done = subprocess.run(whole, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    run(wheel, tmp_path, "build", "aeb", "--corpora", "sample", "--out", "aeb")
    assert (tmp_path / "aeb" / "manifest.json").is_file()


def test_wheel_has_the_recipes(wheel: Path, tmp_path: Path) -> None:
    listed = [line.split("\t")[0] for line in run(wheel, tmp_path, "recipes").splitlines()[1:]]
    files = [Path(name) for name in tracked() if name.startswith("recipes/") and name.endswith(".yaml")]
    assert listed == sorted(file.stem for file in files if file.parent.name != "accelerate")
