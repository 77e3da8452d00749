"""Near-duplicates with Spark: `band` and `verify` on the Arrow batches of a frame. Needs the extra `spark`.

For 10^8 rows and more.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from emollms.dedup.batches import band, verify
from emollms.dedup.normalize import normalize
from emollms.dedup.pairs import Search

Step = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def near_duplicates(frame: Any, search: Search) -> Any:
    """The equal and near-equal pairs of a frame.

    Args:
        frame: a Spark dataframe with the columns `id` (long, unique) and `text`.
        search: how to look; beyond 10^7 rows with `permutations=600`, since false candidates grow with the square of
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
