"""The worked example prints what it shows."""

import json
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "estimate.ipynb"


def test_the_notebook_prints_what_it_shows(tmp_path: Path) -> None:
    cells = [one for one in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if one["cell_type"] == "code"]
    code = "\n".join("".join(one["source"]) for one in cells)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = "".join("".join(output["text"]) for one in cells for output in one["outputs"])
    assert done.stdout == shown
    assert "so that no difference is shown; by the model's answers alone it would be above 0 beyond chance" in shown
