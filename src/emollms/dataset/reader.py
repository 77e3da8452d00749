"""Built data sets as training, evaluation and their users read them, and the choice of rows for a run."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.dataset.manifest import NAME as MANIFEST
from emollms.dataset.manifest import README, entry, read_manifest
from emollms.dataset.manifest_entries import CountEntry
from emollms.dataset.schema import ROW_SCHEMA
from emollms.dataset.specs import ALL_LANGUAGES, DATA_SETS
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.locations import HubRepo, hub_repo
from emollms.network import hub_problem
from emollms.tasks import TASKS, Task

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict


def local_copy(target: str) -> Path:
    """The folder of a data set: the one that is named, or a copy of what the Hub has.

    Args:
        target: a folder, or `OWNER/NAME`, or `OWNER/NAME@REVISION` for a branch, tag or commit.

    Raises:
        UsageError: it is neither.
        EmollmsError: the Hub does not have it, or cannot be reached.
    """
    if Path(target).is_dir():
        return Path(target)
    if Path(target).exists():
        raise UsageError(f"{target} is a file; a data set is a folder that `emollms build` wrote, or a repo on the Hub")
    return download(hub_repo(target, "a folder, nor a corpus,"))


def download(named: HubRepo, files: Sequence[str] = (MANIFEST, README, "data/*")) -> Path:
    """Files of a repo, of a data set manifest, card and rows; what the cache has where the Hub cannot be reached.

    Args:
        named: the repo.
        files: patterns of the files.

    Raises:
        EmollmsError: the Hub does not have it, or cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    problem = hub_problem()
    try:
        folder = snapshot_download(
            named.repo,
            repo_type="dataset",
            revision=named.revision,
            allow_patterns=list(files),
            local_files_only=problem is not None,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if problem:
            raise EmollmsError(f"{named} is neither here nor in the local cache, and {problem}") from None
        reason = str(error).strip().splitlines()[0]
        raise EmollmsError(f"{named} cannot be had: {reason}; no folder of this name is here") from None
    return Path(folder)


Row = Mapping[str, Any]
TEST = "test"
COLUMNS = ["id", "text", "prompt", "score", "labels", "emotion", "target", "language", "corpus", "source_id"]


class Dataset:
    """A data set that `emollms build` made, in a folder or on the Hub.

    Args:
        target: a folder, or `OWNER/NAME`, or `OWNER/NAME@REVISION` for a branch, tag or commit.

    Attributes:
        target: as it was given.
        folder: where it is on this machine; a repo of the Hub is in the cache.
        manifest: what it is made from, and what is in it.

    Raises:
        UsageError: the target is neither, or holds no data set of this package.
        EmollmsError: the Hub does not have it, or cannot be reached.
    """

    def __init__(self, target: str | Path) -> None:
        self.target = str(target)
        self.folder = local_copy(self.target)
        self.manifest = read_manifest(self.folder)

    def __repr__(self) -> str:
        """Title and version, and a line a task with its rows by split."""
        rows: dict[str, list[str]] = {}
        for count in self._counts:
            rows.setdefault(count.task, []).append(f"{count.rows:,} {count.split}")
        width = max(map(len, rows), default=0)
        lines = [f"{self.manifest.title}, version {self.version} ({self.target})"]
        return "\n".join([*lines, *(f"  {task:{width}}  {', '.join(parts)}" for task, parts in rows.items())])

    @property
    def version(self) -> str:
        """The semantic version."""
        return self.manifest.version

    @property
    def default_language(self) -> str | None:
        """What is evaluated where no language is asked for: `all` of a benchmark in many; None for English."""
        name = self.manifest.data_set
        return ALL_LANGUAGES if name in DATA_SETS and DATA_SETS[name].by_language else None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows."""
        return tuple(dict.fromkeys(count.split for count in self._counts))

    @property
    def _counts(self) -> list[CountEntry]:
        """The tasks and splits that have rows."""
        return [count for count in self.manifest.counts if count.rows]

    def describe(self) -> dict[str, object]:
        """What the manifest of a run says about it."""
        where: dict[str, object] = {"path": str(self.folder.resolve())}
        if not Path(self.target).is_dir():
            repo, _, revision = self.target.partition("@")
            where = {"repo": repo, "revision": revision or None, "commit": self.folder.name}
        manifest = self.manifest
        return where | {
            "data_set": manifest.data_set,
            "title": manifest.title,
            "version": manifest.version,
            "profile": manifest.settings.get("profile"),
            "content_hash": manifest.content_hash,
        }

    def tasks(self, split: str, names: Sequence[str] = ()) -> tuple[Task, ...]:
        """The tasks that have rows in a split, in the order of `emollms.tasks`.

        Args:
            split: the split.
            names: the tasks that are wanted; empty for all.

        Raises:
            UsageError: there is no such split, or no such task in it; the message names those that there are.
        """
        here = {count.task for count in self._counts if count.split == split}
        if not here:
            splits = ", ".join(sorted(self.splits)) or "none"
            raise UsageError(f"{self.target} has no rows in split {split}; it has these splits: {splits}")
        for name in names:
            if name not in here:
                raise unknown(f"task of {self.target}, split {split}:", name, here)
        return tuple(task for name, task in TASKS.items() if name in here and (not names or name in names))

    def rows(self, task: str, split: str) -> list[Row]:
        """The rows of a task, of every language, in file order; none where the split has none.

        A row whose corpus left labels out names them in `unannotated`: see `MultiLabelTask.labels_asked`.

        Raises:
            EmollmsError: a file is missing, or is not the one that the manifest names.
        """
        rows: list[dict[str, Any]] = self.table(task, split, COLUMNS).to_pylist()
        kinds = {(row["corpus"], row["language"]) for row in rows}
        left_out = {(corpus, code): self.manifest.unannotated(corpus, task, split, code) for corpus, code in kinds}
        for row in rows:
            if missing := left_out[row["corpus"], row["language"]]:
                row["unannotated"] = missing
        return list(rows)

    def table(self, task: str, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A task's rows as an Arrow table; otherwise as `rows`.

        Args:
            task: name of the task.
            split: the split.
            columns: the columns that are wanted; None for all of `dataset.schema.ROW_SCHEMA`. One that the file lacks,
                as those of the profile `paper` lack what raters said, is null.

        Raises:
            EmollmsError: a file is missing, or is not the one that the manifest names.
        """
        wanted = ROW_SCHEMA.names if columns is None else list(columns)
        tables = []
        for file in self.manifest.files_of(task, split):
            path = self.folder / file.path
            if not path.is_file() or entry(self.folder, path).sha256 != file.sha256:
                raise EmollmsError(f"{path} is not the file that the manifest names; get or build the data set again")
            tables.append(_with_columns(pq.read_table(path, columns=_present(path, wanted)), wanted))
        return pa.concat_tables(tables) if tables else ROW_SCHEMA.empty_table().select(wanted)

    def to_pandas(self, task: str | None = None, split: str | None = None) -> "pd.DataFrame":
        """Rows as a data frame, with the columns of `dataset.schema.ROW_SCHEMA`.

        Args:
            task: name of a task; None for all.
            split: the split; None for the only one that the data set has.

        Raises:
            UsageError: there is no such task or split, or the data set has several splits and none is given.
            EmollmsError: a file is missing, or is not the one that the manifest names.
        """
        if split is None and len(self.splits) != 1:
            raise UsageError(f"{self.target} has the splits {', '.join(self.splits)}; choose one with split=")
        chosen = split or self.splits[0]
        tasks = self.tasks(chosen, [task] if task else ())
        frame: pd.DataFrame = pa.concat_tables([self.table(one.name, chosen) for one in tasks]).to_pandas()
        return frame

    def load(self, config: str = "default") -> "DatasetDict":
        """The data set as `datasets.load_dataset` gives it, by split; classes are `ClassLabel`s.

        Args:
            config: name of a task; `default` for all of them together.

        Raises:
            UsageError: there is no such config.
        """
        from datasets import load_dataset

        configs = ("default", *dict.fromkeys(count.task for count in self._counts))
        if config not in configs:
            raise unknown(f"config of {self.target}:", config, configs)
        return load_dataset(str(self.folder), config)


def _present(path: Path, wanted: Sequence[str]) -> list[str]:
    there = pq.read_schema(path).names
    return [name for name in wanted if name in there or name not in ROW_SCHEMA.names]


def _with_columns(rows: pa.Table, wanted: Sequence[str]) -> pa.Table:
    for name in wanted:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, ROW_SCHEMA.field(name).type))
    return rows.select(list(wanted))


