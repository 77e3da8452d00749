"""Runs Python code, each time in a fork of a process that has imported what it needs: that takes seconds.

`python forks.py MODULE…` is the process that forks.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

BUILDS = ("emollms.cli", "emollms.dataset.build", "emollms.dedup.screen", "emollms.expectations.gx", "pandas")
"""What the commands that read corpora and build data sets import."""
ANNOTATES = (
    "emollms.cli", "emollms.annotation.open", "emollms.annotation.run", "emollms.inference.transformers_engine",
    "transformers.models.llama.modeling_llama", "vaderSentiment.vaderSentiment",
)  # fmt: skip
"""What the commands that annotate import."""


class Forks:
    """A process that has imported modules, and runs code in forks of itself. Use as a context manager.

    Args:
        modules: what it imports.
    """

    def __init__(self, *modules: str) -> None:
        command = [sys.executable, __file__, *modules]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self, script: str, *arguments: object, folder: Path, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """What a script does.

        Args:
            script: Python code.
            arguments: what `sys.argv[1:]` has.
            folder: where it runs, and what it prints is put into `out` and `err`.
            environment: its environment; None for that of this process.
        """
        folder.mkdir(exist_ok=True)
        job = {
            "script": script,
            "arguments": list(map(str, arguments)),
            "environment": dict(os.environ if environment is None else environment),
            "folder": str(folder),
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline()
        assert code, "the process that forks has ended"
        out, err = ((folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return subprocess.CompletedProcess(script, int(code), out, err)

    def emollms(
        self, *arguments: object, folder: Path, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """What a command of the package does; folder and environment as for `run`."""
        return self.run("from emollms.cli import main; main()", *arguments, folder=folder, environment=environment)


def serve(names: dict[str, Any]) -> None:
    """Run the jobs that stdin names, and print the exit code of each; scripts find `names`."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line), names)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(job: dict[str, Any], names: dict[str, Any]) -> NoReturn:
    """Run a script and leave; nothing of the process's own end is run, as after a kill."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(job["folder"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["script", *job["arguments"]]
    code = 1
    try:
        exec(compile(job["script"], "script", "exec"), {"__name__": "__main__", **names})
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for module in sys.argv[1:]:
        import_module(module)
    serve({})
