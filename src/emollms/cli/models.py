"""`emollms models`: what can annotate or be evaluated by its name alone."""

import typer

from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_note, print_table

_LIST = examples("emollms models", "emollms models list --json")

app = typer.Typer(
    name="models", cls=NounGroup, epilog=_LIST,
    help="List the models and baselines that can annotate or be evaluated by their names alone.",
)  # fmt: skip


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the models of the package, the baselines, and what the Hub's cache holds."""
    from emollms.annotation.models import known_models

    rows = [
        (one.name, one.option, Cell(one.is_here, "yes" if one.is_here else "no"), one.where, one.about)
        for one in known_models()
    ]
    print_table(("name", "option", "here", "where", "about"), rows)
    print_note("--model also takes a folder, or OWNER/MODEL[@REVISION] on the Hub, which is fetched on first use.")
