"""`emollms validate`, `statistics` and `suites`: checks of data sets and corpora, and their statistics."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emollms.cli import complete
from emollms.cli.base import NounGroup, TableCommand
from emollms.cli.output import Cell, examples, print_note, print_table
from emollms.errors import UsageError

if TYPE_CHECKING:
    from emollms.expectations.report import GateReport

app = typer.Typer()

_VALIDATE = examples(
    "emollms validate out/aaid",
    "emollms validate out/aaid --against out/aeb --html aaid.html",
    "emollms validate owner/aeb@v1.0.0",
    "emollms validate goemotions",
)
_STATISTICS = examples("emollms statistics tdt", "emollms statistics tdt vader --out validation/statistics")
_LIST = examples("emollms suites", "emollms suites list --json")
_SHOW = examples("emollms suites show aeb", "emollms suites show corpora/tdt --json")

suites = typer.Typer(
    name="suites", cls=NounGroup, epilog=_LIST,
    help="List the suites of expectations that data sets and corpora are checked against, and show one.",
)  # fmt: skip
app.add_typer(suites)


@app.command(epilog=_VALIDATE, cls=TableCommand)
def validate(
    target: Annotated[
        str, typer.Argument(metavar="DIR|REPO[@REV]|CORPUS", help="A data set here or on the Hub, or a source corpus.")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the checks, and pictures.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="DIR|REPO[@REV]", help="A benchmark whose texts must not be for training.")
    ] = None,
) -> None:
    """Check a data set, or a source corpus, against its suite of expectations; exit 1 if it fails."""
    from emollms.dataset.validation import validate as run
    from emollms.expectations.report import GateFailed

    report = run(target, html=html, against=against, progress=True)
    _print(report)
    if html:
        print_note(f"wrote {html}")
    if not report.success:
        raise GateFailed(report)


@app.command(epilog=_STATISTICS)
def statistics(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Names of corpora.", autocompletion=complete.corpus)
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write DIR/NAME.json for each; by default they are printed.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="The folder of the corpora, in place of EMOLLMS_CORPORA."),
    ] = None,
) -> None:
    """Count what source corpora hold: texts, classes, labels, scores, lengths; `validation/statistics` is made so."""
    from emollms.corpora.registry import get_corpus
    from emollms.dataset.validation import corpus_statistics, statistics_json
    from emollms.storage import write_whole

    if out is not None and out.is_file():
        raise UsageError(f"{out} is a file; name a folder")
    for corpus in [get_corpus(name) for name in dict.fromkeys(names)]:
        text = statistics_json(corpus_statistics(corpus, None if corpus.meta.bundled else source))
        if out is None:
            sys.stdout.write(text)
        else:
            write_whole(out / f"{corpus.meta.name}.json", text)


def _print(report: "GateReport") -> None:
    columns = ("check", "where", "result", "rows", "failed", "observed")
    print_table(
        columns,
        [(one.name, one.scope, one.status, one.checked, one.failed, one.note or one.observed) for one in report.checks],
    )
    for one in report.checks:
        for row in one.rows:
            print_note(f"{one.name}: {row.id}: {row.value}")
    print_note(str(report))


@suites.command("list", epilog=_LIST, cls=TableCommand)
def list_() -> None:
    """List the suites of expectations: those of data sets, and those of source corpora."""
    from emollms.expectations.suites import load_suite, suite_names

    found = [(name, load_suite(name)) for name in suite_names()]
    print_table(("name", "expectations", "about"), [(name, len(one.expectations), one.about) for name, one in found])


@suites.command(epilog=_SHOW, cls=TableCommand)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a suite.", autocompletion=complete.suite)],
) -> None:
    """Show the expectations of a suite, with those that it includes: what holds, and of what."""
    from emollms.expectations.suites import load_suite

    columns = ("name", "holds", "table", "each", "tasks", "splits", "profiles")
    rows = [
        (one.name, one.holds, one.table, one.each,
         *(Cell(names, " ".join(names)) for names in (one.tasks, one.splits, one.profiles)))
        for one in load_suite(name).expectations
    ]  # fmt: skip
    print_table(columns, rows)
