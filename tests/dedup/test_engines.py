"""The two kernels inside Dask and Spark, with two workers, give the pairs of one process."""

import os
import sys
from collections.abc import Iterator
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
