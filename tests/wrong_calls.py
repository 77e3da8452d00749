"""Runs command lines one after the other where torch cannot be imported and no connection can be made.

Reads a JSON list of calls from stdin, each a list of words; writes for each its exit code and what it printed.
"""

import contextlib
import importlib.abc
import io
import json
import socket
import sys
from typing import Any, NoReturn

HEAVY = ("torch", "transformers", "trl", "peft", "accelerate", "vllm")


class Forbidden(BaseException):
    """What no handler of errors catches."""


class NoHeavyImports(importlib.abc.MetaPathFinder):
    """Refuses what takes seconds to import."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        # A library that only looks whether another is there does not get as far as its submodules.
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


asked: list[str] = []
"""Filled in whichever thread asks; what is raised there may get lost."""


def no_network(*_: object, **__: object) -> NoReturn:
    asked.append("the network is asked")
    raise OSError("there is no network")


def main() -> None:
    sys.meta_path.insert(0, NoHeavyImports())
    socket.getaddrinfo = socket.create_connection = no_network
    socket.socket.connect = no_network  # type: ignore[method-assign]
    from emollms import cli

    for words in json.load(sys.stdin):
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ["emollms", *words]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main()
                code: object = 0
            except SystemExit as end:
                code = end.code
            except Forbidden as error:
                code = str(error)
        code = asked.pop() if asked else code
        asked.clear()
        print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}))


if __name__ == "__main__":
    main()
