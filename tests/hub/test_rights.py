"""What may leave is the stricter of the manifest and the registry of corpora: an edited manifest lets nothing pass."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emollms.builders.sample import Sample
from emollms.dataset.manifest import read_manifest
from emollms.dataset.screening import publishable_pairs
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.dedup.schema import PAIR_SCHEMA
from emollms.errors import EmollmsError
from emollms.hub.dataset import dataset_release
from emollms.hub.ids import write_ids
from emollms.hub.release import made_file
from emollms.hub.rights import allowed, refuse_bound_rows
from hub.client import TestHub
from hub.test_checks import sign
from hub.test_publish import push

Edit = Callable[[Path], object]


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    """A copy of a data set whose manifest says that its texts may be redistributed."""
    return shutil.copytree(small, tmp_path / "copy")


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that says otherwise of the sample corpus."""
    monkeypatch.setattr(Sample, "meta", Sample.meta.model_copy(update={"redistribution": "ids"}))


def manifest(**changes: object) -> Edit:
    def edit(folder: Path) -> None:
        found = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(found | changes))

    return edit


def source(**changes: object) -> Edit:
    def edit(folder: Path) -> None:
        found = json.loads((folder / "manifest.json").read_text())
        found["sources"][0] |= changes
        (folder / "manifest.json").write_text(json.dumps(found))

    return edit


def column(name: str, change: Callable[[str], str], path: str = "data/V-reg/test-00000.parquet") -> Edit:
    def edit(folder: Path) -> None:
        table = pq.read_table(folder / path)
        values = [value and change(value) for value in table[name].to_pylist()]
        pq.write_table(table.set_column(table.schema.names.index(name), name, pa.array(values)), folder / path)

    return edit


def pair(**values: object) -> Edit:
    def edit(folder: Path) -> None:
        row = {
            "kind": "benchmark",
            "similarity": 1.0,
            "equal": True,
            "id_a": "sample/V-reg/1/-/0",
            "text_a": "a",
            **values,
        }
        pq.write_table(pa.Table.from_pylist([row], PAIR_SCHEMA), folder / "duplicates.parquet")

    return edit


def in_the_card(text: str) -> Edit:
    return lambda folder: (folder / "README.md").open("a").write(text)


def renamed(value: str) -> str:
    return value.replace("sample", "goemotions", 1)


ROW = {"id": "tdt/TDT/1/-/0", "text": "A tweet that may not be redistributed."}
EDITS: dict[str, tuple[Edit, ...]] = {
    "as it was built": (),
    "its corpora are not listed": (manifest(sources=[]),),
    "its corpora have another name": (source(corpus="goemotions"),),
    "and its raw files other hashes": (source(corpus="goemotions", files=[]),),
    "and its rows another corpus": (source(corpus="goemotions", files=[]), column("corpus", renamed)),
    "or other ids": (source(corpus="goemotions", files=[]), column("id", renamed)),
    "or both": (source(corpus="goemotions"), column("corpus", renamed), column("id", renamed)),
}
"""Manifests, and tables, that were edited."""


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS)
def test_an_edited_manifest_lets_no_text_pass(edits: tuple[Edit, ...], copy: Path, bound: None) -> None:
    for edit in edits:
        edit(copy)
    sign(copy)
    with pytest.raises(
        EmollmsError, match="the texts of sample may not be redistributed; publish ids and hashes instead"
    ):
        dataset_release(copy)


FOREIGN: dict[str, tuple[Edit, str]] = {
    "a row of another corpus": (column("corpus", lambda value: "tdt"), "the texts of tdt may not be redistributed"),
    "an id of another corpus": (
        column("id", lambda value: value.replace("sample/", "tdt/")),
        "the texts of tdt may not",
    ),
    "a corpus that nobody knows": (source(corpus="mine"), "unknown corpora: 'mine'; whether they may be redistributed"),
    "rows that nobody knows": (column("corpus", lambda value: "mine"), "unknown corpora: 'mine'; whether they"),
    "a text of a pair": (pair(id_b="tdt/TDT/1/-/0", text_b="b"), "the texts of tdt may not be redistributed"),
    "a row in the card": (
        in_the_card(f"\n```json\n{json.dumps(ROW, indent=2)}\n```\n"),
        "README.md holds texts of tdt",
    ),
    "a line in the card": (in_the_card(f"\n{json.dumps(ROW)}\n"), "README.md holds texts of tdt, which may not be"),
    "a row in a file": (
        lambda folder: (folder / "examples.json").write_text(json.dumps({"rows": [{"corpus": "sst", "prompt": "x"}]})),
        "examples.json holds texts of sst, which may not be redistributed",
    ),
    "rows of a corpus that is not listed": (
        manifest(sources=[]),
        "there are rows of sample, which the manifest does not",
    ),
    "a manifest that is stricter": (source(redistribution="ids"), "the texts of sample may not be redistributed"),
    "a manifest that lets nothing pass": (manifest(redistribution="none"), "the manifest states redistribution: none"),
}


