"""The tables that suites look at, and how they are read from a dataset repo."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emollms.errors import EmollmsError
from emollms.expectations.report import Part

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = (
    "id", "text", "completion", "gold", "score", "label", "labels", "task", "emotion", "language", "corpus",
    "cluster",
)  # fmt: skip
PROMPT = ("id", "prompt")
ROWS = 50_000
"""How many prompts are in memory at a time."""

Frames = Iterator[tuple[str, "pd.DataFrame"]]
"""Frames with the name of the file they come from, or an empty name."""


class Tables(Protocol):
    """The tables of something that can be checked."""

    def parts(self) -> list[Part]:
        """Its tasks and splits."""

    def frames(self, table: str, parts: Collection[Part]) -> Frames:
        """The rows of some tasks and splits of a table, in one frame or several."""


class FolderTables:
    """The tables of a dataset repo, finished or still a draft.

    Args:
        folder: the repo.
        all_wordings: whether each text comes once with every wording, so that the first one stands for it.
        benchmark: a repo whose texts must not be in this one.
    """

    def __init__(self, folder: Path, all_wordings: bool, benchmark: Path | None = None) -> None:
        self.folder, self.all_wordings, self.benchmark = folder, all_wordings, benchmark

    @cached_property
    def _files(self) -> dict[Part, list[Path]]:
        found: dict[Part, list[Path]] = {}
        for path in sorted(self.folder.glob("data/*/*.parquet")):
            found.setdefault((path.parent.name, path.stem.partition("-")[0]), []).append(path)
        return found

    def parts(self) -> list[Part]:
        """Task and split of the files.

        Raises:
            EmollmsError: there are none.
        """
        if not self._files:
            raise EmollmsError(f"{self.folder} holds no rows: data/TASK/SPLIT-00000.parquet is missing")
        return list(self._files)

    def frames(self, table: str, parts: Collection[Part]) -> Frames:
        """See `Tables`."""
        if table == "files":
            return self._schemas(parts)
        if table == "prompts":
            return self._prompts(parts)
        return iter([("", self._whole(table, parts))])

    def _schemas(self, parts: Collection[Part]) -> Frames:
        for part in parts:
            for path in self._files.get(part, []):
                empty = pq.read_schema(path).remove_metadata().empty_table()
                yield path.relative_to(self.folder).as_posix(), _arrow_backed(empty)

    def _prompts(self, parts: Collection[Part]) -> Frames:
        batches = (batch for part in parts for path in self._files.get(part, []) for batch in _batches(path, PROMPT))
        for table in _chunks(batches):
            yield "", _arrow_backed(table)
            pa.default_memory_pool().release_unused()  # else the pool keeps what the largest frame took

    def _whole(self, table: str, parts: Collection[Part]) -> "pd.DataFrame":
        if table == "rows":
            return chosen(*self._rows, parts)
        if table == "benchmark":
            return self._with_benchmark()
        return chosen(*self._texts, parts)

    @cached_property
    def _rows(self) -> "tuple[pd.DataFrame, dict[Part, int]]":
        table, lengths = self._read(("id", "task", "wording"), first_only=False)
        return _arrow_backed(table), lengths

    @cached_property
    def _texts(self) -> "tuple[pd.DataFrame, dict[Part, int]]":
        table, lengths = self._read(TEXT_COLUMNS, first_only=True)
        return texts_frame(table), lengths

    def _read(self, columns: Sequence[str], first_only: bool) -> tuple[pa.Table, dict[Part, int]]:
        """Columns of all files, with the split, and how many rows each task and split has."""
        tables = {part: self._read_part(part, columns, first_only) for part in self._files}
        return pa.concat_tables(tables.values()), {part: len(rows) for part, rows in tables.items()}

    def _read_part(self, part: Part, columns: Sequence[str], first_only: bool) -> pa.Table:
        """Columns of one task and split; of texts that come with every wording only the rows with the first one."""
        first_only = first_only and self.all_wordings
        wanted = [*columns, "wording"] if first_only else list(columns)
        batches = [batch for path in self._files[part] for batch in _batches(path, wanted, first_only)]
        # A schema of its own, since there may be no batch to take it from; metadata of other writers would not concat.
        schema = pa.schema([pq.read_schema(self._files[part][0]).remove_metadata().field(name) for name in columns])
        rows = pa.Table.from_batches([batch.select(columns) for batch in batches], schema)
        return rows.append_column("split", pa.repeat(part[1], len(rows)))

    def _with_benchmark(self) -> "pd.DataFrame":
        import pandas as pd

        assert self.benchmark is not None
        table, _ = FolderTables(self.benchmark, all_wordings=False)._read(("id", "text"), first_only=False)
        theirs: pd.DataFrame = table.to_pandas()
        own = self._texts[0][["id", "text", "split"]]
        return pd.concat([own[own["split"] != "test"], theirs.assign(split="test")], ignore_index=True)


def texts_frame(texts: pa.Table) -> "pd.DataFrame":
    """Texts with their gold labels as plain Python values; the number of the class, as text, is in a column `class`."""
    frame: pd.DataFrame = texts.drop_columns(["labels", "label"]).to_pandas()
    frame["labels"] = [tuple(labels or ()) for labels in texts["labels"].to_pylist()]
    # Integers with gaps become floats in pandas, and a class 3 would be 3.0.
    frame["label"] = texts["label"].to_pandas(integer_object_nulls=True).astype(object)
    ordinal = frame["label"].notna()
    frame["class"] = frame["completion"].str.split(":", n=1).str[0].where(ordinal, None).astype(object)
    return frame


def chosen(frame: "pd.DataFrame", lengths: Mapping[Part, int], parts: Collection[Part]) -> "pd.DataFrame":
    """The rows of some tasks and splits; those of one stand together, so that one is a slice without a copy.

    Args:
        frame: the rows of all.
        lengths: how many rows each task and split has, in the order in which they stand.
        parts: which are wanted.
    """
    import pandas as pd

    ends = list(accumulate(lengths.values()))
    slices = {part: slice(end - lengths[part], end) for part, end in zip(lengths, ends, strict=True)}
    wanted = [frame.iloc[slices[part]] for part in parts if part in slices]
    if len(wanted) == len(slices):
        return frame
    return pd.concat(wanted) if len(wanted) > 1 else next(iter(wanted), frame.iloc[:0])


def _batches(path: Path, columns: Sequence[str], first_only: bool = False) -> Iterator[pa.RecordBatch]:
    """The rows of a file, row group by row group, so that memory does not grow with the file."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS, columns=list(columns)):
            batch = batch.replace_schema_metadata(None)
            yield batch.filter(pc.equal(batch["wording"], 0)) if first_only else batch


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches put together to about `ROWS` rows."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _arrow_backed(table: pa.Table) -> "pd.DataFrame":
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
