"""`emollms wordings`: the instructions in which tasks are put to a model."""

from typing import Annotated

import typer

from emollms.cli import complete
from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import examples, print_table

_LIST = examples("emollms wordings", "emollms wordings list --json")
_SHOW = examples("emollms wordings show E-c", "emollms wordings show V-reg --language en --json")

app = typer.Typer(
    name="wordings", cls=NounGroup, epilog=_LIST,
    help="List the instructions in which tasks are put to a model, and show those of a task.",
)  # fmt: skip


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List how many wordings each task has, by language."""
    from emollms.prompts.instructions import instruction_languages, wordings
    from emollms.tasks import TASKS

    print_table(
        ("task", "language", "wordings"),
        [(name, code, len(wordings(name, code))) for name in TASKS for code in instruction_languages(name)],
    )


@app.command(epilog=_SHOW, cls=TableCommand)
def show(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name of a task.", autocompletion=complete.task)],
    language: Annotated[
        str, typer.Option(metavar="CODE", help="The language.", autocompletion=complete.language)
    ] = "en",
) -> None:
    """Show the wordings of a task, numbered as in the ids of rows, with their placeholders."""
    from emollms.errors import unknown
    from emollms.prompts.instructions import instruction_languages, wordings
    from emollms.tasks import get_task

    known = instruction_languages(get_task(task).name)
    if language not in known:
        raise unknown(f"language of the wordings of {task}", language, known)
    print_table(("number", "wording"), list(enumerate(wordings(task, language))))
