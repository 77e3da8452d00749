"""The quality gate: tables are held against a suite of expectations.

It knows neither manifests nor builds; `emollms.repository.validation` brings those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from emollms.errors import EmollmsError
from emollms.quality.distributions import distributions
from emollms.quality.gate_engine import Answer, Question, ask
from emollms.quality.gate_report import EXAMPLES, Check, GateReport, Part, Status, Subject
from emollms.quality.gate_suites import Expectation, known_issues, load_suite
from emollms.quality.gate_tables import Tables


def gate(subject: Subject, tables: Tables) -> GateReport:
    """Hold tables against the suite of what they are.

    Where a file has other columns than it should, nothing else is looked at.

    Raises:
        UsageError: there is no suite of this name.
        EmollmsError: a file cannot be read, or an expectation cannot be worked out.
    """
    start = perf_counter()
    suite = load_suite(subject.suite)
    checks = [
        _check(one, "all", "not applicable", note=why) for one in suite.expectations if (why := _why_not(one, subject))
    ]
    jobs = [
        job for one in suite.expectations if not _why_not(one, subject) for job in _jobs(one, subject, tables.parts())
    ]
    wrong = _run([job for job in jobs if job.expectation.table == "files"], tables)
    if any(check.status == "failed" for check in wrong):
        return GateReport(subject, tuple(wrong), (), perf_counter() - start)
    checks += wrong + _run([job for job in jobs if job.expectation.table != "files"], tables)
    order = [one.name for one in suite.expectations]
    checks.sort(key=lambda check: order.index(check.name))
    (_, texts), *_ = tables.frames("texts", tables.parts())
    known = _with_known(checks, subject) if subject.complete else checks
    return GateReport(subject, tuple(known), tuple(distributions(texts)), perf_counter() - start)


@dataclass(frozen=True)
class _Job:
    """An expectation on some tasks and splits."""

    expectation: Expectation
    parts: tuple[Part, ...]
    kwargs: dict[str, object]

    @property
    def question(self) -> Question:
        return Question(self.expectation.type, self.kwargs)


def _why_not(expectation: Expectation, subject: Subject) -> str:
    """Why an expectation does not concern this data set; empty where it does."""
    if subject.profile not in expectation.profiles:
        return f"the profile {subject.profile} does not promise it"
    if expectation.complete and not subject.complete:
        return "the settings choose other corpora, tasks or languages"
    if expectation.table == "benchmark" and not subject.has_benchmark:
        return "no benchmark was given to compare with"
    return ""


def _jobs(expectation: Expectation, subject: Subject, parts: Sequence[Part]) -> Iterator[_Job]:
    concerned = tuple(part for part in parts if expectation.concerns(*part))
    if expectation.cases:
        for case in expectation.cases:
            part = ((case.task, case.split),)
            yield _Job(expectation, part, _filled({**expectation.kwargs, **case.kwargs}, subject, part))
    elif expectation.each == "part":
        for one in concerned:
            yield _Job(expectation, (one,), _filled(expectation.kwargs, subject, (one,)))
    elif concerned:
        yield _Job(expectation, concerned, _filled(expectation.kwargs, subject, concerned))


def _filled(kwargs: dict[str, object], subject: Subject, parts: Sequence[Part]) -> dict[str, object]:
    """The arguments, with what the manifest says in place of `$rows` and its like."""
    counts = [subject.counts.get(part, (0, 0)) for part in parts]
    facts = {**subject.facts, "rows": sum(rows for rows, _ in counts), "texts": sum(texts for _, texts in counts)}
    filled = dict(kwargs)
    for name, value in kwargs.items():
        if isinstance(value, str) and value.startswith("$"):
            if value[1:] not in facts:
                raise EmollmsError(f"a suite asks for {value}, and the facts are {', '.join(sorted(facts))}")
            filled[name] = facts[value[1:]]
    return filled


def _run(jobs: Sequence[_Job], tables: Tables) -> list[Check]:
    """Ask together what is asked of the same rows, and put together what was asked of several frames."""
    groups: dict[tuple[str, tuple[Part, ...]], list[_Job]] = {}
    for job in jobs:
        groups.setdefault((job.expectation.table, job.parts), []).append(job)
    checks = []
    for (table, parts), group in groups.items():
        answers: dict[str, list[list[Answer]]] = {}
        for file, frame in tables.frames(table, parts):
            answers.setdefault(file, []).append(ask(frame, [job.question for job in group]))
        for file, found in answers.items():
            for job, several in zip(group, zip(*found, strict=True), strict=True):
                checks.append(_judged(job.expectation, file or _scope(parts, tables.parts()), several))
    return checks


def _scope(parts: Sequence[Part], everything: Sequence[Part]) -> str:
    """Where an expectation was held, for people."""
    if len(parts) == 1:
        return "/".join(parts[0])
    if len(parts) == len(everything):
        return "all"
    return " ".join(dict.fromkeys(task for task, _ in parts))


def _judged(expectation: Expectation, scope: str, answers: Sequence[Answer]) -> Check:
    rows = [row for answer in answers for row in answer.rows]
    success = all(answer.success for answer in answers)
    check = _check(expectation, scope, "passed" if success else "failed", observed=answers[0].observed)
    return replace(
        check,
        checked=sum(answer.checked for answer in answers),
        failed=sum(answer.failed for answer in answers),
        rows=tuple(rows[:EXAMPLES]),
    )


def _check(expectation: Expectation, scope: str, status: Status, observed: str = "", note: str = "") -> Check:
    return Check(expectation.name, expectation.holds, expectation.type, scope, status, observed=observed, note=note)


def _with_known(checks: Sequence[Check], subject: Subject) -> list[Check]:
    """The checks, failures that are known marked as such; more rows than are known is no known failure."""
    known = {
        issue.expectation: issue
        for issue in known_issues()
        if (issue.suite, issue.profile) == (subject.suite, subject.profile)
    }
    failed = {name: sum(check.failed for check in checks if check.name == name) for name in known}
    return [
        replace(check, status="known", note=known[check.name].why)
        if check.status == "failed" and check.name in known and failed[check.name] <= known[check.name].count
        else check
        for check in checks
    ]
