"""What a check of a data set found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from emollms.corpora.base import Profile
from emollms.errors import EmollmsError, shorten

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["passed", "known", "failed", "not applicable"]
Part = tuple[str, str]
"""A task and a split."""
EXAMPLES = 5


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Args:
        suite: name of the suite.
        title: its name for people.
        version: its version.
        profile: the profile it was built with.
        complete: whether it is the whole data set, built with the default settings.
        facts: what it says of itself, by the names that suites use: languages, corpora.
        counts: rows and texts that it says it has, by task and split.
        has_benchmark: whether there is a benchmark that it must not touch.
        standard: whether it is made of nothing but what the default settings name, be it a part of that.
        left_out: what its build left out, a line a reason, the most serious first.
    """

    suite: str
    title: str
    version: str
    profile: Profile
    complete: bool
    facts: Mapping[str, object]
    counts: Mapping[Part, tuple[int, int]]
    has_benchmark: bool = False
    standard: bool = True
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row that fails: its id, and what stands there."""

    id: str
    value: str


@dataclass(frozen=True)
class Check:
    """One expectation in one place, and how it came out.

    Args:
        name: name of the expectation.
        holds: what has to hold, in a sentence.
        type: the expectation, as GX names it.
        scope: where: `all`, tasks, a task and split, or a file.
        status: how it came out; `known` is a failure of which the `known_issues` of the suite tell.
        checked: how many rows were looked at; 0 where it is not about rows.
        failed: how many rows fail; for what is not about rows, how many things are wrong.
        rows: the first rows that fail, at most `EXAMPLES`.
        observed: what was seen, where it is not about rows.
        note: why it is not applicable, or known.
    """

    name: str
    holds: str
    type: str
    scope: str
    status: Status
    checked: int = 0
    failed: int = 0
    rows: tuple[Row, ...] = ()
    observed: str = ""
    note: str = ""

    def __str__(self) -> str:
        """The check on one line: where, how many, and the first rows."""
        rows = "; ".join(f"{row.id}: {shorten(row.value, 60)!r}" for row in self.rows[:3])
        where = "" if self.scope == "all" else f" in {self.scope}"
        what = f"{self.failed:,} of {self.checked:,} rows{where}" if self.checked else f"{self.observed}{where}"
        return f"{self.name}: {what}" + (f" ({rows})" if rows else "")


@dataclass(frozen=True)
class Distribution:
    """How often each value comes in the splits of a task.

    Args:
        task: the task.
        of: what is counted: scores, classes, labels or characters.
        shares: by split, the share of texts that have each value, values in order.
    """

    task: str
    of: Literal["score", "class", "label", "characters"]
    shares: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class GateReport:
    """All checks of a data set.

    Args:
        subject: what was checked.
        checks: the checks, in the order of the suite.
        distributions: what the data looks like.
        seconds: how long it took.
    """

    subject: Subject
    checks: tuple[Check, ...]
    distributions: tuple[Distribution, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, the known failures aside."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def success(self) -> bool:
        """Whether nothing failed but what is known."""
        return not self.failures

    def count(self, status: Status) -> int:
        """How many checks came out like this."""
        return sum(check.status == status for check in self.checks)

    def to_pandas(self) -> "pd.DataFrame":
        """A row for each check: its name, where it was made, how it came out, and on how many rows."""
        import pandas as pd

        columns = ["name", "scope", "status", "checked", "failed", "observed", "note"]
        return pd.DataFrame([[getattr(one, name) for name in columns] for one in self.checks], columns=columns)

    def __str__(self) -> str:
        """What was checked, and how many checks came out in which way."""
        counts = {status: self.count(status) for status in get_args(Status)}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        return f"{self.subject.suite} {self.subject.version} ({self.subject.profile}): {told}"

    def __repr__(self) -> str:
        """The line of `str`, and a line for each check that failed."""
        return "\n".join([str(self), *(f"failed: {check}" for check in self.failures)])


class GateFailed(EmollmsError):  # noqa: N818 - it says what happened, like the others of `errors`
    """A data set that fails its suite.

    Args:
        report: what was found; at least one check failed.
        kept: where the data was left for a look.
    """

    def __init__(self, report: GateReport, kept: Path | None = None) -> None:
        self.report = report
        first, *others = report.failures
        more = f"; and {len(others)} more checks failed" if len(others) > 1 else ""
        more = f"; and {others[0]}" if len(others) == 1 else more
        where = f"; the draft is in {kept}" if kept else ""
        super().__init__(f"{report.subject.suite} fails its suite: {first}{more}{where}")
