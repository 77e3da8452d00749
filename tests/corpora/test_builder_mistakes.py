"""The mistakes that contributors make: each is one line with the builder, the field or line, and what is allowed.

Most are made in one process, since a command takes a second; `test_contributed` runs commands.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contributed import TABLE, Newcomer

from emollms.corpora import registry
from emollms.corpora.base import Selection
from emollms.corpora.reader import RawSource
from emollms.errors import EmollmsError

Say = Callable[[Newcomer], str]
FIELDS = {
    "no citation": ('        citation="@misc{mine}",\n', "", "citation is missing"),
    "an empty citation": ('citation="@misc{mine}"', 'citation=" "', "citation is empty"),
    "misspelt field": ('license="mit"', 'licens="mit"', "unknown field 'licens'; did you mean license?"),
    "an unknown field": ('domain="made up"', 'domain="x", url="y"', "unknown field 'url'; there are name, version"),
    "a split dev": ('splits=("train",)', 'splits=("train", "dev")', "splits[1] is 'dev'; allowed: 'train', 'valid"),
    "a split as a text": ('splits=("train",)', 'splits="train"', "splits is 'train' (str); give a tuple: ('train',)"),
    "no splits": ('splits=("train",)', "splits=()", "splits is empty"),
    "a capital in the name": ('name="mine"', 'name="Mine"', "name is 'Mine'; allowed: small letters, digits and _"),
    "a hyphen in the name": ('name="mine"', 'name="my-corpus"', "name is 'my-corpus'; allowed: small letters"),
    "an unknown task": ('tasks=("V-reg",)', 'tasks=("V-rge",)', "tasks: unknown task 'V-rge'; did you mean V-reg"),
    "a language in words": (
        'languages=("en",)',
        'languages=("English",)',
        "languages[0] is 'English'; allowed: a code",
    ),
    "a redistribution": ('="text"', '="yes"', "redistribution is 'yes'; allowed: 'text', 'ids' or 'none'"),
    "a version as a number": ('version="1"', "version=1", "version is 1 (int); input should be a valid string"),
    "a language of a file": ('languages=("en",)', 'languages=("es",)', "file train.tsv: language 'en' is none of the"),
    "a task of a file": ('tasks=("V-reg",)', 'tasks=("V-oc",)', "file train.tsv: task 'V-reg' is none of the corpus's"),
    "a split of a file": ('splits=("train",)', 'splits=("test",)', "file train.tsv: split 'train' is none of the corp"),
    "an unannotated label": (
        'domain="made up"',
        'domain="x", unannotated=(Unannotated(labels=("awe",)),)',
        "'awe' is no label or emotion of V-reg; known: none",
    ),
    "no table": ('"mine", "newcomer"', '"other", "newcomer"', "files/other.csv is missing in newcomer; make it with"),
    "no package": (
        '"mine", "newcomer"',
        '"mine", "newcommer"',
        "there is no package 'newcommer' to take files/mine.csv",
    ),
}
CLASSES = {
    "no rows()": ("    def rows(", "    def row(", "it has no rows(); see `builders/tdt.py`"),
    "no records()": ("    def records(", "    def read(", "it has no records()"),
    "no meta": ("    meta = ", "    metadata = ", "meta is missing; give CorpusMetadata(name=…, …)"),
    "metadata as a dict": ("CorpusMetadata(\n", "dict(\n", "meta is {'name': 'mine'"),
    "one repair": ("(ENTITIES, OUTER_SPACE)", "(ENTITIES)", "give a tuple of Repair, such as (ENTITIES, OUTER_SPACE)"),
    "a repair by name": ("(ENTITIES, OUTER_SPACE)", '("ENTITIES",)', "repairs is ('ENTITIES',); give a tuple"),
    "no subclass": ("class Mine(Corpus)", "class Mine", "it is no subclass of Corpus"),
    "another class": ("class Mine", "class Other", "has no attribute 'Mine'"),
}
MODULES = {
    "a name that is not there": (
        "import ENTITIES,",
        "import ENTITTIES,",
        "ImportError: cannot import name 'ENTITTIES'",
    ),
    "a module that is not there": ("\n\nclass Mine", "import numpyy\n\nclass Mine", "No module named 'numpyy'"),
    "a syntax error": ("def rows(self, record):", "def rows(self, record)", "SyntaxError: expected ':'"),
    "an exception": ("\n\nclass Mine", "1 / 0\n\nclass Mine", "ZeroDivisionError: division by zero"),
    "an exit": ("\n\nclass Mine", "raise SystemExit('so')\n\nclass Mine", "SystemExit: so"),
}
ROWS = 'yield Example("V-reg", record.split, record["id"], record["text"], record.number("score"), record["score"])'
EXAMPLES = {
    "a score as text": (
        'record.number("score")',
        'record["score"]',
        "V-reg takes a number from 0 to 1: \"'0.5' (str)\"",
    ),
    "a score that is out of range": (
        'record.number("score")',
        "7.5",
        "V-reg goes from 0 to 1, and this is outside: '7.5'",
    ),
    "a score that is none": ('record.number("score")', 'float("nan")', "and this is outside: 'nan'"),
    "no score": ('record.number("score")', "None", "V-reg takes a number from 0 to 1: 'None (NoneType)'"),
    "a split dev": ("record.split, ", '"dev", ', "the corpus has no such split; its splits are train: 'dev'"),
    "an unknown task": (
        'Example("V-reg"',
        'Example("V-rge"',
        "the corpus has no such task; its tasks are V-reg: 'V-rge'",
    ),
    "a task of others": ('Example("V-reg"', 'Example("SST"', "the corpus has no such task; its tasks are V-reg: 'SST'"),
    "an id that is a number": ('record["id"]', 'int(record["id"])', "source_id is no text (str): '1 (int)'"),
    "gold that is a number": ('record["score"])', "0.5)", "gold is no text (str): '0.5 (float)'"),
    "an emotion": ('record["score"])', 'record["score"], "joy")', "V-reg has no emotion of this name: 'joy'"),
    "an emotion that is none": ('record["score"])', 'record["score"], 7)', "emotion is no text (str): '7 (int)'"),
    "a language": (
        'record["score"])',
        'record["score"], language="de")',
        "no such language; its languages are en: 'de'",
    ),
    "an unknown column": ('record["text"]', 'record["txt"]', "the row has no column 'txt'; it has id, text, score"),
    "an exception": (
        'record["text"]',
        'record["text"] + 1',
        'can only concatenate str (not "int") to str (in rows(), ',
    ),
    "an argument that is missing": (', record["score"])', ")", "missing 1 required positional argument: 'gold'"),
    "a dictionary": (
        ROWS,
        'yield {"text": record["text"]}',
        "rows() gave what is no Example: \"{'text': 'the tram came early'} (dict)\"",
    ),
    "a list of dictionaries": (ROWS, "return [{}]", "rows() gave what is no Example: '{} (dict)'; correct the builder"),
    "one Example, not several": (
        ROWS,
        ROWS.replace("yield", "return"),
        'rows() gave no iterable of Examples: "Example(',
    ),
    "nothing": (ROWS, "return None", "rows() gave no iterable of Examples: 'None (NoneType)'; let it yield"),
    "no Example": (ROWS, "yield from ()", "rows() gave no Example; leave such rows out by no_data=… of source.table"),
}
LABELS = {
    "a list": ('["joy"]', "E-c takes a tuple of labels, such as ('anger', 'anticipation'): \"['joy'] (list)\""),
    "a text": ('"joy"', "E-c takes a tuple of labels, such as ('anger', 'anticipation'): \"'joy' (str)\""),
    "a set": ('{"joy"}', "E-c takes a tuple of labels"),
    "what cannot be hashed": ('(["joy"],)', "E-c takes a tuple of labels"),
    "numbers": ("(1, 4)", "E-c takes a tuple of labels"),
    "a label that is none": ('("rage",)', "E-c has no such label: 'rage'"),
    "a label twice": ('("joy", "joy")', "a label stands twice"),
    "a label that was not annotated": (
        '("trust",)',
        "the corpus says that it did not annotate this (E-c, train, en): 'trus",
    ),
}
RECORDS = {
    "an exception": (
        "for file in",
        "raise KeyError('x')\n        for file in",
        "mine: KeyError: 'x' (in records(), line",
    ),
    "None": (
        "yield from source.table(file",
        "source.table(file",
        "mine: records() gave no iterable of Records: 'None (NoneType)'; let it yield",
    ),
    "no Record": (
        "yield from source.table(file",
        "yield dict(a=1) or (file",
        "records() gave what is no Record: \"{'a': 1} (dict)\"",
    ),
    "an exception after a row": (
        '("id", "text", "score"))',
        '("id", "text", "score"))\n            [][0]',
        "mine/train.tsv:3: IndexError: list index",
    ),
    "an unknown file": (
        "yield from source.table(file,",
        'yield from source.table(source.file("x"),',
        "has no 'x'; it has",
    ),
    "an unknown encoding": (
        '"score"))',
        '"score"), encoding="latin-l")',
        "unknown encoding 'latin-l'; did you mean latin",
    ),
    "columns as a text": ('("id", "text", "score"))', '"id")', "columns must be a tuple of different names, not 'id'"),
}


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newcomer]:
    """The package, which is found once it is written."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    registry.corpora.cache_clear()
    yield Newcomer(tmp_path)
    registry.corpora.cache_clear()
    sys.modules.pop("newcomer", None)


