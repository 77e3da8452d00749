"""The report as Markdown; what comes from models and texts is taken literally."""

import re

from emollms.evaluation.report_content import Report
from emollms.evaluation.report_page import TOO_FEW, environment, groups, shared, template, verdicts

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|!#&~$@])")
_BREAK = re.compile(r"\s+")
_LINK = re.compile(r"(https?):|(www)\.", re.IGNORECASE)


def render_markdown(report: Report) -> str:
    """The report as Markdown."""
    made = environment(escape=False)
    made.filters["md"] = literal
    return made.from_string(template("report.md.j2")).render(
        report=report,
        names=[run.name for run in report.runs],
        verdicts=verdicts(report),
        shared=shared,
        too_few=TOO_FEW,
        groups=groups(report),
    )


def literal(text: object) -> str:
    """Text as it is, on one line: no Markdown, no HTML, no link."""
    escaped = _SPECIAL.sub(r"\\\1", _BREAK.sub(" ", str(text)).strip())
    return _LINK.sub(lambda found: f"{found[1]}\\:" if found[1] else f"{found[2]}\\.", escaped)
