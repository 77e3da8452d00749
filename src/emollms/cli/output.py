"""What commands print: tables for people on a terminal, tab-separated lines where the output goes elsewhere."""

import sys
from collections.abc import Mapping, Sequence


def examples(*lines: str) -> str:
    """The epilog of a command's help that shows how it is called."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def print_error(error: Exception | str) -> None:
    """Print an error as one line on stderr."""
    print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)


def print_note(text: str) -> None:
    """Print what is no result, on stderr."""
    print(text, file=sys.stderr)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: with lines on a terminal, else tab-separated with a header line and nothing cut.

    Args:
        columns: the headings.
        rows: the cells; numbers are set to the right.
    """
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            print("\t".join(" ".join(str(cell).split()) for cell in row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[number], int) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    Console().print(table)


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values: one below the other; further lines of a value are indented."""
    tty = sys.stdout.isatty()
    width = max(map(len, fields)) + 2 if tty else 0
    for name, value in fields.items():
        first, *rest = str(value).splitlines() or [""]
        print(f"{name:<{width}}{first}" if tty else f"{name}\t{first}")
        for line in rest:
            print(f"{' ' * width}{line}" if tty else f"\t{line}")