def choose_language(rows: Iterable[Row], language: str | None = None, several: bool = False) -> str:
    """The language that a run is about: scores of several are not mixed.

    Args:
        rows: all rows.
        language: the code that was asked for; None for English, or the only one that there is.
        several: whether `all` may be asked for, by a run that tells languages apart.

    Raises:
        UsageError: no row has that language, or there are several and English is none of them.
    """
    known = sorted({str(row["language"]) for row in rows})
    if language is None and (len(known) == 1 or "en" in known):
        return known[0] if len(known) == 1 else "en"
    if language is None:
        raise UsageError(
            f"the data set has rows in {', '.join(known)}; choose one with --language{', or all' * several}"
        )
    if several and language == ALL_LANGUAGES and known:
        return language if len(known) > 1 else known[0]
    if language not in known:
        raise unknown("language of the data set", language, [*known, ALL_LANGUAGES] if several else known)
    return language


def asked_rows(rows: Sequence[Row], language: str, limit: int | None, seed: int = 0) -> list[Row]:
    """The rows of a task that a run asks: those in its language; of `all`, a sample of `limit` rows from each.

    Args:
        rows: all rows of a task.
        language: what `choose_language` gave.
        limit: how many to draw; None for all.
        seed: another seed draws others.
    """
    codes = dict.fromkeys(row["language"] for row in rows) if language == ALL_LANGUAGES else [language]
    drawn: set[str] = set()
    for code in codes:
        drawn |= {row["id"] for row in sample([row for row in rows if row["language"] == code], limit, seed)}
    return [row for row in rows if row["id"] in drawn]


