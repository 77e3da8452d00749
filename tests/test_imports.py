"""The data side never imports torch; imports go upwards in the design's list only, with no circle; names are unique."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "emollms"
FOLDERS = {"emollms": SOURCE} | {f"emollms.{name}": SOURCE.parents[1] / name for name in ("builders", "recipes")}
ORDER = (
    "errors", "optional", "progress", "locations", "retry", "network", "storage", "tables", "tasks", "text_repair",
    "templates", "charts", "bfloat16", "hardware", "prompts", "corpora", "dedup", "pii", "expectations", "dataset",
    "inference", "evaluation", "report", "training", "annotation", "hub", "doctor", "cli",
)  # fmt: skip
DATA_SIDE = (
    "locations", "network", "progress", "tables", "tasks", "text_repair", "templates", "charts", "prompts", "corpora",
    "dedup", "pii", "expectations", "dataset", "hub",
)  # fmt: skip


def layer(module: str) -> str:
    return module.removeprefix("emollms.").split(".")[0]


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, parsed, by name."""
    return {
        ".".join([package, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__"): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for package, folder in FOLDERS.items()
        for path in sorted(folder.rglob("*.py"))
    }


def imported(name: str) -> set[str]:
    """The modules of the package that a module imports anywhere, inside functions too, but not for types alone."""
    found = set()
    for node in executed(modules()[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{one.name}" for one in node.names}
            found |= {one if one in modules() else node.module for one in names}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
    return found & modules().keys() - {name}


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """A tree without what stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield child
            yield from executed(child)


def test_no_circle_among_files() -> None:
    graph = {name: imported(name) for name in modules()}
    TopologicalSorter(graph).prepare()  # CycleError names the files of a circle


def test_no_class_name_twice() -> None:
    places = defaultdict(list)
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


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
