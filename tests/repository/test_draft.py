"""What a run that fails leaves, and says that it leaves."""

import errno
from pathlib import Path

import pytest
from tiny_corpus import Install, settings

from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.repository.build import build
from emollms.repository.draft import draft, move_in


def test_the_error_names_the_draft_that_is_left(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught, draft(tmp_path / "out") as folder:
        (folder / "part").mkdir()
        (folder / "part" / "rows").write_text("half of it")
        raise UsageError("line 3 is torn")
    kept = tmp_path / ".out.draft"
    assert str(caught.value) == f"line 3 is torn (what was written until then is kept in {kept})"
    assert (kept / "part" / "rows").read_text() == "half of it"


def test_a_draft_that_nothing_was_written_to_is_gone(tmp_path: Path) -> None:
    with pytest.raises(EmollmsError, match=r"^no such corpus$"), draft(tmp_path / "out") as folder:
        (folder / "empty").mkdir()
        raise EmollmsError("no such corpus")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_it_as_well(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught, draft(tmp_path / "out") as folder:
        (folder / "rows").write_text("half of it")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / ".out.draft")
    with pytest.raises(OSError, match="No space left on device") as caught, draft(tmp_path / "out") as folder:
        (folder / "rows").write_text("half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "rows"))
    assert caught.value.filename == str(tmp_path / ".out.draft" / "rows")


def test_what_is_in_its_place_is_no_draft(tmp_path: Path) -> None:
    with pytest.raises(EmollmsError, match=r"^too late$"), draft(tmp_path / "out") as folder:
        (folder / "rows").write_text("all of it")
        move_in(folder, tmp_path / "out")
        raise EmollmsError("too late")
    assert (tmp_path / "out" / "rows").read_text() == "all of it"


def test_a_failed_build_names_the_draft_that_it_leaves(install: Install, tmp_path: Path) -> None:
    root = install({"train": [("1", "A text that is fine.", "0.5"), ("2", "A text that is not.", "7")]})
    with pytest.raises(
        SourceError, match=r"this is outside.*\(what was written until then is kept in .*/\.aaid\.draft\)$"
    ):
        build(settings("aaid", "tiny"), tmp_path / "aaid", root=root)
    assert (tmp_path / ".aaid.draft").is_dir()
    assert not (tmp_path / "aaid").exists()
