"""Files and folders that appear whole or not at all, and locks that keep two processes from writing the same."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from emollms.errors import EmollmsError, UsageError

LOCK = ".lock"
CALIBRATION = "calibration.json"
"""The file in a model's folder or repo that `emollms calibrate` wrote; it is about the weights, and none of them."""
_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", "*.json", "*.model", "*.jinja", "*.txt")


class Strict(BaseModel):
    """A record that is kept in a file; unknown keys are errors, so that no misspelt one is silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@contextmanager
def locked(lock: Path, busy: str | None = None) -> Iterator[None]:
    """Keep other processes out by means of a lock file, which ends with the process: a kill leaves nothing to clear.

    Args:
        lock: the file; its folder must exist. It stays, since to remove it while another process waits lets two in.
        busy: what to say where another process holds it; None to wait for that one.

    Raises:
        UsageError: another process holds it.
    """
    try:
        with FileLock(lock, timeout=-1 if busy is None else 0):
            yield
    except Timeout:
        raise UsageError(str(busy)) from None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that appears whole, or stays as it was, and is on the disk when this returns.

    Args:
        path: the file; its folder is made if it is not there. A link stays one, and permissions stay as they are.
        content: what it holds; text as UTF-8.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: object, indent: int | None = 2) -> None:
    """Write JSON as `write_whole` does; there is no NaN in it."""
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")


@contextmanager
def draft(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; the caller moves it to its place with `commit`.

    What an earlier run left there, killed or failed, is removed first. A failed draft is kept for a look, and the error
    names it; one that nothing was written to is removed.

    Raises:
        UsageError: another run is writing the same thing.
    """
    folder = out.with_name(f".{out.name}.draft")
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, f"another run is writing {out}; wait for it, or choose another --out"):
        _empty(folder)
        try:
            yield folder
        except Exception as error:
            _name_draft(error, folder)
            raise


def commit(folder: Path, out: Path) -> None:
    """Move a finished draft to its place; what is there is replaced.

    A kill between the two renames leaves the old folder under its other name, and `recover` undoes that.
    """
    (folder / LOCK).unlink(missing_ok=True)
    old = _replaced(out)
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def keep_failed(folder: Path, out: Path) -> Path:
    """Move a draft that failed beside `out`, in place of an earlier one, for people to look at; gives its new place."""
    (folder / LOCK).unlink(missing_ok=True)
    failed = out.with_name(f"{out.name}.failed")
    shutil.rmtree(failed, ignore_errors=True)
    folder.rename(failed)
    return failed


def recover(out: Path) -> None:
    """Undo half a replacement: where a run was killed between its two renames, what `out` held comes back."""
    old = _replaced(out)
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def weights_hash(folder: Path) -> str:
    """`sha256:` and a hash over name and content of each file of a model but its calibration, by name."""
    total = hashlib.sha256()
    for path in sorted({path for kind in _WEIGHTS for path in folder.glob(kind)} - {folder / CALIBRATION}):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{path.name} {digest}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _replaced(out: Path) -> Path:
    return out.with_name(f".{out.name}.replaced")


def _name_draft(error: Exception, folder: Path) -> None:
    """Tell in an error where the draft is that it leaves."""
    if not folder.is_dir():  # it was put elsewhere, or is in its place already
        return
    if not any(path.is_file() and path.name != LOCK for path in folder.rglob("*")):
        shutil.rmtree(folder, ignore_errors=True)
    elif isinstance(error, EmollmsError):
        error.args = (f"{error} (what was written until then is kept in {folder})",)
    elif isinstance(error, OSError) and error.filename is None:
        error.filename = str(folder)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()