def refused(newcomer: Newcomer) -> str:
    """The error for the corpus, while every other one can be used."""
    importlib.invalidate_caches()
    assert set(registry.corpora()) >= {"sample", "vader"}
    with pytest.raises(EmollmsError) as caught:
        registry.get_corpus("mine")
    told = str(caught.value)
    assert told.startswith("builder mine ('newcomer:Mine' of newcomer) cannot be used: ")
    assert len(told.splitlines()) == 1
    return told


def read(newcomer: Newcomer, quarantine: bool = False) -> tuple[list[object], RawSource]:
    importlib.invalidate_caches()
    corpus = registry.get_corpus("mine")
    source = RawSource(corpus.meta, newcomer.root / "raw/mine", quarantine)
    return list(corpus().examples(source, Selection(corpus.meta.tasks, corpus.meta.splits))), source


def stopped(newcomer: Newcomer) -> str:
    with pytest.raises(EmollmsError) as caught:
        read(newcomer)
    assert len(str(caught.value).splitlines()) == 1
    assert "fetch" not in str(caught.value)
    return str(caught.value)


def test_without_a_mistake(newcomer: Newcomer) -> None:
    examples, _ = read(newcomer.write())
    assert [example.value for example in examples] == [0.5, 0.2]
    assert registry.broken() == ()


