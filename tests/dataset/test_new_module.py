"""The builder that `corpora new` writes: for every kind of gold labels, all names in it are defined."""

import ast
import builtins
from dataclasses import replace

import pytest

from emollms.corpora.sniff import FileForm
from emollms.dataset.corpus_answers import Answers, Facts
from emollms.dataset.corpus_plan import CorpusPlan, plan_corpus
from emollms.dataset.new_module import module_text

LONG = "a long sentence to be read"
SAID = Answers(language="en", homepage="https://example.org", license="mit")
PLANS = {
    "scores": ("id|text|score", ("1|{}|2", "2|{}s|5"), {"task": "V-reg", "range": "1..5"}),
    "raters": ("id|text|valence1|valence2", ("1|{}|2|3", "2|{}s|5|1"), {"task": "V-reg", "range": "1..5"}),
    "dimensions": ("id|text|V|A|split", ("1|{}|2,5|3|dev", "2|{}s|5|1|train"), {"task": "EmoBank"}),
    "flags": ("id|text|joy|fear", ("1|{}|1|0", "2|{}s|0|0"), {"task": "E-c"}),
    "labels": ("id|text|label", ("1|{}|gioia", "2|{}s|paura"), {"task": "E-c", "labels": ("gioia=joy", "paura=fear")}),
    "numbers of labels": ("text|label", ("{}|1, 2", "{}s|1"), {"task": "Mine", "labels": ("1=anger", "2=joy")}),
    "classes": ("id|text|label", ("1|{}|-1", "2|{}s|1"), {"task": "V-oc"}),
    "words of classes": (
        "id|text|lang|label",
        ("1|{}|german|positivo", "2|{}s|en|neutro"),
        {"task": "V-oc", "labels": ("positivo=3", "neutro=0"), "language": None},
    ),
    "gaps": ("id|text|score", ("1|{}|2", "2|{}s|5", "3||1", "4|{}!|"), {"task": "V-reg", "range": "1..5"}),
}


def plan(name: str, form: str = "table") -> CorpusPlan:
    header, rows, said = PLANS[name]
    cells = [tuple(row.format(LONG).split("|")) for row in rows]
    file = FileForm("all.csv", form, "utf-8", "," if form == "table" else "", form == "table", True,
                    tuple(header.split("|")), cells)  # fmt: skip
    return plan_corpus("mine", [file], Facts({}, {}, None, None), replace(SAID, **said))


def undefined(code: str) -> set[str]:
    """The names that a module reads and does not define."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    known = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(dir(builtins))
    known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias)}
    known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - known


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_names_are_defined(name: str, form: str) -> None:
    assert undefined(module_text(plan(name, form), "emollms.builders", builtin=True)) == set()


def test_words_stand_for_classes() -> None:
    code = module_text(plan("words of classes"), "emollms.builders", builtin=True)
    assert 'CLASSES = {"positivo": "3", "neutro": "0"}' in code
    assert "int(CLASSES.get(record[column], record[column]))" in code


def test_objects_may_leave_keys_out() -> None:
    code = module_text(plan("gaps", "jsonl"), "emollms.builders", builtin=True)
    assert 'if not record.cells.get("text", "").strip():' in code
    assert 'return None if record.cells.get("score", "").strip() else "no gold label is given"' in code
