"""Distributions as pictures. A split has one colour, `--train` and so on, a CSS variable of the page."""

from typing import Any

from emollms.quality.gate.report import Distribution
from emollms.quality.gate.vega import draw

WIDTH, HEIGHT, ROW = 330, 130, 18
TITLES = {"score": "score", "class": "class", "label": "label", "characters": "length in characters"}


def picture(distribution: Distribution) -> str:
    """An SVG of a distribution: columns for what is ordered, rows for labels.

    Raises:
        UsageError: the package that draws is not installed.
    """
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
