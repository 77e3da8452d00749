"""The pictures of a report. A run has one colour everywhere, `--run-1` and so on; published scores are grey strokes."""

import math
from collections.abc import Sequence
from typing import Any

from emollms.charts import draw, pointed_at
from emollms.report.model import HexagonCounts, MetricRow, ScoreCell, ScoreDifference, TaskRun

SIDE, WIDTH, BROAD, ROW, LANE = 240, 210, 290, 16, 11
_EDGE = {"left": 14, "right": 8, "top": 5, "bottom": 5}  # a reader's font may be wider than the one it measures with
COLOURS = 8
_HEXAGON = "M0,1L0.866,.5L.866,-.5L0,-1L-.866,-.5L-.866,.5Z"
Spec = dict[str, Any]


def colour(run: int) -> str:
    """The colour of a run."""
    return f"var(--run-{run % COLOURS + 1})"


def number(value: float) -> str:
    """A score with three decimals: `.832`, `-.041`."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def interval(one: ScoreCell) -> str:
    """A score with its interval, in words."""
    if one.low is None or one.high is None:
        return number(one.value)
    shown = f"{number(one.value)} ({number(one.low)} to {number(one.high)})"
    return shown if one.n is None else f"{shown}, n = {one.n:,}"


def scores(rows: Sequence[MetricRow], names: Sequence[str], about: str, bars: bool = False) -> str:
    """Scores of the runs with intervals, a line each, over those of published models; undefined ones are left out.

    Args:
        rows: what to show, from top to bottom.
        names: names of the runs.
        about: what it shows, in words.
        bars: whether scores are the ends of bars, and not dots.
    """
    measured = [
        _mark(row.title, run, one, names[run])
        for row in rows
        for run, one in enumerate(row.cells)
        if one and not one.undefined
    ]
    published = [
        {"row": row.title, "value": value, "about": f"{row.title}, {model} (published): {number(value)}"}
        for row in rows
        for model, value in row.published.items()
    ]
    ceilings = [
        {"row": row.title, "value": row.ceiling, "about": f"{row.title}, human ceiling: {number(row.ceiling)}"}
        for row in rows
        if row.ceiling is not None
    ]
    values = [one[end] for one in measured for end in ("value", "low")] + [one["value"] for one in published]
    domain = (min(0.0, math.floor(min(values, default=0.0) * 10) / 10), 1.0)
    lines = _lines([row.title for row in rows])
    runs = sorted({int(one["run"]) for one in measured})
    layers = [_strokes(published, lines, len(runs))] if published else []
    layers += [_strokes(ceilings, lines, len(runs)) | {"mark": _ceiling_mark(len(runs))}] if ceilings else []
    layers += (_bars if bars else _dots)(measured, lines, runs, domain)
    return _picture(len(rows) * (ROW + LANE * len(runs)), layers, about, WIDTH if bars else BROAD)


def differences(found: Sequence[ScoreDifference], tasks: Sequence[str], names: Sequence[str]) -> str:
    """The runs against the first: filled where the difference is clear."""
    values = [
        _mark(one.task, one.run, ScoreCell(one.value, one.low, one.high), _against(one, names))
        | {"sure": one.verdict in ("better", "worse")}
        for one in found
    ]
    widest = max((abs(one[end]) for one in values for end in ("low", "high")), default=0.1)
    runs = sorted({one.run for one in found})
    rules, dots = _dots(values, _lines(tasks), runs, (-widest, widest))
    dots["mark"] |= {"strokeWidth": 1.5}
    dots["encoding"] |= {
        "fillOpacity": {"condition": {"test": "datum.sure", "value": 1}, "value": 0.0},
        "stroke": dots["encoding"]["color"],
    }
    zero = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": "var(--muted)"},
        "encoding": {"x": {"datum": 0}},
    }
    height = len({one.task for one in found}) * (ROW + LANE * len(runs))
    about = f"Differences of the scores from those of {names[0]}, with 95 % intervals"
    return _picture(height, [zero, rules, dots], about, BROAD)


def _against(one: ScoreDifference, names: Sequence[str]) -> str:
    return f"{names[one.run]} against {names[0]} on {one.n:,} rows"


def _mark(row: str, run: int, one: ScoreCell, name: str) -> Spec:
    about = f"{row}, {name}: {interval(one)}"
    return {"row": row, "run": run, "value": one.value, "low": one.low, "high": one.high, "about": about}


def _picture(height: int, layers: Sequence[Spec], about: str, width: int = SIDE) -> str:
    return pointed_at(draw({"width": width, "height": height, "layer": list(layers), "padding": _EDGE}, about))


def _lines(titles: Sequence[str]) -> Spec:
    axis = {"labelColor": "var(--ink)", "labelFontSize": 12, "labelLimit": 180}
    return {"field": "row", "type": "nominal", "sort": list(titles), "title": None, "axis": axis}


def _strokes(values: Sequence[Spec], lines: Spec, runs: int) -> Spec:
    mark = {"type": "tick", "thickness": 1.5, "size": 6 + LANE * runs, "opacity": 0.5, "color": "var(--muted)"}
    encoding = {"x": {"field": "value", "type": "quantitative"}, "y": lines, "description": {"field": "about"}}
    return {"data": {"values": list(values)}, "mark": mark, "encoding": encoding}


def _ceiling_mark(runs: int) -> Spec:
    """As high as all lanes of a line: no score can be expected beyond it."""
    return {"type": "tick", "thickness": 2.5, "size": ROW + LANE * runs, "color": "var(--ink)"}


def _dots(values: Sequence[Spec], lines: Spec, runs: Sequence[int], domain: tuple[float, float]) -> list[Spec]:
    """Each run on its own lane of a line: a rule for the interval, a dot for the score."""
    lanes, across = _lanes(lines, runs), _across(domain)
    ends = {"x": across | {"field": "low"}, "x2": {"field": "high"}}
    rule = {"type": "rule", "strokeWidth": 2.5, "opacity": 0.55}
    dot = {"type": "point", "filled": True, "size": 46, "opacity": 1}
    return [
        {"data": {"values": list(values)}, "mark": rule, "encoding": lanes | ends},
        {"data": {"values": list(values)}, "mark": dot, "encoding": lanes | {"x": across}},
    ]


def _bars(values: Sequence[Spec], lines: Spec, runs: Sequence[int], domain: tuple[float, float]) -> list[Spec]:
    """The same with a bar for the score."""
    lanes, across = _lanes(lines, runs), _across(domain)
    ends = {"x": across | {"field": "low"}, "x2": {"field": "high"}}
    plain = {name: value for name, value in lanes.items() if name != "color"}
    bar = {"type": "bar", "cornerRadiusEnd": 2, "height": LANE - 2}
    rule = {"type": "rule", "strokeWidth": 1.5, "color": "var(--ink)"}
    return [
        {"data": {"values": list(values)}, "mark": bar, "encoding": lanes | {"x": across}},
        {"data": {"values": list(values)}, "mark": rule, "encoding": plain | ends},
    ]


def _lanes(lines: Spec, runs: Sequence[int]) -> Spec:
    lane = {"field": "run", "type": "nominal", "sort": list(runs), "scale": {"domain": list(runs)}}
    return {"y": lines, "yOffset": lane, "color": _colours(runs), "description": {"field": "about"}}


def _across(domain: tuple[float, float]) -> Spec:
    scale = {"domain": list(domain), "nice": False}
    return {"field": "value", "type": "quantitative", "title": None, "scale": scale, "axis": {"tickCount": 6}}


def _colours(runs: Sequence[int]) -> Spec:
    scale = {"domain": list(runs), "range": [colour(run) for run in runs]}
    return {"field": "run", "type": "nominal", "legend": None, "scale": scale}


def hexagons(found: HexagonCounts, run: int, about: str) -> str:
    """Predicted against gold: the darker, the more rows."""
    values = [
        {"x": x, "y": y, "n": n, "about": f"{n} row{'s' * (n > 1)}: gold near {number(x)}, predicted near {number(y)}"}
        for x, y, n in found.cells
    ]
    size = (2 * found.width * SIDE / math.sqrt(3)) ** 2
    mark = {"type": "point", "filled": True, "shape": _HEXAGON, "size": size, "opacity": 1, "color": colour(run)}
    most = max((n for _, _, n in found.cells), default=1)
    shade = {"type": "log", "domain": [1, max(2, most)], "range": [0.14, 1]}
    encoding = {
        "x": _unit("x", "gold"),
        "y": _unit("y", "predicted"),
        "fillOpacity": {"field": "n", "type": "quantitative", "legend": None, "scale": shade},
        "description": {"field": "about"},
    }
    layers = [{"data": {"values": values}, "mark": mark, "encoding": encoding}, _diagonal()]
    return _picture(SIDE, layers, about)


def _unit(field: str, title: str) -> Spec:
    axis = {"values": [0, 0.2, 0.4, 0.6, 0.8, 1], "format": ".1f"}
    return {"field": field, "type": "quantitative", "title": title, "scale": {"domain": [0, 1]}, "axis": axis}


def _diagonal() -> Spec:
    mark = {"type": "rule", "strokeDash": [4, 4], "color": "var(--muted)", "opacity": 0.8}
    ends = {"x": {"datum": 0}, "y": {"datum": 0}, "x2": {"datum": 1}, "y2": {"datum": 1}}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": ends}


def reliability(found: Sequence[TaskRun], names: Sequence[str], about: str) -> str:
    """How often what is said with a probability is right, a line each run; larger dots are more rows."""
    values = [
        {"run": one.run, "x": confidence, "y": accuracy, "n": n}
        | {"about": f"{names[one.run]}, {low:.1f} to {high:.1f}: {n} predictions, {accuracy:.0%} right"}
        for one in found
        if one.reliability
        for low, high, n, confidence, accuracy in one.reliability.bins
    ]
    shared = {
        "x": _unit("x", "said with probability"),
        "y": _unit("y", "right"),
        "color": _colours([one.run for one in found]),
    }
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [12, 160]}}
    dots = shared | {"size": size, "description": {"field": "about"}}
    layers: list[Spec] = [
        {"data": {"values": values}, "mark": {"type": "line", "strokeWidth": 1.5}, "encoding": shared},
        {"data": {"values": values}, "mark": {"type": "point", "filled": True, "opacity": 0.9}, "encoding": dots},
        _diagonal(),
    ]
    return _picture(SIDE, layers, about)
