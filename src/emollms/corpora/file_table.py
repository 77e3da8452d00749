"""Raw files as a corpus pins them, and their table, `files/<corpus>.csv`, which a contributor fills in."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, cast, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from emollms.corpora.builder_errors import field_problems
from emollms.corpora.lines import check_encoding
from emollms.errors import UsageError, unknown
from emollms.storage import Strict
from emollms.tasks import MultiLabelTask, Task, get_task

Split = Literal["train", "validation", "test"]
Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]


class SourceFile(Strict, str_strip_whitespace=True):
    """One raw file, pinned.

    Args:
        path: its place below the corpus's folder.
        sha256: hash of its bytes, in hexadecimal.
        bytes: its size.
        rows: how many data rows it holds; None for files that hold none.
        split: the split its rows belong to, where that is one.
        language: the language of its rows, where that is one.
        task: the task its rows are for, where that is one.
        emotion: the emotion its rows are about, where that is one.
        address: where to fetch it; `ARCHIVE!MEMBER` for a member of an archive; None where a person must.
        encoding: its encoding, as Python names it; None for UTF-8.
    """

    path: Text
    sha256: Sha256
    bytes: int = Field(ge=0)
    rows: int | None = Field(default=None, ge=0)
    split: Split | None = None
    language: Language | None = None
    task: str | None = None
    emotion: str | None = None
    address: str | None = None
    encoding: str | None = None

    @field_validator("path")
    @classmethod
    def _is_below(cls, path: str) -> str:
        if PurePosixPath(path).is_absolute() or ".." in path.split("/") or "\\" in path:
            raise ValueError(f"{path!r} is no path below the corpus's folder; write it with /, without ..")
        return path

    @field_validator("task")
    @classmethod
    def _is_task(cls, task: str | None) -> str | None:
        return known_task(task).name if task else task

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, encoding: str | None) -> str | None:
        return check_encoding(encoding) if encoding else encoding

    @model_validator(mode="after")
    def _task_has_emotion(self) -> "SourceFile":
        if self.task and self.emotion:
            check_names((self.emotion,), (get_task(self.task),))
        return self


def listed(files: Sequence[SourceFile], most: int = 5) -> str:
    """The paths of files for an error, which names at most so many."""
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(file.path for file in files[:most]) + more


def askable(task: Task) -> tuple[str, ...]:
    """The labels of a multi-label task; else the emotions that are asked for one at a time."""
    return task.labels if isinstance(task, MultiLabelTask) else task.emotions


def known_task(name: str) -> Task:
    """The task of this name; as a validator of pydantic raises.

    Raises:
        ValueError: there is none.
    """
    try:
        return get_task(name)
    except UsageError as error:
        raise ValueError(str(error)) from None


def check_names(names: Sequence[str], tasks: Sequence[Task]) -> None:
    """Make sure that these are labels or emotions of one of the tasks; as a validator of pydantic raises.

    Raises:
        ValueError: one is not.
    """
    known = list(dict.fromkeys(name for task in tasks for name in askable(task)))
    for name in names:
        if name not in known:
            of = " and ".join(task.name for task in tasks)
            raise ValueError(f"{name!r} is no label or emotion of {of}; known: {', '.join(known) or 'none'}")


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


def moved_texts(corpus: str, package: str) -> dict[str, Split]:
    """The texts whose split is not the one drawn, from `data/<corpus>/splits.csv` in a package: id to split.

    Raises:
        UsageError: a line of it is wrong.
    """
    table = files(package) / "data" / corpus / "splits.csv"
    if not table.is_file():
        return {}
    rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8"), newline="")))
    for line, row in enumerate(rows[1:], 2):
        if len(row) != 2 or row[1] not in get_args(Split):
            raise UsageError(f"{table}:{line}: {','.join(row)!r} is no id and its split, train, validation or test")
    return {name: cast(Split, split) for name, split in rows[1:]}


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
