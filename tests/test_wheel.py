"""The built wheel holds what git holds, and works where nothing else of the project is."""

import csv
import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOT_PACKAGES = ("builders", "recipes", "cards", "models", "validation")
FOLDERS = {"src/emollms": "emollms"} | {name: f"emollms/{name}" for name in ROOT_PACKAGES}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as a release has it, from an sdist; of a copy of what git has, so that no left-overs get in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
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


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, and an empty home."""

    folder: Path

    def run(self, *command: str | Path) -> str:
        """What a program of the environment prints, far from the checkout and the caller's settings."""
        program, *others = map(str, command)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PIP_CONFIG_FILE") if name in os.environ}
        done = subprocess.run(
            [str(self.folder / "bin" / program), *others],
            env={**kept, "HOME": str(self.folder), "HF_HUB_OFFLINE": "1"},
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel alone in a new environment, which borrows the dependencies of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if Path(path).name == "site-packages"]
    (site / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    environment = Installed(folder)
    assert str(site) in environment.run("python", "-c", "import emollms; print(emollms.__file__)")
    return environment


TWO = 'body\n"What a lovely evening, I love it!"\nWhat a horrible day.\n'


def check_annotation(environment: Installed, *options: str) -> None:
    """Two texts, of which the first is the more positive one, come back with their valence."""
    (environment.folder / "two.csv").write_text(TWO, encoding="utf-8")
    (environment.folder / "out.csv").unlink(missing_ok=True)  # of another model, so with other columns
    environment.run("emollms", "annotate", "two.csv", "--text-column", "body", "--out", "out.csv", *options)
    with (environment.folder / "out.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["body"] == "What a lovely evening, I love it!"
    assert float(first["valence"]) > 0.6 > 0.4 > float(second["valence"])


def test_help_names_the_commands(installed: Installed) -> None:
    said = installed.run("emollms", "--help")
    assert all(f" {command} " in said for command in ("annotate", "build", "evaluate", "publish", "train"))


def test_lists(installed: Installed) -> None:
    listed = [line.split("\t")[0] for line in installed.run("emollms", "recipes").splitlines()[1:]]
    files = [Path(name) for name in tracked() if name.startswith("recipes/") and name.endswith(".yaml")]
    assert listed == sorted(file.stem for file in files if file.parent.name != "accelerate")
    assert {"sample", "vader"} <= {line.split("\t")[0] for line in installed.run("emollms", "corpora").splitlines()}


def test_build(installed: Installed) -> None:
    installed.run("emollms", "build", "aeb", "--corpora", "sample", "--out", "aeb")
    assert (installed.folder / "aeb" / "manifest.json").is_file()


def test_annotate_two_texts(installed: Installed) -> None:
    check_annotation(installed, "--baseline", "vader")


@pytest.mark.slow
def test_with_the_dependencies_that_it_declares(wheel: Path, tmp_path: Path) -> None:
    """Nothing is borrowed: pip gets what the wheel asks for, and each command has what its extra promises."""
    venv.create(tmp_path, with_pip=True)
    environment = Installed(tmp_path)
    environment.run("pip", "install", "--quiet", wheel)
    assert " annotate " in environment.run("emollms", "--help")
    environment.run("emollms", "build", "aeb", "--corpora", "sample", "--out", "aeb")
    environment.run("pip", "install", "--quiet", f"{wheel}[evaluate]")
    check_annotation(environment, "--baseline", "vader")
    environment.run("pip", "install", "--quiet", f"torch=={version('torch').partition('+')[0]}", f"{wheel}[annotate]")
    check_annotation(environment)
