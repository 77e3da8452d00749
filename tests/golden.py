"""Golden files: what is made is compared with a file in `tests/golden`, which `UPDATE_GOLDEN=1` writes anew."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(path: Path, made: str) -> None:
    """Compare a text with its golden file."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8"), f"{path} differs; if that is right: UPDATE_GOLDEN=1 pytest …"
