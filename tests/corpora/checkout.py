"""A checkout of its own, to which a test can add a corpus: builders, suites and tests are copies, the engine is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("builders", "validation")
LINKED = ("cards", "recipes", "models")


class Checkout:
    """A checkout in a folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        site = root / "site" / "emollms"
        site.mkdir(parents=True)
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            (site / name).symlink_to(root / name)
        (root / "tests" / "builders").mkdir(parents=True)
        for entry in (ROOT / "src" / "emollms").iterdir():
            (site / entry.name).symlink_to(entry)
        for name in LINKED:
            (site / name).symlink_to(ROOT / name)

    def python(self, *words: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Python, with this checkout in place of the one that is installed."""
        environment = {**os.environ, "PYTHONPATH": str(self.root / "site"), "XDG_CACHE_HOME": str(self.root / "cache")}
        environment.pop("EMOLLMS_CORPORA", None)
        command = [sys.executable, *map(str, words)]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def emollms(self, *words: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """A command."""
        return self.python("-m", "emollms", *words, code=code)
