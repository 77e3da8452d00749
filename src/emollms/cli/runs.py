"""`emollms runs`: the trainings and evaluations that lie on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_table

_LIST = examples("emollms runs", "emollms runs list out", "emollms runs list out/scores --json")

app = typer.Typer(
    name="runs", cls=NounGroup, epilog=_LIST,
    help="List the trainings and evaluations that lie in a folder, with their scores.",
)  # fmt: skip


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_(
    place: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The folder; by default `out`, or this one without an `out`.")
    ] = None,
) -> None:
    """List the trainings and evaluations in a folder, with their scores, and whether they have finished."""
    from emollms.training.runs import find_runs

    found = find_runs(place or default_place())
    rows = [
        (
            one.kind, Cell(one.is_finished, "finished" if one.is_finished else "unfinished"), one.name, one.data,
            Cell(one.scores, ", ".join(f"{task} {value:.3f}" for task, value in one.scores.items())), one.folder,
        )
        for one in found
    ]  # fmt: skip
    print_table(("kind", "finished", "name", "data", "scores", "folder"), rows)


def default_place() -> Path:
    """Where results are looked for: `out`, as the examples have it, or this folder."""
    return Path("out") if Path("out").is_dir() else Path()
