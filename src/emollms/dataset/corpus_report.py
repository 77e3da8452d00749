"""The report on a corpus, to paste into a pull request."""

from dataclasses import dataclass
from typing import Literal

from emollms.templates import cell

Status = Literal["passed", "noted", "failed"]
SIGNS: dict[Status, str] = {"passed": "✓", "noted": "·", "failed": "✗"}


@dataclass(frozen=True)
class CorpusCheck:
    """One thing that was looked at.

    Args:
        name: what.
        status: how it came out; `noted` is for a person to judge.
        found: what was found, in Markdown, a line each.
    """

    name: str
    status: Status
    found: tuple[str, ...]


@dataclass(frozen=True)
class CorpusReport:
    """What was found in a corpus.

    Args:
        name: the corpus.
        title: its name for people.
        checks: what was looked at.
    """

    name: str
    title: str
    checks: tuple[CorpusCheck, ...]

    @property
    def success(self) -> bool:
        """Whether nothing failed."""
        return all(check.status != "failed" for check in self.checks)

    def markdown(self) -> str:
        """The report."""
        failed = [check.name for check in self.checks if check.status == "failed"]
        state = f"failed: {', '.join(failed)}" if failed else "all passed"
        lines = [
            f"## {cell(self.title)} (`{self.name}`): {state}",
            "",
            "| | looked at | found |",
            "| --- | --- | --- |",
        ]
        lines += [f"| {SIGNS[one.status]} | {one.name} | {'<br>'.join(one.found)} |" for one in self.checks]
        return "\n".join([*lines, "", "✓ passed, ✗ failed, · for a person to judge", ""])
