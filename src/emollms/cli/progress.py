"""A bar for rows that a model answers, and for steps of training."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, int, int], None]


@contextmanager
def row_bar(unit: str = "rows") -> Iterator[Tell]:
    """A bar on stderr with a rate and the time left; silent where stderr is no terminal.

    Args:
        unit: what is counted.

    Yields:
        A function that takes what is worked on, how many are done, and how many there are.
    """
    if not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    rate = TextColumn("{task.fields[rate]}", markup=False)
    look = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), rate)
    with Progress(*look, TimeElapsedColumn(), TimeLeftColumn(), console=Console(stderr=True)) as bars:
        bar = bars.add_task("loading", total=None, rate="")

        def tell(label: str, done: int, total: int) -> None:
            speed = bars.tasks[0].speed
            rate = f"{speed:,.1f} {unit}/s" if speed else ""
            bars.update(bar, description=label, completed=done, total=total, rate=rate)

        yield tell
