"""What a new corpus is: what is seen in its files, what was said, and what a person is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from emollms.corpora.file_table import Split
from emollms.corpora.languages import language_name
from emollms.corpora.metadata import Redistribution
from emollms.corpora.path_names import SPLITS
from emollms.corpora.roles import Columns, Roles
from emollms.corpora.sniff import FileForm
from emollms.dataset.corpus_answers import Answers, Ask, Facts, Planner
from emollms.dataset.corpus_columns import (
    has_gaps,
    labels_lacking,
    plan_languages,
    plan_roles,
    plan_splits,
    scope_of_ids,
)
from emollms.dataset.corpus_question import plan_task
from emollms.dataset.corpus_range import count_outside, plan_ends, with_range
from emollms.errors import unknown
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask, Task
from emollms.templates import listed

FREE = ("cc", "mit", "apache", "bsd", "odc", "pddl", "cdla", "isc", "unlicense", "gpl", "lgpl", "public")
"""How licences begin under which texts may be passed on."""


@dataclass(frozen=True)
class CorpusPlan:
    """A corpus that can be written.

    Args:
        name: its name.
        meta: title, description, version, domain, license, redistribution, homepage, terms and citation.
        files: its tables.
        roles: what their columns are.
        facts: splits and languages of files.
        languages: its languages.
        language_of: where the language of a row is: one for all, of its `file`, or in a `column`.
        splits: its splits.
        split_of: where the split of a row is: of its `file`, in a `column`, or `drawn`.
        split_names: what the column of splits says, and which split that is.
        task: the question.
        is_new_task: whether it is new.
        ends: the range of scores, where it is not the task's own or values are outside by a hair.
        labels: cell to label, or to class.
        unannotated: labels that some files lack, or the corpus: labels and language.
        gaps: whether some rows have no text or no gold.
        id_of: `id`, `file` (the id is unique in its file alone) or `line`.
        seen: what was found, a line each.
        assumed: what was assumed, a line each.
    """

    name: str
    meta: Mapping[str, str]
    files: Sequence[FileForm]
    roles: Roles
    facts: Facts
    languages: tuple[str, ...]
    language_of: str
    splits: tuple[Split, ...]
    split_of: str
    split_names: Mapping[str, Split]
    task: Task
    is_new_task: bool
    ends: tuple[float, float] | None
    labels: Mapping[str, str]
    unannotated: Sequence[tuple[tuple[str, ...], str | None]]
    gaps: bool
    id_of: str
    seen: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def form(self) -> FileForm:
        """How its files are written."""
        return self.files[0]

    @property
    def task_kind(self) -> str:
        """`score`, `class` or `labels`, of the task."""
        kinds = {RegressionTask: "score", OrdinalTask: "class", MultiLabelTask: "labels"}
        return kinds[type(self.task)]


def plan_corpus(
    name: str, files: Sequence[FileForm], facts: Facts, answers: Answers, ask: Ask | None = None
) -> CorpusPlan:
    """Find out what a corpus is.

    Args:
        name: its name.
        files: its tables.
        facts: what stands beside the rows.
        answers: what was said.
        ask: asks a person; None where there is nobody.

    Raises:
        UsageError: something cannot be seen and was not said, or what was said does not fit the files.
    """
    planner = Planner(name, Columns(files), answers, ask)
    roles, split_of, language_of = plan_roles(planner, facts)
    languages = plan_languages(planner, facts, roles, language_of)
    split_names = (
        {value: SPLITS[value.lower()] for value in planner.columns.distinct(roles.split)} if roles.split else {}
    )
    splits = plan_splits(facts, split_of, split_names)
    task, is_new, labels = plan_task(planner, roles)
    ends = plan_ends(planner, roles, task) if isinstance(task, RegressionTask) else None
    if is_new and isinstance(task, RegressionTask) and ends:
        task, ends = with_range(task, ends), ends if count_outside(planner, roles, ends) else None
    meta = _metadata(planner, facts, languages, task, [gold.emotion or "" for gold in roles.gold_columns])
    if isinstance(task, RegressionTask | OrdinalTask) and not task.emotions:  # a column `valence` answers V-reg
        roles = replace(roles, gold_columns=tuple(replace(gold, emotion=None) for gold in roles.gold_columns))
    return CorpusPlan(
        name=name, meta=meta, files=files, roles=roles, facts=facts, languages=languages, language_of=language_of,
        splits=splits, split_of=split_of, split_names=split_names, task=task, is_new_task=is_new, ends=ends,
        labels=labels, unannotated=labels_lacking(files, facts, roles, task, labels), gaps=has_gaps(files, roles),
        id_of=scope_of_ids(files, roles), seen=tuple(planner.seen), assumed=tuple(planner.assumed),
    )  # fmt: skip


def _metadata(
    planner: Planner, facts: Facts, languages: Sequence[str], task: Task, rated: Sequence[str]
) -> dict[str, str]:
    answers, name = planner.answers, planner.name
    license = answers.license or facts.license
    if license is None:
        license = planner.need("--license", "under which licence is it", "cc-by-4.0, mit … or `other` with --terms")
    license = license.lower()
    redistribution = answers.redistribution or ("text" if license.startswith(FREE) else "ids")
    if redistribution not in get_args(Redistribution):
        raise unknown("redistribution", redistribution, get_args(Redistribution))
    if not answers.redistribution:
        planner.assumed.append(f"redistribution: {redistribution}, from the licence {license}")
    title = answers.title or name.replace("_", " ").capitalize()
    homepage = answers.homepage or planner.need("--homepage", "where is it published", "an address, https://…")
    spoken = language_name(languages[0]) if len(languages) == 1 else f"{len(languages)} languages"
    meta = {
        "version": answers.version or "1",
        "title": title,
        "description": answers.description
        or f"Texts in {spoken} with {listed([one for one in rated if one]) or task.about}.",
        "domain": answers.domain or "texts",
        "license": license,
        "redistribution": redistribution,
        "homepage": homepage,
        "terms": answers.terms or "",
        "citation": answers.citation
        or facts.citation
        or f"@misc{{{name},\n  title = {{{title}}},\n  url = {{{homepage}}}\n}}",
    }
    planner.assumed += [
        f"{key}: {meta[key]}" for key in ("title", "description", "domain") if getattr(answers, key) is None
    ]
    if not (answers.citation or facts.citation):
        planner.assumed.append("citation: made of title and homepage; put the paper's BibTeX entry in its place")
    return meta
