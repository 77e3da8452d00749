"""Names on the command line: which mean a place on this machine, and which a repo on the Hub."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from emollms.errors import UsageError

SUFFIXES = frozenset(
    (".parquet", ".jsonl", ".json", ".csv", ".tsv", ".txt", ".gz", ".zip", ".yaml", ".yml", ".safetensors", ".gguf")
)
"""Endings of files; a name that ends so is never a repo."""

_REPO = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class HubRepo:
    """A repo on the Hub, as the command line names it.

    Args:
        repo: `OWNER/NAME`.
        revision: branch, tag or commit; None for the newest.
    """

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def is_local(name: str) -> bool:
    """Whether a name means a place on this machine, be it there or not, and not a repo on the Hub.

    It does where something of this name is here; where it starts with `.`, `/` or `~`, has more than one slash, or
    ends like a file; or where its first part is a folder here: `out/nope` is a missing folder before it is a repo of
    the owner `out`. A revision (`out/nope@main`) says that a repo is meant.
    """
    if Path(name).exists() or name.startswith((".", "/", "~", "\\")) or Path(name).is_absolute():
        return True
    stem, at, _ = name.partition("@")
    if stem.count("/") > 1 or "\\" in stem or Path(stem).suffix.lower() in SUFFIXES:
        return True
    owner, slash, _ = stem.partition("/")
    return bool(slash) and not at and Path(owner).is_dir()


def hub_repo(name: str, kinds: str = "a folder") -> HubRepo:
    """The repo that a name means which is not of this machine.

    Args:
        name: `OWNER/NAME` or `OWNER/NAME@REVISION`.
        kinds: what else the name could have been, for the error.

    Raises:
        UsageError: it means a place on this machine that is not there, or nothing at all.
    """
    if is_local(name):
        raise missing(name)
    found = _REPO.fullmatch(name)
    if not found:
        raise UsageError(f"{name} is neither {kinds} nor a repo on the Hub (OWNER/NAME or OWNER/NAME@REVISION)")
    return HubRepo(found["repo"], found["revision"])


def missing(name: str) -> UsageError:
    """The error for a place on this machine that is not there."""
    kind = "file" if Path(name).suffix.lower() in SUFFIXES else "folder"
    hint = ""
    if _REPO.fullmatch(name) and kind == "folder" and not name.startswith("."):
        hint = f"; if you mean the repo on the Hub, write {name}@main"
    return UsageError(f"there is no {kind} {name}{hint}")


def cache_root() -> Path:
    """Where the package keeps what it made: `EMOLLMS_CACHE`, else `emollms` in the user's cache (`XDG_CACHE_HOME`).

    Raises:
        RuntimeError: there is no home folder.
    """
    root, xdg = os.environ.get("EMOLLMS_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    if root:
        return Path(root)
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "emollms"


def check_there(name: str | None) -> None:
    """Make sure that a place on this machine is there, where one is named; a repo on the Hub is not asked for.

    Raises:
        UsageError: it is not.
    """
    if name is not None and is_local(name) and not Path(name).exists():
        raise missing(name)


def check_free(out: Path) -> None:
    """Make sure that a new folder can take this place.

    Raises:
        UsageError: something is there already, and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; choose another --out")


def check_folder(folder: Path | None) -> None:
    """Make sure that a folder is there, where one is named.

    Raises:
        UsageError: it is not.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder") if folder.exists() else missing(str(folder))


def check_file(file: Path | None) -> None:
    """Make sure that a file is there, where one is named.

    Raises:
        UsageError: it is not.
    """
    if file is not None and not file.is_file():
        raise UsageError(f"{file} is a folder; name a file" if file.is_dir() else f"there is no file {file}")
