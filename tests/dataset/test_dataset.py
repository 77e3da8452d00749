"""Built data sets as their users read them."""

import hashlib
from pathlib import Path

import pytest
from tiny_corpus import settings

import emollms
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.schema import ROW_SCHEMA
from emollms.errors import EmollmsError, UsageError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reader") / "aaid"
    build_repo(settings("aaid", "sample", tasks=("V-reg", "V-oc")), out, validate=False)
    return out


def test_it_prints_what_is_in_it(built: Path) -> None:
    data = emollms.Dataset(built)
    counts = {(count.task, count.split): count.rows for count in data.manifest.counts}
    first, *lines = repr(data).splitlines()
    assert first == f"Affective Analysis Instruction Data (AAID), version 1.0.0 ({built})"
    assert f"  V-reg  {counts['V-reg', 'train']:,} train, {counts['V-reg', 'validation']:,} validation" in lines
    assert data.version == "1.0.0"


def test_rows_come_as_tables_and_frames(built: Path) -> None:
    data = Dataset(str(built))
    table = data.table("V-reg", "train")
    assert table.schema.names == ROW_SCHEMA.names
    assert data.to_pandas("V-reg", "train")["id"].tolist() == table["id"].to_pylist()
    assert set(data.to_pandas(split="validation")["task"]) == {"V-reg", "V-oc"}
    assert data.table("V-reg", "test", ["id", "score"]).to_pylist() == []
    with pytest.raises(UsageError, match=r"has the splits train, validation; choose one with split=$"):
        data.to_pandas("V-reg")
    with pytest.raises(UsageError, match=r"unknown task of .*, split train: 'V-rag'; did you mean V-reg"):
        data.to_pandas("V-rag", "train")
    with pytest.raises(UsageError, match="has no rows in split test; it has these splits: train, validation"):
        data.to_pandas(split="test")


def test_it_loads_as_load_dataset_loads_it(built: Path) -> None:
    loaded = Dataset(built).load("V-oc")
    assert {split: rows.num_rows for split, rows in loaded.items()} == {
        count.split: count.rows for count in Dataset(built).manifest.counts if count.task == "V-oc"
    }
    assert loaded["train"].features["label"].names[0] == "-3: very negative emotional state can be inferred"
    with pytest.raises(UsageError, match=r"unknown config of .*: 'E-c'"):
        Dataset(built).load("E-c")


def test_rows_that_are_not_those_of_the_manifest_are_refused(built: Path, tmp_path: Path) -> None:
    build_repo(settings("aaid", "sample", tasks=("V-reg",)), tmp_path / "aaid", validate=False)
    path = tmp_path / "aaid" / "data" / "V-reg" / "train-00000.parquet"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes((built / "data" / "V-oc" / "train-00000.parquet").read_bytes())
    assert hashlib.sha256(path.read_bytes()).hexdigest() != before
    with pytest.raises(EmollmsError, match="is not the file that the manifest names"):
        Dataset(tmp_path / "aaid").rows("V-reg", "train")
