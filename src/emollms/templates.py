"""Cards from their templates in `cards/`: text in Markdown below metadata in YAML."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

import yaml
from jinja2 import Environment, FunctionLoader, StrictUndefined

_TICKS = re.compile("`{3,}")
_MARK = re.compile(r"<!--(?=\s*/?emollms:)")
"""How the comments around the sections of a card begin."""
_SIGNS = re.compile(r"[\\`*|\[\]~$]")
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore that is not inside a word: those begin and end nothing."""
_BAR = re.compile(r"(?<!\\)\|")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_AT_THE_START = re.compile(r"^(\d+(?=[.)](?:\s|$))|)([#+=.)-])")
_OF_ADDRESSES = "/:?#@!$&*+,;=%~-._"
"""What stays in an address; brackets, quotes and bars go out as `%28` and the like."""
_BLANK = re.compile(r"\n{3,}")
BARS = "▁▂▃▄▅▆▇█"


def render_card(template: str, metadata: Mapping[str, Any], **values: Any) -> str:
    """A card; a value that the template names and that is not given is an error.

    Args:
        template: path of the template in `cards/`.
        metadata: the YAML at its top, in this order.
        values: what the template is filled with.
    """
    text = _BLANK.sub("\n\n", render(template, **values))
    return f"---\n{dump_metadata(metadata)}---\n\n{text.strip()}\n"


def render(template: str, filters: Mapping[str, Callable[..., str]] | None = None, **values: Any) -> str:
    """A template filled in, as it stands; otherwise as `render_card`.

    Args:
        template: path of the template in `cards/`.
        filters: filters beside those of cards.
        values: what the template is filled with.
    """
    text: str = _environment(*(filters or {}).items()).get_template(template).render(**values)
    return text


@cache
def _environment(*filters: tuple[str, Callable[..., str]]) -> Environment:
    """What compiles the templates, each once in a process: it takes longer than to fill one in.

    Args:
        filters: names and functions of filters beside those of cards.
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
        "prose": prose,
        "cell": cell,
        "ours": ours,
        "code": code,
        "link": link,
        "fenced": fenced,
        "bars": bars,
        "listed": listed,
        "tojson_plain": lambda text: json.dumps(text, ensure_ascii=False),
        **dict(filters),
    }
    return environment


def dump_metadata(metadata: Mapping[str, Any]) -> str:
    """YAML as all cards have it: keys in their order, no anchors."""
    return yaml.dump(dict(metadata), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def prose(value: object) -> str:
    """A text from elsewhere as a part of a paragraph, a heading or an item of a list: it shows as it stands.

    Nothing in it is taken for Markdown or HTML, and no line of it can end what is around it.
    """
    text = cell(value)
    return _AT_THE_START.sub(r"\1\\\2", text)


def cell(value: object) -> str:
    """A text from elsewhere in a cell of a table, on one line: see `prose`."""
    text = _SIGNS.sub(r"\\\g<0>", _one_line(value))
    return _EMPHASIS.sub(r"\_", _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;"))


def ours(value: object) -> str:
    """Markdown of ours in a cell of a table: on one line, with what would end the cell escaped."""
    return _BAR.sub(r"\|", _one_line(value))


def code(value: object) -> str:
    """A text from elsewhere as code in a line, also in a cell; its ticks are more than any in the text."""
    text = _BAR.sub(r"\|", _one_line(value))
    ticks = "`" * (max([0, *map(len, re.findall("`+", text))]) + 1)
    space = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{ticks}{space}{text}{space}{ticks}" if text else ""


def link(text: object, address: str) -> str:
    """A link, also in a cell; the text alone, where the address is none of the web."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return cell(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return cell(text)
    return f"[{cell(text)}]({quote(address.strip(), safe=_OF_ADDRESSES)})"


def _one_line(value: object) -> str:
    """A text without line ends and control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(value)).split())


def fenced(text: str, language: str = "") -> str:
    """A block of code; its fence is longer than any in the text, and no line of it ends a section of the card."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in _TICKS.findall(text))])
    return f"{fence}{language}\n{_MARK.sub('<! --', text).rstrip()}\n{fence}"


def bars(values: list[float], low: float = 0.0) -> str:
    """A row of bars, from `low` to the largest value."""
    span = max([value - low for value in values] + [1e-12])
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in values)


def listed(names: list[str]) -> str:
    """Names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
