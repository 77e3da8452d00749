"""What commands print: tables for people on a terminal, tab-separated lines where the output goes elsewhere."""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """Bars on stderr for things that take long; silent where stderr is no terminal.

    Yields:
        A function that takes a label, how much is done, and how much there is to do (None where nobody knows), in
        bytes.
    """
    if not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    look = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*look, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks = {}

        def tell(label: str, done: int, total: int | None) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label)
            bars.update(tasks[label], completed=done, total=total)
            if total is not None and done >= total:
                bars.update(tasks[label], visible=False)

        yield tell
