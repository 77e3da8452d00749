"""Lines, dots and labels of curves in Vega-Lite; colours are CSS variables' names, which the picture fills in."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]
Curve = list[tuple[int, float]]
"""Steps and values."""

RAW, BINS = 400, 200
"""Points up to which each is drawn, and bins into which more of them go."""
LABEL = 15
"""Pixels from one label to the next."""


def line(curve: Curve, axes: Spec, colour: str, width: float, *, dashed: bool = False, opacity: float = 1.0) -> Spec:
    """A line through the points."""
    mark = {"type": "line", "color": colour, "strokeWidth": width, "opacity": opacity, "clip": True}
    if dashed:
        mark["strokeDash"] = [5, 3]
    return {"data": {"values": _values(curve)}, "mark": mark, "encoding": axes}


def dots(curve: Curve, axes: Spec, colour: str, size: int = 28) -> Spec:
    """A dot for each point."""
    mark = {"type": "point", "filled": True, "color": colour, "size": size, "opacity": 1}
    return {"data": {"values": _values(curve)}, "mark": mark, "encoding": axes}


def noise(curve: Curve, axes: Spec, colour: str) -> Spec:
    """What a smooth line runs through: a light line, or the range of many points."""
    if len(curve) <= RAW:
        return line(curve, axes, colour, 0.9, opacity=0.35)
    size = math.ceil(len(curve) / BINS)
    parts = [curve[first : first + size] for first in range(0, len(curve), size)]
    values = [
        {"step": part[len(part) // 2][0], "value": min(one for _, one in part), "to": max(one for _, one in part)}
        for part in parts
    ]
    mark = {"type": "area", "color": colour, "opacity": 0.18, "interpolate": "monotone", "clip": True}
    return {"data": {"values": values}, "mark": mark, "encoding": {**axes, "y2": {"field": "to"}}}


def end_labels(
    lines: Mapping[str, Curve], colours: Mapping[str, str], strong: str, axes: Spec, height: int
) -> list[Spec]:
    """Each curve's name and last value at its end, none over another.

    Args:
        lines: curves by name.
        colours: by name.
        strong: the name in bold.
        axes: with the domain of the values.
        height: of the picture, in pixels.
    """
    low, high = axes["y"]["scale"]["domain"]
    last = {name: curve[-1][1] for name, curve in lines.items() if curve}
    places = spread(list(last.values()), LABEL * (high - low) / height, low, high)
    found = []
    for (name, value), place in zip(last.items(), places, strict=True):
        text = f"{name} {value:.2f}".replace(" -", " −")
        mark = {"type": "text", "align": "left", "dx": 9, "fontSize": 12, "color": colours[name]}
        mark["fontWeight"] = 600 if name == strong else 400
        encoding = {"x": {"value": "width"}, "y": axes["y"], "text": {"value": text}}
        found.append({"data": {"values": [{"value": place}]}, "mark": mark, "encoding": encoding})
    return found


def heading(title: str, key: Sequence[tuple[str, str]]) -> list[Spec]:
    """The title of a picture, and in its line what the colours stand for; muted words have no stroke."""
    text = {"type": "text", "align": "left", "baseline": "bottom", "dy": -12}
    mark = text | {"text": title, "fontSize": 13, "fontWeight": 600, "color": "var(--ink)"}
    found, left = [_at(mark, x={"value": 0}, y={"value": 0})], 8.0 * len(title)
    for name, colour in key:
        if colour != "var(--muted)":
            stroke = {"type": "rule", "strokeWidth": 2.4, "color": colour}
            found.append(_at(stroke, x={"value": left}, x2={"value": left + 14}, y={"value": -19}))
            left += 20
        mark = text | {"text": name, "fontSize": 12, "color": colour}
        found.append(_at(mark, x={"value": left}, y={"value": 0}))
        left += 20 + 6 * len(name)
    return found


def marked_step(step: int, text: str, axes: Spec, to_the_left: bool) -> list[Spec]:
    """A dashed line at a step, with a word beside it."""
    across = {name: value for name, value in axes["x"].items() if name != "field"} | {"datum": step}
    rule = {"type": "rule", "strokeDash": [4, 4], "strokeWidth": 1.2, "color": "var(--muted)"}
    word = {"type": "text", "text": text, "fontSize": 11, "color": "var(--muted)", "baseline": "top", "dy": 3}
    word |= {"align": "right", "dx": -6} if to_the_left else {"align": "left", "dx": 6}
    return [_at(rule, x=across), _at(word, x=across, y={"value": 0})]


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Where labels of `values` go: each as near to its value as can be, with `gap` between them.

    Args:
        values: in any order.
        gap: the least distance; less where they would not fit.
        low: the lowest place.
        high: the highest place.
    """
    gap = min(gap, (high - low) / max(1, len(values) - 1))
    blocks: list[tuple[float, list[int]]] = []  # the lowest place of a block, and its labels from low to high
    for place in sorted(range(len(values)), key=values.__getitem__):
        blocks.append((min(max(values[place], low), high), [place]))
        while len(blocks) > 1 and blocks[-1][0] < blocks[-2][0] + gap * len(blocks[-2][1]) - 1e-12:
            joined = blocks[-2][1] + blocks[-1][1]
            blocks[-2:] = [(_lowest([values[one] for one in joined], gap, low, high), joined)]
    found = [0.0] * len(values)
    for start, block in blocks:
        for number, place in enumerate(block):
            found[place] = start + gap * number
    return found


def _lowest(values: Sequence[float], gap: float, low: float, high: float) -> float:
    """The lowest place of a block of labels that are, on the whole, nearest to their values."""
    taken = gap * (len(values) - 1)
    return min(max(sum(values) / len(values) - taken / 2, low), high - taken)


def _at(mark: Spec, **places: Spec) -> Spec:
    return {"data": {"values": [{}]}, "mark": mark, "encoding": places}


def _values(curve: Curve) -> list[Spec]:
    return [{"step": step, "value": round(value, 5)} for step, value in curve]
