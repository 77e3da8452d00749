"""The page of a check: one HTML file that needs nothing but itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from emollms.quality.gate.charts import TITLES, picture
from emollms.quality.gate.report import Check, GateReport, Status
from emollms.tasks import TASKS


@dataclass(frozen=True)
class Group:
    """The checks of one expectation, in all its places.

    Args:
        name: name of the expectation.
        holds: what has to hold.
        type: the expectation, as GX names it.
        status: the worst of its places.
        checks: the checks.
    """

    name: str
    holds: str
    type: str
    status: Status
    checks: tuple[Check, ...]

    @property
    def failed(self) -> int:
        """How many rows, or things, fail in all places."""
        return sum(check.failed for check in self.checks)


@dataclass(frozen=True)
class Figure:
    """A picture with its title."""

    title: str
    svg: Markup


_WORST: tuple[Status, ...] = ("failed", "known", "passed", "not applicable")


def write_page(report: GateReport, path: Path) -> None:
    """Write the page of a report; see `render_page`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(report), encoding="utf-8")


def render_page(report: GateReport) -> str:
    """The page of a report: the verdict, each check with the first rows that fail, and the distributions.

    It holds no script and fetches nothing; every text in it is escaped.
    """
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True)
    environment.filters["thousands"] = lambda number: f"{number:,}"
    template = environment.from_string((files("emollms.cards") / "validation.html.j2").read_text(encoding="utf-8"))
    splits = dict.fromkeys(split for one in report.distributions for split in one.shares)
    return template.render(
        report=report,
        subject=report.subject,
        groups=_groups(report),
        tasks=dict(_tasks(report)),
        splits=list(splits),
        counts={status: report.count(status) for status in _WORST},
    )


def _groups(report: GateReport) -> list[Group]:
    """The checks by expectation, what failed first."""
    by_name: dict[str, list[Check]] = {}
    for check in report.checks:
        by_name.setdefault(check.name, []).append(check)
    groups = [
        Group(name, checks[0].holds, checks[0].type, min((c.status for c in checks), key=_WORST.index), tuple(checks))
        for name, checks in by_name.items()
    ]
    return sorted(groups, key=lambda group: _WORST.index(group.status))


def _tasks(report: GateReport) -> Iterator[tuple[str, list[Figure]]]:
    """What each task asks, with the pictures of its golds and lengths."""
    names = dict.fromkeys(one.task for one in report.distributions)
    for name in names:
        own = [one for one in report.distributions if one.task == name]
        title = f"{name}: {TASKS[name].about}" if name in TASKS else name
        yield title, [Figure(f"Texts by {TITLES[one.of]}", Markup(picture(one))) for one in own]
