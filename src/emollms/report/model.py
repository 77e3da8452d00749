"""What a report says, in whatever form it is written: `dataclasses.asdict` of a `Report` is its JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["better", "worse", "no clear difference"]


@dataclass(frozen=True)
class ScoreCell:
    """A score.

    Args:
        value: the score; 0 where it is undefined.
        low: lower end of its 95 % interval; None for published and undefined scores.
        high: upper end.
        n: the rows it was measured on; None for published scores.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def undefined(self) -> bool:
        """Whether the metric has no value here, such as the correlation of constant answers."""
        return self.n is not None and self.low is None


@dataclass(frozen=True)
class RunSummary:
    """One evaluation, and how to make it again.

    Args:
        name: its name.
        kind: model, endpoint, predictions or baseline.
        limit: the most rows of a task; None where all were asked.
        command: the command that made it.
        facts: what it was made with, by name: versions, hardware, settings, hashes.
    """

    name: str
    kind: str
    limit: int | None
    command: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class LeaderboardRow:
    """A line of the table of all models.

    Args:
        name: the model.
        group: what kind of model it is.
        run: number of the run; None for a published one.
        cells: its score in the main metric of each task it has one for.
    """

    name: str
    group: str
    run: int | None
    cells: Mapping[str, ScoreCell]


@dataclass(frozen=True)
class ScoreDifference:
    """A run compared with the first one on the `n` rows of a task that both answered; see `results.Comparison`.

    `verdict` is None where there are too few rows for one.
    """

    task: str
    run: int
    value: float
    low: float
    high: float
    verdict: Verdict | None
    n: int


@dataclass(frozen=True)
class MetricRow:
    """A metric of a task.

    Args:
        name: its name in `scores.json`.
        title: its name for people.
        cells: each run's score; None where it has none.
        published: the scores of published models, by name.
        ceiling: the highest score that the raters' noise in the gold allows; None where it is unknown.
    """

    name: str
    title: str
    cells: Sequence[ScoreCell | None]
    published: Mapping[str, float]
    ceiling: float | None = None


@dataclass(frozen=True)
class HexagonCounts:
    """Predicted against gold, both on 0..1, counted in hexagons.

    Args:
        width: the distance of two centres.
        cells: gold and prediction at the centre, and the number of rows.
        tenths: for each tenth of the scale that is predicted: where it begins, rows, and their mean gold.
    """

    width: float
    cells: Sequence[tuple[float, float, int]]
    tenths: Sequence[tuple[float, int, float]]


@dataclass(frozen=True)
class ConfusionMatrix:
    """Gold, the rows, against answers, the columns.

    Args:
        rows: what gold says.
        columns: what the answers say.
        counts: how many rows of the data set.
        totals: rows of the data set in each row here; where there are labels, less than the sum.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]
    totals: Sequence[int]


@dataclass(frozen=True)
class ReliabilityDiagram:
    """How often a prediction with a probability is right.

    Args:
        error: expected calibration error.
        bins: lowest and highest probability, rows, mean probability, share that is right.
    """

    error: float
    bins: Sequence[tuple[float, float, int, float, float]]


@dataclass(frozen=True)
class WorstAnswer:
    """A row to read.

    Args:
        id: its id.
        text: its text; None where it may not be shown.
        emotion: the emotion asked for.
        gold: what is right.
        said: what each run says there; None where it has no answer to this row.
        error: how far off the answer is, in the unit of the task.
    """

    id: str
    text: str | None
    emotion: str | None
    gold: str
    said: Sequence[str | None]
    error: float


@dataclass(frozen=True)
class InvalidSummary:
    """Invalid answers.

    Args:
        rate: their share.
        n: their number.
        policy: what they count as.
        reasons: their number by reason.
        examples: some of them, by reason.
    """

    rate: float
    n: int
    policy: str
    reasons: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ParseComparison:
    """A figure by each rule for parsing answers.

    Args:
        title: what it is.
        strict: by the strict rule.
        lenient: by the lenient one.
        count: whether it is a number of answers.
    """

    title: str
    strict: float
    lenient: float
    count: bool = False


@dataclass(frozen=True)
class TaskRun:
    """What one run did in a task.

    Args:
        run: number of the run.
        n: its rows.
        invalid: invalid answers.
        hexagons: predicted against gold, for scores.
        matrix: predicted against gold, for classes and labels.
        reliability: where there are probabilities.
        worst: the rows it is worst at.
        parse: the rule that its scores are by.
        scale: the scale that its answers were read on, where that is not 0..1.
        by_rule: its metrics and invalid answers by each rule for parsing answers; none where they are not recorded.
    """

    run: int
    n: int
    invalid: InvalidSummary
    hexagons: HexagonCounts | None
    matrix: ConfusionMatrix | None
    reliability: ReliabilityDiagram | None
    worst: Sequence[WorstAnswer]
    parse: str
    scale: str | None
    by_rule: Sequence[ParseComparison]


@dataclass(frozen=True)
class LanguageScores:
    """The scores of a task by language.

    Args:
        task: its name.
        metric: title of the metric, the one by which the source of the task ranks systems.
        means: each run's mean over its languages; None where it has none.
        languages: its value for each language, as `MetricRow` has it: `name` is the code, `title` the name.
    """

    task: str
    metric: str
    means: Sequence[ScoreCell | None]
    languages: Sequence[MetricRow]


@dataclass(frozen=True)
class TaskReport:
    """A task.

    Args:
        name: its name.
        about: what it asks.
        main: name of the metric that is published for it.
        metrics: all metrics, the main one first.
        parts_of: title of the metric that `parts` are of; None where there are none.
        parts: its value for each emotion, label or class, as `MetricRow` has it.
        runs: what each run shows.
    """

    name: str
    about: str
    main: str
    metrics: Sequence[MetricRow]
    parts_of: str | None
    parts: Sequence[MetricRow]
    runs: Sequence[TaskRun]


@dataclass(frozen=True)
class TextOverlaps:
    """Texts that are in more than one task.

    Args:
        about: how they were found.
        totals: texts of each task.
        counts: for each task, how many of its texts are in each other one.
    """

    about: str
    totals: Mapping[str, int]
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Report:
    """All of it.

    Args:
        title: its title.
        data: what it was measured on, by name: title, version, hash.
        runs: the evaluations.
        board: their scores, and the published ones.
        source: where the published scores come from; None where there are none.
        about_published: what a reader must know of them.
        differences: the runs compared with the first one.
        languages: the scores by language, of each task in which a run told languages apart.
        tasks: the tasks.
        overlaps: texts in more than one task.
        notes: what a reader must know.
        made_with: version of this package.
    """

    title: str
    data: Mapping[str, str]
    runs: Sequence[RunSummary]
    board: Sequence[LeaderboardRow]
    source: str | None
    about_published: Sequence[str]
    differences: Sequence[ScoreDifference]
    languages: Sequence[LanguageScores]
    tasks: Sequence[TaskReport]
    overlaps: TextOverlaps
    notes: Sequence[str]
    made_with: str
    format: int = field(default=1)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)
