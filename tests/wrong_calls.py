"""As `command_lines`, where torch cannot be imported and no connection can be made; and the wrong calls themselves."""

import importlib.abc
import os
import socket
import sys
from pathlib import Path
from shutil import copytree
from typing import Any, NoReturn

from command_lines import serve

from emollms import progress

GOLDEN = Path(__file__).parent / "golden" / "wrong_calls"
HEAVY = ("torch", "transformers", "trl", "peft", "accelerate", "vllm")


def golden_calls() -> dict[Path, list[str]]:
    """The calls in each golden file, without the name of the program."""
    start = "$ emollms "
    return {
        path: [line.removeprefix(start) for line in path.read_text(encoding="utf-8").splitlines()
               if line.startswith(start)]
        for path in sorted(GOLDEN.glob("*.txt"))
    }  # fmt: skip


def make_folder(folder: Path) -> Path:
    """Fill a folder with what the calls find, and give it back."""
    from emollms.dataset.build import build_repo
    from emollms.dataset.specs import DATA_SETS, Settings

    for name in ("aaid", "aeb"):
        build_repo(Settings(DATA_SETS[name], corpora=("sample",)), folder / name, validate=False)
    for name in ("empty", "out", "tiny"):
        (folder / name).mkdir()
    (folder / "out" / "something").write_text("of others")
    (folder / "notes.txt").write_text("mine")
    (folder / "posts.csv").write_text("id,text\n1,Never again.\n")
    (folder / "bad.yaml").write_text("learning_rate: [1\n")
    (folder / "tiny" / "config.json").write_text("{}")
    copytree(folder / "aeb", folder / "damaged")
    (folder / "damaged" / "manifest.json").write_text("{")
    return folder


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
