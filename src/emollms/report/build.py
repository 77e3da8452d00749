"""A report from evaluations: scores as they were written, and what the rows behind them show."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from emollms import __version__
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import ALL_LANGUAGES
from emollms.dedup.normalize import normalize
from emollms.errors import UsageError
from emollms.evaluation.published import explanations, source
from emollms.evaluation.task_scores import CalibrationScore, TaskScores
from emollms.report.inputs import ScoredData, ScoredFolder, benchmark_of, read_runs
from emollms.report.model import (
    ReliabilityDiagram,
    Report,
    RunSummary,
    ScoreDifference,
    TaskReport,
    TaskRun,
    TextOverlaps,
)
from emollms.report.render import check_form, write_report
from emollms.report.rows import AnswersToTask, answers_of, hexagons, invalid_summary, matrix, worst
from emollms.report.tables import board, by_language, by_rule, differences, metrics, parts
from emollms.tasks import TASKS, Task

_SCREENED = (
    "Texts that are, equal or nearly (Jaccard similarity of character 4-grams from {:.2f}), in another task too."
)
_COMPARED = (
    "Texts that are in another task too, equal but for writing such as capitals, links and user names; this data set "
    "was built without the search for nearly equal ones."
)


def overlaps(data: Dataset) -> TextOverlaps:
    """What the build of a data set found; equal texts where it did not look."""
    screening = data.manifest.screening
    if screening is None:
        return _equal_texts(data)
    totals: dict[str, int] = {}
    for count in data.manifest.counts:
        totals[count.task] = totals.get(count.task, 0) + count.read - sum(count.dropped.values())
    return TextOverlaps(_SCREENED.format(screening.threshold), *_only_shared(totals, screening.overlaps))


def _equal_texts(data: Dataset) -> TextOverlaps:
    texts: dict[str, set[str]] = {}
    for task in dict.fromkeys(count.task for count in data.manifest.counts):
        folder = data.folder / "data" / task
        if folder.is_dir():
            column = pq.read_table(folder, columns=["text"], partitioning=None)["text"]
            texts[task] = set(normalize(column).to_pylist())
    counts = {
        task: {other: len(own & theirs) for other, theirs in texts.items() if other != task and own & theirs}
        for task, own in texts.items()
    }
    return TextOverlaps(_COMPARED, *_only_shared({task: len(own) for task, own in texts.items()}, counts))


def _only_shared(
    totals: Mapping[str, int], counts: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, int], dict[str, Mapping[str, int]]]:
    """The tasks that share a text with another one."""
    shared = {task for task, own in counts.items() if any(own.values())}
    shared |= {other for own in counts.values() for other, count in own.items() if count}
    names = [task for task in totals if task in shared]
    return {task: totals[task] for task in names}, {task: dict(counts.get(task, {})) for task in names}


def run_info(run: ScoredFolder) -> RunSummary:
    """What a report says about a run."""
    facts = dict(_flat(run.scores.run.model_dump(mode="json", exclude={"settings": {"calibration"}, "command": True})))
    hashes = {f"sha256 of {name}": digest for name, digest in run.digests.items()}
    return RunSummary(run.name, run.scores.kind, run.settings.limit, command(run), facts | hashes)


def command(run: ScoredFolder) -> str:
    """The command line that the run names; where it was not run from one, what comes nearest."""
    if run.scores.run.command:
        return shlex.join(run.scores.run.command)
    settings, data = run.settings, run.scores.run.data_target()
    words: list[object] = [
        "emollms",
        "evaluate",
        f"--{'model' if run.scores.kind == 'endpoint' else run.scores.kind}",
        run.scores.name,
    ]
    words += ["--data", data, *(["--decode", settings.decode] if settings.decode else []), "--seed", settings.seed]
    words += ["--limit", settings.limit] if settings.limit else []
    words += ["--language", settings.language] if settings.language == ALL_LANGUAGES else []
    return shlex.join([*map(str, words), "--out", run.folder.resolve().name])


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values by their path; what is null is left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(_words(one) for one in value)
    elif value is not None:
        yield name, _words(value)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


WORST = 8


class ReportBuilder:
    """Makes a report of evaluations.

    Args:
        runs: the evaluations; the others are compared with the first.
        benchmarks: the data set of each.
        with_published: whether the paper's scores are shown beside them.
        show_texts: whether texts are shown that may not be passed on.
        worst_rows: how many of a run's worst rows are shown for each task.
    """

    def __init__(
        self,
        runs: Sequence[ScoredFolder],
        benchmarks: Sequence[ScoredData],
        with_published: bool = False,
        show_texts: bool = False,
        worst_rows: int = WORST,
    ) -> None:
        self.runs, self.benchmarks = list(runs), list(benchmarks)
        self.with_published, self.show_texts, self.worst_rows = with_published, show_texts, worst_rows

    def report(self) -> Report:
        """All that is to be said."""
        names = [name for name in TASKS if any(name in run.scores.tasks for run in self.runs)]
        tasks: list[TaskReport] = []
        found: list[ScoreDifference] = []
        for task in (TASKS[name] for name in names):
            answers = self._answers(task)
            tasks.append(self._task(task, answers))
            found += differences(answers)
        data = self.benchmarks[0].data
        manifest = data.manifest
        left_out = manifest.left_out()
        return Report(
            title=f"{_subjects([run.name for run in self.runs])} on the {manifest.title}",
            data={
                "data set": manifest.title,
                "version": f"{manifest.version}, profile {manifest.settings.get('profile', 'unknown')}",
                "content hash": manifest.content_hash,
                **({"left out": "; ".join(map(str, left_out))} if left_out else {}),
            },
            runs=[run_info(run) for run in self.runs],
            board=board(self.runs, names, self.with_published),
            source=source() if self.with_published else None,
            about_published=explanations() if self.with_published else (),
            differences=found,
            languages=[one for name in names if (one := by_language(self._entries(name), name, len(self.runs)))],
            tasks=tasks,
            overlaps=overlaps(data),
            notes=self._notes(),
            made_with=f"emollms {__version__}",
        )

    def _notes(self) -> list[str]:
        found = []
        if len({one.data.manifest.content_hash for one in self.benchmarks}) > 1:
            found.append("The runs are about different data sets; where rows differ, so may scores.")
        named = ((source.corpus, one) for one in self.benchmarks for source in one.data.manifest.sources)
        hidden = list(dict.fromkeys(corpus for corpus, one in named if corpus not in one.public))
        if hidden and self.show_texts:
            found.append(
                f"Do not publish this report: it shows texts of {_listed(hidden)}, which may not be passed on."
            )
        elif hidden:
            found.append(f"Texts of {_listed(hidden)} may not be passed on; their rows are named by id.")
        return found

    def _answers(self, task: Task) -> list[AnswersToTask | None]:
        """Each run's answers to a task."""
        return [
            answers_of(run, task, data.rows(task.name, run)) if task.name in run.scores.tasks else None
            for run, data in zip(self.runs, self.benchmarks, strict=True)
        ]

    def _entries(self, task: str) -> dict[int, TaskScores]:
        """The scores of a task, by number of the run."""
        return {number: run.scores.tasks[task] for number, run in enumerate(self.runs) if task in run.scores.tasks}

    def _task(self, task: Task, answers: Sequence[AnswersToTask | None]) -> TaskReport:
        entries = self._entries(task.name)
        corpora = {row["corpus"] for own in answers if own for row in own.rows}
        of, values = parts(entries, task, len(self.runs), self.with_published, corpora)
        found = metrics(entries, task, len(self.runs), self.with_published, corpora)
        shown = [self._run_task(number, own, answers) for number, own in enumerate(answers) if own]
        return TaskReport(task.name, task.about, found[0].name, found, of, values, shown)

    def _run_task(self, number: int, own: AnswersToTask, answers: Sequence[AnswersToTask | None]) -> TaskRun:
        entry, benchmark = self.runs[number].scores.tasks[own.task.name], self.benchmarks[number]
        return TaskRun(
            run=number,
            n=entry.n,
            invalid=invalid_summary(own, entry.invalid, benchmark, self.show_texts),
            hexagons=hexagons(own),
            matrix=matrix(own),
            reliability=_reliability(entry.calibration),
            worst=worst(answers, number, self.worst_rows, benchmark, self.show_texts),
            parse=entry.parse,
            scale=entry.scale.name if entry.scale and entry.scale.name != "unit" else None,
            by_rule=by_rule(entry),
        )


