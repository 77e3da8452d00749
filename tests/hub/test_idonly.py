"""The id-only form of a restricted data set, and the way back."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_corpus import settings

import emollms.builders.sample
import emollms.hub.hydrate
from emollms.builders.sample import Sample
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.hub.dataset import dataset_release, load_dataset_back
from emollms.hub.hydrate import hydrate
from emollms.hub.ids import read_ids_manifest, row_hash, write_ids
from hub.client import TestHub
from hub.test_checks import sign
from hub.test_publish import published, push, tree

CORPORA = Path(emollms.builders.sample.__file__).parent / "data"
RESTRICT = """
import sys
from emollms.builders.sample import Sample
Sample.meta = Sample.meta.model_copy(update={"redistribution": "ids"})
from emollms.cli import main
main()
"""


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second version of a data set whose texts may not be redistributed."""
    out = tmp_path_factory.mktemp("restricted") / "aaid"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sample, "meta", Sample.meta.model_copy(update={"redistribution": "ids"}))
        build_repo(settings("aaid", "sample", tasks=("V-reg",)), out, root=CORPORA)
        build_repo(settings("aaid", "sample", tasks=("V-reg", "E-c")), out, "1.1.0", CORPORA)
    return out


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample corpus, as if its texts might not be passed on."""
    monkeypatch.setattr(Sample, "meta", Sample.meta.model_copy(update={"redistribution": "ids"}))


def cells(folder: Path) -> set[str]:
    """All strings in the tables of a folder, and all lines of its other files."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            found.update(*(column.to_pylist() for column in table.columns if pa.types.is_string(column.type)))
        elif path.is_file():
            found.update(path.read_text().splitlines())
    return found - {None}


def test_there_and_back(hub: TestHub, restricted: Path) -> None:
    said = push(hub, restricted, code=1)
    assert (
        "error: the texts of sample may not be redistributed; publish ids and hashes instead, with --ids-only" in said
    )
    assert hub.state() is None
    push(hub, restricted, "--ids-only")
    state = hub.state()
    assert state["tags"] == {"v1.1.0": state["head"]}
    before = push(hub, restricted, "--ids-only")
    assert "was published already, unchanged" in before
    assert hub.state() == state
    said = hub.emollms("status", hub.repo, "--data", restricted).err
    assert "is the same as the ids of version 1.1.0 here" in said
    done = hub.run(RESTRICT, "hydrate", f"{hub.repo}@v1.1.0", "--from", CORPORA, "--out", "back")
    rows = sum(table.num_rows for table in map(pq.read_table, (restricted / "data").rglob("*.parquet")))
    assert f"built aaid 1.1.0 in back: {rows:,} rows, as published" in done.err
    assert tree(hub.folder / "back") == tree(restricted)
    script = "import sys, datasets; print(datasets.load_dataset(sys.argv[1], 'E-c')['train'].column_names)"
    assert hub.run(script, hub.repo).out == "['id', 'task', 'split', 'wording', 'sha256']\n"


def test_no_text_gets_out(restricted: Path, tmp_path: Path) -> None:
    write_ids(restricted, tmp_path / "ids")
    for table in map(pq.read_table, (restricted / "data").rglob("*.parquet")):
        texts = set(table["text"].to_pylist()) | set(table["prompt"].to_pylist())
        assert not texts & cells(tmp_path / "ids")
    published_ids = pq.read_table(tmp_path / "ids" / "data" / "V-reg" / "train-00000.parquet").to_pylist()
    rows = pq.read_table(restricted / "data" / "V-reg" / "train-00000.parquet").to_pylist()
    assert [row["id"] for row in published_ids] == [row["id"] for row in rows]
    assert [row["sha256"] for row in published_ids] == [row_hash(row) for row in rows]


def test_a_folder_is_written_and_can_be_published(hub: TestHub, restricted: Path) -> None:
    done = hub.emollms("publish", "dataset", restricted, "--ids-only", "--out", "ids")
    assert "wrote ids and hashes of aaid (ids) 1.1.0 to ids" in done.err
    assert hub.log() == []
    push(hub, hub.folder / "ids")
    assert published(hub) == tree(hub.folder / "ids")
    assert hub.emollms("status", hub.repo, "--data", "ids").code == 0


def test_a_full_disk_is_one_line(hub: TestHub, restricted: Path) -> None:
    script = """
import errno
import emollms.hub.ids
from emollms.cli import main
def full(*places):
    raise OSError(errno.ENOSPC, "No space left on device", str(places[-1]))
emollms.hub.ids.copyfile = full
main()
"""
    done = hub.run(script, "publish", "dataset", restricted, "--ids-only", "--out", "ids", code=1)
    assert done.err.startswith("error: No space left on device (")
    assert "/original.json); make room, or point --out and TMPDIR, which is " in done.err
    assert len(done.err.splitlines()) == 1
    assert not (hub.folder / "ids").exists()


