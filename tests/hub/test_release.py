"""Files of a release: hashed once, and no longer themselves when they change."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emollms.errors import EmollmsError
from emollms.hub.release import LocalFile, lay_out, local_file, made_file

CHANGES: dict[str, Callable[[Path], object]] = {
    "longer": lambda path: path.write_text("one, two"),
    "cut off": lambda path: os.truncate(path, 1),
    "gone": lambda path: path.unlink(),
    "touched": lambda path: os.utime(path, ns=(1, 1)),
    "replaced": lambda path: (path.with_name("b").write_text("two"), path.with_name("b").rename(path)),
}


@pytest.fixture
def file(tmp_path: Path) -> LocalFile:
    (tmp_path / "a").write_text("one")
    return local_file(tmp_path / "a", "data/a")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(change: Callable[[Path], object], file: LocalFile) -> None:
    file.refuse_changed()
    assert file.read_unchanged() == b"one"
    change(Path(str(file.source)))
    with pytest.raises(EmollmsError, match=r"/a changed while it was published; see that nothing writes to it"):
        file.refuse_changed()
    with pytest.raises(EmollmsError, match="changed while it was published"):
        file.read_unchanged()


def test_other_content_of_the_same_size_and_time_is_seen(file: LocalFile) -> None:
    path = Path(str(file.source))
    path.write_text("two")
    os.utime(path, ns=(file.modified, file.modified))
    file.refuse_changed()
    for look in (lambda: file.refuse_changed(content=True), file.read_unchanged):
        with pytest.raises(EmollmsError, match="changed while it was published"):
            look()


def test_content_in_memory_never_changes() -> None:
    made = made_file("a", b"one")
    made.refuse_changed(content=True)
    assert made.read_unchanged() == b"one"


def test_a_release_lies_in_a_folder_as_in_the_repo(file: LocalFile, tmp_path: Path) -> None:
    lay_out([file, made_file("README.md", b"# A")], tmp_path / "release")
    assert (tmp_path / "release" / "data" / "a").read_text() == "one"
    assert (tmp_path / "release" / "README.md").read_text() == "# A"
