"""What commands print: tables for people on a terminal, tab-separated lines where the output goes elsewhere."""

import os
import shutil
import stat
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TextIO


def examples(*lines: str) -> str:
    """The epilog of a command's help that shows how it is called."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def print_error(error: Exception | str) -> None:
    """Print an error as one line on stderr."""
    print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)


def print_note(text: str) -> None:
    """Print what is no result, on stderr."""
    print(text, file=sys.stderr)


def goes_into_a_file(stream: TextIO) -> bool:
    """Whether the shell sends a stream into a file: not to a terminal, another program, or a test."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: aligned on a terminal, else tab-separated with a header line and nothing cut.

    Cells wrap between words and never inside one, since a path that is broken in two cannot be copied: on a terminal
    that is too narrow for that, the widest columns stand below each row instead, a line each.

    Args:
        columns: the headings.
        rows: the cells; numbers are set to the right.
    """
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


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values: one below the other; further lines of a value are indented."""
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
