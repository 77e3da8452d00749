"""What a new corpus is: what is seen in its files, what was said, and what a person is asked for."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from emollms.corpora.file_table import Split, askable
from emollms.corpora.metadata import Redistribution
from emollms.corpora.path_names import ALIASES, SPLITS
from emollms.corpora.ratings import HAIR
from emollms.corpora.roles import (
    Columns,
    Kind,
    RatedColumns,
    Roles,
    assumed_range,
    decimal_of,
    find_golds,
    find_id,
    find_language,
    find_split,
    find_text,
    kind_of,
    label_values,
    numbers_of,
    parse_golds,
)
from emollms.corpora.sniff import FileForm
from emollms.errors import UsageError, unknown
from emollms.tasks import DIMENSIONS as POLES
from emollms.tasks import NO_EMOTION, TASKS, MultiLabelTask, OrdinalTask, RegressionTask, Task
from emollms.templates import listed

Ask = Callable[[str, str], str]
FREE = ("cc", "mit", "apache", "bsd", "odc", "pddl", "cdla", "isc", "unlicense", "gpl", "lgpl", "public")
"""How licences begin under which texts may be passed on."""
KINDS: Mapping[Kind, str] = {"score": "scores", "class": "classes", "flags": "labels", "labels": "labels"}


@dataclass(frozen=True)
class Answers:
    """What a contributor says; what is None is looked for in the files, and asked for where it is not there.

    Args:
        text: the column of texts.
        source_id: the column of ids.
        gold: the columns of gold labels: `score`, `joy,fear`, `valence=V,arousal=A`, `valence=rater1+rater2`.
        task: the question: the name of a task, or a new name.
        range: the least and the greatest value of scores, `1..9`.
        labels: what cells say, `1=anger,2=anticipation`; of an ordinal task the words of each number.
        language: the code of the language, or the column of languages.
        split: the split of all rows, or the column of splits.
        license: the licence, as SPDX or the Hub names it, or `other`.
        title: the name that people use.
        description: what it is, in a sentence.
        domain: kind of text.
        homepage: official address.
        citation: BibTeX entry.
        redistribution: what may be passed on: `text`, `ids` or `none`.
        terms: what the distributor asks of users.
        version: the version of the distribution.
        encoding: the encoding of the files.
        delimiter: what is between cells.
        header: whether the first line names the columns.
    """

    text: str | None = None
    source_id: str | None = None
    gold: tuple[str, ...] = ()
    task: str | None = None
    range: str | None = None
    labels: tuple[str, ...] = ()
    language: str | None = None
    split: str | None = None
    license: str | None = None
    title: str | None = None
    description: str | None = None
    domain: str | None = None
    homepage: str | None = None
    citation: str | None = None
    redistribution: str | None = None
    terms: str | None = None
    version: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None


@dataclass(frozen=True)
class Facts:
    """What stands beside the rows.

    Args:
        splits: the split that each path names; empty where some name none.
        languages: the language that each path names; empty where some name none.
        license: the licence that a file beside the data names.
        citation: the BibTeX entry beside the data.
    """

    splits: Mapping[str, Split]
    languages: Mapping[str, str]
    license: str | None
    citation: str | None


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


@dataclass
class _Planner:
    """What is needed while a plan is made.

    Args:
        name: the corpus.
        columns: its columns.
        answers: what was said.
        ask: asks a person.
        seen: what was found.
        assumed: what was assumed.
    """

    name: str
    columns: Columns
    answers: Answers
    ask: Ask | None
    seen: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def need(self, flag: str, question: str, hint: str, default: str = "") -> str:
        """What must be said: a person is asked, and where there is none it is an error that names the flag."""
        answer = self.ask(question, default).strip() if self.ask else ""
        if answer or (default and self.ask):
            return answer or default
        raise UsageError(f"{question}: say it with {flag} ({hint})")


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
    planner = _Planner(name, Columns(files), answers, ask)
    roles, split_of, language_of = _roles(planner, facts)
    languages = _languages(planner, facts, roles, language_of)
    split_names = (
        {value: SPLITS[value.lower()] for value in planner.columns.distinct(roles.split)} if roles.split else {}
    )
    splits = _splits(facts, split_of, split_names)
    task, is_new, labels = _task(planner, roles)
    ends = _ends(planner, roles, task) if isinstance(task, RegressionTask) else None
    if is_new and isinstance(task, RegressionTask) and ends:
        task, ends = _with_range(task, ends), ends if _outside(planner, roles, ends) else None
    meta = _metadata(planner, facts, languages, task, [gold.emotion or "" for gold in roles.golds])
    return CorpusPlan(
        name=name, meta=meta, files=files, roles=roles, facts=facts, languages=languages, language_of=language_of,
        splits=splits, split_of=split_of, split_names=split_names, task=task, is_new_task=is_new, ends=ends,
        labels=labels, unannotated=_unannotated(files, facts, roles, task, labels), gaps=_has_gaps(files, roles),
        id_of=_id_of(files, roles), seen=tuple(planner.seen), assumed=tuple(planner.assumed),
    )  # fmt: skip


def _roles(planner: _Planner, facts: Facts) -> tuple[Roles, str, str]:
    """The columns, where the split of a row is, and where its language is."""
    columns, answers = planner.columns, planner.answers
    text = columns.check("--text", answers.text) if answers.text else find_text(columns)
    if text is None:
        text = columns.check("--text", planner.need("--text", "which column has the texts", ", ".join(columns.names)))
    split = columns.check("--split", answers.split) if answers.split and answers.split not in SPLITS else None
    split = split or (None if facts.splits else find_split(columns))
    language = answers.language if answers.language in columns.names else find_language(columns)
    language = None if facts.languages else language
    taken = [text, split, language]
    golds = parse_golds(columns, answers.gold) if answers.gold else find_golds(columns, [*taken, _id(planner, text)])
    if not golds:
        left = ", ".join(name for name in columns.names if name not in taken)
        told = planner.need("--gold", "which columns have the gold labels", f"the others are {left}")
        golds = parse_golds(columns, told.split(","))
    source_id = _id(planner, text, [column for gold in golds for column in gold.columns])
    kind = kind_of(columns, golds)
    values = _values(columns, golds, kind)
    roles = Roles(text, source_id, split, language, kind, golds, decimal_of(columns, golds), values)
    rated = ", ".join("+".join(gold.columns) + (f" ({gold.emotion})" if gold.emotion else "") for gold in golds)
    planner.seen.append(f"text: {text}; id: {source_id or 'none, lines are numbered'}; gold: {rated}")
    split_of = "file" if facts.splits else "column" if split else "drawn"
    if split_of == "drawn":
        planner.assumed.append("no splits: 80 % train, 10 % validation and 10 % test are drawn by hash")
    return roles, split_of, "file" if facts.languages else "column" if language else "one"


def _id(planner: _Planner, text: str, golds: Sequence[str] = ()) -> str | None:
    if planner.answers.source_id:
        return planner.columns.check("--id", planner.answers.source_id)
    found = find_id(planner.columns, text)
    return None if found in golds else found


def _values(columns: Columns, golds: Sequence[RatedColumns], kind: Kind) -> tuple[str, ...]:
    if kind == "score":
        numbers = numbers_of(columns, golds)
        return f"{min(numbers):g}", f"{max(numbers):g}"
    if kind == "flags":
        return tuple(sorted({value for gold in golds for value in columns.distinct(gold.columns[0])}))
    found = [value for gold in golds for value in label_values(columns, gold.columns[0])]
    return tuple(dict.fromkeys(found))


def _languages(planner: _Planner, facts: Facts, roles: Roles, language_of: str) -> tuple[str, ...]:
    if language_of == "file":
        return tuple(dict.fromkeys(facts.languages.values()))
    if roles.language:
        return tuple(dict.fromkeys(ALIASES.get(one.lower(), one) for one in planner.columns.distinct(roles.language)))
    told = planner.answers.language or planner.need("--language", "which language are the texts in", "en, it, pt-BR …")
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", told):
        raise UsageError(f"--language {told!r} is no code such as en, arq or pt-BR, and no column")
    return (ALIASES.get(told, told),)


def _splits(facts: Facts, split_of: str, names: Mapping[str, Split]) -> tuple[Split, ...]:
    if split_of == "drawn":
        return get_args(Split)
    found = set(facts.splits.values()) if split_of == "file" else set(names.values())
    return tuple(split for split in get_args(Split) if split in found)


def _task(planner: _Planner, roles: Roles) -> tuple[Task, bool, dict[str, str]]:
    """The question, whether it is new, and cell to label."""
    told = planner.answers.task
    if told is None:
        kinds = {"score": RegressionTask, "class": OrdinalTask}
        fitting = [name for name, task in TASKS.items() if isinstance(task, kinds.get(roles.kind, MultiLabelTask))]
        hint = f"one that is there, such as {', '.join(fitting[:6])}, or a new name"
        told = planner.need("--task", f"which question do these {KINDS[roles.kind]} answer", hint)
    labels = _label_map(planner)
    if told in TASKS:
        return TASKS[told], False, _fit_labels(planner, roles, TASKS[told], labels)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", told):
        raise UsageError(f"--task {told!r} cannot name a task; take letters, digits, - and _, a letter first")
    return _new_task(planner, roles, told, labels)


def _label_map(planner: _Planner) -> dict[str, str]:
    pairs = [part.partition("=") for part in planner.answers.labels]
    if wrong := [cell for cell, sign, label in pairs if not (sign and label.strip())]:
        raise UsageError(f"--labels {wrong[0]!r} says no label; write CELL=LABEL, such as 1=anger")
    return {cell.strip(): label.strip() for cell, _, label in pairs}


def _fit_labels(planner: _Planner, roles: Roles, task: Task, labels: dict[str, str]) -> dict[str, str]:
    """What cells mean for a task that is there.

    Raises:
        UsageError: the files have something else than the task asks for.
    """
    if isinstance(task, RegressionTask):
        if roles.kind in ("flags", "labels"):
            raise UsageError(
                f"task {task.name} takes scores, and the files have {', '.join(roles.values[:6])}; see --gold"
            )
        _check_emotions(task, roles)
        return {}
    if isinstance(task, OrdinalTask):
        _check_emotions(task, roles)
        numbers = {value: labels.get(value, value) for value in roles.values}
        if wrong := [value for value, number in numbers.items() if number not in map(str, task.classes)]:
            hint = f"its classes are {', '.join(map(str, task.classes))}; give --labels {wrong[0]}=NUMBER"
            raise UsageError(f"task {task.name} has no class {wrong[0]!r}; {hint}")
        return {value: number for value, number in numbers.items() if value != number}
    assert isinstance(task, MultiLabelTask)
    names = [gold.emotion or "" for gold in roles.golds] if roles.kind == "flags" else list(roles.values)
    known = {label.lower(): label for label in task.labels}
    found = {}
    for name in names:
        label = labels.get(name, known.get(name.lower(), name))
        if label not in task.labels and label.lower() not in _no_label(task):
            hint = f"give --labels {name}=LABEL, or a new name for the question with --task"
            raise UsageError(f"task {task.name} has no label {name!r}; its labels are {', '.join(task.labels)}; {hint}")
        if label != name or label not in task.labels:
            found[name] = label if label in task.labels else ""
    return found


def _no_label(task: MultiLabelTask) -> set[str]:
    """What a cell says where no label applies."""
    return {"none", "neutral", "no emotion", (task.nothing or "none").lower()}


def _check_emotions(task: Task, roles: Roles) -> None:
    asked = [gold.emotion for gold in roles.golds]
    for emotion in asked:
        if task.emotions and emotion is None:
            raise UsageError(f"task {task.name} asks for one of {', '.join(task.emotions)}; give --gold EMOTION=COLUMN")
        if task.emotions and emotion not in task.emotions:
            raise UsageError(f"--gold: {unknown(f'emotion of {task.name}', str(emotion), task.emotions)}")
    if not task.emotions and len(roles.golds) > 1:
        raise UsageError(
            f"task {task.name} asks one thing, and these are {', '.join(map(str, asked))}; give one by --gold"
        )


def _new_task(planner: _Planner, roles: Roles, name: str, labels: dict[str, str]) -> tuple[Task, bool, dict[str, str]]:
    """A task for what the files have; `add_task` of its module makes it known."""
    emotions = tuple(gold.emotion for gold in roles.golds if gold.emotion)
    if roles.kind == "class" and labels:
        if wrong := [value for value in roles.values if value not in labels]:
            raise UsageError(f"--labels says nothing of {wrong[0]!r}; it takes NUMBER=WORDS for each class")
        classes = {int(value): labels[value] for value in sorted(roles.values, key=int)}
        about = f"which of {len(classes)} classes a text has"
        return OrdinalTask(name=name, about=about, cue="Class:", emotions=emotions, classes=classes), True, {}
    if roles.kind in ("score", "class"):
        poles = {emotion: POLES.get(emotion, (f"no {emotion}", f"utmost {emotion}")) for emotion in emotions}
        about = f"{', '.join(emotions) or 'a score'} of a text"
        poles = poles or {"": ("lowest", "highest")}
        return RegressionTask(name=name, about=about, emotions=emotions, low=0.0, high=1.0, poles=poles), True, {}
    names = list(emotions) if roles.kind == "flags" else list(roles.values)
    if roles.kind == "labels" and not labels and all(name.isdigit() for name in names):
        hint = f"1=anger,2=joy … for {', '.join(sorted(names, key=int))}"
        told = planner.need("--labels", "what do the numbers of the labels stand for", hint)
        labels = dict(part.split("=", 1) for part in told.split(",") if "=" in part)
    if wrong := [name for name in names if labels and name not in labels and name.isdigit()]:
        raise UsageError(f"--labels says nothing of {wrong[0]!r}; it takes CELL=LABEL for each")
    called = {name: labels.get(name, name.lower()) for name in names}
    neutral = {"none", "no emotion", NO_EMOTION}
    known = tuple(sorted({label for label in called.values() if label not in neutral}))
    nothing = NO_EMOTION if _some_without(planner, roles, called, neutral) else None
    about = f"which of {len(known)} emotions{', or none,' if nothing else ''} a text expresses"
    task = MultiLabelTask(name=name, about=about, cue="This text contains emotions:", labels=known, nothing=nothing)
    return task, True, {cell: label if label in known else "" for cell, label in called.items() if cell != label}


def _some_without(planner: _Planner, roles: Roles, called: Mapping[str, str], neutral: set[str]) -> bool:
    """Whether some text has no label."""
    if roles.kind == "flags":
        yes = {"1", "1.0", "true", "yes"}
        names = [gold.columns[0] for gold in roles.golds]
        rows = zip(*(planner.columns.cells(name) for name in names), strict=False)
        return any(not any(cell.strip().lower() in yes for cell in row) for row in rows)
    return any(label in neutral for label in called.values())


def _ends(planner: _Planner, roles: Roles, task: RegressionTask) -> tuple[float, float] | None:
    """The range of scores; None where it is the task's own and no value is outside."""
    low, high = (float(value) for value in roles.values[:2]) if roles.kind == "score" else _class_ends(roles)
    is_known = task.name in TASKS
    if told := planner.answers.range:
        ends = parse_range(told)
    elif (
        is_known
        and task.low - HAIR * (task.high - task.low) <= low
        and high <= task.high + HAIR * (task.high - task.low)
    ):
        ends = (task.low, task.high)
        planner.seen.append(f"values {low:g} to {high:g}, within {task.low:g} to {task.high:g} of {task.name}")
    else:
        guess = assumed_range(low, high)
        shown = f"{guess[0]:g}..{guess[1]:g}" if guess else ""
        if guess and planner.ask is None:
            ends = guess
            planner.assumed.append(f"the range is {shown}, whose ends the values reach; else say --range LOW..HIGH")
        else:
            hint = "LOW..HIGH, such as 1..9"
            ends = parse_range(
                planner.need("--range", f"which range have values from {low:g} to {high:g}", hint, shown)
            )
    if outside := _outside(planner, roles, ends):
        planner.seen.append(f"{outside} values outside {ends[0]:g} to {ends[1]:g} by a hair are clipped")
    return None if is_known and ends == (task.low, task.high) and not outside else ends


