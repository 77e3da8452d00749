"""The two kernels inside Dask and Spark, with two workers, give the pairs of one process."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_up
import pandas as pd
import pyarrow as pa
import pytest

from emollms.dedup.normalize import normalize
from emollms.dedup.pairs import find_pairs
from emollms.dedup.search import Search

SEARCH = Search(threads=1)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [*made_up.sentences(1_500, seed=3), *made_up.sentences(40, seed=3)]


def expected(texts: list[str]) -> set[tuple[int, int]]:
    """Every pair of rows that one process finds: near pairs between all rows that have the two texts."""
    found = find_pairs(normalize(pa.array(texts)), search=SEARCH)
    rows: dict[int, list[int]] = {}
    for row, first in enumerate(found.first.tolist()):
        rows.setdefault(first, []).append(row)
    linked = [*zip(found.near.left.tolist(), found.near.right.tolist(), strict=True), *((one, one) for one in rows)]
    return {(min(a, b), max(a, b)) for left, right in linked for a in rows[left] for b in rows[right] if a != b}


def of(pairs: pd.DataFrame) -> set[tuple[int, int]]:
    assert len(pairs) == len(pairs.drop_duplicates())
    return set(zip(pairs["left"].tolist(), pairs["right"].tolist(), strict=True))


def test_dask(texts: list[str]) -> None:
    dask = pytest.importorskip("dask")
    import dask.dataframe as dd

    from emollms.dedup.on_dask import near_duplicates

    frame = dd.from_pandas(pd.DataFrame({"id": range(len(texts)), "text": texts}), npartitions=4)
    with dask.config.set(scheduler="threads", num_workers=2):
        assert of(near_duplicates(frame, SEARCH).compute()) == expected(texts)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1"}
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").config(map=settings)
    session = builder.getOrCreate()
    yield session
    session.stop()


def test_spark(texts: list[str], spark: Any) -> None:
    from emollms.dedup.on_spark import near_duplicates

    frame = spark.createDataFrame(list(enumerate(texts)), "id long, text string").repartition(4)
    assert of(near_duplicates(frame, SEARCH).toPandas()) == expected(texts)


def write(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


@pytest.mark.parametrize("engine", ["dask", pytest.param("spark", marks=pytest.mark.slow)])
def test_commands_find_the_same_with_every_engine(
    engine: str,
    texts: list[str],
    tmp_path: Path,
    emollms: Callable[..., tuple[int, str, str]],
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("spark") if engine == "spark" else pytest.importorskip("dask.dataframe")
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "train.jsonl", texts[:500] + texts[-40:])
    write(tmp_path / "in" / "test.jsonl", texts[500:800])
    write(tmp_path / "against.jsonl", [*texts[800:1000], *(f"{text} again" for text in texts[:50])])
    for name in ("numba", engine):
        code, _, err = emollms(
            "dedup", tmp_path / "in", "--out", tmp_path / name, "--against", tmp_path / "against.jsonl",
            "--policy", "drop", "--engine", name,
        )  # fmt: skip
        assert code == 0, err
    for file in ("duplicates.parquet", "rejected.parquet", "report.json"):
        assert (tmp_path / engine / file).read_bytes() == (tmp_path / "numba" / file).read_bytes()
    kinds = json.loads((tmp_path / engine / "report.json").read_text())["pairs"]
    assert min(kinds[kind] for kind in ("benchmark", "between splits", "within split")) > 20


def test_a_missing_extra_is_one_line(
    tmp_path: Path, emollms: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("dask.dataframe", "pyspark"):
        monkeypatch.setitem(sys.modules, module, None)
    write(tmp_path / "in.jsonl", ["a text"])
    for engine in ("dask", "spark"):
        code, out, err = emollms("dedup", tmp_path / "in.jsonl", "--out", tmp_path / "out", "--engine", engine)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert err.startswith(f"error: --engine {engine} needs ")
        assert err.endswith(f"install it with: pip install 'emollms[{engine}]'\n")
