"""Packages that come with an extra: imported when they are used; one that is missing is a line with the pip command."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from emollms.errors import UsageError


def require(module: str, extra: str | None, what: str = "this") -> Any:
    """Import a module of an optional package.

    Args:
        module: its name, such as `scipy.stats`.
        extra: see `missing`.
        what: see `missing`.

    Raises:
        UsageError: it is not installed, then the message has the pip command, or is broken.
    """
    try:
        with needing(extra, what):
            return import_module(module)
    except ImportError as error:  # such as a build for another CUDA
        raise UsageError(
            f"{what} needs {module}, which cannot be imported: {str(error).partition(chr(10))[0]}"
        ) from None


@contextmanager
def needing(extra: str | None, what: str = "this") -> Iterator[None]:
    """Imports of optional packages; use it in a `with` statement around them alone.

    Args:
        extra: see `missing`.
        what: see `missing`.

    Raises:
        UsageError: one is not installed; the message has the pip command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing([error.name or "a package"], extra, what) from None


def check_installed(modules: Iterable[str], extra: str | None, what: str = "this") -> None:
    """Make sure, without importing them, that modules are installed.

    Args:
        modules: their names.
        extra: see `missing`.
        what: see `missing`.

    Raises:
        UsageError: some are not; the message names them, and has the pip command.
    """
    if absent := [module for module in modules if not is_installed(module)]:
        raise missing(absent, extra, what)


def is_installed(module: str) -> bool:
    """Whether a module could be imported, found without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def missing(modules: Iterable[str], extra: str | None, what: str = "this") -> UsageError:
    """The error for packages that are not installed.

    Args:
        modules: what is not there.
        extra: the extra that brings it, such as `evaluate`; None for a package that no extra brings.
        what: what it is needed for, as the user typed it.
    """
    names = list(modules)
    target = f"'emollms[{extra}]'" if extra else " ".join(names)
    return UsageError(f"{what} needs {', '.join(names)}; install it with: pip install {target}")
