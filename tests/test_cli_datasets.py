"""The commands `build`, `diff`, `dedup` and `overlap`, as users type them."""

import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from forks import Forks

Emollms = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def emollms(build_forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Emollms:
    return partial(build_forks.emollms, folder=tmp_path_factory.mktemp("printed"))


@pytest.fixture(scope="module")
def aeb(emollms: Emollms, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "aeb"
    done = emollms("build", "aeb", "--corpora", "sample", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["task\tsplit\ttexts\trows", "EI-reg\ttest\t44\t44"]
    assert f'load it: datasets.load_dataset("{out}")' in done.stderr
    return out


def test_building_it_again_changes_nothing(aeb: Path, emollms: Emollms) -> None:
    done = emollms("build", "aeb", "--corpora", "sample", "--out", aeb)
    assert done.returncode == 0
    assert "was there already, unchanged: aeb 1.0.0" in done.stderr


def test_other_content_under_the_same_version_fails(aeb: Path, emollms: Emollms) -> None:
    done = emollms("build", "aeb", "--corpora", "sample", "--languages", "en,es", "--out", aeb)
    assert done.returncode == 1
    (line,) = [
        line for line in done.stderr.splitlines() if line.startswith("error: ")
    ]  # a slow build tells its progress
    assert "holds version 1.0.0 with other content" in line
    assert "Traceback" not in done.stderr


def test_diff_of_two_versions(aeb: Path, tmp_path: Path, emollms: Emollms) -> None:
    other = tmp_path / "all"
    arguments = ("--corpora", "sample", "--languages", "all", "--version", "1.1.0", "--out", other)
    assert emollms("build", "aeb", *arguments).returncode == 0
    done = emollms("diff", aeb, other)
    assert "V-reg\ttest\t16\t0\t0\t" in done.stdout
    assert "1.0.0 (release) → 1.1.0 (release); the change asks for this step: minor" in done.stderr
    listed = emollms("diff", aeb, other, "--ids").stdout.splitlines()
    assert listed[0] == "change\tid"
    assert all(line.startswith("added\tsample/") for line in listed[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "aeb", "--corpora", "smaple", "--out", "x"), "unknown corpus 'smaple'; did you mean sample?"),
        (("build", "aeb", "--tasks", "EI-regg", "--corpora", "sample", "--out", "x"), "unknown task 'EI-regg'"),
        (("build", "aeb", "--languages", "xx", "--corpora", "sample", "--out", "x"), "unknown language 'xx'"),
        (
            ("build", "aeb", "--profile", "paper", "--languages", "es", "--out", "x"),
            "the published data sets are English",
        ),
        (("build", "aeb", "--out", "x"), "emollms corpora show semeval2018_task1"),
        (("diff", "x", "y"), "there is no folder x"),
        (("overlap", "x.parquet", "y.parquet"), "there is no file x.parquet"),
    ],
)
def test_wrong_calls_get_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path, emollms: Emollms) -> None:
    environment = {"PATH": "", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = emollms(*arguments, folder=tmp_path, environment=environment)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_a_folder_below_a_file_is_no_place(tmp_path: Path, emollms: Emollms) -> None:
    (tmp_path / "file").touch()
    done = emollms("build", "aaid", "--corpora", "sample", "--out", tmp_path / "file" / "x")
    assert done.returncode == 1
    assert re.fullmatch(r"error: Not a directory \(\S+file/\S+\); choose another place\n", done.stderr)


def test_dedup_and_overlap(aeb: Path, tmp_path: Path, emollms: Emollms) -> None:
    done = emollms("dedup", aeb, "--out", tmp_path / "clean")
    assert done.returncode == 0, done.stderr
    assert "test\t266\t266" in done.stdout
    done = emollms("overlap", aeb, aeb)
    assert done.stdout.splitlines()[1].split("\t")[2:] == ["110", "110", "0", "110"]
