"""The data side never imports torch, and imports go upwards in the design's list only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "emollms"
ORDER = (
    "errors", "optional", "progress", "locations", "retry", "network", "storage", "tables", "tasks", "text_repair",
    "templates", "charts", "bfloat16", "hardware", "prompts", "corpora", "dedup", "pii", "expectations", "dataset",
    "inference", "evaluation", "report", "training", "annotation", "hub", "cli",
)  # fmt: skip
DATA_SIDE = (
    "locations", "network", "progress", "tables", "tasks", "text_repair", "templates", "charts", "prompts", "corpora",
    "dedup", "pii", "expectations", "dataset", "hub",
)  # fmt: skip


def layer(module: str) -> str:
    return module.removeprefix("emollms.").split(".")[0]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_go_upwards(path: Path) -> None:
    own = path.relative_to(SOURCE).with_suffix("").parts[0]
    if own not in ORDER:
        assert own in ("__init__", "__main__")
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name and name.startswith("emollms.") and layer(name) in ORDER:
                assert ORDER.index(layer(name)) <= ORDER.index(own), f"{path}: imports {name}"


def test_builders_import_the_engine_and_never_each_other() -> None:
    for path in (SOURCE.parents[1] / "builders").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("emollms"):
                assert layer(node.module or "") in ("corpora", "tasks", "text_repair"), f"{path}: imports {node.module}"


def test_the_data_side_never_imports_torch() -> None:
    modules = [
        f"emollms.{'.'.join(path.relative_to(SOURCE).with_suffix('').parts)}".removesuffix(".__init__")
        for part in DATA_SIDE
        for path in [SOURCE / f"{part}.py", *(SOURCE / part).rglob("*.py")]
        if path.is_file()
    ]
    assert len(modules) > 20
    script = f"import sys\nfor name in {modules!r}: __import__(name)\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
