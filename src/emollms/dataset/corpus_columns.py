"""What the columns of a new corpus are: texts, ids, gold labels, splits, languages; and what its files lack."""

import re
from collections.abc import Mapping, Sequence
from typing import get_args

from emollms.corpora.file_table import Split, askable
from emollms.corpora.gold_columns import (
    decimal_of,
    find_gold_columns,
    kind_of,
    label_values,
    numbers_of,
    parse_gold_columns,
)
from emollms.corpora.path_names import ALIASES, SPLITS
from emollms.corpora.roles import (
    Columns,
    Kind,
    RatedColumns,
    Roles,
    find_id,
    find_language,
    find_split,
    find_text,
    is_id_name,
)
from emollms.corpora.sniff import FileForm
from emollms.dataset.corpus_answers import Facts, Planner
from emollms.errors import UsageError
from emollms.tasks import MultiLabelTask, Task


def plan_roles(planner: Planner, facts: Facts) -> tuple[Roles, str, str]:
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
    gold_columns = (
        parse_gold_columns(columns, answers.gold)
        if answers.gold
        else find_gold_columns(columns, [*taken, _id(planner, text)])
    )
    if not gold_columns:
        left = ", ".join(name for name in columns.names if name not in taken)
        told = planner.need("--gold", "which columns have the gold labels", f"the others are {left}")
        gold_columns = parse_gold_columns(columns, told.split(","))
    source_id = _id(planner, text, [column for gold in gold_columns for column in gold.columns])
    kind = kind_of(columns, gold_columns)
    values = _values(columns, gold_columns, kind)
    roles = Roles(text, source_id, split, language, kind, gold_columns, decimal_of(columns, gold_columns), values)
    rated = ", ".join("+".join(gold.columns) + (f" ({gold.emotion})" if gold.emotion else "") for gold in gold_columns)
    ids = "none, lines are numbered" if source_id is None else source_id or "the column without a name"
    planner.seen.append(f"text: {text}; id: {ids}; gold: {rated}")
    if source_id is None and (named := next(filter(is_id_name, columns.names), None)):
        planner.assumed.append(f"lines are numbered, since ids in the column {named} are missing or come twice")
    split_of = "file" if facts.splits else "column" if split else "drawn"
    if split_of == "drawn":
        planner.assumed.append("no splits: 80 % train, 10 % validation and 10 % test are drawn by hash")
    return roles, split_of, "file" if facts.languages else "column" if language else "one"


def _id(planner: Planner, text: str, gold_columns: Sequence[str] = ()) -> str | None:
    if planner.answers.source_id:
        return planner.columns.check("--id", planner.answers.source_id)
    found = find_id(planner.columns, text)
    return None if found in gold_columns else found


def _values(columns: Columns, gold_columns: Sequence[RatedColumns], kind: Kind) -> tuple[str, ...]:
    if kind == "score":
        numbers = numbers_of(columns, gold_columns)
        return f"{min(numbers):g}", f"{max(numbers):g}"
    if kind == "flags":
        return tuple(sorted({value for gold in gold_columns for value in columns.distinct(gold.columns[0])}))
    found = [value for gold in gold_columns for value in label_values(columns, gold.columns[0])]
    return tuple(dict.fromkeys(found))


def plan_languages(planner: Planner, facts: Facts, roles: Roles, language_of: str) -> tuple[str, ...]:
    """The languages, as codes."""
    if language_of == "file":
        return tuple(dict.fromkeys(facts.languages.values()))
    if roles.language:
        return tuple(dict.fromkeys(ALIASES.get(one.lower(), one) for one in planner.columns.distinct(roles.language)))
    told = planner.answers.language or planner.need("--language", "which language are the texts in", "en, it, pt-BR …")
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", told):
        raise UsageError(f"--language {told!r} is no code such as en, arq or pt-BR, and no column")
    return (ALIASES.get(told, told),)


def plan_splits(facts: Facts, split_of: str, names: Mapping[str, Split]) -> tuple[Split, ...]:
    """The splits, in the order of `Split`."""
    if split_of == "drawn":
        return get_args(Split)
    found = set(facts.splits.values()) if split_of == "file" else set(names.values())
    return tuple(split for split in get_args(Split) if split in found)


def labels_lacking(
    files: Sequence[FileForm], facts: Facts, roles: Roles, task: Task, labels: Mapping[str, str]
) -> list[tuple[tuple[str, ...], str | None]]:
    """The labels, or emotions, of a task that the corpus lacks, and those that files of a language lack."""
    known = askable(task)
    if roles.kind == "labels":
        had = {labels.get(value, value) or value for value in roles.values}
    else:
        had = {labels.get(gold.emotion or "", gold.emotion or "") for gold in roles.gold_columns}
    if isinstance(task, MultiLabelTask) and roles.kind == "labels":
        had |= {label.lower() for label in had}
    missing = tuple(label for label in known if label not in had) if known else ()
    found: list[tuple[tuple[str, ...], str | None]] = [(missing, None)] if missing else []
    if roles.kind != "labels" and len(roles.gold_columns) > 1:
        for file in files:
            lacking = tuple(
                labels.get(gold.emotion or "", gold.emotion or "")
                for gold in roles.gold_columns
                if gold.columns[0] not in file.columns
            )
            entry = (lacking, facts.languages.get(file.path))
            if lacking and entry not in found:
                found.append(entry)
    return found


def has_gaps(files: Sequence[FileForm], roles: Roles) -> bool:
    """Whether some row has no text, or no gold at all."""
    for file in files:
        names = [column for gold in roles.gold_columns for column in gold.columns if column in file.columns]
        gold_columns = zip(*(file.cells(name) for name in names), strict=True)
        if any(not cell.strip() for cell in file.cells(roles.text)):
            return True
        if any(not all(cell.strip() for cell in row) if not roles.votes else not any(row) for row in gold_columns):
            return True
    return False


def scope_of_ids(files: Sequence[FileForm], roles: Roles) -> str:
    """`id`, `file` (ids are unique in their file alone) or `line` (there are none)."""
    if roles.source_id is None:
        return "line"
    ids = [name for file in files for name in file.cells(roles.source_id)]
    return "id" if len(set(ids)) == len(ids) else "file"
