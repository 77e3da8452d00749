"""What a run that fails leaves, and says that it leaves."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_corpus import Install, settings

from emollms.dataset.build import build_repo
from emollms.errors import EmollmsError, UsageError
from emollms.storage import commit, draft


def fail(out: Path, error: Exception, write: Callable[[Path], object]) -> None:
    """A run that writes something, and then fails."""
    with draft(out) as folder:
        write(folder)
        raise error


def half(folder: Path) -> None:
    (folder / "part").mkdir()
    (folder / "part" / "rows").write_text("half of it")


def test_the_error_names_the_draft_that_is_left(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        fail(tmp_path / "out", UsageError("line 3 is torn"), half)
    kept = tmp_path / ".out.draft"
    assert str(caught.value) == f"line 3 is torn (what was written until then is kept in {kept})"
    assert (kept / "part" / "rows").read_text() == "half of it"


def test_a_draft_that_nothing_was_written_to_is_gone(tmp_path: Path) -> None:
    with pytest.raises(EmollmsError, match=r"^no such corpus$"):
        fail(tmp_path / "out", EmollmsError("no such corpus"), lambda folder: (folder / "empty").mkdir())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("named", "told"), [(None, ".out.draft"), ("part/rows", "part/rows")])
def test_a_full_disk_names_it_as_well(named: str | None, told: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        fail(tmp_path / "out", OSError(errno.ENOSPC, "No space left on device", named), half)
    assert str(caught.value.filename).endswith(told)


def test_what_is_in_its_place_is_no_draft(tmp_path: Path) -> None:
    def whole(folder: Path) -> None:
        half(folder)
        commit(folder, tmp_path / "out")

    with pytest.raises(EmollmsError, match=r"^too late$"):
        fail(tmp_path / "out", EmollmsError("too late"), whole)
    assert (tmp_path / "out" / "part" / "rows").read_text() == "half of it"


def test_a_failed_build_names_the_draft_that_it_leaves(install: Install, tmp_path: Path) -> None:
    for score in ("0.5", "0.6"):
        root = install({"train": [("1", "A text that is as good as any.", score)]})
        if score == "0.5":
            build_repo(settings("aaid", "tiny"), tmp_path / "aaid", root=root)
    with pytest.raises(EmollmsError) as caught:
        build_repo(settings("aaid", "tiny"), tmp_path / "aaid", root=root)
    kept = tmp_path / ".aaid.draft"
    assert str(caught.value).startswith(f"{tmp_path / 'aaid'} holds version 1.0.0 with other content")
    assert str(caught.value).endswith(f"(what was written until then is kept in {kept})")
    assert (kept / "manifest.json").is_file()
