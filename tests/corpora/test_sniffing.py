"""What is seen in raw files, and what must be said."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emollms.corpora.column_names import dimension
from emollms.corpora.gold_columns import assumed_range, find_gold_columns, kind_of, split_labels
from emollms.corpora.path_names import languages_of, split_of
from emollms.corpora.roles import Columns, find_id, find_text
from emollms.corpora.sniff import FileForm, sniff
from emollms.dataset.corpus_answers import Answers, Facts
from emollms.dataset.corpus_plan import plan_corpus
from emollms.dataset.corpus_range import parse_range
from emollms.dataset.corpus_tables import find_tables
from emollms.errors import UsageError

FORMS = {
    "tab": (b"id\ttext\tscore\n1\thello, you; there\t0.5\n2\tgood bye, all\t0.2\n", "\t", False, True, "utf-8"),
    "comma": (b'id,text,score\n1,"hello, you",0.5\n2,bye then,0.2\n', ",", True, True, "utf-8"),
    "semicolon": ("id;text;score\n1;però, no;0,5\n2;sì, va bene;0,2\n".encode(), ";", True, True, "utf-8"),
    "no header": (b"what a day it was\t1, 5\nnothing here at all\t3\n", "\t", False, False, "utf-8"),
    "cp1252": ("id;text;score\n1;l\u2019amica \u00e8 qui;0,5\n2;sì;0,2\n".encode("cp1252"), ";", True, True, "cp1252"),
    "utf-16": ("id\ttext\n1\tдобрый день\n2\tпока всем\n".encode("utf-16"), "\t", False, True, "utf-16"),
    "utf-16 without a mark": (
        "id\ttext\n1\tgood day to you\n2\tпока всем\n".encode("utf-16-le"),
        "\t",
        False,
        True,
        "utf-16-le",
    ),
    "row numbers of pandas": (b",text,score\n0,one here,2\n1,two here,3\n", ",", True, True, "utf-8"),
    "mark": ("\ufeffid,text,v\r\n1,one here,2\r\n2,two here,3\r\n".encode(), ",", True, True, "utf-8"),
    "plain quotes": (b'id\ttext\n1\t"so he said\n2\t"and left\n', "\t", False, True, "utf-8"),
}


@pytest.mark.parametrize("name", FORMS)
def test_how_a_file_is_written(name: str, tmp_path: Path) -> None:
    data, delimiter, quotes, header, encoding = FORMS[name]
    (tmp_path / "a.txt").write_bytes(data)
    form = sniff(tmp_path, "a.txt")
    assert (form.delimiter, form.quotes, form.header, form.encoding) == (delimiter, quotes, header, encoding)
    assert len(form.rows) == 2
    assert form.columns[0] in ("id", "column_1", "")


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "so be it", "e": ["joy", "fear"], "v": 1.50}\n{"t": "no", "e": null}\n')
    form = sniff(tmp_path, "a.jsonl")
    assert form.columns == ("t", "e", "v")
    assert form.rows == [("so be it", "joy, fear", "1.50"), ("no", "", "")]


def test_json_lines_with_objects_inside(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "so be it", "s": {"joy": 3, "fear": 1.0}}\n{"t": "no", "s": {"joy": 2}}\n')
    form = sniff(tmp_path, "a.jsonl")
    assert form.columns == ("t", "s.joy", "s.fear")
    assert form.rows == [("so be it", "3", "1.0"), ("no", "2", "")]
    gold = find_gold_columns(Columns([form]), ["t"])
    assert [(one.emotion, one.columns) for one in gold] == [("joy", ("s.joy",)), ("fear", ("s.fear",))]


NO_TABLES = {
    "no text": (b"id,text\n1,\x00\x00bad\n", "a.csv has NUL characters, so it is no text"),
    "a name twice": (
        b"text,score,score\nhello there,1,2\nbye there,2,3\n",
        "two columns are named 'score'; rename one",
    ),
}


FOLDERS = {
    "an archive": ({"data.zip": b"PK"}, "(it has data.zip); unpack data.zip first"),
    "a spreadsheet": ({"data.xlsx": b"PK"}, "save the sheet of data.xlsx as CSV"),
    "a JSON array": ({"data.json": b"[]"}, "convert data.json to CSV or JSON Lines"),
    "an empty file": ({"train.csv": b""}, "train.csv is empty"),
    "no rows": ({"train.csv": b"id,text,score\n"}, "train.csv has a header, id, text, score, and no row below it"),
    "a cell that is not quoted": (
        {"train.csv": b"id;text;score\n" + b"1;so it goes;2\n" * 8 + b"9;no; never;3\n"},
        "row 10 of train.csv has 4 cells where most have 3, cut at each semicolon: enclose cells that hold one",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_without_a_table(name: str, tmp_path: Path) -> None:
    files, told = FOLDERS[name]
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
    with pytest.raises(UsageError) as error:
        find_tables(tmp_path, Answers())
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_word_among_numbers() -> None:
    found = table("id|text|score", *(f"{number}|{LONG}|{number}" for number in range(9)), f"9|{LONG}|NA")
    with pytest.raises(UsageError, match="column 'score' has numbers and 1 cells that are none, such as 'NA'; leave"):
        plan_corpus("mine", found.files, NO_FACTS, SAID)


def test_ids_that_are_missing_are_no_gold_labels() -> None:
    found = table("id|text|score", f"1|{LONG}|1", f"|{LONG}s|5", f"1|{LONG}!|2")
    plan = plan_corpus("mine", found.files, NO_FACTS, SAID)
    assert (plan.roles.source_id, plan.id_of) == (None, "line")
    assert "lines are numbered, since ids in the column id are missing or come twice" in plan.assumed
    assert [gold.columns for gold in plan.roles.gold_columns] == [("score",)]


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table(name: str, tmp_path: Path) -> None:
    data, told = NO_TABLES[name]
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(UsageError) as error:
        sniff(tmp_path, "a.csv")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_files() -> None:
    assert languages_of(["s/de.tsv", "s/pt_br.tsv", "s/cn.tsv", "s/afr-annotated.tsv"]) == {
        "s/de.tsv": "de", "s/pt_br.tsv": "pt-BR", "s/cn.tsv": "zh", "s/afr-annotated.tsv": "af",
    }  # fmt: skip
    assert languages_of(["de/train.csv", "de/test.csv", "it/train.csv"])["de/train.csv"] == "de"
    assert languages_of(["is-it-so.csv"]) == {}
    assert languages_of(["train.csv", "test.csv"]) == {}
    assert [split_of(path) for path in ("de/dev.tsv", "2018-Valence-train-En.txt", "all.csv", "train-test.csv")] == [
        "validation", "train", None, None,
    ]  # fmt: skip


def table(columns: str, *rows: str) -> Columns:
    names = tuple(columns.split("|"))
    form = FileForm("a.csv", "table", "utf-8", ",", True, True, names, [tuple(row.split("|")) for row in rows])
    return Columns([form])


LONG = "a long sentence to be read"
TABLES = {
    "raters": (
        "Message|Valence1|Valence2",
        f"{LONG}|3|4",
        f"{LONG}s|7|9",
        {"Message": None},
        ["Valence1+Valence2"],
        "score",
    ),
    "dimensions": (
        "id|V|A|D|text",
        f"a|3.1|4|2|{LONG}",
        f"b|1|1.5|2|{LONG}s",
        {"text": "id"},
        ["V", "A", "D"],
        "score",
    ),
    "flags": ("text|anger|joy", f"{LONG}|0|1", f"{LONG}s|1|1", {"text": None}, ["anger", "joy"], "flags"),
    "labels": ("text|label", f"{LONG}|joy, fear", f"{LONG}s|joy", {"text": None}, ["label"], "labels"),
    "classes": ("id|text|label", f"1|{LONG}|-1", f"2|{LONG}s|0", {"text": "id"}, ["label"], "class"),
    "aside": ("id|text|score|std|n", f"1|{LONG}|2.5|0.5|3", f"2|{LONG}s|3.5|0.1|4", {"text": "id"}, ["score"], "score"),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_columns_are(name: str) -> None:
    columns, first, second, ((text, source_id),), gold_columns, kind = (
        *TABLES[name][:3], tuple(TABLES[name][3].items()), *TABLES[name][4:],
    )  # fmt: skip
    found = table(columns, first, second)
    assert find_text(found) == text
    assert find_id(found, text) == source_id
    gold = find_gold_columns(found, [text, source_id])
    assert ["+".join(one.columns) for one in gold] == gold_columns
    assert kind_of(found, gold) == kind


def test_small_things() -> None:
    assert [
        dimension(name)
        for name in ("V", "valenza", "Arousal_mean", "dom", "Joy", "Joy / 1-7", " Fear [1–7] ", "V (1..9)", "Joy?", "?")
    ] == ["valence", "valence", "arousal", "dominance", "joy", "joy", "fear", "valence", "joy", "?"]
    assert split_labels("['joy', 'fear']") == split_labels("joy|fear") == split_labels("joy; fear") == ["joy", "fear"]
    assert assumed_range(1, 9) == (1, 9)
    assert assumed_range(1, 5.08) == (1, 5)
    assert assumed_range(2, 6.5) is None


@given(low=st.integers(-50, 50), width=st.integers(1, 100))
def test_a_range_is_read_back(low: int, width: int) -> None:
    assert parse_range(f"{low}..{low + width}") == (low, low + width)


NO_FACTS = Facts({}, {}, "mit", None)
SAID = Answers(language="en", homepage="https://example.org", task="V-reg", license="mit")
MISSING = {
    "task": (Answers(language="en", homepage="https://x.org"), "say it with --task (one that is there, such as EI-reg"),
    "language": (Answers(homepage="https://x.org"), "which language are the texts in: say it with --language"),
    "range": (
        Answers(language="en", homepage="https://x.org", task="V-reg"),
        "which range have values from 2 to 3.5: say it with --range (LOW..HIGH",
    ),
    "homepage": (Answers(language="en", task="V-reg", range="1..5"), "where is it published: say it with --homepage"),
    "wrong column": (Answers(text="texd"), "--text: unknown column 'texd'; did you mean text?"),
    "wrong range": (Answers(language="en", task="V-reg", range="1-5"), "--range '1-5' is no range; write LOW..HIGH"),
    "outside": (
        Answers(language="en", task="V-reg", range="0..1"),
        "2 values are outside 0 to 1, such as 2; see --range",
    ),
    "wrong emotion": (
        Answers(language="en", task="EmoBank", gold=("pleasure=score",), range="1..5"),
        "unknown emotion of EmoBank 'pleasure'",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_must_be_said(name: str) -> None:
    answers, told = MISSING[name]
    found = table("id|text|score", f"1|{LONG}|2", f"2|{LONG}s|3.5")
    with pytest.raises(UsageError) as error:
        plan_corpus("mine", found.files, NO_FACTS, answers)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_person_is_asked() -> None:
    asked = []

    def ask(question: str, default: str) -> str:
        asked.append(question)
        return {"which range have values from 2 to 3.5": "1..5", "which language are the texts in": "it"}[question]

    found = table("id|text|score", f"1|{LONG}|2", f"2|{LONG}s|3.5")
    answers = Answers(homepage="https://example.org", task="V-reg")
    plan = plan_corpus("mine", found.files, NO_FACTS, answers, ask)
    assert (plan.languages, plan.ends, plan.split_of) == (("it",), (1.0, 5.0), "drawn")
    assert len(asked) == 2


def test_a_column_called_after_an_emotion_answers_a_question_of_one_score() -> None:
    found = table("id|text|valence", f"1|{LONG}|2", f"2|{LONG}s|3.5")
    answers = Answers(language="en", task="V-reg", range="1..5", license="mit", homepage="https://example.org")
    plan = plan_corpus("mine", found.files, NO_FACTS, answers)
    assert [(gold.emotion, gold.columns) for gold in plan.roles.gold_columns] == [(None, ("valence",))]
