"""`emollms templates`: how prompts are framed for a model."""

import typer

from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import examples, print_table

_LIST = examples("emollms templates", "emollms templates list --json")

app = typer.Typer(
    name="templates", cls=NounGroup, epilog=_LIST,
    help="List the ways in which a prompt is framed for a model, for --template.",
)  # fmt: skip


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the templates that --template takes."""
    from emollms.prompts.framing import TEMPLATES

    print_table(("name", "about"), list(TEMPLATES.items()))
