"""As `command_lines`, where torch cannot be imported and no connection can be made."""

import importlib.abc
import os
import socket
import sys
from typing import Any, NoReturn

from command_lines import serve

from emollms import progress

HEAVY = ("torch", "transformers", "trl", "peft", "accelerate", "vllm")


class Forbidden(BaseException):
    """What no handler of errors catches."""


class NoHeavyImports(importlib.abc.MetaPathFinder):
    """Refuses what takes seconds to import."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] in HEAVY and not _only_looks():
            raise Forbidden(f"{name} is imported")


def _only_looks() -> bool:
    """Whether `importlib.util.find_spec` asks, which imports nothing."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "find_spec" and frame.f_globals.get("__name__") == "importlib.util":
            return True
        frame = frame.f_back
    return False


def no_network(*_: object, **__: object) -> NoReturn:
    # In whichever thread it is, and whatever catches errors there: the process ends, and the test with it.
    print("the network is asked", file=sys.__stderr__, flush=True)
    os._exit(99)


def main() -> None:
    sys.meta_path.insert(0, NoHeavyImports())
    socket.getaddrinfo = socket.create_connection = no_network
    socket.socket.connect = no_network  # type: ignore[method-assign]
    progress.EVERY = 1e9  # on a slow machine a line would tell that a call has taken ten seconds
    serve((Forbidden,))


if __name__ == "__main__":
    main()