@pytest.mark.parametrize(("edit", "message"), FOREIGN.values(), ids=FOREIGN)
def test_texts_of_other_corpora_do_not_pass(edit: Edit, message: str, copy: Path) -> None:
    edit(copy)
    sign(copy)
    with pytest.raises(EmollmsError, match=message):
        dataset_release(copy)


def test_ids_of_a_bound_corpus_may_stand_in_a_data_set_that_may_leave(copy: Path) -> None:
    pair(id_b="tdt/TDT/1/-/0", text_b=None)(copy)
    sign(copy)
    assert dataset_release(copy).version == read_manifest(copy).version


class TestIds:
    @pytest.fixture
    def ids(self, small: Path, tmp_path: Path) -> Path:
        write_ids(small, tmp_path / "ids")
        return tmp_path / "ids"

    def test_a_corpus_of_which_not_even_ids_may_leave(self, ids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        dataset_release(ids)
        monkeypatch.setattr(Sample, "meta", Sample.meta.model_copy(update={"redistribution": "none"}))
        with pytest.raises(EmollmsError, match="nothing of sample may be redistributed, not even its ids"):
            dataset_release(ids)

    def test_texts_under_the_cover_of_ids(self, ids: Path, small: Path, bound: None) -> None:
        dataset_release(ids)
        shutil.copyfile(small / "data/V-reg/test-00000.parquet", ids / "data/V-reg/test-00000.parquet")
        sign(ids)
        with pytest.raises(
            EmollmsError, match=r"test-00000.parquet is no table of ids \(columns: cluster, completion, "
        ):
            dataset_release(ids)

    def test_texts_in_place_of_hashes(self, ids: Path, bound: None) -> None:
        column("sha256", lambda value: "A text that may not be redistributed.")(ids)
        sign(ids)
        with pytest.raises(EmollmsError, match="holds something else than hashes in its column sha256"):
            dataset_release(ids)


def test_what_the_registry_says() -> None:
    assert (allowed("goemotions"), allowed("tdt"), allowed("nobody knows")) == ("text", "ids", "none")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("space.json", json.dumps({"examples": [{"id": "tdt/TDT/1/-/0", "text": "x"}]})),
        ("examples.jsonl", json.dumps({"corpus": "vader2", "text": "x"}) + "\n"),
        ("README.md", "# A\n\n```json\n" + json.dumps([{"id_a": "sst/SST/1/-/0", "text_a": "x"}]) + "\n```\n"),
        ("notes.txt", json.dumps({"corpus": "semeval2018_task1", "prompt": "x"})),
    ],
)
def test_rows_in_the_files_of_models_and_spaces(path: str, text: str) -> None:
    with pytest.raises(
        EmollmsError, match=f"{path} holds texts of [a-z0-9_]+, which may not be redistributed; take them out"
    ):
        refuse_bound_rows({path: made_file(path, text.encode())})
    sound = text.replace('"text', '"about').replace('"prompt', '"about')
    refuse_bound_rows({path: made_file(path, sound.encode())})


def test_pairs_of_a_data_set_that_may_leave_have_no_bound_texts() -> None:
    """A benchmark on the machine may be bound though the data set is not."""
    corpora = ("tdt", "goemotions")
    rows = [{"text_a": "a", "id_b": f"{name}/1", "text_b": "b", "corpus_b": name} for name in corpora]
    pairs = pa.Table.from_pylist(rows, PAIR_SCHEMA.append(pa.field("corpus_b", pa.string())))
    free, mixed = (Settings(DATA_SETS["aeb"], corpora=names) for names in (("goemotions",), ("goemotions", "tdt")))
    assert publishable_pairs(pairs, free)["text_b"].to_pylist() == [None, "b"]
    assert publishable_pairs(pairs, mixed).equals(pairs.select(PAIR_SCHEMA.names))


def test_the_command_says_so_and_sends_nothing(hub: TestHub, copy: Path) -> None:
    source(corpus="tdt", redistribution="text")(copy)
    error = push(hub, copy, code=1)
    assert error.startswith(
        "error: the texts of tdt may not be redistributed; publish ids and hashes instead, with --ids-only"
    )
    assert hub.log() == []
