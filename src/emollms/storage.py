"""Files and folders that appear whole or not at all, and locks that keep two processes from writing the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from emollms.errors import UsageError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out for as long as this one works on `path`, through a lock file beside it.

    The lock ends with the process, so a kill leaves nothing to clear. The file stays until the work is done: removing
    it while another process waits would let two in.

    Args:
        path: what is worked on; its folder must exist.

    Raises:
        UsageError: another process holds it.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            yield
            lock.unlink(missing_ok=True)
    except Timeout:
        raise UsageError(
            f"another process is working on {path.parent}; wait for it, or choose another folder"
        ) from None
