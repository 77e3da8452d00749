"""Annotation by Ray Data: each worker holds a model, and blocks of rows go to whichever is free.

Answers are those of one process: a row's do not depend on which worker gets it, nor, beyond the last bits, on the rows
that are asked about with it.
"""

from typing import TYPE_CHECKING, Any

from emollms.annotation.annotator import WINDOW, Annotator
from emollms.optional import require

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data


class BatchAnnotator:
    """What a worker of Ray does: it opens a model once, and annotates one table after another.

    Args:
        text_column: the column of the texts.
        options: of `Annotator.from_pretrained`.
    """

    def __init__(self, text_column: str, options: dict[str, Any]) -> None:
        self._text_column = text_column
        self._annotator = Annotator.from_pretrained(**options)

    def __call__(self, table: "pa.Table") -> "pa.Table":
        """The table with the columns of the answers."""
        return self._annotator(table, text_column=self._text_column).to_arrow()


def annotate_dataset(
    dataset: "ray.data.Dataset",
    model: str | None = None,
    *,
    text_column: str = "text",
    concurrency: int = 1,
    gpus: float = 0,
    batch_size: int = WINDOW,
    **options: Any,
) -> "ray.data.Dataset":
    """Annotate a data set of Ray; nothing is done before its rows are asked for.

    Args:
        dataset: with a column of texts.
        model: as for `Annotator.from_pretrained`.
        text_column: the column of the texts.
        concurrency: how many workers there are, each with a model of its own.
        gpus: how many GPUs a worker has; a part of one where workers share it.
        batch_size: rows that are asked about together.
        options: further options of `Annotator.from_pretrained`. Workers on one machine share a store of answers; with
            `fresh=True` none is used.

    Returns:
        A data set with the columns of `dataset` and those of the answers, in the same order of rows.

    Raises:
        UsageError: Ray is not installed.
    """
    data = require("ray.data", "ray", "annotation by Ray")
    return dataset.map_batches(
        BatchAnnotator,
        fn_constructor_args=(text_column, {"model": model, **options}),
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=data.ActorPoolStrategy(size=concurrency),
        num_gpus=gpus,
    )
