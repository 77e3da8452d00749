"""The notebooks run, and print what they show."""

from pathlib import Path

import nbformat
import pytest
from notebooks import execute, printed

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_it_shows(path: Path) -> None:
    assert printed(execute(path)) == printed(nbformat.read(path, as_version=4))
