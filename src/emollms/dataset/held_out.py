"""Which validation texts stay out of training, where a recipe trains on the others (`validation_fraction`)."""

from hashlib import sha256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emollms.dedup.normalize import normalize


def is_held_out(texts: pa.Array | pa.ChunkedArray, fraction: float) -> NDArray[np.bool_]:
    """Which texts are held out; by hash, so that a text is on one side in every task, data set and run.

    Args:
        texts: of a validation split.
        fraction: of them, 0..1; those of a smaller fraction are among those of a larger one.
    """
    if fraction >= 1:
        return np.ones(len(texts), np.bool_)
    digests = (sha256(text.encode()).digest() for text in normalize(texts).to_pylist())
    return np.array([int.from_bytes(one[:8]) < fraction * 2**64 for one in digests], np.bool_)
