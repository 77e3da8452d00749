"""What an evaluation found, and its file `scores.json`: every reader and writer of that file goes through `Scores`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from emollms.evaluation.bootstrap import Interval
from emollms.evaluation.reliability import ReliabilityBin
from emollms.evaluation.run_folder import FORMAT, RunFacts, read_record
from emollms.evaluation.scales import ScaleChoice
from emollms.evaluation.task_metrics import Policy, metrics_of
from emollms.prompts.answers import Parse
from emollms.storage import write_json
from emollms.tasks import get_task

if TYPE_CHECKING:
    import pandas as pd

NO_ANSWER = "no answer"
SCORES_HEADER = ("task", "metric", "score", "95 % interval", "invalid", "rows")
PARSE_DIFFERENCE = 0.005
"""How far the strict and the lenient value of a metric may be apart before a line says so."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Figure(_Part):
    """One value of a metric.

    Args:
        value: the value; where the metric is undefined, the 0 that it counts as by the official rule.
        low: lower end of its 95 % bootstrap interval; None where the metric is undefined, such as the correlation of
            constants.
        high: upper end.
        n: the rows it was computed from.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def interval(self) -> Interval | None:
        """Its interval; None where the metric is undefined."""
        return None if self.low is None or self.high is None else Interval(self.low, self.high)


class _Titled(_Part):
    title: str


class MetricScore(Figure, _Titled):  # in this order, since the file has the title first
    """A metric of a task.

    Args:
        title: its name for people.
        value: over all rows; the mean of the parts where the task asks for one emotion at a time, and of the languages
            where each is scored by itself.
        low: lower end of its 95 % bootstrap interval; None where it is undefined in every part.
        high: upper end.
        n: the rows it was computed from.
        parts: its value for each emotion asked for, each label, or each class seen in gold.
        languages: its value for each language, where each is scored by itself.
    """

    parts: dict[str, Figure] = {}
    languages: dict[str, Figure] = {}

    @model_serializer(mode="wrap")
    def _without_languages(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {name: value for name, value in found.items() if value or name != "languages"}


class InvalidAnswers(_Part):
    """Answers that could not be parsed.

    Args:
        policy: what they count as.
        rate: their fraction, 0..1.
        n: their number.
        reasons: their number by reason, most common first.
    """

    policy: Policy
    rate: float
    n: int
    reasons: dict[str, int]


class ParseScores(_Part):
    """The values of the metrics by one rule for parsing answers, and how many answers are invalid by it."""

    metrics: dict[str, float]
    invalid: int


class SampledRows(_Part):
    """How many rows were asked, of how many, and the seed that drew them."""

    rows: int
    of: int
    seed: int


class CalibrationScore(_Part):
    """How well the probabilities of classes or labels are calibrated.

    Args:
        temperature: the temperature that was applied; None for none.
        thresholds: the thresholds of labels that were applied; None for none.
        error: expected calibration error, 0..1.
        bins: the reliability diagram.
        rows: rows with probabilities.
    """

    temperature: float | None = None
    thresholds: dict[str, float] | None = None
    error: float
    bins: list[ReliabilityBin]
    rows: int | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class TaskScores(_Part):
    """The scores of a task.

    Args:
        task: name of the task.
        main: name of the metric that is published for it.
        value: the main metric.
        n: how many rows there are.
        scored: how many of them were scored; fewer where the policy drops invalid answers.
        invalid: the answers that could not be parsed.
        metrics: every metric by name.
        scored_by: what was scored, see `parsing.ScoredBy`.
        parse: the rule that answers were parsed by.
        scale: the scale that answers were on; None where the task has no scores.
        by_parse: the metrics by each rule for parsing answers.
        sample: the rows that were asked.
        calibration: None without probabilities of classes or labels.
    """

    task: str = ""
    main: str
    value: float
    n: int
    scored: int
    invalid: InvalidAnswers
    metrics: dict[str, MetricScore]
    scored_by: str = "answer"
    parse: Parse = "strict"
    scale: ScaleChoice | None = None
    by_parse: dict[Parse, ParseScores] = {}
    sample: SampledRows | None = None
    calibration: CalibrationScore | None = None

    @model_serializer(mode="wrap")
    def _without_calibration(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {name: value for name, value in found.items() if value is not None or name == "scale"}

    @property
    def source_metric(self) -> MetricScore:
        """The metric by which the source of the task ranks systems, see `TaskMetrics.source`."""
        return self.metrics.get(metrics_of(get_task(self.task)).source_metric.name, self.main_metric)

    @property
    def main_metric(self) -> MetricScore:
        """The metric that is published for the task."""
        return self.metrics[self.main]


class ScoredRun(RunFacts):
    """The facts of a run, with its number of rows and the seconds that its answers took."""

    rows: int | None = None
    seconds: float | None = None


class Scores(_Part):
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
