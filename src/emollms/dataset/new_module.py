"""The builder of a new corpus as Python: what `cards/corpus_module.py.j2` is filled with."""

import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from emollms.corpora.gold_columns import split_labels
from emollms.corpora.path_names import ALIASES
from emollms.dataset.corpus_plan import CorpusPlan
from emollms.tasks import MultiLabelTask, OrdinalTask, RegressionTask
from emollms.templates import render

WIDTH = 120
YES = {"1", "1.0", "True", "true", "yes"}


def module_text(plan: CorpusPlan, package: str, builtin: bool) -> str:
    """The module of a corpus.

    Args:
        plan: what is known of it.
        package: the package that it is of.
        builtin: whether that is this one.
    """
    values = {
        **_names(plan),
        **_expressions(plan),
        "plan": plan,
        "task": plan.task,
        "package": package,
        "builtin": builtin,
    }
    text = render(
        "corpus_module.py.j2",
        filters={"literal": literal, "literal_lines": literal_lines, "packed": _packed, "words": _words},
        **values,
    )
    text = re.sub(r"[ \t]+\n", "\n", re.sub(r"\n{3,}(?=\S)", "\n\n\n", text))
    text = re.sub(r"\n{2,}(?=from |    def |    repairs)", "\n\n", text)
    text = re.sub(r"\n\n(?=    repairs)", "\n", text)
    return text.strip() + "\n"


def _words(text: str) -> str:
    """A text inside a docstring."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split()).rstrip(".")


def literal(value: object, indent: int = 0) -> str:
    """A value as Python code that a formatter leaves as it is, as long as it fits into a line."""
    if isinstance(value, str):
        quoted = _quoted(value)
        return quoted if len(quoted) < WIDTH - 30 else _long(value, indent)
    if isinstance(value, Mapping):
        inside = [f"{literal(key)}: {literal(one)}" for key, one in value.items()]
        return _bracketed(inside, "{}", indent)
    if isinstance(value, tuple):
        inside = [literal(one) for one in value]
        return f"({inside[0]},)" if len(inside) == 1 else _bracketed(inside, "()", indent)
    return repr(value)


def _quoted(text: str) -> str:
    if '"' in text and "'" not in text:
        return repr(text)
    return '"' + repr(f"'{text}")[2:-1].replace('"', '\\"') + '"'


def _packed(names: tuple[str, ...], indent: int) -> str:
    """Many short names, as many in a line as fit; the formatter is told to leave them so."""
    lines = textwrap.wrap(", ".join(map(_quoted, names)) + ",", WIDTH - indent - 4, break_on_hyphens=False)
    return "(\n" + "".join(f"{' ' * (indent + 4)}{line}\n" for line in lines) + f"{' ' * indent})"


def _bracketed(inside: list[str], brackets: str, indent: int) -> str:
    whole = f"{brackets[0]}{', '.join(inside)}{brackets[1]}"
    if len(whole) + indent + 20 <= WIDTH:
        return whole
    lines = "".join(f"{' ' * (indent + 4)}{one},\n" for one in inside)
    return f"{brackets[0]}\n{lines}{' ' * indent}{brackets[1]}"


def _long(text: str, indent: int) -> str:
    """A long text in parts of a line each."""
    parts, line = [], ""
    for word in re.findall(r"\S+\s*", text):
        if line and len(line) + len(word.rstrip()) > WIDTH - indent - 6:
            parts.append(line)
            line = ""
        line += word
    lines = "".join(f"{' ' * (indent + 4)}{_quoted(part)}\n" for part in [*parts, line])
    return f"(\n{lines}{' ' * indent})"


def literal_lines(text: str) -> str:
    """A text of several lines."""
    return '"""' + text.replace("\\", "\\\\").replace('"""', "'''") + '"""'


