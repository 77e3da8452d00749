"""`emollms report`: what evaluations found, to look at."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emollms.cli.output import examples, print_note

app = typer.Typer()

_REPORT = examples(
    "emollms report out/scores/my-model --out report.html --compare published",
    "emollms report out/scores/old out/scores/new out/scores/vader --out report.html",
    "emollms report out/scores/my-model --data owner/aeb@v1.0.0 --out report.md",
)


class Others(StrEnum):
    """What stands beside the runs."""

    published = "published"


@app.command(epilog=_REPORT)
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Folders of `emollms evaluate`; the first is the one to beat.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="A file that ends in .html, .md or .json.")],
    compare: Annotated[Others | None, typer.Option(help="The scores of the paper's models beside them.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR|REPO[@REV]", help="The data set, if it is not where the runs found it.")
    ] = None,
    worst: Annotated[int, typer.Option(metavar="N", help="Rows to read, of each run and task.")] = 8,
    show_texts: Annotated[
        bool, typer.Option("--show-texts", help="Show also texts that may not be passed on; keep such a report.")
    ] = False,
) -> None:
    """Make a page of evaluations: scores with intervals, pictures, the worst rows, and how to do it again."""
    from emollms.report.write import check_form, make_report, write_report

    check_form(out)
    made = make_report(
        runs, data=data, with_published=compare is Others.published, show_texts=show_texts, worst_rows=worst
    )
    write_report(made, out)
    for note in made.notes:
        print_note(note)
    print_note(f"wrote {out}")
