"""A Hub for tests: the server in a process of its own, and the client in others."""

import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

PYTHON_PATH = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))


@dataclass(frozen=True)
class Done:
    """What a process did."""

    code: int
    out: str
    err: str

    def json(self) -> object:
        """The last line of output, read as JSON."""
        return json.loads(self.out.splitlines()[-1])


class Server:
    """The server, and by way of upload a process that runs scripts. Use as a context manager.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = _start("hub", dict(os.environ) | {"PYTHONPATH": PYTHON_PATH})
        self.address = _line(self._process.stdout)
        self._zygotes: dict[tuple[bool, bool], subprocess.Popen[str]] = {}

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        for process in (*self._zygotes.values(), self._process):
            process.stdin.close()
            process.wait()
            process.stdout.close()

    def environment(self, xet: bool, token: str, folder: Path | None = None) -> dict[str, str]:
        """The environment of a client: nothing of the user's own account, and a home of its own."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return own | {
            "HF_ENDPOINT": self.address,
            "HF_TOKEN": token,
            "HF_HOME": str(self.folder / f"home-{'xet' if xet else 'lfs'}"),
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "HF_XET_TELEMETRY_ENABLED": "0",
            "HF_XET_CACHE": str((folder or self.folder) / "xet"),
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "1ms",
            "NO_PROXY": "*",
            "PYTHONPATH": PYTHON_PATH,
        }

    def run(self, job: dict[str, object], xet: bool, models: bool = False) -> int:
        """Run a script in a fork, of a process that has imported what models need where that is said; its exit code."""
        key = (xet, models)
        if key not in self._zygotes:
            arguments = ("models",) if models else ()
            self._zygotes[key] = _start("hub.zygote", self.environment(xet, "hf_write"), *arguments)
            _line(self._zygotes[key].stdout)
        process = self._zygotes[key]
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        return int(_line(process.stdout))

    def ask(self, method: str, path: str, body: object = None) -> object:
        """Call an endpoint of the server itself."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc)
        connection.request(method, path, json.dumps(body))
        answer = connection.getresponse().read()
        connection.close()
        return json.loads(answer)


class TestHub:
    """The Hub as one test sees it.

    Args:
        server: the server, which other tests use as well.
        folder: a folder of the test.
        xet: whether clients upload by Xet.
    """

    __test__ = False
    _numbers = count()

    def __init__(self, server: Server, folder: Path, xet: bool) -> None:
        self.server, self.folder, self.xet = server, folder, xet
        # Padded: a test that appends to its name (repo-1 and 2) must not arrive at the name of another test (repo-12).
        self.repo = f"me/repo-{next(self._numbers):05}"
        self._log_start = len(server.ask("GET", "/_admin/log"))

    def run(
        self, script: str, *arguments: object, token: str = "hf_write", code: int | None = 0, models: bool = False
    ) -> Done:
        """Run Python code with the client; `sys.argv[1:]` are the arguments. The exit code must be `code`.

        `models` is for scripts that load models: they run where that is imported already.
        """
        environment = self.server.environment(self.xet, token, self.folder)
        job = {
            "script": script,
            "arguments": [str(argument) for argument in arguments],
            "environment": environment,
            "folder": str(self.folder),
        }
        exit_code = self.server.run(job, self.xet, models)
        done = Done(exit_code, (self.folder / "out").read_text(), (self.folder / "err").read_text())
        assert code is None or done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def emollms(self, *arguments: object, **options: object) -> Done:
        """Run a command of the package."""
        return self.run("from emollms.cli import main; main()", *arguments, **options)

    def command(self, *arguments: object, token: str = "hf_write", code: int | None = 0) -> Done:
        """Run a program that was installed with Python, such as `hf`, in a process of its own."""
        program, *others = (str(argument) for argument in arguments)
        command = [str(Path(sys.executable).parent / program), *others]
        environment = self.server.environment(self.xet, token, self.folder)
        found = subprocess.run(
            command,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        done = Done(found.returncode, found.stdout, found.stderr)
        assert code is None or done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def state(self, repo: str | None = None, kind: str = "datasets") -> dict[str, object] | None:
        """All that the server knows of a repo; None if there is none."""
        return self.server.ask("GET", f"/_admin/state/{kind}/{repo or self.repo}")

    def fault(self, match: str, **how: object) -> None:
        """Order a fault: see `hub.faults.Fault`."""
        self.server.ask("POST", "/_admin/faults", {"match": match, **how})

    def push(self, files: dict[str, str], kind: str = "datasets", repo: str | None = None) -> None:
        """Somebody else commits files."""
        self.server.ask("POST", f"/_admin/push/{kind}/{repo or self.repo}", files)

    def collections(self) -> list[dict[str, object]]:
        """All collections of the Hub."""
        return self.server.ask("GET", "/_admin/collections")

    def log(self) -> list[dict[str, object]]:
        """The requests of this test."""
        return self.server.ask("GET", "/_admin/log")[self._log_start :]

    def settings(self, **values: int) -> dict[str, int]:
        """Set the server's `page_size` or `part_size`; gives what they were."""
        return self.server.ask("POST", "/_admin/settings", values)

    def close(self) -> None:
        """Take back the faults; every one must have happened."""
        assert self.server.ask("DELETE", "/_admin/faults") == [], "these faults were ordered and did not happen"


def _start(module: str, environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)


def _line(stream: IO[str] | None) -> str:
    line = stream.readline().strip() if stream else ""
    assert line, "the process ended before it was ready"
    return line
