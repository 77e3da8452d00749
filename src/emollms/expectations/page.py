"""The page of a check: one HTML file that needs nothing but itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from emollms.charts import draw
from emollms.expectations.report import Check, Distribution, GateReport, Status
from emollms.storage import write_whole
from emollms.tasks import TASKS

WIDTH, HEIGHT, ROW = 330, 130, 18
TITLES = {"score": "score", "class": "class", "label": "label", "characters": "length in characters"}


def picture(distribution: Distribution) -> str:
    """An SVG of a distribution: columns for what is ordered, rows for labels."""
    return draw(_specification(distribution), _about(distribution))


def _about(distribution: Distribution) -> str:
    splits = " and ".join(distribution.shares)
    return f"{distribution.task}: share of texts by {TITLES[distribution.of]}, {splits}"


def _specification(distribution: Distribution) -> dict[str, Any]:
    values = [
        {"value": value, "split": split, "share": round(share, 4), "told": f"{value}, {split}: {share:.1%} of texts"}
        for split, shares in distribution.shares.items()
        for value, share in shares.items()
    ]
    order = list(next(iter(distribution.shares.values()), {}))
    splits = list(distribution.shares)
    lying = distribution.of == "label"
    named = {"field": "value", "type": "nominal", "sort": order, "title": None, "axis": {"labelAngle": 0}}
    if distribution.of == "characters":
        named["axis"] = {"labelAngle": -40}
    amount = {"field": "share", "type": "quantitative", "title": None, "axis": {"format": "%", "tickCount": 4}}
    return {
        "data": {"values": values},
        "width": WIDTH,
        "height": ROW * len(order) if lying else HEIGHT,
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            ("y" if lying else "x"): named,
            ("x" if lying else "y"): amount,
            ("yOffset" if lying else "xOffset"): {"field": "split", "sort": splits},
            "description": {"field": "told"},
            "color": {
                "field": "split",
                "legend": None,
                "scale": {"domain": splits, "range": [f"var(--{split})" for split in splits]},
            },
        },
    }


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
class Chart:
    """A chart with its title."""

    title: str
    svg: Markup


_WORST: tuple[Status, ...] = ("failed", "known", "passed", "not applicable")


def write_page(report: GateReport, path: Path) -> None:
    """Write the page of a report; see `render_page`."""
    write_whole(path, render_page(report))


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


def _tasks(report: GateReport) -> Iterator[tuple[str, list[Chart]]]:
    """What each task asks, with the charts of its gold labels and lengths."""
    names = dict.fromkeys(one.task for one in report.distributions)
    for name in names:
        own = [one for one in report.distributions if one.task == name]
        title = f"{name}: {TASKS[name].about}" if name in TASKS else name
        yield title, [Chart(f"Texts by {TITLES[one.of]}", Markup(picture(one))) for one in own]
