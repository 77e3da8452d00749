"""Pictures by Vega-Lite, drawn in this process: SVG with no script, no font and no address in it.

Colours are CSS variables of the page (`--muted`, `--line`, …), so that a picture follows it into dark mode. Each mark
has a label for screen readers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import escape

LOOK: Mapping[str, Any] = {
    "background": "transparent",
    "padding": {"left": 16, "right": 16, "top": 6, "bottom": 6},
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 11,
        "titleColor": "var(--muted)",
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "ticks": False,
        "labelPadding": 6,
    },
    "axisBand": {"grid": False},
    "axisQuantitative": {"domain": False},
    "scale": {"bandPaddingInner": 0.2, "bandPaddingOuter": 0.1},
}
"""How pictures look."""

_NOT_NEEDED = re.compile(r' xmlns:xlink="[^"]*"| clip-path="[^"]*"|<defs>.*?</defs>')
"""Clips are named alike in every picture, and nothing here sticks out."""
_MARK = re.compile(r'<(path|line|text|rect) aria-label="([^"]*)" role="[^"]*" aria-roledescription="[^"]*"([^>]*?)/>')
_NOTHING = re.compile(r'<path class="(?:background|foreground)"[^>]*/>')
_ROLE = re.compile(r' (?:role="graphics-[a-z]*"|aria-(?:label|roledescription|hidden)="[^"]*")')


def draw(specification: Mapping[str, Any], about: str) -> str:
    """An SVG of a Vega-Lite specification without `config`.

    Args:
        specification: what to draw; it holds its data.
        about: what the picture shows, for those who cannot see it.
    """
    svg: str = vl_convert.vegalite_to_svg({**specification, "config": LOOK})
    return _NOT_NEEDED.sub("", svg).replace("<svg ", f'<svg role="img" aria-label="{escape(about)}" ', 1)


def pointed_at(svg: str) -> str:
    """A picture whose marks say their `description` when pointed at, in place of all other labels; it is smaller."""
    head, rest = svg.split(">", 1)
    return f"{head}>" + _ROLE.sub("", _NOTHING.sub("", _MARK.sub(r"<\1\3><title>\2</title></\1>", rest)))


@dataclass(frozen=True)
class ChartLine:
    """A value with its interval, as a line of a picture.

    Args:
        title: what it is.
        value: the value.
        low: lower end of its interval; NaN where it has none.
        high: upper end.
        colour: a CSS colour.
    """

    title: str
    value: float
    low: float
    high: float
    colour: str = "var(--main)"


def intervals(
    rows: Sequence[ChartLine], about: str, *, marks: Mapping[str, float] | None = None, width: int = 300, axis: str = ""
) -> str:
    """Values with their intervals, a line each from top to bottom.

    Args:
        rows: the values; each title once.
        about: what the picture shows, in words.
        marks: vertical lines, such as a ceiling, by what they are.
        width: of the plot, in pixels.
        axis: title of the axis.
    """
    values = [_line_of(one) for one in rows]
    ends = [one[end] for one in values for end in ("value", "low", "high")] + list((marks or {}).values())
    margin = 0.06 * ((max(ends) - min(ends)) or 1.0)
    scale = {"domain": [min(ends) - margin, max(ends) + margin], "nice": False}
    across = {"field": "value", "type": "quantitative", "title": axis or None, "scale": scale, "axis": {"tickCount": 5}}
    label = {"labelColor": "var(--ink)", "labelFontSize": 12, "labelLimit": 260}
    lines = {"field": "row", "type": "nominal", "sort": [one.title for one in rows], "title": None, "axis": label}
    colour = {"field": "colour", "type": "nominal", "scale": None}
    shared = {"y": lines, "color": colour, "description": {"field": "about"}}
    rule, dot = {"type": "rule", "strokeWidth": 2.5, "opacity": 0.55}, {"type": "point", "filled": True, "size": 46}
    ends_of = {"x": across | {"field": "low"}, "x2": {"field": "high"}}
    layers = [
        *(_mark_at(name, value, scale) for name, value in (marks or {}).items()),
        {"data": {"values": values}, "mark": rule, "encoding": shared | ends_of},
        {"data": {"values": values}, "mark": dot | {"opacity": 1}, "encoding": shared | {"x": across}},
    ]
    # A reader's font may be wider than the one that is measured with.
    room = {"left": 44, "right": 16, "top": 6, "bottom": 6}
    return pointed_at(draw({"width": width, "height": 22 * len(rows), "layer": layers, "padding": room}, about))


def _mark_at(name: str, value: float, scale: Mapping[str, Any]) -> dict[str, Any]:
    x = {"field": "x", "type": "quantitative", "scale": scale}
    return {
        "data": {"values": [{"x": value, "about": f"{name}: {value:.3f}"}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5, "color": "var(--muted)"},
        "encoding": {"x": x, "description": {"field": "about"}},
    }


def _line_of(one: ChartLine) -> dict[str, Any]:
    has_ends = one.low == one.low  # NaN is not itself
    shown = f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" if has_ends else f"{one.value:.3f}"
    low, high = (one.low, one.high) if has_ends else (one.value, one.value)
    return {
        "row": one.title, "value": one.value, "low": low, "high": high, "colour": one.colour,
        "about": f"{one.title}: {shown}",
    }  # fmt: skip


def scatter(points: Sequence[tuple[float, float]], about: str, *, x: str, y: str, side: int = 260) -> str:
    """Points with the diagonal, on which both values are equal.

    Args:
        points: pairs of values.
        about: what the picture shows, in words.
        x: title of the axis of the first values.
        y: that of the second.
        side: of the plot, in pixels.
    """
    both = [value for point in points for value in point]
    low, high = min(both), max(both)
    margin = 0.04 * ((high - low) or 1.0)
    scale = {"domain": [low - margin, high + margin], "nice": False}

    def on(field: str, title: str) -> dict[str, Any]:
        return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": {"tickCount": 5}}

    diagonal = {"x": {"datum": low}, "y": {"datum": low}, "x2": {"datum": high}, "y2": {"datum": high}}
    layers = [
        {
            "data": {"values": [{"x": round(one, 4), "y": round(other, 4)} for one, other in points]},
            "mark": {"type": "circle", "size": 26, "opacity": 0.45, "color": "var(--main)"},
            "encoding": {"x": on("x", x), "y": on("y", y)},
        },
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "strokeDash": [4, 4], "color": "var(--muted)"},
            "encoding": diagonal,
        },
    ]
    return pointed_at(draw({"width": side, "height": side, "layer": layers}, about))
