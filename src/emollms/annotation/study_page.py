"""The page of a study for the readers of a paper: findings, method, assumptions, figures, and words to cite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from emollms import __version__
from emollms.errors import UsageError
from emollms.storage import write_whole


@dataclass(frozen=True)
class StudyTable:
    """A table.

    Args:
        caption: what it holds.
        head: names of the columns.
        rows: the cells; the first of a row names it.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class StudySection:
    """A section.

    Args:
        title: its title.
        about: a line below it.
        figures: pictures as SVG by `charts`, by their captions.
        tables: its tables.
        notes: what a reader must know.
        legend: what colours of its pictures mean, by CSS colour.
    """

    title: str
    about: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[StudyTable] = ()
    notes: Sequence[str] = ()
    legend: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A page.

    Args:
        title: its title.
        findings: what was found, a sentence each.
        facts: tables, models, numbers of texts, by what they are.
        sections: method and figures.
        assumptions: what has to hold, a sentence each.
        methods: paragraphs for the methods section of a paper.
        references: the works that these cite.
    """

    title: str
    findings: Sequence[str]
    facts: Mapping[str, str]
    sections: Sequence[StudySection]
    assumptions: Sequence[str]
    methods: Sequence[str]
    references: Sequence[str]

    @property
    def made_with(self) -> str:
        """The version of this package."""
        return f"emollms {__version__}"


def check_page(path: Path) -> None:
    """Make sure that a page can be written.

    Raises:
        UsageError: its name does not end in .html, or it is a folder.
    """
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UsageError(f"--html {path} is no page; name a file that ends in .html")


def write_study(study: Study, path: Path) -> None:
    """Write a page; it holds no script, fetches nothing, and every text in it is escaped."""
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True)
    template = made.from_string((files("emollms.cards") / "study.html.j2").read_text(encoding="utf-8"))
    write_whole(path, template.render(study=study))
