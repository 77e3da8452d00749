"""Cards from their templates in `cards/`: text in Markdown below metadata in YAML."""

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, FunctionLoader, StrictUndefined

_TICKS = re.compile("`{3,}")
_BLANK = re.compile(r"\n{3,}")
BARS = "▁▂▃▄▅▆▇█"


def render_card(template: str, metadata: Mapping[str, Any], **values: Any) -> str:
    """A card; a value that the template names and that is not given is an error.

    Args:
        template: path of the template in `cards/`.
        metadata: the YAML at its top, in this order.
        values: what the template is filled with.
    """
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        loader=FunctionLoader(lambda name: (files("emollms.cards") / name).read_text(encoding="utf-8")),
    )
    environment.filters |= {
        "thousands": lambda number: f"{number:,}",
        "cell": cell,
        "fenced": fenced,
        "bars": bars,
        "listed": listed,
        "tojson_plain": lambda text: json.dumps(text, ensure_ascii=False),
    }
    text = _BLANK.sub("\n\n", environment.get_template(template).render(**values))
    return f"---\n{dump_metadata(metadata)}---\n\n{text.strip()}\n"


def dump_metadata(metadata: Mapping[str, Any]) -> str:
    """YAML as all cards have it: keys in their order, no anchors."""
    return yaml.dump(dict(metadata), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def cell(value: object) -> str:
    """A value in a cell of a table: on one line, with what would end the cell escaped."""
    return " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def fenced(text: str, language: str = "") -> str:
    """A block of code; its fence is longer than any in the text."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in _TICKS.findall(text))])
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def bars(values: list[float], low: float = 0.0) -> str:
    """A row of bars, from `low` to the largest value."""
    span = max([value - low for value in values] + [1e-12])
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in values)


def listed(names: list[str]) -> str:
    """Names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
