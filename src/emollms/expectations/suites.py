"""Suites of expectations as data: what `validation/` says has to hold, and the failures that are known."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from emollms.corpora.base import Corpus, Profile, package_of
from emollms.corpora.metadata import Split
from emollms.corpora.registry import BUILDERS, corpora
from emollms.errors import EmollmsError, unknown
from emollms.storage import Strict
from emollms.tasks import TASKS
from emollms.tasks.kinds import KINDS, Kind

Model = TypeVar("Model", bound=BaseModel)
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class Case(Strict):
    """Arguments for one task and split.

    Args:
        task: the task.
        split: the split.
        kwargs: arguments that are added to those of the expectation.
    """

    task: str
    split: Split
    kwargs: dict[str, object]


class Expectation(Strict):
    """One expectation, and where it applies.

    Args:
        name: what it is called in reports; once in a suite and profile.
        holds: what holds, in a sentence.
        type: the expectation, as GX names it: `expect_column_values_to_be_unique`.
        kwargs: its arguments; `$languages`, `$corpora`, `$rows` and `$texts` stand for what the manifest says,
            `$tasks` for the tasks that are looked at.
        table: what it looks at: `files` (the columns of each file), `rows` (all rows: id, task, split, wording),
            `prompts` (all rows: id, prompt), `texts` (each text once: all columns but prompt and wording) or
            `benchmark` (the texts, and those of a benchmark they must not touch, as its split `test`).
        each: whether it is checked once over all it looks at, or once for each task and split (`part`).
        kind: the kind of tasks, where it concerns one kind.
        tasks: the tasks; empty for all.
        splits: the splits; empty for all.
        profiles: the profiles.
        complete: whether it concerns only the whole data set, built with the default settings.
        cases: where arguments differ by task and split; it is then checked for these alone.
    """

    name: Slug
    holds: str
    type: str = Field(pattern=r"^expect_[a-z_]+$")
    kwargs: dict[str, object] = Field(default_factory=dict)
    table: Literal["files", "rows", "prompts", "texts", "benchmark"] = "texts"
    each: Literal["all", "part"] = "all"
    kind: Kind | None = None
    tasks: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ()
    profiles: tuple[Profile, ...] = ("release", "paper")
    complete: bool = False
    cases: tuple[Case, ...] = ()

    def concerns(self, task: str, split: str) -> bool:
        """Whether it looks at the rows of a task and split."""
        return (
            (not self.tasks or task in self.tasks)
            and (not self.splits or split in self.splits)
            and (self.kind is None or isinstance(TASKS.get(task), KINDS[self.kind]))
        )


class KnownIssue(Strict):
    """A failure that is known, and stays until somebody repairs it.

    Args:
        expectation: name of the expectation.
        profile: the profile.
        count: how many rows fail, no more and no fewer; of a part of the data set, no more.
        why: the reason, and what would end it.
    """

    expectation: Slug
    profile: Profile = "release"
    count: int = Field(gt=0)
    why: str


class Suite(Strict):
    """What has to hold of a data set or a source corpus.

    Args:
        about: what it is for.
        include: names of suites whose expectations come first.
        known_issues: failures that are known; the list may only shrink.
        expectations: the expectations.
    """

    about: str
    include: tuple[str, ...] = ()
    known_issues: tuple[KnownIssue, ...] = ()
    expectations: tuple[Expectation, ...]


def suite_names() -> list[str]:
    """The suites of this package that something can be checked with: data sets, and `corpora/NAME`."""
    return [*_stems(_folder()), *(f"corpora/{name}" for name in _stems(_folder() / "corpora"))]


def validation_of(corpus: type[Corpus]) -> Traversable:
    """The folder with the suite and the statistics of a corpus: `validation/` of the package that it comes from."""
    package = package_of(corpus)
    return _folder() if package == BUILDERS else files(package) / "validation"


@cache
def load_suite(name: str) -> Suite:
    """A suite, with the expectations that it includes.

    Raises:
        UsageError: there is none of this name.
        EmollmsError: the file is not a suite.
    """
    path = _path_of(name)
    if not path.is_file():
        raise unknown("suite", name, suite_names())
    suite = _parse(Suite, path)
    included = [expectation for other in suite.include for expectation in load_suite(other).expectations]
    return suite.model_copy(update={"expectations": (*included, *suite.expectations)})


def _path_of(name: str) -> Traversable:
    kind, _, corpus = name.rpartition("/")
    if kind == "corpora" and corpus in corpora():
        return validation_of(corpora()[corpus]) / "corpora" / f"{corpus}.yaml"
    return _folder() / f"{name}.yaml"


def _folder() -> Traversable:
    return files("emollms.validation")


def _stems(folder: Traversable) -> list[str]:
    names = [path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml")]
    return sorted(name for name in names if name not in ("rows", "texts"))


def _parse(model: type[Model], path: Traversable) -> Model:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise EmollmsError(f"{path}{f':{mark.line + 1}' if mark else ''}: no YAML in UTF-8 ({problem})") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EmollmsError(f"{path} is not what it should be: {where}: {first['msg']}") from None
