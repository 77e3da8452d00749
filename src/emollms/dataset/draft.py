"""A folder that appears whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from emollms.errors import EmollmsError, UsageError

LOCK = ".lock"


@contextmanager
def draft(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; the caller moves it in with `move_in`.

    What an earlier run left there, killed or failed, is removed first. A failed draft is kept for a look, and the error
    names it; one that nothing was written to is removed.

    Raises:
        UsageError: another run is writing the same thing.
    """
    folder = out.with_name(f".{out.name}.draft")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            _empty(folder)
            try:
                yield folder
            except Exception as error:
                _name_draft(error, folder)
                raise
    except Timeout:
        raise UsageError(f"another run is writing {out}; wait for it, or choose another --out") from None


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


def move_in(folder: Path, out: Path) -> None:
    """Put a finished draft in its place; what stands there is replaced.

    A kill between the two renames leaves the old folder under its other name, and `bring_back` undoes that.
    """
    (folder / LOCK).unlink(missing_ok=True)
    old = _replaced(out)
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def keep_failed(folder: Path, out: Path) -> Path:
    """Put a draft that failed beside `out`, in place of an earlier one, for people to look at; gives its new place."""
    (folder / LOCK).unlink(missing_ok=True)
    failed = out.with_name(f"{out.name}.failed")
    shutil.rmtree(failed, ignore_errors=True)
    folder.rename(failed)
    return failed


def _replaced(out: Path) -> Path:
    return out.with_name(f".{out.name}.replaced")


def bring_back(out: Path) -> None:
    """Undo half a replacement: where a run was killed between its two renames, what stood in `out` comes back."""
    old = _replaced(out)
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()
