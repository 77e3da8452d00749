"""The report as text: a page of HTML, Markdown or JSON.

The page is one file that needs nothing but itself. It holds no script, and every text is escaped.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import get_args

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from emollms.errors import UsageError
from emollms.report import charts
from emollms.report.model import Report, ScoreCell, ScoreDifference, TaskReport, Verdict
from emollms.report.tables import ROWS_FOR_A_VERDICT
from emollms.storage import write_whole
from emollms.tasks import TASKS, MultiLabelTask, Task

TOO_FEW = f"too few rows for a verdict (below {ROWS_FOR_A_VERDICT})"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|!#&~$@])")
_BREAK = re.compile(r"\s+")
_LINK = re.compile(r"(https?):|(www)\.", re.IGNORECASE)


@dataclass(frozen=True)
class TaskCharts:
    """The pictures of a task.

    Args:
        parts: emotions, dimensions, labels or classes; None where there are none.
        parts_are: which of these they are.
        hexagons: predicted against gold, by run.
        reliability: None where there are no probabilities.
    """

    parts: Markup | None
    parts_are: str
    hexagons: Mapping[int, Markup]
    reliability: Markup | None


def environment(escape: bool) -> Environment:
    """Where the templates of reports are rendered."""
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=escape)
    made.filters |= {"thousands": lambda n: f"{n:,}", "number": charts.number, "signed": signed, "percent": percent}
    return made


def template(name: str) -> str:
    """The text of a template of `cards/`."""
    return (files("emollms.cards") / name).read_text(encoding="utf-8")


def signed(value: float) -> str:
    """A difference: `+.041`, `−.041`."""
    return ("−" if value < 0 else "+") + charts.number(abs(value))


def percent(fraction: float) -> str:
    """A fraction: `0 %`, `0.07 %`, `3.1 %`."""
    digits = (0 if not fraction else 2) if fraction < 0.01 else 1
    return f"{100 * fraction:.{digits}f} %"


def render_page(report: Report) -> str:
    """The page of a report."""
    names, tasks = [run.name for run in report.runs], [task.name for task in report.tasks]
    differences = charts.differences(report.differences, tasks, names) if report.differences else None
    return (
        environment(escape=True)
        .from_string(template("report.html.j2"))
        .render(
            report=report,
            names=names,
            colour=charts.colour,
            panels=panels(report, names),
            differences=Markup(differences) if differences else None,
            verdicts=verdicts(report),
            shared=shared,
            best=best(report),
            language_charts=language_charts(report, names),
            language_tables=language_tables(report),
            pictures={task.name: pictures(task, names) for task in report.tasks},
            groups=groups(report),
            ceiling_words=ceiling_words,
        )
    )


def panels(report: Report, names: Sequence[str]) -> dict[str, Markup]:
    """The main scores of all tasks, those that have training data apart from the others."""
    found = {}
    for title, trained in {"Tasks of AAID": True, "Further tasks": False}.items():
        tasks = [task for task in report.tasks if TASKS[task.name].training is trained]
        rows = [replace(task.metrics[0], name=task.main, title=task.name) for task in tasks]
        if rows:
            found[title] = Markup(charts.scores(rows, names, f"{title}: the main score of each"))
    return found


def ceiling_words(task: TaskReport) -> str:
    """The human ceiling of a task, and of its dimensions; "" where it is unknown."""
    known = next((row.ceiling for row in task.metrics if row.ceiling is not None), None)
    if known is None:
        return ""
    parts = [
        f"{row.title.split(' (')[0]} {charts.number(row.ceiling)}" for row in task.parts if row.ceiling is not None
    ]
    each = f" ({', '.join(parts)})" if parts else ""
    return f"Human ceiling of Pearson's r, by the noise of the raters' means: {charts.number(known)}{each}."


def language_charts(report: Report, names: Sequence[str]) -> dict[str, Markup]:
    """The scores by language of each task, over a line a language."""
    return {
        one.task: Markup(charts.scores(one.languages, names, f"{one.task}: {one.metric} by language"))
        for one in report.languages
    }


@dataclass(frozen=True)
class LanguageTable:
    """A run's scores by language: those tasks and languages alone that it has.

    Args:
        columns: the tasks, with their metrics and means.
        rows: code and name of each language, and its score in each task; None where it has none.
    """

    columns: Sequence[tuple[str, str, ScoreCell]]
    rows: Sequence[tuple[str, str, Sequence[ScoreCell | None]]]


def language_tables(report: Report) -> dict[int, LanguageTable]:
    """The scores by language, by number of the run."""
    found = {}
    for run in range(len(report.runs)):
        columns = [(one.task, one.metric, mean) for one in report.languages if (mean := one.means[run])]
        by_task = [{row.name: row.cells[run] for row in one.languages} for one in report.languages if one.means[run]]
        names = {row.name: row.title for one in report.languages for row in one.languages if row.cells[run]}
        ordered = sorted(names, key=lambda code: names[code])
        rows = [(code, names[code], [cells.get(code) for cells in by_task]) for code in ordered]
        if columns:
            found[run] = LanguageTable(columns, rows)
    return found


def verdicts(report: Report) -> list[tuple[int, Mapping[str, list[ScoreDifference]]]]:
    """For each further run the tasks that it has in common with the first, by verdict."""
    kinds = {verdict: verdict for verdict in get_args(Verdict)} | {None: TOO_FEW}
    found: list[tuple[int, Mapping[str, list[ScoreDifference]]]] = []
    for run in sorted({one.run for one in report.differences}):
        own = [one for one in report.differences if one.run == run]
        found.append((run, {name: [one for one in own if one.verdict == verdict] for verdict, name in kinds.items()}))
    return found


def shared(kinds: Mapping[str, list[ScoreDifference]]) -> str:
    """How many tasks two runs have in common."""
    count = sum(map(len, kinds.values()))
    return f"{count} task{'s' * (count != 1)} that both have"


def best(report: Report) -> dict[str, float]:
    """The best score of each task, to three decimals."""
    cells: dict[str, list[ScoreCell]] = {}
    for row in report.board:
        for task, cell in ((task, cell) for task, cell in row.cells.items() if not cell.undefined):
            cells.setdefault(task, []).append(cell)
    return {task: round(max(cell.value for cell in own), 3) for task, own in cells.items()}


def groups(report: Report) -> dict[str, list[int]]:
    """Numbers of the lines of the table of models, by kind of model."""
    found: dict[str, list[int]] = {}
    for number, row in enumerate(report.board):
        found.setdefault(row.group, []).append(number)
    return found


def pictures(task: TaskReport, names: Sequence[str]) -> TaskCharts:
    """The pictures of a task."""
    parts = charts.scores(task.parts, names, f"{task.name}: {task.parts_of} of each", bars=True) if task.parts else None
    known = [run for run in task.runs if run.reliability]
    shown = charts.reliability(known, names, f"{task.name}: how often predictions with a probability are right")
    hexagons = {
        run.run: Markup(
            charts.hexagons(run.hexagons, run.run, f"{task.name}, {names[run.run]}: predicted against gold")
        )
        for run in task.runs
        if run.hexagons
    }
    return TaskCharts(
        Markup(parts) if parts else None, parts_are(TASKS[task.name]), hexagons, Markup(shown) if known else None
    )


def parts_are(task: Task) -> str:
    """What the parts of a task are called."""
    if task.emotions:
        return "emotion" if task.names_emotion else "dimension"
    return "label" if isinstance(task, MultiLabelTask) else "class"


def render_markdown(report: Report) -> str:
    """The report as Markdown."""
    made = environment(escape=False)
    made.filters["md"] = literal
    return made.from_string(template("report.md.j2")).render(
        report=report,
        names=[run.name for run in report.runs],
        verdicts=verdicts(report),
        shared=shared,
        language_tables=language_tables(report),
        too_few=TOO_FEW,
        groups=groups(report),
        ceiling_words=ceiling_words,
    )


def literal(text: object) -> str:
    """Text as it is, on one line: no Markdown, no HTML, no link."""
    escaped = _SPECIAL.sub(r"\\\1", _BREAK.sub(" ", str(text)).strip())
    return _LINK.sub(lambda found: f"{found[1]}\\:" if found[1] else f"{found[2]}\\.", escaped)


def check_form(out: Path) -> None:
    """Make sure that a report can be written as `out`.

    Raises:
        UsageError: its ending is unknown.
    """
    if out.suffix not in FORMS:
        raise UsageError(f"{out} has no known ending; reports are written as {', '.join(FORMS)}")


def write_report(report: Report, out: Path) -> None:
    """Write a report, in the form that the ending of `out` asks for; the file appears whole or not at all.

    Raises:
        UsageError: its ending is unknown.
    """
    check_form(out)
    write_whole(out, FORMS[out.suffix](report))


def render_json(report: Report) -> str:
    """The report as JSON; there is no NaN in it."""
    return json.dumps(report.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


FORMS: Mapping[str, Callable[[Report], str]] = {".html": render_page, ".md": render_markdown, ".json": render_json}
"""How a report is written, by the ending of the file."""
