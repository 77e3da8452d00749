"""An input by its name: a file, a data set on the Hub, or standard input."""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from emollms.annotation.arrow_source import ArrowSource, parquet_source
from emollms.annotation.sources import (
    DelimitedSource,
    JsonLinesSource,
    LinesSource,
    Source,
)
from emollms.errors import EmollmsError, UsageError
from emollms.locations import hub_repo, is_local
from emollms.network import hub_problem, use_cache_alone
from emollms.tables.files import Dialect, TableFile, table_file


@dataclass(frozen=True)
class Input:
    """An input.

    Args:
        table: its rows.
        digest: a hash of what it is: of a file its bytes, of a data set its fingerprint.
    """

    table: Source
    digest: str


def open_input(
    name: str,
    text_column: str,
    target_column: str | None,
    dialect: Dialect,
    scratch: Path,
    split: str | None = None,
    config: str | None = None,
) -> Input:
    """The input that a name means.

    Args:
        name: a file; `OWNER/NAME[@REVISION]`, a data set on the Hub; or `-` for standard input: JSON Lines where it
            begins with `{`, CSV where its first line has the text column, and else one text a line.
        text_column: the column of the texts.
        target_column: the column of what is asked about, if there is one.
        dialect: how a text file is written.
        scratch: a folder for what standard input gives.
        split: of a data set on the Hub.
        config: of a data set on the Hub.

    Raises:
        UsageError: there is no such input or column.
        SourceError: it cannot be read.
        EmollmsError: it is on the Hub, which cannot be asked, and not in the cache.
    """
    if name == "-":
        file = _spooled(scratch, text_column, dialect)
    elif is_local(name):
        file = table_file(Path(name), dialect)
    else:
        return _from_hub(name, text_column, target_column, split, config)
    return Input(_table(file, text_column, target_column), _digest(file.path))


def _table(file: TableFile, text_column: str, target_column: str | None) -> Source:
    if file.format == "parquet":
        return parquet_source(file, text_column, target_column)
    if file.delimiter:
        return DelimitedSource(file, text_column, target_column)
    if file.format == "text":
        return LinesSource(file)
    if file.format == "json":
        raise UsageError(
            f"{file.name}: a list in one JSON value is not read row by row; save it as JSON Lines (.jsonl)"
        )
    return JsonLinesSource(file, text_column, target_column)


def _spooled(scratch: Path, text_column: str, dialect: Dialect) -> TableFile:
    """Standard input in a file, since it is read twice: once to check it, and once to annotate it."""
    path = scratch / "stdin"
    with path.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    with path.open("rb") as stream:
        begin = stream.read(1 << 16).decode(dialect.encoding, "replace").lstrip("\ufeff")
    if begin.lstrip().startswith("{"):
        suffix = ".jsonl"
    else:
        header = begin.split("\n", 1)[0]
        is_tsv = "\t" in header and dialect.delimiter is None
        cells = header.strip().split("\t" if is_tsv else dialect.delimiter or ",")
        suffix = (".tsv" if is_tsv else ".csv") if text_column in [cell.strip('"') for cell in cells] else ".txt"
    return table_file(path, dialect, f"standard input{suffix}")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _from_hub(name: str, text_column: str, target_column: str | None, split: str | None, config: str | None) -> Input:
    import datasets

    repo = hub_repo(name, "a file")
    problem = hub_problem()
    if problem:
        use_cache_alone(problem)
    try:
        found: Any = datasets.load_dataset(repo.repo, config, split=split, revision=repo.revision)
    except (ValueError, OSError) as error:
        if problem:
            raise EmollmsError(f"{name} is neither here nor in the local cache, and {problem}") from None
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"{name} cannot be loaded: {reason}") from None
    if isinstance(found, datasets.DatasetDict):
        if len(found) != 1:
            raise UsageError(f"{name} has the splits {', '.join(found)}; name one with --split")
        found = next(iter(found.values()))

    def batches(size: int) -> Iterator[pa.RecordBatch]:
        for table in found.with_format("arrow").iter(size):
            yield from table.to_batches()

    schema = found.features.arrow_schema.remove_metadata()
    table = ArrowSource(batches, schema, len(found), text_column, target_column, name)
    return Input(table, f"{repo.repo} {found._fingerprint}")
