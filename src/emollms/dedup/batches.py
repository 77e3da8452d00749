"""The two kernels as functions of one Arrow batch, for engines that work on many machines.

`band` turns texts into keys; the engine brings rows with equal keys together and forms their pairs; `verify` keeps the
pairs that are near-duplicates. Both know nothing of other batches, so any engine that passes Arrow batches runs them.

Keys have 64 bits here: of n texts, about n^2 / 2^65 pairs a band share one by chance, against n^2 / 2^33 for the 32
bits kept within a machine (at 10^8 rows 1.2 million pairs a band, each of which crosses the network with its texts).
"""

from typing import Any

import numpy as np
import pyarrow as pa

from emollms.dedup.equal import as_groups, same_text, text_keys, token_counts
from emollms.dedup.jaccard import similarities
from emollms.dedup.lsh import band_keys
from emollms.dedup.search import Search
from emollms.dedup.shingles import Positions, Texts, Words
from emollms.errors import UsageError

BANDED = pa.schema([("id", pa.int64()), ("key", pa.uint64())])
VERIFIED = pa.schema([("left", pa.int64()), ("right", pa.int64()), ("jaccard", pa.float64())])


def band(batch: Any, search: Search) -> Any:
    """The keys under which the texts of a batch can meet.

    Args:
        batch: a record batch with the columns `id` (int64), `text` (normalised string) and, where only rows of one
            group are compared, `group` (integer).
        search: the threshold, the least tokens, the seed and the threads.

    Returns:
        A record batch of schema `BANDED`: for every text one key of the whole text, under which equal texts meet, and
        one a band where the text has the least tokens. Two texts of one group that share a band share a key.

    Raises:
        UsageError: a column is missing or of another type.
    """
    ids, texts = _column(batch, "id"), Texts.of(_column(batch, "text"))
    long = np.flatnonzero(token_counts(texts, search.threads) >= search.min_tokens)
    # one key for each band of each text: the engine's join on equal keys then is the bucket look-up of LSH
    banded = band_keys(texts, long, search.banding, np.uint64, search.seed, search.threads, search.sha1)
    rows = np.concatenate((np.arange(len(texts)), np.tile(long, len(banded))))
    keys = np.concatenate((text_keys(texts, search.threads), banded.ravel()))
    if "group" in batch.schema.names:
        groups = as_groups(_column(batch, "group").to_numpy(zero_copy_only=False), len(texts))
        assert groups is not None
        keys = _with_group(keys, groups[rows])
    return pa.record_batch([ids.take(pa.array(rows)), pa.array(keys)], schema=BANDED)


def _with_group(keys: Words, groups: Positions) -> Words:
    # mixing in the group keeps texts of two groups apart without a second column in the join
    mixed = (keys ^ groups.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def verify(batch: Any, search: Search) -> Any:
    """Keep the pairs of a batch that are equal or near-duplicates.

    Args:
        batch: a record batch with the columns `left`, `right` (int64 ids), `left_text`, `right_text` (normalised).
        search: as `band` had it.

    Returns:
        A record batch of schema `VERIFIED`, in the order of `batch`: pairs of equal texts, and pairs of texts with the
        least tokens whose similarity reaches the threshold.

    Raises:
        UsageError: a column is missing or of another type.
    """
    left, right = Texts.of(_column(batch, "left_text")), Texts.of(_column(batch, "right_text"))
    rows = np.arange(len(left), dtype=np.int64)
    jaccard = similarities(left, right, rows, rows, search.threads)
    equal = same_text(left, right, rows, rows)
    tokens = np.minimum(token_counts(left, search.threads), token_counts(right, search.threads))
    keep = pa.array(np.flatnonzero(equal | (tokens >= search.min_tokens) & (jaccard >= search.threshold)))
    columns = [_column(batch, "left"), _column(batch, "right"), pa.array(jaccard)]
    return pa.record_batch([column.take(keep) for column in columns], schema=VERIFIED)


def _column(batch: Any, name: str) -> Any:
    if name not in batch.schema.names:
        raise UsageError(f"the batch has no column {name!r}; it has {', '.join(batch.schema.names)}")
    return batch.column(name)
