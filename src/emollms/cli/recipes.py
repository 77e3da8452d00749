"""`emollms recipes`: the training runs that come with the package, what they take, and whether they work."""

from typing import Annotated

import typer

from emollms.cli import complete
from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_error, print_note, print_table
from emollms.optional import require
from emollms.progress import show_progress

_LIST = examples("emollms recipes", "emollms recipes list", "emollms recipes | cut -f 1,5")
_SHOW = examples("emollms recipes show emosmol-135m", "emollms recipes show qwen3-8b-qlora > my-recipe.yaml")
_CHECK = examples("emollms recipes check", "emollms recipes check emosmol-135m my-recipe.yaml")

app = typer.Typer(
    name="recipes",
    cls=NounGroup,
    epilog=_LIST,
    help="List the training runs that come with the package, show one, and check that they work.",
)


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the recipes: model, method, and a rule of thumb for the memory of each device and the time."""
    from emollms.training.estimate import H100, TWO_CORES, estimate
    from emollms.training.recipe import find_recipes, load_recipe

    rows = []
    for name in find_recipes():
        recipe = load_recipe(name)
        found = estimate(recipe)
        devices = f"{found.devices} × " if found.devices > 1 else ""
        one, alone = found.seconds(H100), found.seconds(TWO_CORES, 1)
        rows.append(
            (
                name, recipe.values["model_name_or_path"], found.method,
                Cell(found.parameters, f"{found.parameters / 1e9:.2f} B"),
                Cell(found.memory, f"{devices}{found.memory / 1e9:.0f} GB"), Cell(one, f"{devices}{time_of(one)}"),
                Cell(alone, time_of(alone)), recipe.about,
            )
        )  # fmt: skip
    print_table(("name", "model", "method", "size", "memory", H100.name, TWO_CORES.name, "about"), rows)
    print_note(
        "Memory of each device and time on AAID are estimates by a rule of thumb; `emollms train` measures them."
    )


@app.command(epilog=_SHOW)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a recipe.", autocompletion=complete.recipe)],
) -> None:
    """Print a recipe, to read it or to start your own from it."""
    from emollms.training.recipe import load_recipe

    print(load_recipe(name).path.read_text(encoding="utf-8"), end="")


@app.command(epilog=_CHECK, cls=TableCommand)
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|FILE", help="Names or files; by default all recipes.", autocompletion=complete.recipe
        ),
    ] = None,
) -> None:
    """Test recipes offline: parse each, and train a tiny random model of its family for one step; exit 1 if one fails.

    What needs a GPU is left out: quantisation, and the settings of accelerate, which only have to exist.
    """
    from emollms.training.api import set_library_defaults
    from emollms.training.recipe import find_recipe, find_recipes

    wanted = list(dict.fromkeys(names or find_recipes()))
    for name in wanted:
        find_recipe(name)
    set_library_defaults()
    dry_run = require("emollms.training.dry_run", "train")
    checked = []
    with show_progress("recipes", "making data and tiny models") as on_progress:
        for one in dry_run.check_recipes(wanted):
            checked.append(one)
            on_progress(one.name, len(checked), len(wanted))
    rows = [
        (one.name, one.method, "failed" if one.problem else "ok", "" if one.loss is None else f"{one.loss:.3f}")
        for one in checked
    ]
    print_table(("recipe", "method", "result", "loss"), rows)
    failed = [one for one in checked if one.problem]
    for one in failed:
        print_error(f"{one.name}: {one.problem}")
    print_note(f"{len(checked) - len(failed)} of {len(checked)} recipes work")
    if failed:
        raise typer.Exit(1)


def time_of(seconds: float) -> str:
    """Minutes, hours or days, whichever is the most readable."""
    for unit, size, most in (("min", 60, 100), ("h", 3600, 100)):
        if seconds / size < most:
            return f"{max(1, round(seconds / size))} {unit}"
    return f"{round(seconds / 86400):,} days"
