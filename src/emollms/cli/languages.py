"""`emollms languages`: the languages of the corpora."""

import typer

from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_table

_LIST = examples("emollms languages", "emollms languages list --json")

app = typer.Typer(
    name="languages", cls=NounGroup, epilog=_LIST,
    help="List the languages of the corpora, for --language and --languages.",
)  # fmt: skip


@app.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the languages, with the corpora that have each, and the tasks of those corpora."""
    from emollms.corpora.registry import languages

    rows = []
    for code, having in languages().items():
        names = [corpus.meta.name for corpus in having]
        tasks = list(dict.fromkeys(task for corpus in having for task in corpus.meta.tasks))
        rows.append((code, Cell(names, " ".join(names)), Cell(tasks, " ".join(tasks))))
    print_table(("code", "corpora", "tasks"), rows)