def _names(plan: CorpusPlan) -> dict[str, Any]:
    """Imports, constants and fields."""
    roles, task = plan.roles, plan.task
    metadata = ["CorpusMetadata", "DrawnSplits"] if plan.split_of == "drawn" else ["CorpusMetadata"]
    metadata += ["Split"] if plan.split_of == "column" else []
    metadata += ["Unannotated"] if plan.unannotated else []
    has_labels = roles.kind == "labels" and isinstance(task, MultiLabelTask)
    return {
        "imports": {
            "metadata": ", ".join([*metadata, "pinned_files"]),
            "reader": "CellError, RawSource, Record" if has_labels else "RawSource, Record",
            "tasks": f"{type(task).__name__}, add_task" if plan.is_new_task else "",
        },
        "task_class": type(task).__name__,
        "task_fields": _task_fields(plan),
        "task_name": "TASK.name" if plan.is_new_task else literal(task.name),
        "flag_columns": {
            gold.columns[0]: plan.labels.get(gold.emotion or "", gold.emotion or "") for gold in roles.gold_columns
        },
        "gold_columns": {gold.emotion: gold.columns if roles.votes else gold.columns[0] for gold in roles.gold_columns},
        "cell_labels": {value: _label_of(plan, value) for value in _in_order(roles.values)} if has_labels else {},
        "several_labels": any(len(split_labels(cell)) > 1 for cell in _gold_cells(plan)),
        "language_names": _language_names(plan),
        "clipped": plan.ends is not None,
        "partial": any(language for _, language in plan.unannotated) or len(plan.unannotated) > 1,
    }


def _in_order(values: tuple[str, ...]) -> list[str]:
    return sorted(values, key=int) if all(value.isdigit() for value in values) else list(values)


def _label_of(plan: CorpusPlan, value: str) -> str:
    known = {label.lower(): label for label in plan.task.labels} if isinstance(plan.task, MultiLabelTask) else {}
    return plan.labels[value] if value in plan.labels else known.get(value.lower(), "")


def _gold_cells(plan: CorpusPlan) -> list[str]:
    return [cell for file in plan.files for gold in plan.roles.gold_columns for cell in file.cells(gold.columns[0])]


def _language_names(plan: CorpusPlan) -> dict[str, str]:
    """What the column of languages says, where that is not the code."""
    if plan.language_of != "column":
        return {}
    cells = {cell for file in plan.files for cell in file.cells(plan.roles.language or "")}
    names = {cell: ALIASES.get(cell.lower(), cell) for cell in sorted(cells) if cell}
    return names if any(cell != code for cell, code in names.items()) else {}


def _task_fields(plan: CorpusPlan) -> dict[str, object]:
    task = plan.task
    fields: dict[str, object] = {"name": task.name, "about": task.about}
    if task.cue != "Intensity Score:":
        fields["cue"] = task.cue
    if task.emotions:
        fields["emotions"] = task.emotions
    if isinstance(task, RegressionTask):
        return {**fields, "low": task.low, "high": task.high, "poles": dict(task.poles)}
    if isinstance(task, OrdinalTask):
        return {**fields, "classes": dict(task.classes)}
    assert isinstance(task, MultiLabelTask)
    return {**fields, "labels": task.labels, **({"nothing": task.nothing} if task.nothing else {})}


def _expressions(plan: CorpusPlan) -> dict[str, Any]:
    """What `rows` and `records` say."""
    roles, form = plan.roles, plan.form
    id_cell = f"record[{literal(roles.source_id or '')}]"
    arguments = ["file"] if form.header else ["file", "COLUMNS"]
    arguments += [f"delimiter={literal(form.delimiter)}"] if form.delimiter != "\t" else []
    arguments += [] if form.header else ["header=False"]
    arguments += ["quotes=True"] if form.quotes else []
    arguments += ["line_breaks=True"] if _has_line_breaks(plan) else []
    arguments += ["no_data=_no_data"] if plan.gaps else []
    language = f"record[{literal(roles.language or '')}]"
    return {
        "table_arguments": ", ".join(arguments),
        "id_expression": {"id": id_cell, "line": "record.line_id", "file": f"record.id_in_file({id_cell})"}[plan.id_of],
        "split_expression": _split_expression(plan),
        "language_expression": {
            "one": literal(plan.languages[0]),
            "file": "record.language",
            "column": f"LANGUAGES[{language}]" if _language_names(plan) else language,
        }[plan.language_of],
        "decimal": ', decimal=","' if roles.decimal == "," else "",
        "value_expression": _value_expression(plan),
        "flag_expression": _flag_expression(plan),
        "split_cell": _split_cell(plan),
        "has_gold": _has_gold(plan),
        "text_cell": _cell(plan, literal(roles.text)),
    }


