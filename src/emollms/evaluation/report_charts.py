"""The pictures of a report. A run has one colour everywhere, `--run-1` and so on; published scores are grey strokes."""

import math
from collections.abc import Sequence
from typing import Any

from emollms.evaluation.report_content import Cell, Difference, Hexagons, MetricRow, RunTask
from emollms.quality.vega import draw, pointed_at

SIDE, WIDTH, ROW, LANE = 240, 210, 16, 11
_EDGE = {"padding": {"left": 14, "right": 8, "top": 5, "bottom": 5}}  # fonts may be wider than the one it measures with
COLOURS = 8
_HEXAGON = "M0,1L0.866,.5L.866,-.5L0,-1L-.866,-.5L-.866,.5Z"
_GREY = {"value": "var(--muted)"}
Spec = dict[str, Any]


def colour(run: int) -> str:
    """The colour of a run."""
    return f"var(--run-{run % COLOURS + 1})"


def number(value: float) -> str:
    """A score with three decimals: `.832`, `-.041`."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def interval(one: Cell) -> str:
    """A score with its interval, in words."""
    return number(one.value) + (
        f" ({number(one.low)} to {number(one.high)})" if one.low is not None and one.high is not None else ""
    )


def scores(rows: Sequence[MetricRow], names: Sequence[str], about: str, bars: bool = False) -> str:
    """Scores of the runs with intervals, a line each, over those of published models.

    Args:
        rows: what to show, from top to bottom.
        names: names of the runs.
        about: what it shows, in words.
        bars: whether scores are the ends of bars, and not dots.
    """
    measured = [
        {"row": row.title, "run": run, "value": one.value, "low": one.low, "high": one.high}
        | {"about": f"{row.title}, {names[run]}: {interval(one)}"}
        for row in rows
        for run, one in enumerate(row.cells)
        if one
    ]
    published = [
        {"row": row.title, "value": value, "about": f"{row.title}, {model} (published): {number(value)}"}
        for row in rows
        for model, value in row.published.items()
    ]
    values = [one[key] for one in measured for key in ("value", "low")] + [one["value"] for one in published]
    low = min(0.0, math.floor(min(values, default=0.0) * 10) / 10)
    y = {"field": "row", "type": "nominal", "sort": [row.title for row in rows], "title": None}
    y["axis"] = {"labelColor": "var(--ink)", "labelFontSize": 12, "labelLimit": 130}
    lines = [_strokes(published, y, len(names))] if published else []
    layers = [*lines, *_lanes(measured, y, len(names), bars, (low, 1.0))]
    return _picture(len(rows) * (ROW + LANE * len(names)), layers, about, WIDTH)


def _picture(height: int, layers: Sequence[Spec], about: str, width: int = SIDE) -> str:
    return pointed_at(draw({"width": width, "height": height, "layer": list(layers), "padding": _EDGE}, about))


def _strokes(values: list[Spec], y: Spec, runs: int) -> Spec:
    mark = {"type": "tick", "thickness": 1.5, "size": 6 + LANE * runs, "opacity": 0.5, "color": "var(--muted)"}
    x = {"field": "value", "type": "quantitative"}
    return {"data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y, "description": {"field": "about"}}}


def _lanes(values: list[Spec], y: Spec, runs: int, bars: bool, domain: tuple[float, float]) -> list[Spec]:
    """The runs, each on its own lane of a line."""
    scale = {"domain": list(domain), "nice": False}
    x = {"field": "value", "type": "quantitative", "title": None, "scale": scale, "axis": {"tickCount": 6}}
    colours = {"domain": list(range(runs)), "range": [colour(run) for run in range(runs)]}
    shared = {
        "y": y,
        "yOffset": {
            "field": "run",
            "type": "nominal",
            "sort": list(range(runs)),
            "scale": {"domain": list(range(runs))},
        },
        "color": {"field": "run", "type": "nominal", "legend": None, "scale": colours},
        "description": {"field": "about"},
    }
    data = {"values": values}
    ends = {"x": x | {"field": "low"}, "x2": {"field": "high"}}
    mark = {"type": "point", "filled": True, "size": 46, "opacity": 1}
    if bars:
        rule = {"type": "rule", "strokeWidth": 1.5, "color": "var(--ink)"}
        own = {key: value for key, value in shared.items() if key != "color"}
        return [
            {
                "data": data,
                "mark": {"type": "bar", "cornerRadiusEnd": 2, "height": LANE - 2},
                "encoding": shared | {"x": x},
            },
            {"data": data, "mark": rule, "encoding": own | ends},
        ]
    return [
        {"data": data, "mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.55}, "encoding": shared | ends},
        {"data": data, "mark": mark, "encoding": shared | {"x": x}},
    ]


def differences(found: Sequence[Difference], tasks: Sequence[str], names: Sequence[str]) -> str:
    """The runs against the first: filled where the difference is above noise."""
    values = [
        {
            "row": one.task,
            "run": one.run - 1,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "sure": one.above_noise,
        }
        | {"about": f"{one.task}, {names[one.run]} against {names[0]}: {interval(Cell(one.value, one.low, one.high))}"}
        for one in found
    ]
    widest = max((abs(one[key]) for one in values for key in ("low", "high")), default=0.1)
    y = {"field": "row", "type": "nominal", "sort": list(tasks), "title": None}
    y["axis"] = {"labelColor": "var(--ink)", "labelFontSize": 12}
    lanes = _lanes(values, y, len(names) - 1, False, (-widest, widest))
    for lane in lanes:
        lane["encoding"]["color"]["scale"]["range"] = [colour(run) for run in range(1, len(names))]
    fill = {"condition": {"test": "datum.sure", "value": 1}, "value": 0.0}
    lanes[1]["mark"] |= {"strokeWidth": 1.5, "stroke": None}
    lanes[1]["encoding"] |= {"fillOpacity": fill, "stroke": lanes[1]["encoding"]["color"]}
    zero = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": "var(--muted)"},
        "encoding": {"x": {"datum": 0}},
    }
    rows = len({one.task for one in found})
    about = f"Differences of the scores from those of {names[0]}, with 95 % intervals"
    return _picture(rows * (ROW + LANE * (len(names) - 1)), [zero, *lanes], about, WIDTH)


def hexagons(found: Hexagons, run: int, about: str) -> str:
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


def reliability(found: Sequence[RunTask], names: Sequence[str], about: str) -> str:
    """How often what is said with a probability is right, a line each run; larger dots are more rows."""
    values = [
        {"run": one.run, "x": confidence, "y": accuracy, "n": n}
        | {"about": f"{names[one.run]}, {low:.1f} to {high:.1f}: {n} predictions, {accuracy:.0%} right"}
        for one in found
        if one.reliability
        for low, high, n, confidence, accuracy in one.reliability.bins
    ]
    runs = [one.run for one in found]
    shared = {
        "x": _unit("x", "said with probability"),
        "y": _unit("y", "right"),
        "color": {
            "field": "run", "type": "nominal", "legend": None,
            "scale": {"domain": runs, "range": [colour(run) for run in runs]},
        },
    }  # fmt: skip
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [12, 160]}}
    dots = shared | {"size": size, "description": {"field": "about"}}
    layers: list[Spec] = [
        {"data": {"values": values}, "mark": {"type": "line", "strokeWidth": 1.5}, "encoding": shared},
        {"data": {"values": values}, "mark": {"type": "point", "filled": True, "opacity": 0.9}, "encoding": dots},
        _diagonal(),
    ]
    return _picture(SIDE, layers, about)
