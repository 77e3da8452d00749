"""Near-duplicates with Spark: `band` and `verify` on the Arrow batches of a frame. Needs the extra `spark`.

For 10^8 rows and more.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from emollms.dedup.batches import VERIFIED, band, verify
from emollms.dedup.normalize import normalize
from emollms.dedup.search import Search
from emollms.errors import UsageError
from emollms.optional import require

Step = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def collect_pairs(texts: pa.Array, search: Search) -> pa.Table:
    """The pairs of a column of texts that fits into memory, in the Spark session that is there or a new local one.

    Args:
        texts: strings; ids are their positions.
        search: how.

    Returns:
        A table with the schema `batches.VERIFIED`, in no order.

    Raises:
        UsageError: Spark or Java is not installed.
    """
    sql = require("pyspark.sql", "spark", "--engine spark")
    if sql.SparkSession.getActiveSession() is None and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise UsageError("--engine spark needs Java; install a JRE of version 17 or newer, or set JAVA_HOME")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # workers would take the first python3 of the PATH
    settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    session = sql.SparkSession.builder.config(map=settings).getOrCreate()
    frame = session.createDataFrame(pa.table({"id": range(len(texts)), "text": texts.cast(pa.string())}))
    return near_duplicates(frame, search).toArrow().cast(VERIFIED)


def near_duplicates(frame: Any, search: Search) -> Any:
    """The equal and near-equal pairs of a frame.

    Args:
        frame: a Spark dataframe with the columns `id` (long, unique) and `text`.
        search: how; beyond 10^7 rows with `permutations=600`, since false candidates grow with the square of
            the rows and each of them crosses the network.

    Returns:
        A Spark dataframe with `left`, `right` (ids, left the smaller) and `jaccard`, each pair once.
    """
    texts = frame.select("id", "text").mapInArrow(_normalized, "id long, text string").persist()
    keys = texts.mapInArrow(_each(_banded, search), "id long, key long")
    left, right = keys.withColumnRenamed("id", "left"), keys.withColumnRenamed("id", "right")
    pairs = left.join(right, "key").where("left < right").select("left", "right").distinct()
    for side in ("left", "right"):
        named = texts.withColumnRenamed("id", side).withColumnRenamed("text", f"{side}_text")
        pairs = pairs.join(named, side)
    return pairs.mapInArrow(_each(verify, search), "left long, right long, jaccard double")


def _each(step: Callable[[pa.RecordBatch, Search], pa.RecordBatch], search: Search) -> Step:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield step(batch, search)

    return run


def _normalized(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        texts = normalize(batch["text"]).cast(pa.string())
        yield pa.record_batch({"id": batch["id"], "text": texts})


def _banded(batch: pa.RecordBatch, search: Search) -> pa.RecordBatch:
    """The keys as signed numbers: Spark has no others."""
    keys = band(batch, search)
    return pa.record_batch({"id": keys["id"], "key": keys["key"].view(pa.int64())})
