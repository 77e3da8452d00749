"""Data sets of any kind as Arrow tables: a file, a folder, a dataset repo of the Hub."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from emollms.errors import EmollmsError, UsageError
from emollms.locations import HubRepo, hub_repo
from emollms.network import hub_problem, use_cache_alone
from emollms.tables.files import Dialect, Warn, no_warning, table_file
from emollms.tables.read import read_table

MANIFEST = "manifest.json"
REPORT = "report.json"
"""What `emollms dedup` writes beside its rows."""
_READ_HERE = ("csv", "json", "text")
"""Formats that `datasets` reads with guesses at types, missing values and an index; this package reads them instead."""


@dataclass(frozen=True)
class InputTables:
    """The rows of a data set.

    Args:
        name: how it was named.
        splits: its splits.
        built: whether `emollms build` made it, so that columns such as `id` and `wording` mean what they mean there. In
            other data sets they are the owner's, whatever they are called.
    """

    name: str
    splits: Mapping[str, pa.Table]
    built: bool = False

    def texts(self, split: str, column: str) -> pa.ChunkedArray:
        """The texts of a split.

        Args:
            split: its name.
            column: their column; where `emollms build` made the data and it has no such column, it is `text`.

        Raises:
            UsageError: as `text_column`.
        """
        table = self.splits[split]
        return text_column(table, "text" if self.built and column not in table.column_names else column, self.name)


def read_data_set(name: str, dialect: Dialect | None = None, warn: Warn = no_warning) -> InputTables:
    """The rows of a data set.

    Args:
        name: a file (see `tables.files.READABLE`), a folder that `load_dataset` loads, or the id of a repo of the Hub,
            with `@` and a revision where one is meant. A single file is one split, `train`.
        dialect: what the suffix of a text file does not say.
        warn: is told what was read, and may be meant otherwise.

    Raises:
        UsageError: there is no such thing, it is empty, or it cannot be read.
        SourceError: a row of a file is broken; the message tells file and line.
        EmollmsError: it is on the Hub, which cannot be asked, and the local cache does not have it.
    """
    path = Path(name)
    if path.exists() and not path.is_dir():
        return InputTables(name, {"train": read_table(table_file(path, dialect), warn)})
    named = None if path.is_dir() else hub_repo(name, "a file, nor a folder,")
    return _load(name, named, dialect, warn)


def _load(name: str, named: HubRepo | None, dialect: Dialect | None, warn: Warn) -> InputTables:
    """A folder, or a repo of the Hub; of the latter what is in the local cache, where the Hub cannot be asked."""
    problem = hub_problem() if named else None
    if problem:
        use_cache_alone(problem)
    from datasets import Dataset, disable_progress_bars, load_dataset, load_dataset_builder
    from datasets.exceptions import DatasetGenerationError

    disable_progress_bars()
    repo, revision = (named.repo, named.revision) if named else (name, None)
    try:
        builder = load_dataset_builder(repo, revision=revision)
        if type(builder).__module__.rpartition(".")[2] in _READ_HERE:
            return InputTables(name, _read_files(builder, dialect, warn))
        found = load_dataset(repo, revision=revision)
        built = _is_built(*(_of_repo(repo, revision) if named else (Path(name) / MANIFEST, Path(name) / REPORT)))
    except StopIteration:  # what `datasets` raises of an empty file
        raise UsageError(f"{name} is empty") from None
    except (DatasetGenerationError, FileNotFoundError, ConnectionError, ValueError) as error:
        if problem:
            raise EmollmsError(f"{named} is neither here nor in the local cache, and {problem}") from None
        reason = next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__)
        raise UsageError(f"{name} cannot be read as a data set: {reason}") from None
    splits = {split: rows.with_format("arrow")[:] for split, rows in found.items() if isinstance(rows, Dataset)}
    return InputTables(name, splits, built)


def _read_files(builder: Any, dialect: Dialect | None, warn: Warn) -> dict[str, pa.Table]:
    """The splits of a folder or repo whose files this package reads itself."""
    from datasets import DownloadManager

    given = dialect or Dialect()
    declared = getattr(builder.config, "delimiter", None) or getattr(builder.config, "sep", None)
    if declared not in (None, ",") and given.delimiter is None:
        given = replace(given, delimiter=declared)
    downloads, splits = DownloadManager(), {}
    for split, names in builder.config.data_files.items():
        tables = [
            read_table(table_file(Path(place), given, _shown(name)), warn)
            for name, place in zip(names, downloads.download(list(names)), strict=True)
        ]
        try:
            splits[str(split)] = pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UsageError(f"the files of split {split} hold columns of different types: {error}") from None
    return splits


def _shown(name: str) -> str:
    """A file as errors name it: `hf://datasets/OWNER/NAME@COMMIT/FILE` without what stays the same."""
    return name.removeprefix("hf://datasets/")


def _of_repo(repo: str, revision: str | None) -> tuple[Path | None, Path | None]:
    """Copies of the files of a repo that tell who made it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    found: list[Path | None] = []
    for name in (MANIFEST, REPORT):
        try:
            found.append(Path(hf_hub_download(repo, name, repo_type="dataset", revision=revision)))
        except EntryNotFoundError:
            found.append(None)
    return found[0], found[1]


def _is_built(manifest: Path | None, report: Path | None) -> bool:
    """Whether a repo is one that `emollms build` made, or what `emollms dedup` left of one."""
    made, left = _object_of(manifest), _object_of(report)
    return {"data_set", "content_hash"} <= made.keys() or left.get("built") is True


def _object_of(path: Path | None) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path and path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def text_column(table: pa.Table, name: str, of: str) -> pa.ChunkedArray:
    """The column of texts.

    Raises:
        UsageError: there is none of this name, or it holds no strings, or strings that are not UTF-8.
    """
    if name not in table.column_names:
        raise UsageError(f"{of} has no column {name!r}; it has {', '.join(table.column_names)}; see --text-column")
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not any(test(column.type) for test in _IS_TEXT):
        raise UsageError(f"column {name!r} of {of} holds {column.type}, not text; see --text-column")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise UsageError(f"column {name!r} of {of} is not UTF-8 ({error}); convert it, as iconv does") from None
    return column.cast(pa.string())


_IS_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)


def as_texts(data: InputTables, column: str) -> pa.Table:
    """The rows of a data set as `schema.TEXT_SCHEMA` has them; what a data set lacks is null.

    Of a data set that `emollms build` did not make, only split and text are known: its rows are called by split and
    number, and its other columns say nothing, whatever their names.

    Raises:
        UsageError: as `text_column`.
    """
    from emollms.dedup.schema import TEXT_SCHEMA

    parts = []
    for split, table in data.splits.items():
        texts = data.texts(split, column)
        known = {"text": texts, "split": pa.repeat(split, len(texts))}
        if not data.built:
            known["id"] = _numbers(split, len(texts))
        columns = [known[name] if name in known else _own(table, data.built, name) for name in TEXT_SCHEMA.names]
        parts.append(pa.table(columns, schema=TEXT_SCHEMA))
    return pa.concat_tables(parts)


def _own(table: pa.Table, built: bool, name: str) -> pa.ChunkedArray | pa.Array:
    """A column of a data set that `emollms build` made; nulls of another."""
    from emollms.dedup.schema import TEXT_SCHEMA

    type_ = TEXT_SCHEMA.field(name).type
    name = "completion" if name == "answer" else name
    return table[name].cast(type_) if built and name in table.column_names else pa.nulls(table.num_rows, type_)


def _numbers(split: str, count: int) -> pa.Array:
    return pa.array([f"{split}/{number}" for number in range(count)], pa.string())
