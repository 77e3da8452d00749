"""What two versions differ in, and the step that it asks for."""

import shutil
from pathlib import Path

import pytest
from tiny_corpus import Install, settings

from emollms.dataset.build import build_repo
from emollms.dataset.diff import Diff, diff
from emollms.errors import EmollmsError, UsageError
from emollms.hub.ids import write_ids

ROWS = {"train": [("a", "I love this", "0.9"), ("b", "I fear this", "0.1")], "validation": [("c", "So it goes", "0.5")]}


@pytest.fixture
def compare(install: Install, tmp_path: Path):
    """A function that builds ROWS and other rows, and compares the two."""

    def run(rows: dict[str, list[tuple[str, str, str]]], **options: object) -> Diff:
        build_repo(settings("aaid", "tiny"), tmp_path / "old", root=install(ROWS))
        build_repo(settings("aaid", "tiny", **options), tmp_path / "new", version="1.1.0", root=install(rows))
        return diff(tmp_path / "old", tmp_path / "new")

    return run


def told(found: Diff) -> list[tuple[str, int, int, int, list[str]]]:
    return [(c.split, len(c.added), len(c.removed), len(c.changed), c.columns) for c in found.changes]


def test_nothing_changed(compare) -> None:
    found = compare(ROWS)
    assert found.changes == []
    assert found.step == "patch"  # the manifest names another version, the card as well


def test_the_same_folder(install: Install, tmp_path: Path) -> None:
    build_repo(settings("aaid", "tiny"), tmp_path / "old", root=install(ROWS))
    assert diff(tmp_path / "old", tmp_path / "old").step == "none"


def test_rows_added(compare) -> None:
    found = compare(ROWS | {"train": [*ROWS["train"], ("d", "One more", "0.4")]})
    assert told(found) == [("train", 10, 0, 0, [])]
    assert found.changes[0].added[0] == "tiny/V-reg/d/-/0"
    assert found.step == "minor"


def test_rows_removed(compare) -> None:
    found = compare(ROWS | {"train": ROWS["train"][:1]})
    assert told(found) == [("train", 0, 10, 0, [])]
    assert found.step == "major"


def test_gold_changed(compare) -> None:
    found = compare(ROWS | {"validation": [("c", "So it goes", "0.6")]})
    assert told(found) == [("validation", 0, 0, 10, ["completion", "gold", "score"])]
    assert found.step == "major"


def test_order_alone_is_no_change_of_rows(compare) -> None:
    assert compare(ROWS | {"train": ROWS["train"][::-1]}).changes == []


def test_a_split_gone(compare) -> None:
    found = compare({"train": ROWS["train"]})
    assert told(found) == [("validation", 0, 10, 0, [])]
    assert found.step == "major"


def test_wording_changed_is_minor(compare, monkeypatch: pytest.MonkeyPatch, install: Install, tmp_path: Path) -> None:
    from emollms.prompts import template

    build_repo(settings("aaid", "tiny"), tmp_path / "old", root=install(ROWS))
    monkeypatch.setattr(template, "instruction", lambda task, *rest: "How positive is it?")
    build_repo(settings("aaid", "tiny"), tmp_path / "new", version="1.1.0", root=install(ROWS))
    found = diff(tmp_path / "old", tmp_path / "new")
    assert told(found) == [("train", 0, 0, 20, ["prompt"]), ("validation", 0, 0, 10, ["prompt"])]
    assert found.step == "minor"


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_rows_that_are_not_there_are_not_taken_for_removed(harm: str, install: Install, tmp_path: Path) -> None:
    build_repo(settings("aaid", "tiny"), tmp_path / "old", root=install(ROWS))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    (path,) = (tmp_path / "new" / "data" / "V-reg").glob("train-*")
    path.unlink() if harm == "missing" else path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EmollmsError, match=r"new: the rows of V-reg, train, are missing or damaged; build it again$"):
        diff(tmp_path / "old", tmp_path / "new")


def test_an_id_only_form_is_not_compared(install: Install, tmp_path: Path) -> None:
    build_repo(settings("aaid", "tiny"), tmp_path / "old", root=install(ROWS))
    write_ids(tmp_path / "old", tmp_path / "ids")
    with pytest.raises(UsageError, match="holds ids, not rows; `emollms hydrate` builds the rows"):
        diff(tmp_path / "old", tmp_path / "ids")


def test_a_folder_without_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished data set"):
        diff(tmp_path, tmp_path)
