"""Packages of the extra `evaluate`, imported where they are needed."""

import importlib
from typing import Any

from emollms.errors import UsageError


def needed(module: str) -> Any:
    """Import `module`.

    Raises:
        UsageError: it is not installed; the message gives the line that adds it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"evaluation needs the package that has {missing.name}; run `pip install 'emollms[evaluate]'`"
        ) from missing
