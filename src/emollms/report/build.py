"""A report from evaluations: scores as they were written, and what the rows behind them show."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import pyarrow.parquet as pq

from emollms import __version__
from emollms.dataset.reader import Dataset
from emollms.dedup.normalize import normalize
from emollms.evaluation.published import explanations, source
from emollms.report.inputs import Benchmark, CalibrationEntry, Run
from emollms.report.model import Difference, Overlaps, Reliability, Report, RunInfo, RunTask, TaskReport
from emollms.report.rows import Answers, answers_of, hexagons, matrix, unreadable, worst
from emollms.report.scores import board, by_rule, differences, metrics, parts
from emollms.tasks import TASKS, Task

_SCREENED = (
    "Texts that stand, equal or nearly (Jaccard similarity of character 4-grams from {:.2f}), in another task too."
)
_COMPARED = (
    "Texts that stand in another task too, equal but for writing such as capitals, links and user names; this data set "
    "was built without the search for nearly equal ones."
)


def overlaps(data: Dataset) -> Overlaps:
    """What the build of a data set found; equal texts where it did not look."""
    screening = data.manifest.screening
    if screening is None:
        return _equal_texts(data)
    totals: dict[str, int] = {}
    for count in data.manifest.counts:
        totals[count.task] = totals.get(count.task, 0) + count.read - sum(count.dropped.values())
    return Overlaps(_SCREENED.format(screening.threshold), *_only_shared(totals, screening.overlaps))


def _equal_texts(data: Dataset) -> Overlaps:
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
    return Overlaps(_COMPARED, *_only_shared({task: len(own) for task, own in texts.items()}, counts))


def _only_shared(
    totals: Mapping[str, int], counts: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, int], dict[str, Mapping[str, int]]]:
    """The tasks that share a text with another one."""
    shared = {task for task, own in counts.items() if any(own.values())}
    shared |= {other for own in counts.values() for other, count in own.items() if count}
    names = [task for task in totals if task in shared]
    return {task: totals[task] for task in names}, {task: dict(counts.get(task, {})) for task in names}


def run_info(run: Run) -> RunInfo:
    """What a report says about a run."""
    facts = dict(_flat(run.scores.run.model_dump(mode="json", exclude={"settings": {"calibration"}, "command": True})))
    hashes = {f"sha256 of {name}": digest for name, digest in run.digests.items()}
    return RunInfo(run.name, run.scores.kind, run.settings.limit, command(run), facts | hashes)


def command(run: Run) -> str:
    """The command line that the run names; where it was not run from one, what comes nearest."""
    extra = run.scores.run.model_extra or {}
    if words := extra.get("command"):
        return words if isinstance(words, str) else shlex.join(map(str, words))
    settings, about = run.settings, run.scores.run.data
    data = about.get("path") or "@".join(filter(None, (about.get("repo"), about.get("commit"))))
    words = [
        "emollms",
        "evaluate",
        f"--{'model' if run.scores.kind == 'endpoint' else run.scores.kind}",
        run.scores.name,
    ]
    words += ["--data", data, *(["--decode", settings.decode] if settings.decode else []), "--seed", settings.seed]
    words += ["--limit", settings.limit] if settings.limit else []
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


class Collector:
    """Makes a report of evaluations.

    Args:
        runs: the evaluations; the others are held against the first.
        benchmarks: the data set of each.
        with_published: whether the paper's scores stand beside them.
        show_texts: whether texts are shown that may not be passed on.
        worst_rows: how many of a run's worst rows are shown for each task.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        benchmarks: Sequence[Benchmark],
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
        found: list[Difference] = []
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

    def _answers(self, task: Task) -> list[Answers | None]:
        """Each run's answers to a task."""
        return [
            answers_of(run, task, data.rows(task.name, run)) if task.name in run.scores.tasks else None
            for run, data in zip(self.runs, self.benchmarks, strict=True)
        ]

    def _task(self, task: Task, answers: Sequence[Answers | None]) -> TaskReport:
        entries = {n: run.scores.tasks[task.name] for n, run in enumerate(self.runs) if task.name in run.scores.tasks}
        of, values = parts(entries, task, len(self.runs), self.with_published)
        found = metrics(entries, task, len(self.runs), self.with_published)
        shown = [self._run_task(number, own, answers) for number, own in enumerate(answers) if own]
        return TaskReport(task.name, task.about, found[0].name, found, of, values, shown)

    def _run_task(self, number: int, own: Answers, answers: Sequence[Answers | None]) -> RunTask:
        entry, benchmark = self.runs[number].scores.tasks[own.task.name], self.benchmarks[number]
        return RunTask(
            run=number,
            n=entry.n,
            invalid=unreadable(own, entry.invalid, benchmark, self.show_texts),
            hexagons=hexagons(own),
            matrix=matrix(own),
            reliability=_reliability(entry.calibration),
            worst=worst(answers, number, self.worst_rows, benchmark, self.show_texts),
            parse=entry.parse,
            scale=entry.scale.name if entry.scale and entry.scale.name != "unit" else None,
            by_rule=by_rule(entry),
        )


def _reliability(entry: CalibrationEntry | None) -> Reliability | None:
    if entry is None:
        return None
    bins = [(one.low, one.high, one.n, one.confidence, one.accuracy) for one in entry.bins if one.n]
    return Reliability(entry.error, bins)


def _subjects(names: Sequence[str]) -> str:
    return _listed(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
