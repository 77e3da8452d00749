"""What is to be asked of a data set: the expectations of its suite, one by one and place by place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from emollms.errors import EmollmsError
from emollms.quality.gate.engine import Question
from emollms.quality.gate.report import Part, Subject
from emollms.quality.gate.suites import Expectation, Suite


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
    question: Question | None = None
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
    return Job(expectation, parts, Question(expectation.type, _filled(kwargs, subject, parts)))


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