def sample(rows: Sequence[Row], limit: int | None, seed: int = 0) -> list[Row]:
    """`limit` rows, in file order; the same ones each time, and in equal parts about each emotion where possible.

    Which rows are drawn depends on seed and ids alone, and a smaller sample is part of a larger one.

    Args:
        rows: all rows of a task.
        limit: how many to draw; None for all.
        seed: another seed draws others.
    """
    if limit is None or limit >= len(rows):
        return list(rows)
    strata: dict[str, list[str]] = {}
    for row in rows:
        strata.setdefault(str(row["emotion"]), []).append(str(row["id"]))
    drawn = [sorted(strata[emotion], key=lambda row_id: _draw(seed, row_id)) for emotion in sorted(strata)]
    in_turn = [row_id for row_id in chain.from_iterable(zip_longest(*drawn)) if row_id is not None]
    chosen = set(in_turn[:limit])
    return [row for row in rows if row["id"] in chosen]


def one_wording(rows: Sequence[Row], seed: int = 0) -> list[Row]:
    """One row for each text and emotion, where a data set has each with several wordings of the instruction."""
    first: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=lambda row: _draw(seed, str(row["id"]))):
        first.setdefault((str(row["source_id"]), str(row["emotion"])), row)
    kept = {row["id"] for row in first.values()}
    return [row for row in rows if row["id"] in kept]


def _draw(seed: int, row_id: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{row_id}".encode()).digest()
