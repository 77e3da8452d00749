"""How work that takes long reports how far it is, and how that is shown.

Rooms call an `OnProgress`; `show_progress` makes one that draws a bar on a terminal, and elsewhere writes a line every
ten seconds and one at the end. Public functions have a parameter `progress`, which they hand to it.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

OnProgress = Callable[[str, int, int | None], None]
"""Takes what is worked on, how much of it is done, and how much there is to do (None where that is unknown).

What is worked on may be what is counted: `rows` or `texts`.
"""
_COUNTED = ("rows", "texts")
EVERY = 10.0
"""Seconds between two lines."""
MEGABYTE = 1e6


def hide_library_bars() -> None:
    """Keep the bars of datasets, huggingface_hub and transformers away: a command has one of its own."""
    # What is not imported yet reads these; what is has done so already.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if "transformers" in sys.modules:
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()


_shown = True


def set_shown(shown: bool) -> None:
    """Show progress from now on, or no longer; functions that take it are called all the same."""
    global _shown
    _shown = shown


Warn = Callable[[str], None]
"""Takes a line that the user should see."""


def silent(label: str, done: int, total: int | None) -> None:
    """Report nothing."""


@contextmanager
def show_progress(
    unit: str = "rows", start: str = "loading", progress: bool | OnProgress = True
) -> Iterator[OnProgress]:
    """Show on stderr how far some work is.

    Args:
        unit: what is counted; `bytes` are shown as megabytes, those of each label by themselves.
        start: what is done before the first count.
        progress: whether to show anything; or a function to call instead, which then shows it in its own way.
    """
    if callable(progress):
        yield progress
        return
    if not progress or not _shown:
        yield silent
        return
    with _bars(unit, start) if sys.stderr.isatty() else _lines(unit, start) as on_progress:
        yield on_progress


@contextmanager
def _lines(unit: str, start: str) -> Iterator[OnProgress]:
    lines, ended = Lines(sys.stderr, unit, start), threading.Event()
    thread = threading.Thread(target=repeat, args=(lines.write, ended.wait), daemon=True)
    thread.start()
    try:
        yield lines.update
    finally:
        ended.set()
        thread.join()
    lines.end()


def repeat(write: Callable[[], None], wait: Callable[[float], bool]) -> None:
    """Write a line every ten seconds, until `wait`, which is given those seconds, says that the work is done."""
    while not wait(EVERY):
        write()


class Lines:
    """What lines say; they are written when they are asked for.

    Args:
        stream: where they go.
        unit: what is counted.
        start: what is done before the first count.
        clock: the time, in seconds.
    """

    def __init__(self, stream: TextIO, unit: str, start: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.unit, self.clock = stream, unit, clock
        self.label, self.done, self.total = start, 0, None  # type: str, int, int | None
        self.began = self.since = clock()
        self.first = 0
        self.told = self.counts = False

    def update(self, label: str, done: int, total: int | None) -> None:
        """Take how far the work is; a count that starts anew starts a rate of its own."""
        is_other = label != self.label and (self.unit == "bytes" or (total is None and not done))
        if done < self.done or total != self.total or is_other or not self.counts:
            self.since, self.first = self.clock(), done
            self.counts = total is not None or done > 0
        self.label, self.done, self.total = label, done, total

    def write(self) -> None:
        """Write where the work stands."""
        self.told = True
        print(self.line(), file=self.stream, flush=True)

    def end(self) -> None:
        """Write how long all of it took, where something was counted, or a line has been written before."""
        if self.told or self.total is not None:
            count = f"{self._count()}, " if self.total is not None and self.unit != "bytes" else ""
            print(f"{count}done in {duration(self.clock() - self.began)}", file=self.stream, flush=True)

    def line(self) -> str:
        """`120 of 400 steps (30 %), 2.1 steps/s, 2:13 left: loss 0.512`; without counts, how long it has taken."""
        if not self.counts:
            return f"{self.label}: {duration(self.clock() - self.since)} so far"
        parts = [self._count()]
        rate = (self.done - self.first) / max(self.clock() - self.since, 1e-9)
        if rate > 0:
            is_slow = rate < 1 and self.unit != "bytes"
            parts.append(f"{1 / rate:,.1f} s/{self._unit.removesuffix('s')}" if is_slow else self._rate(rate))
            if self.total is not None:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join(parts) + ("" if self.label in _COUNTED else f": {self.label}")

    def _rate(self, rate: float) -> str:
        return f"{self._amount(rate)} {self._unit}/s"

    def _count(self) -> str:
        if self.total is None:
            return f"{self._amount(self.done)} {self._unit}"
        share = f" ({self.done / self.total:.0%})".replace("%", " %") if self.total else ""
        return f"{self._amount(self.done)} of {self._amount(self.total)} {self._unit}{share}"

    def _amount(self, count: float) -> str:
        if self.unit == "bytes":
            return f"{count / MEGABYTE:,.1f}"
        return f"{count:,}" if isinstance(count, int) else f"{count:,.1f}"

    @property
    def _unit(self) -> str:
        return _unit(self.unit, self.label)


def _unit(unit: str, label: str) -> str:
    """What a count is of."""
    return label if label in _COUNTED else "MB" if unit == "bytes" else unit


def duration(seconds: float) -> str:
    """Minutes and seconds, after hours where there are some: `0:07`, `12:30`, `1:02:09`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def _bars(unit: str, start: str) -> Iterator[OnProgress]:
    """A bar for all of it; for bytes one for each label, gone when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeftColumn

    each = unit == "bytes"
    counts = DownloadColumn() if each else MofNCompleteColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), counts)
    rate = TextColumn("{task.fields[rate]}", markup=False)
    with Progress(*columns, rate, TimeElapsedColumn(), TimeLeftColumn(), console=Console(stderr=True)) as bars:
        first = bars.add_task(start, total=None, rate="")
        tasks = {start: first}

        def update(label: str, done: int, total: int | None) -> None:
            if each and label not in tasks:
                tasks[label] = bars.add_task(label, rate="")
                bars.update(first, visible=False)
            task = tasks[label] if each else first
            speed = next(one.speed for one in bars.tasks if one.id == task)
            shown = speed / MEGABYTE if each and speed else speed
            rate = f"{shown:,.1f} {_unit(unit, label)}/s" if shown else ""
            bars.update(task, description=label, completed=done, total=total, rate=rate)
            if each and total is not None and done >= total:
                bars.update(task, visible=False)

        yield update
