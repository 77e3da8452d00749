"""Distributions as SVG pictures, drawn by Vega-Lite in this process: no script, no font, no address in them.

Colours are CSS variables (`--train`, `--ink`, …), so that a picture follows the page into dark mode. Each bar has a
label for screen readers.
"""

import re
from typing import Any

from emollms.errors import UsageError
from emollms.quality.gate_report import Distribution

WIDTH, HEIGHT, ROW = 330, 130, 18
TITLES = {"score": "score", "class": "class", "label": "label", "characters": "length in characters"}
_NOT_NEEDED = re.compile(r' xmlns:xlink="[^"]*"| clip-path="[^"]*"|<defs>.*?</defs>')
"""Clips are named alike in every picture, and nothing here sticks out."""


def picture(distribution: Distribution) -> str:
    """An SVG of a distribution: columns for what is ordered, rows for labels.

    Raises:
        UsageError: the package that draws is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        raise UsageError("pictures need the package vl-convert-python: pip install vl-convert-python") from None
    svg: str = vl_convert.vegalite_to_svg(_specification(distribution))
    return _NOT_NEEDED.sub("", svg).replace("<svg ", f'<svg role="img" aria-label="{_about(distribution)}" ', 1)


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
        "config": _LOOK,
    }


_LOOK = {
    "background": "transparent",
    "padding": {"left": 16, "right": 16, "top": 6, "bottom": 6},
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 11,
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "ticks": False,
        "labelPadding": 6,
    },
    "axisBand": {"grid": False},
    "axisQuantitative": {"domain": False},
    "scale": {"bandPaddingInner": 0.2, "bandPaddingOuter": 0.1},
}
