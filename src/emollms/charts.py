"""Pictures by Vega-Lite, drawn in this process: SVG with no script, no font and no address in it.

Colours are CSS variables of the page (`--muted`, `--line`, …), so that a picture follows it into dark mode. Each mark
has a label for screen readers.
"""

import re
from collections.abc import Mapping
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
