"""Data sets of any kind as Arrow tables: Parquet, JSON Lines, a folder, a dataset repo of the Hub."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from emollms.errors import EmollmsError, UsageError
from emollms.locations import HubRepo, hub_repo
from emollms.network import hub_problem, use_cache_alone

LOADERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv"}


def load_splits(name: str) -> dict[str, pa.Table]:
    """The splits of a data set.

    Args:
        name: a Parquet, JSON Lines or CSV file, a folder that `load_dataset` loads, or the id of a repo of the Hub,
            with `@` and a revision where one is meant. A single file is one split, `train`.

    Raises:
        UsageError: there is no such thing, or it cannot be read.
        EmollmsError: it is on the Hub, which cannot be asked, and the local cache does not have it.
    """
    path = Path(name)
    if not path.exists():
        return _from_hub(hub_repo(name, "a file, nor a folder,"))
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    try:
        if path.suffix in LOADERS and path.is_file():
            found = load_dataset(LOADERS[path.suffix], data_files=str(path))
        else:
            found = load_dataset(str(path))
    except StopIteration:  # what `datasets` raises of an empty file
        raise UsageError(f"{name} is empty") from None
    except (DatasetGenerationError, FileNotFoundError, ConnectionError, ValueError) as error:
        raise UsageError(f"{name} cannot be read as a data set: {_reason(error)}") from None
    return _arrows(found)


def _from_hub(named: HubRepo) -> dict[str, pa.Table]:
    """The splits of a repo; those in the local cache, where the Hub cannot be asked."""
    problem = hub_problem()
    if problem:
        use_cache_alone(problem)
    from datasets import load_dataset

    try:
        return _arrows(load_dataset(named.repo, revision=named.revision))
    except (ConnectionError, FileNotFoundError, ValueError) as error:
        if problem:
            raise EmollmsError(f"{named} is neither here nor in the local cache, and {problem}") from None
        raise UsageError(f"{named} cannot be read as a data set: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return next(iter(str(error.__cause__ or error).splitlines()), type(error).__name__)


def _arrows(found: Any) -> dict[str, pa.Table]:
    from datasets import Dataset

    return {split: rows.with_format("arrow")[:] for split, rows in found.items() if isinstance(rows, Dataset)}


def text_column(table: pa.Table, name: str, of: str) -> pa.ChunkedArray:
    """The column of texts.

    Raises:
        UsageError: there is none of this name, or it holds no strings, or strings that are not UTF-8.
    """
    if name not in table.column_names:
        raise UsageError(f"{of} has no column {name!r}; it has {', '.join(table.column_names)}; see --text-column")
    column = table[name]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise UsageError(f"column {name!r} of {of} holds {column.type}, not text; see --text-column")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise UsageError(f"column {name!r} of {of} is not UTF-8 ({error}); convert it, as iconv does") from None
    return column.cast(pa.string())


def as_texts(splits: dict[str, pa.Table], column: str, of: str) -> pa.Table:
    """The rows of a data set as `quality.duplicates.screening.TEXT_SCHEMA` has them; what a data set lacks is null.

    Rows without an `id` get split and number. Wordings of one text stand for it together: a table with a `wording`
    column is read at its first wording alone.
    """
    from emollms.quality.duplicates.screening import TEXT_SCHEMA

    parts = []
    for split, table in splits.items():
        texts = text_column(table, column, of)
        columns = {
            "id": table["id"].cast(pa.string()) if "id" in table.column_names else _numbers(split, len(texts)),
            "text": texts,
            "split": pa.repeat(split, len(texts)),
        }
        for field in TEXT_SCHEMA:
            if field.name not in columns:
                columns[field.name] = _column_or_nulls(table, field)
        parts.append(pa.table([columns[name] for name in TEXT_SCHEMA.names], schema=TEXT_SCHEMA))
    return pa.concat_tables(parts)


def _column_or_nulls(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    name = "completion" if field.name == "answer" else field.name
    if name in table.column_names and table[name].type == field.type:
        return table[name]
    return pa.nulls(table.num_rows, field.type)


def _numbers(split: str, count: int) -> pa.Array:
    return pa.array([f"{split}/{number}" for number in range(count)], pa.string())
