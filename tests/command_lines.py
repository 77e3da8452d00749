"""Runs command lines of the package one after the other in a process of their own.

Reads a JSON list of calls from stdin, each a list of words; writes for each its exit code and what it printed.
"""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def run_calls(
    calls: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, script: str = __file__
) -> list[dict[str, Any]]:
    """What each call did: `code`, `out`, `err`; `script` is this one, or one that prepares its process otherwise."""
    done = subprocess.run(
        [sys.executable, script],
        input=json.dumps([shlex.split(call) for call in calls]),
        cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def serve(caught: tuple[type[BaseException], ...] = ()) -> None:
    """Run the calls that stdin names; what is `caught` is given instead of an exit code."""
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
            except caught as error:
                code = str(error)
        print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}), flush=True)


if __name__ == "__main__":
    serve()
