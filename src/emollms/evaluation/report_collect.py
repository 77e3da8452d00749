"""A report from evaluations: scores as they were written, and what the rows behind them show."""

from collections.abc import Sequence

from emollms import __version__
from emollms.evaluation.published import explanations, source
from emollms.evaluation.report_answers import Answers, answers_of
from emollms.evaluation.report_content import Difference, Reliability, Report, RunTask, TaskReport
from emollms.evaluation.report_facts import run_info
from emollms.evaluation.report_input import Benchmark, CalibrationEntry, Run
from emollms.evaluation.report_overlaps import overlaps
from emollms.evaluation.report_rows import hexagons, matrix, unreadable, worst
from emollms.evaluation.report_scores import board, by_rule, differences, metrics, parts
from emollms.tasks import TASKS, Task

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
        return Report(
            title=f"{_subjects([run.name for run in self.runs])} on the {manifest.title}",
            data={
                "data set": manifest.title,
                "version": f"{manifest.version}, profile {manifest.settings.get('profile', 'unknown')}",
                "content hash": manifest.content_hash,
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
