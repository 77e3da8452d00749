"""`emollms report`: a page of evaluations."""

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


class ComparedModels(StrEnum):
    """What is shown beside the runs."""

    published = "published"


@app.command(epilog=_REPORT)
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="DIR", help="Folders of `emollms evaluate`; the first is the reference."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="A file that ends in .html, .md or .json.")],
    compare: Annotated[ComparedModels | None, typer.Option(help="Show the paper's models, too.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR|REPO[@REV]", help="The data set, if it is not where the runs found it.")
    ] = None,
    worst: Annotated[int, typer.Option(metavar="N", help="Rows to read, of each run and task.")] = 8,
    show_texts: Annotated[
        bool, typer.Option("--show-texts", help="Show also texts that may not be passed on; keep such a report.")
    ] = False,
) -> None:
    """Make a page of evaluations: scores with intervals, charts, the worst rows, and how to reproduce them."""
    from emollms.report.build import make_report

    made = make_report(
        runs, out, compare=compare.value if compare else None, data=data, worst=worst, show_texts=show_texts
    )
    for note in made.notes:
        print_note(note)
    print_note(f"wrote {out}")
