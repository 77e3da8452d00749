"""What an evaluation found, and its file `scores.json`: every reader and writer of that file goes through `Scores`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from emollms.evaluation.run_folder import FORMAT, RunFacts, read_record
from emollms.evaluation.task_scores import NO_ANSWER, Figure, ScoresPart, TaskScores
from emollms.storage import write_json

if TYPE_CHECKING:
    import pandas as pd

SCORES_HEADER = ("task", "metric", "score", "95 % interval", "invalid", "rows")
PARSE_DIFFERENCE = 0.005
"""How far the strict and the lenient value of a metric may be apart before a line says so."""


class ScoredRun(RunFacts):
    """The facts of a run, with its number of rows and the seconds that its answers took."""

    rows: int | None = None
    seconds: float | None = None


class Scores(ScoresPart):
    """What an evaluation found; `scores.json` holds it, and `repr` shows the main metric of each task.

    Args:
        format: number of this form.
        name: name of what was evaluated, for people.
        kind: `model`, `endpoint`, `predictions` or `baseline`.
        run: what was run, with which settings, on which data and machine.
        tasks: the scores by task.
    """

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1)
    kind: str
    run: ScoredRun
    tasks: dict[str, TaskScores]

    @classmethod
    def read(cls, path: Path) -> "Scores":
        """Read a `scores.json`.

        Raises:
            EmollmsError: it is damaged, or of another version of this package.
            OSError: it is not there.
        """
        return read_record(path, cls)

    def write(self, path: Path) -> None:
        """Write it to `path`, whole or not at all."""
        write_json(path, self.model_dump(mode="json"))

    def table(self) -> list[tuple[str, str, str, str, str, int]]:
        """The main metric of each task, in words, by `SCORES_HEADER`."""
        rows = []
        for name, task in self.tasks.items():
            main, found = task.main_metric, task.main_metric.interval
            score = f"{main.value:.3f}" if found else "undefined (counts as 0)"
            interval = f"{found.low:.3f} to {found.high:.3f}" if found else ""
            rows.append((name, main.title, score, interval, f"{task.invalid.rate:.1%}", task.n))
        return rows

    @property
    def languages(self) -> list[str]:
        """Codes of the languages of its rows."""
        found = {code for task in self.tasks.values() for code in task.main_metric.languages}
        return sorted(found) or [self.run.settings.language]

    def language_table(self) -> list[tuple[str, ...]]:
        """The metric of the source of each task, by language, with a header; empty unless languages were told apart."""
        columns = {name: task.source_metric for name, task in self.tasks.items() if task.source_metric.languages}
        if not columns:
            return []
        codes = sorted({code for metric in columns.values() for code in metric.languages})
        cells = [[_shown(metric.languages.get(code)) for metric in columns.values()] for code in codes]
        means = [_shown(metric) for metric in columns.values()]
        return [
            ("language", *columns),
            *((code, *own) for code, own in zip(codes, cells, strict=True)),
            ("mean", *means),
        ]

    def __repr__(self) -> str:
        lines = [list(SCORES_HEADER), *([str(cell) for cell in row] for row in self.table())]
        shown = _aligned(lines)
        if languages := self.language_table():
            shown += ["", *_aligned(languages)]
        return "\n".join([f"Scores of {self.name} ({self.kind})", *shown])

    __str__ = __repr__

    def to_pandas(self, all_metrics: bool = False, by_language: bool = False) -> "pd.DataFrame":
        """The scores as a table: task, metric, value, low, high (of the 95 % interval), invalid (0..1) and rows.

        Args:
            all_metrics: whether to give every metric, and not only the main one of each task.
            by_language: whether to give a row, with a column `language`, for each language that was scored by itself;
                it has no fraction of invalid answers.
        """
        import pandas as pd

        if by_language:
            found = [
                (name, metric, code, figure.value, figure.low, figure.high, figure.n)
                for name, task in self.tasks.items()
                for metric, one in task.metrics.items()
                for code, figure in one.languages.items()
                if all_metrics or metric == task.main
            ]
            return pd.DataFrame(found, columns=["task", "metric", "language", "value", "low", "high", "rows"])

        rows = [
            (name, metric, one.value, one.low, one.high, task.invalid.rate, one.n)
            for name, task in self.tasks.items()
            for metric, one in task.metrics.items()
            if all_metrics or metric == task.main
        ]
        return pd.DataFrame(rows, columns=["task", "metric", "value", "low", "high", "invalid", "rows"])

    def remarks(self) -> list[str]:
        """Lines that a reader of the scores must see: scales and rules that matter, and answers that are missing."""
        found = self._native_scales()
        for name, task in self.tasks.items():
            found += [*_parse_matters(name, task), *_without_answers(name, task)]
        return found

    def _native_scales(self) -> list[str]:
        shown = [
            f"{name} ({scale.outside:,} of {scale.numbers:,} outside 0 to 1, read on {scale.low:g} to {scale.high:g})"
            for name, task in self.tasks.items()
            if (scale := task.scale) and scale.asked == "auto" and scale.name == "native"
        ]
        if not shown:
            return []
        return [f"answers look native: {', '.join(shown)}; --scale unit reads them on 0 to 1, --scale native says so"]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, each cell as wide as its column."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)
    return [line.rstrip() for line in shown]


def _shown(figure: Figure | None) -> str:
    """A value with three decimals; nothing where there is none, and a dash where it is undefined."""
    return "" if figure is None else f"{figure.value:.3f}" if figure.interval else "–"


def _parse_matters(name: str, task: TaskScores) -> list[str]:
    """A line if the rule for parsing answers makes a difference in any metric of a task."""
    if not task.by_parse:
        return []
    strict, lenient = task.by_parse["strict"], task.by_parse["lenient"]
    apart = {
        task.metrics[metric].title: (value, lenient.metrics[metric])
        for metric, value in strict.metrics.items()
        if abs(value - lenient.metrics[metric]) > PARSE_DIFFERENCE
    }
    if not apart:
        return []
    figures = ", ".join(f"{title} {one:.3f} strict, {other:.3f} lenient" for title, (one, other) in apart.items())
    other = "lenient" if task.parse == "strict" else "strict"
    return [
        f"{name}: {figures} ({strict.invalid:,} and {lenient.invalid:,} of {task.n:,} answers invalid); "
        f"--parse {other} scores by the other rule"
    ]


def _without_answers(name: str, task: TaskScores) -> list[str]:
    """Lines about rows without an answer, and about a task whose answers are all invalid."""
    found, reasons = [], dict(task.invalid.reasons)
    if missing := reasons.pop(NO_ANSWER, 0):
        found.append(f"{name}: {missing:,} of {task.n:,} rows have no answer")
    if reasons and task.invalid.n == task.n:
        why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        found.append(f"{name}: all answers are invalid ({why})")
    return found
