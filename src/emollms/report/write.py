"""A report of evaluations, written as a page, as Markdown or as JSON."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from emollms.errors import UsageError
from emollms.report.build import WORST, Collector
from emollms.report.html import TOO_FEW, environment, groups, render_page, shared, template, verdicts
from emollms.report.inputs import benchmark_of, read_runs
from emollms.report.model import Report
from emollms.storage import write_whole

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|!#&~$@])")
_BREAK = re.compile(r"\s+")
_LINK = re.compile(r"(https?):|(www)\.", re.IGNORECASE)


def render_markdown(report: Report) -> str:
    """The report as Markdown."""
    made = environment(escape=False)
    made.filters["md"] = literal
    return made.from_string(template("report.md.j2")).render(
        report=report,
        names=[run.name for run in report.runs],
        verdicts=verdicts(report),
        shared=shared,
        too_few=TOO_FEW,
        groups=groups(report),
    )


def literal(text: object) -> str:
    """Text as it is, on one line: no Markdown, no HTML, no link."""
    escaped = _SPECIAL.sub(r"\\\1", _BREAK.sub(" ", str(text)).strip())
    return _LINK.sub(lambda found: f"{found[1]}\\:" if found[1] else f"{found[2]}\\.", escaped)


def make_report(
    folders: Sequence[Path],
    *,
    data: str | None = None,
    with_published: bool = False,
    show_texts: bool = False,
    worst_rows: int = WORST,
) -> Report:
    """The report of evaluations.

    Args:
        folders: what `emollms evaluate` wrote; the others are held against the first.
        data: the data set, a folder or a repo on the Hub; by default each run names its own.
        with_published: whether the paper's scores stand beside them.
        show_texts: whether texts are shown that may not be passed on.
        worst_rows: how many of a run's worst rows are shown for each task.

    Raises:
        UsageError: a folder holds no evaluation, or the data set is missing or another one.
        EmollmsError: a file is damaged.
    """
    if worst_rows < 0:
        raise UsageError(f"--worst {worst_rows} is no number of rows; give 0 or more")
    runs = read_runs(folders)
    benchmarks = [benchmark_of(run, data) for run in runs]
    return Collector(runs, benchmarks, with_published, show_texts, worst_rows).report()


def check_form(out: Path) -> None:
    """Make sure that a report can be written as `out`.

    Raises:
        UsageError: nobody knows its form.
    """
    if out.suffix not in FORMS:
        raise UsageError(f"{out} has no known ending; reports are written as {', '.join(FORMS)}")


def write_report(report: Report, out: Path) -> None:
    """Write a report, in the form that the ending of `out` asks for; the file appears whole or not at all.

    Raises:
        UsageError: nobody knows the form.
    """
    check_form(out)
    write_whole(out, FORMS[out.suffix](report))


def render_json(report: Report) -> str:
    """The report as JSON; there is no NaN in it."""
    return json.dumps(report.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


FORMS: Mapping[str, Callable[[Report], str]] = {".html": render_page, ".md": render_markdown, ".json": render_json}
"""How a report is written, by the ending of the file."""
