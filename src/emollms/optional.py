"""Packages that come with an extra: imported when they are used; one that is missing is a line with the pip command."""

from importlib import import_module
from typing import Any

from emollms.errors import UsageError


def require(module: str, extra: str, what: str = "this") -> Any:
    """Import a module of an optional package.

    Args:
        module: its name, such as `scipy.stats`.
        extra: the extra that brings it, such as `evaluate`.
        what: what it is needed for, as the user typed it.

    Raises:
        UsageError: it is not installed; the message has the pip command.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise UsageError(f"{what} needs {missing.name}; install it with: pip install 'emollms[{extra}]'") from None
