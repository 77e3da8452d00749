"""`emollms validate` and `emollms statistics`, as they are called."""

import json
import sys
from pathlib import Path

import pytest
from expectations.gate_corpus import edit, rewrite
from tiny_corpus import settings

from emollms.cli import main
from emollms.dataset import reader
from emollms.dataset.build import build_repo
from emollms.errors import EmollmsError


@pytest.fixture
def aeb(tmp_path: Path) -> Path:
    build_repo(settings("aeb", "sample", tasks=("TDT",), profile="paper"), tmp_path / "aeb")
    return tmp_path / "aeb"


def run(*arguments: object) -> int:
    sys.argv = ["emollms", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(autouse=True)
def _argv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])


def test_a_sound_data_set(aeb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", aeb, "--html", tmp_path / "page.html") == 0
    printed = capsys.readouterr()
    header, *lines = printed.out.splitlines()
    assert header.split("\t") == ["check", "where", "result", "rows", "failed", "observed"]
    assert {line.split("\t")[2] for line in lines} == {"passed", "not applicable"}
    assert "aeb 1.0.0 (paper): " in printed.err
    assert "<svg" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_data_set_that_falls_short(aeb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(aeb / "data/TDT/test-00000.parquet", edit(0, text=" "))
    assert run("validate", aeb, "--html", tmp_path / "page.html") == 1
    printed = capsys.readouterr()
    failed = [line.split("\t")[:5] for line in printed.out.splitlines() if line.split("\t")[2] == "failed"]
    assert [row[:3] + row[4:] for row in failed] == [["texts-not-empty", "TDT/test", "failed", "1"]]
    assert "error: aeb fails its suite: texts-not-empty: 1 of " in printed.err
    assert "fails its suite" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_source_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", "sample") == 0
    assert "corpora/sample 1.1 (release): " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("nowhere", 2, "nowhere is neither a folder, nor a corpus, nor a repo on the Hub"),
        ("{tmp}/nowhere/at/all", 2, "there is no folder {tmp}/nowhere/at/all"),
        ("{tmp}", 2, "holds no finished data set: manifest.json is missing"),
    ],
)
def test_wrong_targets(
    target: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("validate", target.format(tmp=tmp_path)) == code
    assert message.format(tmp=tmp_path) in capsys.readouterr().err


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hub that answers: what it says is made up here."""
    monkeypatch.setattr(reader, "hub_problem", lambda: None)


@pytest.mark.usefixtures("reachable")
def test_a_repo_on_the_hub(aeb: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def download(repo: str, **options: object) -> str:
        asked.append((repo, options["repo_type"], options["revision"]))
        return str(aeb)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert run("validate", "owner/aeb@v1.0.0") == 0
    assert run("validate", "owner/aeb") == 0
    assert asked == [("owner/aeb", "dataset", "v1.0.0"), ("owner/aeb", "dataset", None)]


@pytest.mark.usefixtures("reachable")
def test_a_repo_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fail(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("Cannot find it\nin the cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(
        EmollmsError, match=r"^owner/aeb@v9 cannot be had: Cannot find it; no folder of this name is here"
    ):
        reader.local_copy("owner/aeb@v9")


def test_statistics_are_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("statistics", "sample") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["parts"]["TDT/test/en"]["texts"] > 0
    assert run("statistics", "sample", "--out", tmp_path / "new") == 0
    assert (tmp_path / "new" / "sample.json").read_text(encoding="utf-8") == printed
    assert run("statistics", "sampel") == 2
    assert "did you mean sample?" in capsys.readouterr().err
