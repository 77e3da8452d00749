"""The quality gate: tables are checked against a suite of expectations.

It knows neither manifests nor builds; `emollms.dataset.validation` brings those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from emollms.errors import EmollmsError
from emollms.expectations.distributions import distributions
from emollms.expectations.engine import ExpectationCall, ExpectationOutcome, ask
from emollms.expectations.frames import Tables
from emollms.expectations.report import EXAMPLES, Check, GateReport, Part, Subject
from emollms.expectations.suites import Expectation, Suite, load_suite
from emollms.progress import OnProgress, silent


@dataclass(frozen=True)
class Job:
    """An expectation on some tasks and splits.

    Args:
        expectation: the expectation.
        parts: the tasks and splits, none where it is not applicable.
        question: the expectation with its arguments, for GX; None where it is not applicable.
        why_not: why it is not applicable.
    """

    expectation: Expectation
    parts: tuple[Part, ...] = ()
    question: ExpectationCall | None = None
    why_not: str = ""


def plan(suite: Suite, subject: Subject, parts: Sequence[Part]) -> Iterator[Job]:
    """Every expectation of a suite, in its order, where it applies, or with the reason why it does not.

    The form of an expectation for another profile is left out where there is one for this profile.

    Args:
        suite: the suite.
        subject: what is checked.
        parts: its tasks and splits.
    """
    of_profile = {one.name for one in suite.expectations if subject.profile in one.profiles}
    for one in suite.expectations:
        if subject.profile not in one.profiles and one.name in of_profile:
            continue
        if reason := _why_not(one, subject):
            yield Job(one, why_not=reason)
        else:
            yield from _jobs(one, subject, parts)


def _why_not(expectation: Expectation, subject: Subject) -> str:
    """Why an expectation does not concern this data set; empty where it does."""
    if subject.profile not in expectation.profiles:
        return f"the profile {subject.profile} does not promise it"
    if expectation.complete and not subject.complete:
        return "the settings choose other corpora, tasks or languages"
    if expectation.table == "benchmark" and not subject.has_benchmark:
        return "no benchmark was given to compare with"
    return ""


def _jobs(expectation: Expectation, subject: Subject, parts: Sequence[Part]) -> Iterator[Job]:
    concerned = tuple(part for part in parts if expectation.concerns(*part))
    if expectation.cases:
        for case in expectation.cases:
            part = ((case.task, case.split),)
            yield _job(expectation, part, {**expectation.kwargs, **case.kwargs}, subject)
    elif expectation.each == "part":
        for one in concerned:
            yield _job(expectation, (one,), expectation.kwargs, subject)
    elif concerned:
        yield _job(expectation, concerned, expectation.kwargs, subject)


def _job(expectation: Expectation, parts: tuple[Part, ...], kwargs: dict[str, object], subject: Subject) -> Job:
    return Job(expectation, parts, ExpectationCall(expectation.type, _filled(kwargs, subject, parts)))


def _filled(kwargs: dict[str, object], subject: Subject, parts: Sequence[Part]) -> dict[str, object]:
    """The arguments, with what the manifest says in place of `$rows` and its like."""
    counts = [subject.counts.get(part, (0, 0)) for part in parts]
    facts = {
        **subject.facts,
        "tasks": list(dict.fromkeys(task for task, _ in parts)),
        "rows": sum(rows for rows, _ in counts),
        "texts": sum(texts for _, texts in counts),
    }
    filled = dict(kwargs)
    for name, value in kwargs.items():
        if isinstance(value, str) and value.startswith("$"):
            if value[1:] not in facts:
                raise EmollmsError(f"a suite asks for {value}, and the facts are {', '.join(sorted(facts))}")
            filled[name] = facts[value[1:]]
    return filled


def gate(subject: Subject, tables: Tables, on_progress: OnProgress = silent) -> GateReport:
    """Check tables against the suite of their kind.

    Where a file has other columns than it should, nothing else is looked at.

    Raises:
        UsageError: there is no suite of this name.
        EmollmsError: a file cannot be read, or an expectation cannot be worked out.
    """
    start = perf_counter()
    suite = load_suite(subject.suite)
    parts = list(dict.fromkeys([*subject.counts, *tables.parts()]))
    jobs = list(plan(suite, subject, parts))
    checks = _run([job for job in jobs if job.expectation.table == "files"], tables, parts, on_progress)
    if any(check.status == "failed" for check in checks):
        return GateReport(subject, tuple(checks), (), perf_counter() - start)
    others = [job for job in jobs if job.question and job.expectation.table != "files"]
    checks += _run(others, tables, parts, on_progress)
    checks += [_not_applicable(job) for job in jobs if not job.question]
    order = [one.name for one in suite.expectations]
    checks = sorted(_with_known(checks, suite, subject), key=lambda check: order.index(check.name))
    (_, texts), *_ = tables.frames("texts", parts)
    place = {task: number for number, (task, _) in enumerate(parts)}
    shown = sorted(distributions(texts), key=lambda one: place.get(one.task, len(parts)))
    return GateReport(subject, tuple(checks), tuple(shown), perf_counter() - start)


def _run(jobs: Sequence[Job], tables: Tables, everything: Sequence[Part], on_progress: OnProgress) -> list[Check]:
    """Ask together what is asked of the same rows, and put together what was asked of several frames."""
    groups: dict[tuple[str, tuple[Part, ...]], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.expectation.table, job.parts), []).append(job)
    checks: list[Check] = []
    done = 0
    for (table, parts), group in groups.items():
        questions = [job.question for job in group if job.question]
        for place, answers in _answers(table, parts, questions, tables).items():
            for job, several in zip(group, zip(*answers, strict=True), strict=True):
                checks.append(_judged(job.expectation, place or _scope(parts, everything), several))
        done += len(group)
        on_progress("checking expectations", done, len(jobs))
    return checks


def _answers(
    table: str, parts: Sequence[Part], questions: Sequence[ExpectationCall], tables: Tables
) -> dict[str, list[list[ExpectationOutcome]]]:
    """By place, the answers to all questions for each of its frames."""
    answers: dict[str, list[list[ExpectationOutcome]]] = {}
    for place, frame in tables.frames(table, parts):
        answers.setdefault(place, []).append(ask(frame, questions))
    return answers


def _scope(parts: Sequence[Part], everything: Sequence[Part]) -> str:
    """Where an expectation was held, for people."""
    if len(parts) == 1:
        return "/".join(parts[0])
    if len(parts) == len(everything):
        return "all"
    return " ".join(dict.fromkeys(task for task, _ in parts))


def _judged(expectation: Expectation, scope: str, answers: Sequence[ExpectationOutcome]) -> Check:
    rows = [row for answer in answers for row in answer.rows]
    return Check(
        name=expectation.name,
        holds=expectation.holds,
        type=expectation.type,
        scope=scope,
        status="passed" if all(answer.success for answer in answers) else "failed",
        checked=sum(answer.checked for answer in answers),
        failed=sum(answer.failed for answer in answers),
        rows=tuple(rows[:EXAMPLES]),
        observed=answers[0].observed,
    )


def _not_applicable(job: Job) -> Check:
    one = job.expectation
    return Check(one.name, one.holds, one.type, "all", "not applicable", note=job.why_not)


def _with_known(checks: Sequence[Check], suite: Suite, subject: Subject) -> list[Check]:
    """The checks, failures that are known marked as such; more rows than are known is no known failure."""
    known = {
        issue.expectation: issue
        for issue in suite.known_issues
        if subject.standard and issue.profile == subject.profile
    }
    # Over all parts, since an issue counts the rows of the whole data set.
    failed = {name: sum(check.failed for check in checks if check.name == name) for name in known}
    return [
        replace(check, status="known", note=known[check.name].why)
        if check.status == "failed" and check.name in known and failed[check.name] <= known[check.name].count
        else check
        for check in checks
    ]
