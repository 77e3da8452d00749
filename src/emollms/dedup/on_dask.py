"""Near-duplicates with Dask: `band` and `verify` on the partitions of a frame. Needs the extra `dask`.

For laptops with more data than memory, and for clusters that run Dask already.
"""

from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from emollms.dedup.batches import VERIFIED, band, verify
from emollms.dedup.normalize import normalize
from emollms.dedup.search import Search
from emollms.optional import require

_TEXTS = pd.DataFrame({"id": pd.Series(dtype="int64"), "text": pd.Series(dtype="object")})
_KEYS = pd.DataFrame({"id": pd.Series(dtype="int64"), "key": pd.Series(dtype="uint64")})
_PAIRS = pd.DataFrame(
    {"left": pd.Series(dtype="int64"), "right": pd.Series(dtype="int64"), "jaccard": pd.Series(dtype="float64")}
)
_PART = 1 << 16  # texts of a partition


def collect_pairs(texts: pa.Array, search: Search) -> pa.Table:
    """The pairs of a column of texts that fits into memory, on Dask's default scheduler or the client that is there.

    Args:
        texts: strings; ids are their positions.
        search: how.

    Returns:
        A table with the schema `batches.VERIFIED`, in no order.

    Raises:
        UsageError: Dask is not installed.
    """
    frames = require("dask.dataframe", "dask", "--engine dask")
    column = pd.DataFrame({"id": range(len(texts)), "text": texts.to_pandas()})
    pairs = near_duplicates(frames.from_pandas(column, npartitions=-(-len(texts) // _PART) or 1), search).compute()
    return pa.Table.from_pandas(pairs, VERIFIED, preserve_index=False)


def near_duplicates(frame: Any, search: Search) -> Any:
    """The equal and near-equal pairs of a frame.

    Args:
        frame: a Dask dataframe with the columns `id` (int64, unique) and `text`.
        search: how; beyond 10^7 rows with `permutations=600`, since false candidates grow with the square of
            the rows and each of them crosses the network.

    Returns:
        A Dask dataframe with `left`, `right` (ids, left the smaller) and `jaccard`, each pair once.
    """
    texts = frame[["id", "text"]].map_partitions(_normalized, meta=_TEXTS)
    keys = texts.map_partitions(partial(_banded, search=search), meta=_KEYS)
    # 64-bit keys: every false meeting crosses the network with two texts, and is dropped only by `_verified`
    met = keys.rename(columns={"id": "left"}).merge(keys.rename(columns={"id": "right"}), on="key")
    pairs = met[met["left"] < met["right"]][["left", "right"]].drop_duplicates()
    for side in ("left", "right"):
        named = texts.rename(columns={"id": side, "text": f"{side}_text"})
        pairs = pairs.merge(named, on=side)
    return pairs.map_partitions(partial(_verified, search=search), meta=_PAIRS)


def _normalized(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(text=normalize(pa.array(part["text"], pa.string())).to_pylist())


def _banded(part: pd.DataFrame, search: Search) -> pd.DataFrame:
    keys: pd.DataFrame = band(_batch(part), search).to_pandas()
    return keys


def _verified(part: pd.DataFrame, search: Search) -> pd.DataFrame:
    pairs: pd.DataFrame = verify(_batch(part), search).to_pandas()
    return pairs


def _batch(part: pd.DataFrame) -> pa.RecordBatch:
    texts = {name: "object" for name in part.columns if "text" in str(name)}
    return pa.RecordBatch.from_pandas(part.astype(texts), preserve_index=False)