def _split_expression(plan: CorpusPlan) -> str:
    if plan.split_of == "file":
        return "record.split"
    if plan.split_of == "column":
        return f"SPLITS[record[{literal(plan.roles.split or '')}]]"
    return "self.drawn_split(name)"


def _has_line_breaks(plan: CorpusPlan) -> bool:
    return any("\n" in cell for file in plan.files for row in file.rows for cell in row)


def _value_expression(plan: CorpusPlan) -> Callable[[str], str]:
    """The code of a value, by the name of the variable with the column."""
    decimal = ', ","' if plan.roles.decimal == "," else ""
    if isinstance(plan.task, RegressionTask):
        return lambda column: f"record.number({column}{decimal})"
    if plan.labels:
        return lambda column: f"int(CLASSES.get(record[{column}], record[{column}]))"
    return lambda column: f"int(record.number({column}))"


def _flag_expression(plan: CorpusPlan) -> str:
    values = set(plan.roles.values)
    yes, no = sorted(values & YES) or ["1"], sorted(values - YES) or ["0"]
    options = "" if (yes, no) == (["1"], ["0"]) else f", yes={literal(tuple(yes))}, no={literal(tuple(no))}"
    partial = (
        len({tuple(gold.columns[0] in file.columns for gold in plan.roles.gold_columns) for file in plan.files}) > 1
    )
    columns = "[column for column in FLAGS if column in record.cells]" if partial else "tuple(FLAGS)"
    return f"FLAGS[column] for column in record.flags({columns}{options})"


def _split_cell(plan: CorpusPlan) -> str:
    """The code that cuts a cell into its labels."""
    cells = _gold_cells(plan)
    signs = [sign for sign in (",", ";", "|", "/", "+") if any(sign in cell for cell in cells)]
    plain = 'cell.strip("[](){}\'")' if any(cell.strip()[:1] in "[({" for cell in cells if cell.strip()) else "cell"
    if any("'" in cell or '"' in cell for cell in cells):
        return f'[part.strip(" \'\\"") for part in {plain}.split("{signs[0] if signs else ","}") if part.strip()]'
    if not signs:
        return "[cell.strip()]"
    return f'[part.strip() for part in {plain}.split("{signs[0]}") if part.strip()]'


def _has_gold(plan: CorpusPlan) -> str:
    gold_columns = plan.roles.gold_columns
    given = _cell(plan, "column") + ".strip()"
    if plan.roles.votes and gold_columns[0].emotion is None:
        return f"any({given} for column in {literal(gold_columns[0].columns)})"
    if plan.roles.votes:
        return f"all(any({given} for column in columns) for columns in GOLD.values())"
    if plan.roles.kind == "flags":
        return 'any(record.cells.get(column, "").strip() for column in FLAGS)'
    if gold_columns[0].emotion is None:
        return f"{_cell(plan, literal(gold_columns[0].columns[0]))}.strip()"
    return f"all({given} for column in GOLD.values())"


def _cell(plan: CorpusPlan, column: str) -> str:
    """The code of a cell that may not be there: an object of JSON leaves keys out."""
    return f'record.cells.get({column}, "")' if plan.form.form == "jsonl" else f"record[{column}]"
