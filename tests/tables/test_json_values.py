"""JSON and JSON Lines: rows with the line where they begin."""

import gzip
import json
from pathlib import Path

import pytest

from emollms.errors import SourceError, UsageError
from emollms.tables.files import table_file
from emollms.tables.read import BATCH, read_table, table_rows


def write(folder: Path, name: str, content: str) -> Path:
    data = content.encode()
    (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return folder / name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "NA", "n": 1}\n\n{"n": 2.5, "x": ["é"]}\r\n{"text": null}'),
        ("a.jsonl.gz", '\ufeff{"text": "NA", "n": 1}\n\n{"n": 2.5, "x": ["é"]}\n{"text": null}\n'),
        ("a.ndjson", '{"text": "NA", "n": 1}\n\n{"n": 2.5, "x": ["é"]}\n{"text": null}\n'),
        ("a.json", '[{"text": "NA",\n"n": 1},\n{"n": 2.5, "x": ["é"]},\n{"text": null}]\n'),
        ("a.json.gz", '{"text": "NA", "n": 1}\n\n{"n": 2.5, "x": ["\\u00e9"]}\n{"text": null}\n'),
    ],
)
def test_rows_may_have_other_keys(tmp_path: Path, name: str, content: str) -> None:
    file = table_file(write(tmp_path, name, content))
    rows = list(table_rows(file))
    assert [(row.line, row.values) for row in rows] == [
        (1, {"text": "NA", "n": 1}),
        (3, {"n": 2.5, "x": ["é"]}),
        (4, {"text": None}),
    ]
    assert read_table(file).to_pylist() == [
        {"text": "NA", "n": 1.0, "x": None},
        {"text": None, "n": 2.5, "x": ["é"]},
        {"text": None, "n": None, "x": None},
    ]


def test_dates_stay_texts_and_ids_numbers(tmp_path: Path) -> None:
    rows = [{"text": "2024-01-02", "id": 7, "when": "2024-01-02T03:04:05"}, {"text": "2024-01-03", "id": 7, "when": ""}]
    path = write(tmp_path, "a.json", json.dumps(rows))
    assert read_table(table_file(path)).to_pylist() == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": 2\n', r"a\.jsonl:2: no JSON \(Expecting ',' delimiter\): '\{\"a\": 2'; each"),
        ("a.jsonl", '[\n{"a": 1}\n]\n', r"a\.jsonl:1: no JSON .*use the suffix \.json"),
        ("a.jsonl", '[{"a": 1}]\n', r"a\.jsonl:1: a list where a row is needed.*use the suffix \.json"),
        ("a.jsonl", '{"a": 1}\n"x"\n', r"a\.jsonl:2: a text where a row is needed"),
        ("a.jsonl", '{"a": 1} {"a": 2}\n', r"a\.jsonl:1: no JSON \(Extra data\)"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', r"the key 'a' is there twice"),
        ("a.jsonl", '{"a": NaN}\n', r"a\.jsonl:1: no JSON \(NaN is no number in JSON; write null\)"),
        ("a.jsonl", '{"a": "\\ud83d"}\n', r"half of a surrogate pair"),
        ("a.jsonl", '{"a": ' + "[" * 200_000 + "\n", r"nested too deeply"),
        ("a.jsonl", '{"": 1}\n', r"a\.jsonl:1: column 1 has no name"),
        ("a.json", '{"a": 1}', r"a\.json:1: an object alone is no table; give a list of objects, or JSON Lines"),
        ("a.json", '[{"a": 1},\n{"a": 2}\n', r"a\.json:3: no JSON \(a comma or the end of the list is missing\)"),
        ("a.json", '[{"a": 1}\n{"a": 2}]', r"a\.json:2: no JSON \(a comma or the end"),
        ("a.json", '[{"a": 1},\n{"a": 2},]', r"a\.json:2: no JSON"),
        ("a.json", '[{"a": 1}]\nx', r"a\.json:2: no JSON \(something follows the list\): 'x'"),
        ("a.json", "[1]", r"a\.json:1: a number where a row is needed"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_where_it_is(tmp_path: Path, name: str, content: str, message: str) -> None:
    file = table_file(write(tmp_path, name, content))
    with pytest.raises(SourceError, match=message):
        list(table_rows(file))
    with pytest.raises(SourceError, match=message):
        read_table(file)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_nothing_is_told(tmp_path: Path, content: str) -> None:
    for name in ("a.jsonl", "a.json"):
        with pytest.raises(UsageError, match=f"{name} is empty"):
            read_table(table_file(write(tmp_path, name, content)))


@pytest.mark.parametrize("at", [3, BATCH + 5])
def test_a_column_has_one_type(tmp_path: Path, at: int) -> None:
    rows = [json.dumps({"a": "x" if number == at else number}) for number in range(BATCH + 9)]
    file = table_file(write(tmp_path, "a.jsonl", "\n".join(rows)))
    assert len(list(table_rows(file))) == BATCH + 9, "row by row, nothing needs a type"
    with pytest.raises(SourceError, match=rf"a\.jsonl:{at + 1}: column 'a' holds a text here, and a number before"):
        read_table(file)


def test_columns_that_come_late_and_turn_from_whole_numbers_to_fractions(tmp_path: Path) -> None:
    rows = [{"n": number} for number in range(BATCH)] + [{"n": 0.5, "late": [1]}]
    table = read_table(table_file(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))))
    assert table["n"].to_pylist() == [*range(BATCH), 0.5]
    assert table["late"].to_pylist() == [None] * BATCH + [[1]]


def test_numbers_that_no_column_holds(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.jsonl:2: column 'a' has no room: '9{30}'; write it as a text"):
        read_table(table_file(write(tmp_path, "a.jsonl", '{"a": 1}\n{"a": ' + "9" * 30 + "}\n")))