def _reliability(entry: CalibrationScore | None) -> ReliabilityDiagram | None:
    if entry is None:
        return None
    bins = [(one.low, one.high, one.n, one.confidence, one.accuracy) for one in entry.bins if one.n]
    return ReliabilityDiagram(entry.error, bins)


def _subjects(names: Sequence[str]) -> str:
    return _listed(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def make_report(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    compare: Literal["published"] | None = None,
    data: str | None = None,
    worst: int = WORST,
    show_texts: bool = False,
) -> Report:
    """Make a page of evaluations: scores with intervals, charts, the worst rows, and how to reproduce them.

    The parameters are the options of `emollms report`.

    Args:
        runs: folders that `evaluate` wrote; the others are compared with the first.
        out: a file that ends in .html, .md or .json; it appears whole or not at all.
        compare: `published` for the scores of the paper's models beside them.
        data: the data set, a folder or a repo on the Hub; by default each run names its own.
        worst: how many of a run's worst rows are shown for each task, 0 or more.
        show_texts: whether texts are shown that may not be passed on.

    Raises:
        UsageError: a folder holds no evaluation, the data set is missing or another one, or the ending is unknown.
        EmollmsError: a file is damaged.
    """
    check_form(Path(out))
    folders = [Path(run) for run in runs]
    report = build_report(
        folders, data=data, with_published=compare == "published", show_texts=show_texts, worst_rows=worst
    )
    write_report(report, Path(out))
    return report


def build_report(
    folders: Sequence[Path],
    *,
    data: str | None = None,
    with_published: bool = False,
    show_texts: bool = False,
    worst_rows: int = WORST,
) -> Report:
    """The report of evaluations.

    Args:
        folders: what `emollms evaluate` wrote; the others are compared with the first.
        data: the data set, a folder or a repo on the Hub; by default each run names its own.
        with_published: whether the paper's scores are shown beside them.
        show_texts: whether texts are shown that may not be passed on.
        worst_rows: how many of a run's worst rows are shown for each task.

    Raises:
        UsageError: a folder holds no evaluation, or the data set is missing or another one.
        EmollmsError: a file is damaged.
    """
    if worst_rows < 0:
        raise UsageError(f"--worst {worst_rows} is no number of rows; give 0 or more")
    runs = read_runs(folders)
    benchmarks = [benchmark_of(run, data) for run in runs]
    return ReportBuilder(runs, benchmarks, with_published, show_texts, worst_rows).report()
