"""Tables of pinned files, `files/<corpus>.csv`: what a contributor fills in, read with its mistakes named."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from emollms.corpora.builder_errors import field_problems
from emollms.corpora.source_file import SourceFile
from emollms.errors import UsageError, unknown

COLUMNS = ("path", "sha256", "bytes", "rows", "split", "language", "task", "emotion", "address")
"""The columns of a new table; `encoding` is added by those who need it."""
NEEDED = ("path", "sha256", "bytes")
Row = dict[str, str]


def pinned_files(corpus: str, package: str = "emollms.builders") -> tuple[SourceFile, ...]:
    """The files of a corpus, from the table `files/<corpus>.csv` in `package`; an empty cell is None.

    Raises:
        UsageError: there is no such package or table, or a line of it is wrong.
    """
    table = table_of(corpus, package)
    name = f"files/{corpus}.csv"
    if not table.is_file():
        how = f"make it with `emollms corpora pin {corpus} --from DIR --out {_shown(table)}`"
        raise UsageError(f"{name} is missing in {package}; {how}")
    found = []
    for line, row in read_table(table.read_bytes(), name):
        for column in row:
            if column not in SourceFile.model_fields:
                raise UsageError(f"{name}:1: {unknown('column', column, SourceFile.model_fields)}")
        try:
            found.append(SourceFile.model_validate({key: cell for key, cell in row.items() if cell}))
        except ValidationError as error:
            raise UsageError(f"{name}:{line}: {field_problems(error, SourceFile)}") from None
    if not found:
        raise UsageError(f"{name} names no file; fill it with `emollms corpora pin {corpus}`")
    return tuple(found)


def table_of(corpus: str, package: str) -> Traversable:
    """Where a package has, or would have, the table of a corpus.

    Raises:
        UsageError: there is no such package.
    """
    try:
        return files(package) / "files" / f"{corpus}.csv"
    except ModuleNotFoundError as error:
        raise UsageError(f"there is no package {package!r} to take files/{corpus}.csv from ({error})") from None


def _shown(table: Traversable) -> str:
    path = Path(str(table))
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)


def read_table(data: bytes, name: str) -> Iterator[tuple[int, Row]]:
    """The rows of a table with their lines.

    Args:
        data: the file.
        name: what errors call it.

    Raises:
        UsageError: it is no table of files: not CSV in UTF-8, a column that is needed is missing, a row has other cells
            than there are columns, or a path is there twice.
    """
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        columns = next(reader, [])
        for column in NEEDED:
            if column not in columns:
                found = ", ".join(columns) or "none"
                raise UsageError(f"{name}:1: column {column!r} is missing; the columns are {found}")
        seen: dict[str, int] = {}
        for cells in filter(None, reader):
            line = reader.line_num
            if len(cells) != len(columns):
                raise UsageError(f"{name}:{line}: {len(cells)} cells instead of {len(columns)}")
            row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
            if row["path"] in seen:
                raise UsageError(f"{name}:{line}: {row['path']!r} is there twice, first at line {seen[row['path']]}")
            seen[row["path"]] = line
            yield line, row
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{name}:{reader.line_num}: no CSV ({error})") from None


def as_csv(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """A table with these columns; cells that a row lacks are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
