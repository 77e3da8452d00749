"""What a screening for near-duplicates takes and gives."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Policy = Literal["flag", "drop"]
Mask = npt.NDArray[np.bool_]

TEXT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("task", pa.string()),
        pa.field("split", pa.string()),
        pa.field("emotion", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("labels", pa.list_(pa.string())),
    ]
)
"""What is screened: a row for each text and question, whatever the wordings."""

PAIR_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("equal", pa.bool_()),
        *(
            pa.field(f"{name}_{side}", type_)
            for side in ("a", "b")
            for name, type_ in (
                ("id", pa.string()),
                ("split", pa.string()),
                ("text", pa.string()),
                ("answer", pa.string()),
            )
        ),
        pa.field("disagreement", pa.float64()),
    ]
)
"""Pairs found. In those of `benchmark` and `index`, b is the text there; `between tasks` is of a test split."""

KINDS = ("within split", "between splits", "benchmark", "between tasks", "index")


@dataclass
class Screening:
    """What was found in a table of texts.

    Args:
        reason: why each row is dropped, "" where it stays.
        duplicate_of: id of what it duplicates, for dropped rows.
        similarity: how similar that is, for dropped rows.
        cluster: id of the first row of its cluster of near-duplicates inside its split, None where it has none.
        overlaps: names of other tasks in which the text of a test row appears as well.
        pairs: the pairs, with `PAIR_SCHEMA`.
    """

    reason: list[str]
    duplicate_of: list[str | None]
    similarity: list[float | None]
    cluster: list[str | None]
    overlaps: list[list[str]]
    pairs: pa.Table = field(default_factory=PAIR_SCHEMA.empty_table)

    def kept(self) -> Mask:
        """Which rows stay."""
        return np.array([not reason for reason in self.reason], np.bool_)