def _class_ends(roles: Roles) -> tuple[float, float]:
    numbers = [float(value.replace(",", ".")) for value in roles.values]
    return min(numbers), max(numbers)


def parse_range(told: str) -> tuple[float, float]:
    """A range as `--range` gives it, `1..9`; `5..1` where the least value means most.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*([+-]?[\d.]*\d)\s*(?:\.\.|:|–| to )\s*([+-]?[\d.]*\d)\s*", told)
    if not found or found[1] == found[2]:
        raise UsageError(f"--range {told!r} is no range; write LOW..HIGH, such as 1..9")
    return float(found[1]), float(found[2])


def _outside(planner: _Planner, roles: Roles, ends: tuple[float, float]) -> int:
    """How many values are outside a range.

    Raises:
        UsageError: one is outside by more than a hair.
    """
    least, most = min(ends), max(ends)
    hair = HAIR * (most - least)
    numbers = numbers_of(planner.columns, roles.golds)
    if far := [number for number in numbers if not least - hair <= number <= most + hair]:
        raise UsageError(
            f"{len(far)} values are outside {least:g} to {most:g}, such as {far[0]:g}; see --range and --gold"
        )
    return sum(not least <= number <= most for number in numbers)


def _with_range(task: RegressionTask, ends: tuple[float, float]) -> RegressionTask:
    from dataclasses import replace

    return replace(task, low=min(ends), high=max(ends))


def _unannotated(
    files: Sequence[FileForm], facts: Facts, roles: Roles, task: Task, labels: Mapping[str, str]
) -> list[tuple[tuple[str, ...], str | None]]:
    """The labels, or emotions, of a task that the corpus lacks, and those that files of a language lack."""
    known = askable(task)
    if roles.kind == "labels":
        had = {labels.get(value, value) or value for value in roles.values}
    else:
        had = {labels.get(gold.emotion or "", gold.emotion or "") for gold in roles.golds}
    if isinstance(task, MultiLabelTask) and roles.kind == "labels":
        had |= {label.lower() for label in had}
    missing = tuple(label for label in known if label not in had) if known else ()
    found: list[tuple[tuple[str, ...], str | None]] = [(missing, None)] if missing else []
    if roles.kind != "labels" and len(roles.golds) > 1:
        for file in files:
            lacking = tuple(
                labels.get(gold.emotion or "", gold.emotion or "")
                for gold in roles.golds
                if gold.columns[0] not in file.columns
            )
            entry = (lacking, facts.languages.get(file.path))
            if lacking and entry not in found:
                found.append(entry)
    return found


def _has_gaps(files: Sequence[FileForm], roles: Roles) -> bool:
    """Whether some row has no text, or no gold at all."""
    for file in files:
        names = [column for gold in roles.golds for column in gold.columns if column in file.columns]
        golds = zip(*(file.cells(name) for name in names), strict=True)
        if any(not cell.strip() for cell in file.cells(roles.text)):
            return True
        if any(not all(cell.strip() for cell in row) if not roles.votes else not any(row) for row in golds):
            return True
    return False


def _id_of(files: Sequence[FileForm], roles: Roles) -> str:
    if roles.source_id is None:
        return "line"
    ids = [name for file in files for name in file.cells(roles.source_id)]
    return "id" if len(set(ids)) == len(ids) else "file"


def _metadata(
    planner: _Planner, facts: Facts, languages: Sequence[str], task: Task, rated: Sequence[str]
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
    spoken = languages[0] if len(languages) == 1 else f"{len(languages)} languages"
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