@pytest.mark.parametrize(("old", "new", "told"), FIELDS.values(), ids=FIELDS)
def test_a_field_of_the_metadata(old: str, new: str, told: str, newcomer: Newcomer) -> None:
    error = refused(newcomer.change(old, new).write())
    assert told in error
    assert " of newcomer/__init__.py)" in error


@pytest.mark.parametrize(("old", "new", "told"), CLASSES.values(), ids=CLASSES)
def test_a_part_of_the_class(old: str, new: str, told: str, newcomer: Newcomer) -> None:
    assert told in refused(newcomer.change(old, new).write())


@pytest.mark.parametrize(("old", "new", "told"), MODULES.values(), ids=MODULES)
def test_a_module_that_fails(old: str, new: str, told: str, newcomer: Newcomer) -> None:
    error = refused(newcomer.change(old, new).write())
    assert told in error
    assert "newcomer/__init__.py)" in error


def test_several_mistakes_are_told_at_once(newcomer: Newcomer) -> None:
    newcomer.change('license="mit"', 'licens="mit"').change('name="mine"', 'name="Mine"')
    newcomer.change('splits=("train",)', 'splits=("dev",)').change('title="Mine",', "").change('="text"', '="no"')
    error = refused(newcomer.write())
    assert "name is 'Mine'; allowed: small letters, digits and _, a letter first; title is missing; " in error
    assert "; and 2 more" in error


@pytest.mark.parametrize(("old", "new", "told"), EXAMPLES.values(), ids=EXAMPLES)
def test_what_rows_gives(old: str, new: str, told: str, newcomer: Newcomer) -> None:
    error = stopped(newcomer.change(old, new).write())
    assert error.startswith("mine/train.tsv:2: ")
    assert told in error


@pytest.mark.parametrize(("value", "told"), LABELS.values(), ids=LABELS)
def test_labels(value: str, told: str, newcomer: Newcomer) -> None:
    newcomer.change('tasks=("V-reg",)', 'tasks=("E-c",), unannotated=(Unannotated(labels=("trust",)),)')
    newcomer.change('Example("V-reg"', 'Example("E-c"').change('record.number("score")', value)
    newcomer.about["train.tsv"] = {"split": "train", "language": "en"}
    assert f"mine/train.tsv:2: {told}" in stopped(newcomer.write())


