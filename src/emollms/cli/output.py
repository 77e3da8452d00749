"""What commands print: results on stdout, notes and errors on stderr, by way of `logging`.

A result is a table for people on a terminal, tab-separated lines where the output goes elsewhere, JSON with `--json`.
"""

import json
import logging
import math
import os
import re
import shutil
import stat
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TextIO

from emollms.progress import set_shown

log = logging.getLogger("emollms")
_LIBRARIES = ("TRANSFORMERS_VERBOSITY", "DATASETS_VERBOSITY", "HF_HUB_VERBOSITY")
"""Libraries whose loggers have handlers of their own, and the variables that set their levels on import."""
_json = False


@dataclass(frozen=True)
class Cell:
    """A cell that people read in another way than programs.

    Args:
        value: for JSON: a number in its base unit, a list, or None.
        shown: for people.
    """

    value: object
    shown: str

    def __str__(self) -> str:
        return self.shown


class _OnStderr(logging.Handler):
    """Writes to what `sys.stderr` is at the time: bars of progress put another stream in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR and _has_colors(sys.stderr):
            text = text.replace(_ERROR, f"\033[1;31m{_ERROR}\033[0m", 1)
        print(text, file=sys.stderr, flush=True)


_ERROR = "error:"
_HANDLER = _OnStderr()


def set_verbosity(verbosity: int) -> None:
    """Choose what is written on stderr.

    Args:
        verbosity: -1 for warnings and errors alone; 0 also for notes and progress; 1 for what the package does, and
            what libraries tell (INFO); 2 for everything that they tell.
    """
    root = logging.getLogger()
    for logger in (root, log):
        logger.removeHandler(_HANDLER)
    # By default only our own lines are handled here, so that warnings of libraries look as they always do.
    (root if verbosity > 0 else log).addHandler(_HANDLER)
    log.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
    root.setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG))
    _HANDLER.setFormatter(logging.Formatter("%(name)s: %(message)s" if verbosity > 0 else "%(message)s"))
    set_shown(verbosity >= 0)
    if verbosity:
        level = {-1: "error", 1: "info"}.get(verbosity, "debug")
        for name in _LIBRARIES:
            os.environ.setdefault(name, level)


def show_times(name: str) -> None:
    """Put the time before each line that a logger of this name writes."""
    handler, logger = _OnStderr(), logging.getLogger(name)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False


def set_json(wanted: bool) -> None:
    """Print results as JSON from now on, or no longer."""
    global _json
    _json = wanted


def _has_colors(stream: TextIO) -> bool:
    """Whether colours are wanted on a stream (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def examples(*lines: str) -> str:
    """The epilog of a command's help that shows how it is called."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def print_error(error: Exception | str) -> None:
    """Print an error as one line on stderr."""
    log.error("%s %s", _ERROR, " ".join(str(error).splitlines()))


def print_warning(text: str) -> None:
    """Print what a user must see, on stderr, also with `--quiet`."""
    log.warning("%s", text)


def print_note(text: str) -> None:
    """Print what is no result, on stderr."""
    log.info("%s", text)


def goes_into_a_file(stream: TextIO) -> bool:
    """Whether the shell sends a stream into a file: not to a terminal, another program, or a test."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], whole: object = None) -> None:
    """Print a table: aligned on a terminal, else tab-separated with a header line and nothing cut.

    Cells wrap between words and never inside one, since a path that is broken in two cannot be copied: on a terminal
    that is too narrow for that, the widest columns stand below each row instead, a line each.

    With `--json` it is a list of objects; their keys are the headings as names: `texts of A` is `texts_of_a`.

    Args:
        columns: the headings.
        rows: the cells; numbers are set to the right.
        whole: what `--json` prints instead, where that is more than the table.
    """
    if _json:
        _print_json(_objects(columns, rows) if whole is None else whole)
        return
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            print("\t".join(" ".join(str(cell).split()) for cell in row))
        return
    shown = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    numbers = {place for place in range(len(columns)) if rows and all(isinstance(row[place], int) for row in rows)}
    room = shutil.get_terminal_size().columns
    widths = _column_widths([columns, *shown], room)
    for line in _aligned(columns, widths, numbers):
        print(line)
    print("─" * min(room, sum(widths.values()) + 2 * (len(widths) - 1)))
    below = [place for place in range(len(columns)) if place not in widths]
    for row in shown:
        for line in _aligned(row, widths, numbers):
            print(line)
        for place in below:
            head = f"  {columns[place]}: "
            print(head + f"\n{' ' * len(head)}".join(_wrapped(row[place], room - len(head))))


_UNBROKEN = 12
"""Cells of at most so many characters, such as `2 × 11 GB`, stay on one line."""


def _column_widths(rows: Sequence[Sequence[str]], room: int) -> dict[int, int]:
    """The width of each column that fits beside the others without a broken word, by its place."""
    columns = [[row[place] for row in rows] for place in range(len(rows[0]))]
    whole = [max(map(len, cells)) for cells in columns]
    least = [
        max(len(part) for cell in cells for part in ([cell] if len(cell) <= _UNBROKEN else cell.split()))
        for cells in columns
    ]
    kept = list(range(len(columns)))
    while len(kept) > 1 and sum(least[place] for place in kept) + 2 * (len(kept) - 1) > room:
        kept.remove(max(kept[1:], key=lambda place: least[place]))
    widths = {place: least[place] for place in kept}
    spare = room - sum(widths.values()) - 2 * (len(kept) - 1)
    for count, place in enumerate(sorted(kept, key=lambda place: whole[place] - least[place])):
        extra = min(whole[place] - least[place], max(0, spare) // (len(kept) - count))
        widths[place] += extra
        spare -= extra
    return widths


def _aligned(row: Sequence[str], widths: Mapping[int, int], numbers: Collection[int]) -> Iterator[str]:
    """The lines of a row whose cells are wrapped to `widths`."""
    wrapped = [_wrapped(row[place], width) for place, width in widths.items()]
    for parts in zip_longest(*wrapped, fillvalue=""):
        cells = zip(parts, widths.items(), strict=True)
        yield "  ".join(f"{part:{'>' if place in numbers else '<'}{width}}" for part, (place, width) in cells).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, broken between words alone."""
    return textwrap.wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False) or [""]


Table = tuple[Sequence[str], Sequence[Sequence[object]]]
"""Headings and rows."""


def print_fields(fields: Mapping[str, object], tables: Mapping[str, Table] | None = None) -> None:
    """Print names and values: one below the other; further lines of a value are indented.

    Args:
        fields: the values by name.
        tables: tables that follow, by name; JSON has them as further keys.
    """
    tables = tables or {}
    if _json:
        _print_json({_key(name): _plain(value) for name, value in fields.items()}
                    | {_key(name): _objects(*table) for name, table in tables.items()})  # fmt: skip
        return
    _print_fields(fields)
    for table in tables.values():
        print()
        print_table(*table)


def print_result(result: object, rows: Sequence[Mapping[str, object]] | None = None) -> None:
    """Print the result of a public function as it shows itself; with `--json` its table, an object a row.

    Args:
        result: it has `to_pandas()`.
        rows: what `--json` prints instead.
    """
    if not _json:
        print(result)
        return
    found = result.to_pandas().to_dict("records") if rows is None else rows  # type: ignore[attr-defined]
    _print_json([_plain(row) for row in found])


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _objects(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    keys = [_key(column) for column in columns]
    return [dict(zip(keys, map(_plain, row), strict=True)) for row in rows]


def _key(heading: str) -> str:
    """A heading as a key: `95 % interval` is `95_interval`."""
    return re.sub(r"\W+", "_", heading.lower()).strip("_")


def _plain(value: object) -> object:
    """A cell as JSON has it; what is no number is null."""
    value = value.value if isinstance(value, Cell) else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _print_fields(fields: Mapping[str, object]) -> None:
    if not sys.stdout.isatty():
        for name, value in fields.items():
            print(f"{name}\t" + "\n\t".join(str(value).splitlines()))
        return
    width = max(map(len, fields)) + 2
    room = shutil.get_terminal_size().columns - width
    for name, value in fields.items():
        lines = [part for line in str(value).splitlines() or [""] for part in _wrapped_keeping_indent(line, room)]
        print(f"{name:<{width}}" + f"\n{' ' * width}".join(lines))


def _wrapped_keeping_indent(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return [indent + part for part in _wrapped(line.strip(), width - len(indent))]
