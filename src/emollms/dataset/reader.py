"""The rows that a model is asked: of a data set in a folder or on the Hub, one split, one language."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emollms.dataset.manifest import Manifest, entry, read_manifest
from emollms.errors import EmollmsError, UsageError, unknown
from emollms.locations import HubRepo, hub_repo
from emollms.network import hub_problem
from emollms.tasks import TASKS, Task


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
    return _download(hub_repo(target, "a folder, nor a corpus,"))


def _download(named: HubRepo) -> Path:
    """What a check of a data set needs of a repo: the manifest and the rows; from the cache where the Hub is away."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    problem = hub_problem()
    try:
        folder = snapshot_download(
            named.repo,
            repo_type="dataset",
            revision=named.revision,
            allow_patterns=["manifest.json", "data/*"],
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
COLUMNS = ["id", "text", "prompt", "score", "labels", "emotion", "language", "corpus", "source_id"]


@dataclass(frozen=True)
class EvaluationData:
    """A data set as a run reads it.

    Args:
        target: how it was named: a folder, or `OWNER/NAME@REVISION`.
        folder: where it is.
        manifest: what it is.
    """

    target: str
    folder: Path
    manifest: Manifest

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

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks that have rows in `split`, in the order of `emollms.tasks`.

        Raises:
            UsageError: there is none; the message tells the splits that there are.
        """
        counts = [count for count in self.manifest.counts if count.rows]
        here = {count.task for count in counts if count.split == split}
        if not here:
            splits = ", ".join(sorted({count.split for count in counts})) or "none"
            raise UsageError(f"{self.target} has no rows in split {split}; it has these splits: {splits}")
        return tuple(task for name, task in TASKS.items() if name in here)

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

    def table(self, task: str, split: str, columns: Sequence[str]) -> pa.Table:
        """Columns of a task's rows, as an Arrow table; otherwise as `rows`."""
        stem = f"data/{task}/{split}-"
        files = sorted((file for file in self.manifest.files if file.path.startswith(stem)), key=lambda file: file.path)
        tables = []
        for file in files:
            path = self.folder / file.path
            if not path.is_file() or entry(self.folder, path).sha256 != file.sha256:
                raise EmollmsError(f"{path} is not the file that the manifest names; get or build the data set again")
            tables.append(pq.read_table(path, columns=list(columns)))
        return pa.concat_tables(tables) if tables else pa.table({name: [] for name in columns})


def open_data(target: str) -> EvaluationData:
    """The data set in a folder, or on the Hub.

    Args:
        target: a folder, or `OWNER/NAME`, or `OWNER/NAME@REVISION`.

    Raises:
        UsageError: it is neither, or holds no data set of ours.
        EmollmsError: the Hub does not have it, or cannot be reached.
    """
    folder = local_copy(target)
    return EvaluationData(target, folder, read_manifest(folder))


def choose_tasks(data: EvaluationData, split: str, names: Sequence[str] = ()) -> tuple[Task, ...]:
    """The tasks of these names in `split`, or all.

    Raises:
        UsageError: the data set has no such task, or no such split.
    """
    tasks = {task.name: task for task in data.tasks(split)}
    for name in names:
        if name not in tasks:
            raise unknown(f"task of {data.target}, split {split}:", name, tasks)
    return tuple(task for name, task in tasks.items() if not names or name in names)


def choose_language(rows: Iterable[Row], language: str | None = None) -> str:
    """The language that a run is about: scores of several are not mixed.

    Args:
        rows: all rows.
        language: the code that was asked for; None for English, or the only one that there is.

    Raises:
        UsageError: no row has that language, or there are several and English is none of them.
    """
    known = sorted({str(row["language"]) for row in rows})
    if language is None and (len(known) == 1 or "en" in known):
        return known[0] if len(known) == 1 else "en"
    if language is None:
        raise UsageError(f"the data set has rows in {', '.join(known)}; choose one with --language")
    if language not in known:
        raise unknown("language of the data set", language, known)
    return language


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