@pytest.mark.parametrize("value", ["True", "1.0", '"1"', "(1,)", "4"])
def test_classes(value: str, newcomer: Newcomer) -> None:
    newcomer.change('tasks=("V-reg",)', 'tasks=("EI-oc",)').change('Example("V-reg"', 'Example("EI-oc"')
    newcomer.change('record.number("score")', value).change('record["score"])', 'record["score"], "joy")')
    newcomer.about["train.tsv"] = {"split": "train", "language": "en"}
    assert (
        "EI-oc has no class" in (error := stopped(newcomer.write())) or "EI-oc takes one of the numbers 0, 1" in error
    )


@pytest.mark.parametrize("value", ["1", "np.float32(0.5)", "np.int64(0)", "Fraction(1, 2)"])
def test_numbers_of_other_kinds_are_numbers(value: str, newcomer: Newcomer) -> None:
    newcomer.change('record.number("score")', value)
    newcomer.change("\n\nclass Mine", "import numpy as np\nfrom fractions import Fraction\n\nclass Mine")
    examples, _ = read(newcomer.write())
    assert {type(example.value) for example in examples} == {float}


@pytest.mark.parametrize(("old", "new", "told"), RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("quarantine", [False, True])
def test_what_records_gives(old: str, new: str, told: str, quarantine: bool, newcomer: Newcomer) -> None:
    """The rows after it are unknown, so that quarantine does not help."""
    newcomer.change(old, new).write()
    with pytest.raises(EmollmsError) as caught:
        read(newcomer, quarantine)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_exception_costs_its_row_in_quarantine(newcomer: Newcomer) -> None:
    newcomer.change('record.number("score")', 'float(record["score"])')
    newcomer.files["train.tsv"] = TABLE + b"3\tso it was\tx\n4\tthe end\t0.9\n"
    error = stopped(newcomer.write())
    line = f"line {newcomer.line('yield Example')} of newcomer/__init__.py"
    assert error == (
        f"mine/train.tsv:4: ValueError: could not convert string to float: 'x' (in rows(), {line}); "
        "mend the builder or the line, or leave the row out with --quarantine"
    )
    examples, source = read(newcomer, quarantine=True)
    assert [example.source_id for example in examples] == ["1", "2", "4"]
    (row,) = source.take_left_out()
    assert (str(row.place), row.reason) == ("mine/train.tsv:4", "ValueError in the builder")  # one reason for all such
    assert "could not convert string to float: 'x' (in rows(), " in str(row.value)


def test_a_repair_that_fails_costs_its_row(newcomer: Newcomer) -> None:
    newcomer.change("OUTER_SPACE)\n", 'Repair("first", lambda text: text[20]))\n')
    newcomer.change("import ENTITIES, OUTER_SPACE", "import ENTITIES, Repair").write()
    assert "mine/train.tsv:2: IndexError: string index out of range" in stopped(newcomer)


def test_all_examples_of_a_row_are_left_out_with_one(newcomer: Newcomer) -> None:
    second = ROWS.replace('record["id"]', '"x" + record["text"]')
    newcomer.change(ROWS, f"{ROWS}\n        {second}")
    newcomer.files["train.tsv"] = TABLE + b"3\t\t0.9\n"
    examples, source = read(newcomer.write(), quarantine=True)
    assert len(examples) == 4
    assert [row.place.line for row in source.take_left_out()] == [4]


def test_a_folder_too_deep_names_the_right_one(newcomer: Newcomer) -> None:
    newcomer.write()
    corpus = registry.get_corpus("mine")
    source = RawSource(corpus.meta, newcomer.root / "raw/mine/mine")
    with pytest.raises(EmollmsError, match=f"the one that holds mine/: give {newcomer.root / 'raw'}$"):
        list(corpus().examples(source, Selection(corpus.meta.tasks, corpus.meta.splits)))


def test_words_for_flags() -> None:
    from emollms.corpora.file_table import SourceFile
    from emollms.corpora.reader import CellError, Record

    file = SourceFile(path="a", sha256="0" * 64, bytes=0)
    record = Record(file, 2, {"anger": "0.0", "joy": "1.0"})
    with pytest.raises(CellError, match="anger is neither 0 nor 1") as caught:
        record.flags(("anger", "joy"))
    assert "record.flags(columns, yes=(…,), no=(…,))" in caught.value.remedy
    assert record.flags(("anger", "joy"), yes=("1.0",), no=("0.0",)) == ("joy",)
