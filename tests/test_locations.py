"""Which names mean a place here, and which a repo on the Hub."""

from pathlib import Path

import pytest

from emollms.errors import UsageError
from emollms.locations import HubRepo, check_file, check_folder, check_free, hub_repo, is_local


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "aaid").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "out", "out/aaid", "out/nope", "notes.txt", "./nope", "../nope", "/nope", "~/nope", "a/b/c", "a/b/c@main",
        "nope.csv", "me/rows.parquet", "me/rows.JSONL", ".", r"c:\data\aaid", "out/a/b@v1",
    ],
)  # fmt: skip
def test_places(here: Path, name: str) -> None:
    assert is_local(name)


@pytest.mark.parametrize(
    "name", ["me/aaid", "me/aaid@v1.0.0", "me/aaid@refs/pr/1", "Qwen/Qwen2.5-0.5B", "out/nope@main", "gpt2", "nope"]
)
def test_repos(here: Path, name: str) -> None:
    assert not is_local(name)


def test_a_repo_and_its_revision(here: Path) -> None:
    assert hub_repo("me/aaid") == HubRepo("me/aaid", None)
    assert hub_repo("me/aaid@refs/pr/1") == HubRepo("me/aaid", "refs/pr/1")
    assert str(hub_repo("out/nope@main")) == "out/nope@main"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out/nope", "there is no folder out/nope; if you mean the repo on the Hub, write out/nope@main"),
        ("./nope", "there is no folder ./nope"),
        ("a/b/c", "there is no folder a/b/c"),
        ("nope.jsonl", "there is no file nope.jsonl"),
        ("nope", "nope is neither a folder, nor a corpus, nor a repo on the Hub (OWNER/NAME or OWNER/NAME@REVISION)"),
        (
            "me/a b",
            "me/a b is neither a folder, nor a corpus, nor a repo on the Hub (OWNER/NAME or OWNER/NAME@REVISION)",
        ),
    ],
)
def test_what_is_neither(here: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError) as told:
        hub_repo(name, "a folder, nor a corpus,")
    assert str(told.value) == message


def test_places_that_must_be_there_or_free(here: Path) -> None:
    for free in (here / "new", here / "out" / "aaid"):
        check_free(free)
    for taken in (here / "out", here / "notes.txt"):
        with pytest.raises(UsageError, match="is there already"):
            check_free(taken)
    check_folder(here / "out")
    check_folder(None)
    check_file(here / "notes.txt")
    with pytest.raises(UsageError, match=r"notes\.txt is a file; name a folder"):
        check_folder(here / "notes.txt")
    with pytest.raises(UsageError, match="there is no folder"):
        check_folder(here / "nope")
    with pytest.raises(UsageError, match="out is a folder; name a file"):
        check_file(here / "out")
    with pytest.raises(UsageError, match="there is no file"):
        check_file(here / "nope")
