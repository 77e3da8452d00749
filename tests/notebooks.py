"""Runs notebooks, each in an empty folder, and writes what their cells print into them.

python tests/notebooks.py docs/notebooks/*.ipynb
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def execute(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of its cells, but for what they write to stderr, which is progress."""
    notebook = nbformat.read(path, as_version=4)
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=1800,
            coalesce_streams=True,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute(env={**os.environ, **environment})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    return notebook


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """What each cell prints, without cells tagged `varies`: times, and what depends on the machine."""
    return [
        "".join(one.get("text") or one.get("data", {}).get("text/plain", "") for one in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code" and "varies" not in cell.metadata.get("tags", [])
    ]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        done = execute(Path(name))
        done.metadata = {"kernelspec": done.metadata.kernelspec, "language_info": {"name": "python"}}
        nbformat.write(done, name)
        print(f"{name}: {sum(cell.cell_type == 'code' for cell in done.cells)} cells")
