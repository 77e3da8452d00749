"""The tables that suites look at, and how they are read from a dataset repo."""

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from emollms.errors import EmollmsError
from emollms.quality.gate_report import Part

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = (
    "id", "text", "completion", "gold", "score", "label", "labels", "task", "emotion", "language", "corpus",
)  # fmt: skip
ROWS = 100_000
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
            found.setdefault((path.parent.name, path.stem.rpartition("-")[0]), []).append(path)
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
        for part in parts:
            for path in self._files.get(part, []):
                columns = ds.dataset(path).to_batches(columns=["id", "prompt"], batch_size=ROWS)
                for batch in _chunks(columns):
                    yield "", _arrow_backed(batch)

    def _whole(self, table: str, parts: Collection[Part]) -> "pd.DataFrame":
        if table == "rows":
            return chosen(self._rows, parts)
        if table == "benchmark":
            return self._with_benchmark()
        return chosen(self._texts, parts)

    @cached_property
    def _rows(self) -> "pd.DataFrame":
        return _arrow_backed(self._read(("id", "task", "wording"), first_only=False))

    @cached_property
    def _texts(self) -> "pd.DataFrame":
        return texts_frame(self._read(TEXT_COLUMNS, first_only=True))

    def _read(self, columns: Collection[str], first_only: bool) -> pa.Table:
        chosen = ds.field("wording") == 0 if first_only and self.all_wordings else None
        tables = []
        for (_, split), paths in self._files.items():
            rows = ds.dataset(paths).to_table(columns=list(columns), filter=chosen)
            tables.append(rows.append_column("split", pa.repeat(split, len(rows))))
        return pa.concat_tables(tables) if tables else pa.table({name: [] for name in (*columns, "split")})

    def _with_benchmark(self) -> "pd.DataFrame":
        import pandas as pd

        assert self.benchmark is not None
        theirs = FolderTables(self.benchmark, all_wordings=False)._read(("id", "text"), first_only=False).to_pandas()
        own = self._texts[["id", "text", "split"]]
        return pd.concat([own[own["split"] != "test"], theirs.assign(split="test")], ignore_index=True)


def texts_frame(texts: pa.Table) -> "pd.DataFrame":
    """Texts with their golds as plain Python values, and the number of the class, as text, in a column `class`."""
    frame = texts.drop_columns(["labels", "label"]).to_pandas()
    frame["labels"] = [tuple(labels or ()) for labels in texts["labels"].to_pylist()]
    frame["label"] = texts["label"].to_pandas(integer_object_nulls=True).astype(object)
    ordinal = frame["label"].notna()
    frame["class"] = frame["completion"].str.split(":", n=1).str[0].where(ordinal, None).astype(object)
    return frame


def chosen(frame: "pd.DataFrame", parts: Collection[Part]) -> "pd.DataFrame":
    """The rows of some tasks and splits; those of one stand together, so that one is a slice without a copy."""
    import pandas as pd

    ranges = _ranges(frame)
    wanted = [frame.iloc[ranges[part]] for part in parts if part in ranges]
    if len(wanted) == len(ranges):
        return frame
    return pd.concat(wanted) if len(wanted) > 1 else next(iter(wanted), frame.iloc[:0])


def _ranges(frame: "pd.DataFrame") -> dict[Part, slice]:
    """From where to where the rows of each task and split stand."""
    if "ranges" not in frame.attrs:
        tasks, splits = (frame[name].to_numpy(dtype=object) for name in ("task", "split"))
        changes = (tasks[1:] != tasks[:-1]) | (splits[1:] != splits[:-1])
        starts = [0, *(changes.nonzero()[0] + 1)] if len(frame) else []
        frame.attrs["ranges"] = {
            (tasks[start], splits[start]): slice(start, end)
            for start, end in zip(starts, [*starts[1:], len(frame)], strict=False)
        }
    ranges: dict[Part, slice] = frame.attrs["ranges"]
    return ranges


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

    frame: Any = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
