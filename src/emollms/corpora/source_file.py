"""One raw file, as the table of files pins it."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from emollms.corpora.encodings import check_encoding
from emollms.errors import UsageError
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