def test_the_same_bytes_every_time(restricted: Path, tmp_path: Path) -> None:
    for name in ("one", "two", "one"):
        write_ids(restricted, tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    load_dataset_back(tmp_path / "one", tmp_path / "cache")


def test_other_folders_are_left_alone(restricted: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds no id-only data set; choose another folder"):
        write_ids(restricted, tmp_path)
    write_ids(restricted, tmp_path / "ids")
    with pytest.raises(UsageError, match="is there already; choose another --out"):
        hydrate(tmp_path / "ids", tmp_path)
    with pytest.raises(UsageError, match=r"ids holds ids, not rows; `emollms hydrate` builds the rows"):
        Dataset(tmp_path / "ids")
    with pytest.raises(UsageError, match="holds no id-only data set; make one with"):
        hydrate(restricted, tmp_path / "out")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_corpora_of_which_nothing_may_be_passed_on(restricted: Path, tmp_path: Path) -> None:
    write_ids(restricted, tmp_path / "ids")
    path = tmp_path / "ids" / "manifest.json"
    path.write_text(path.read_text().replace('"redistribution": "ids"', '"redistribution": "none"'))
    with pytest.raises(EmollmsError, match="nothing of sample may be redistributed, not even its ids"):
        dataset_release(tmp_path / "ids")


class TestHydrate:
    @pytest.fixture
    def ids(self, restricted: Path, tmp_path: Path, bound: None) -> Path:
        write_ids(restricted, tmp_path / "ids")
        return tmp_path / "ids"

    @pytest.fixture
    def ready_made(self, restricted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A build that gives what was built before, to save the time."""

        def build_again(settings: object, out: Path, *others: object, **options: object) -> None:
            shutil.rmtree(out)
            shutil.copytree(restricted, out)

        monkeypatch.setattr(emollms.hub.hydrate, "build_repo", build_again)

    def test_a_corpus_that_is_missing_is_named(self, ids: Path, tmp_path: Path) -> None:
        """Those that the texts were held against are needed as well: the README tells what was found."""
        original = json.loads((ids / "original.json").read_text())
        original["screening"]["benchmark"] = ["sample", "vader"]
        (ids / "original.json").write_text(json.dumps(original))
        sign(ids)
        with pytest.raises(UsageError, match="checked against, vader, which you do not have; `emollms corpora show"):
            hydrate(ids, tmp_path / "out", tmp_path)
        assert not (tmp_path / "out").exists()

    def test_another_corpus_is_refused(self, ids: Path, tmp_path: Path) -> None:
        corpora = shutil.copytree(CORPORA, tmp_path / "corpora")
        with next((corpora / "sample").glob("train*")).open("a") as file:
            file.write("x")
        with pytest.raises(SourceError, match="SHA-256 is not"):
            hydrate(ids, tmp_path / "out", corpora)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["corpora", "ids"]

    def test_rows_that_differ_are_refused(self, ids: Path, ready_made: None, tmp_path: Path) -> None:
        path = ids / "data" / "E-c" / "train-00000.parquet"
        table = pq.read_table(path)
        hashes = table["sha256"].to_pylist()
        hashes[3] = "0" * 64
        pq.write_table(table.set_column(4, "sha256", pa.array(hashes)), path)
        with pytest.raises(EmollmsError, match=r"E-c/train-00000.parquet changed after the build"):
            hydrate(ids, tmp_path / "out")
        sign(ids)
        with pytest.raises(EmollmsError) as caught:
            hydrate(ids, tmp_path / "out")
        assert str(caught.value) == (
            f"E-c/train: 1 rows differ from the published ones, the first is {table['id'][3].as_py()}"
        )
        assert not (tmp_path / "out").exists()

    def test_rows_that_are_missing_are_refused(self, ids: Path, ready_made: None, tmp_path: Path) -> None:
        path = ids / "data" / "E-c" / "train-00000.parquet"
        table = pq.read_table(path)
        pq.write_table(table.slice(1), path)
        sign(ids)
        with pytest.raises(EmollmsError, match=rf"{table.num_rows} rows were built, with other ids than the"):
            hydrate(ids, tmp_path / "out")

    def test_another_version_of_the_package(self, ids: Path, ready_made: None, tmp_path: Path) -> None:
        original = ids / "original.json"
        manifest = json.loads(original.read_text())
        original.write_text(json.dumps(manifest | {"made_with": "0.0.1"}, ensure_ascii=False, indent=2) + "\n")
        sign(ids)
        assert hydrate(ids, tmp_path / "out").differing == ("manifest.json",)
        settings_now = manifest["settings"] | {"colour": "blue"}
        original.write_text(json.dumps(manifest | {"settings": settings_now, "made_with": "9.0.0"}))
        sign(ids)
        with pytest.raises(EmollmsError, match=r"has other settings than 9\.0\.0, .*; install that version"):
            hydrate(ids, tmp_path / "again")


@pytest.mark.corpora
def test_a_real_restricted_corpus(corpora_dir: Path, tmp_path: Path) -> None:
    build_repo(settings("aeb", "tdt", "vader"), tmp_path / "aeb", root=corpora_dir)
    with pytest.raises(EmollmsError, match="the texts of tdt may not be redistributed"):
        dataset_release(tmp_path / "aeb")
    write_ids(tmp_path / "aeb", tmp_path / "ids")
    dataset_release(tmp_path / "ids")
    hydrate(tmp_path / "ids", tmp_path / "back", corpora_dir)
    assert tree(tmp_path / "back") == tree(tmp_path / "aeb")
    assert read_ids_manifest(tmp_path / "ids").data_set == "aeb"
