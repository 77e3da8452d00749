"""Annotations for people to correct, as the tools themselves check them, and corrections back."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import emollms
from emollms.annotation.inputs import open_input
from emollms.annotation.labeling import argilla_settings, corrections, label_studio_config, write_for_labeling
from emollms.annotation.questions import own_score
from emollms.annotation.run import annotate_file
from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.tables.files import Dialect, table_file
from emollms.tables.read import read_table

OWN = ["valence_confidence", "sentiment_confidence", "emotions_confidence", "label_confidence"]
TASKS = ["valence", "sentiment", "emotions"]
ROWS = pa.table({
    "body": ["so good", None, "hm", "😀 שלום <b>&amp;</b>", "so good", "awful " * 900],
    "valence": [7, 8, 9, 10, 11, 12],
    "note": ["mine", None, "", "a", "b", "c"],
})  # fmt: skip


@pytest.fixture(scope="module")
def annotated(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[emollms.Annotator, pa.Table]:
    """Rows whose columns have names of ours, annotated by a model."""
    folder = tmp_path_factory.mktemp("labeling")
    pq.write_table(ROWS, folder / "in.parquet")
    annotator = emollms.Annotator.from_pretrained(str(tiny), task=TASKS, labels="calm,tense", fresh=True)
    source = open_input(str(folder / "in.parquet"), "body", None, Dialect(), folder)
    annotate_file(annotator, source.table, folder / "out.parquet", digest=source.digest)
    return annotator, pq.read_table(folder / "out.parquet")


@pytest.fixture
def tasks(annotated: tuple[emollms.Annotator, pa.Table], tmp_path: Path) -> tuple[list[dict[str, Any]], str]:
    """Tasks of Label Studio, and their configuration."""
    annotator, table = annotated
    config = write_for_labeling(table, annotator.questions, tmp_path / "t.json", "label-studio", "body", "tiny")
    return json.loads((tmp_path / "t.json").read_text("utf-8")), config.read_text("utf-8")


def test_label_studio_takes_tasks_and_predictions(tasks: tuple[list[dict[str, Any]], str]) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface(tasks[1])
    interface.validate()
    for task in tasks[0]:
        assert interface.validate_task({"data": task["data"]})  # with predictions it calls itself wrongly, in 2.1.2
        assert interface.validate_prediction(task["predictions"][0], return_errors=True) == []
    wrong = {"model_version": "x", "result": [{"from_name": "valence", "to_name": "text", "type": "choices",
                                              "value": {"choices": ["no such"]}}]}  # fmt: skip
    assert interface.validate_prediction(wrong, return_errors=True)


def test_tasks_are_rows_with_what_was_said_the_least_certain_first(
    annotated: tuple[emollms.Annotator, pa.Table], tasks: tuple[list[dict[str, Any]], str]
) -> None:
    own = {row["valence"]: row for row in annotated[1].to_pylist()}
    scores = [task["predictions"][0].get("score", -1.0) for task in tasks[0]]
    assert scores == sorted(scores)
    assert tasks[0][0]["data"] == {"text": "", "valence": 8, "note": None}  # of a row without text nothing is known
    assert len(tasks[0]) == len(ROWS)
    for task in tasks[0][1:]:
        row = own[task["data"]["valence"]]
        assert task["data"]["note"] == row["note"]
        assert task["predictions"][0]["score"] == min(row[name] for name in OWN if row.get(name) is not None)
        said = {one["from_name"]: one["value"] for one in task["predictions"][0]["result"]}
        assert said["valence"] == {"number": row["emollms_valence"]}
        assert said["sentiment"] == {"choices": [row["sentiment_label"]]}
        assert said["emotions"] == {"choices": row["emotions"]}
        assert said["label"] == {"choices": [row["label_label"]]}


def test_argilla_takes_settings_and_records(
    annotated: tuple[emollms.Annotator, pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rg = pytest.importorskip("argilla")
    monkeypatch.setattr(
        rg.Argilla, "_validate_connection", lambda self: None
    )  # its classes need no server but for this
    rg.Argilla(api_url="http://localhost:1", api_key="none")
    annotator, table = annotated
    write_for_labeling(table, annotator.questions, tmp_path / "r.jsonl", "argilla", "body", "tiny")
    made = json.loads((tmp_path / "r.settings.json").read_text("utf-8"))
    fields = [getattr(rg, one.pop("type"))(**one) for one in made["fields"]]
    questions = [getattr(rg, one.pop("type"))(**one) for one in made["questions"]]
    settings = rg.Settings(fields=fields, questions=questions)
    settings.validate()
    names = {one.name for one in questions}
    lines = (tmp_path / "r.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(ROWS)
    for line in lines:
        record = json.loads(line)
        suggestions = [rg.Suggestion(**one) for one in record.pop("suggestions")]
        assert {one.question_name for one in suggestions} <= names
        rg.Record(suggestions=suggestions, **record).api_model()


def test_argilla_records_without_its_client(annotated: tuple[emollms.Annotator, pa.Table], tmp_path: Path) -> None:
    annotator, table = annotated
    write_for_labeling(table, annotator.questions, tmp_path / "r.jsonl", "argilla", "body", "tiny")
    asked = {one["name"]: one for one in argilla_settings(annotator.questions)["questions"]}
    for line in (tmp_path / "r.jsonl").read_text("utf-8").splitlines():
        for one in json.loads(line)["suggestions"]:
            said = one["value"] if isinstance(one["value"], list) else [one["value"]]
            assert set(said) <= set(asked[one["question_name"]].get("labels", said))


def test_a_column_text_beside_the_texts_is_refused(
    annotated: tuple[emollms.Annotator, pa.Table], tmp_path: Path
) -> None:
    annotator, table = annotated
    with pytest.raises(UsageError, match="rename one of them"):
        write_for_labeling(
            table.add_column(0, "text", [["x"] * len(table)]), annotator.questions, tmp_path / "t.json", "label-studio",
            "body", "tiny",
        )  # fmt: skip


def number(name: str, value: float) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": "number", "value": {"number": value}}


def choices(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(values)}}


PREDICTED = [number("joy", 0.5), choices("emotions", "joy", "love")]
EXPORT = [
    {
        "id": 41, "data": {"text": "so good", "id": "a", "joy": 3}, "predictions": [{"result": PREDICTED}],
        "annotations": [
            {"completed_by": 1, "result": [number("joy", 0.9), choices("emotions", "love", "joy")],
             "was_cancelled": False},
            {"completed_by": {"id": 2, "email": "b@x.org"}, "result": PREDICTED},
            {"completed_by": 3, "result": [], "was_cancelled": True},
            {"completed_by": 4, "result": [number("joy", 0.5)]},
        ],
    },
    {"id": 42, "data": {"text": "no one came", "id": "b"}, "annotations": [], "predictions": []},
    {
        "id": 43, "data": {"text": "lone \ud83d sign", "id": "c", "joy": None}, "predictions": [17],
        "annotations": [{"completed_by": 1, "result": [number("joy", 1)]},
                        {"completed_by": 2, "result": [number("joy", 1)], "prediction": {"result": PREDICTED[:1]}}],
    },
]  # fmt: skip


def exported(path: Path, content: object = EXPORT) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_corrections_are_a_table_of_gold_labels(tmp_path: Path) -> None:
    table = corrections(exported(tmp_path / "export.json"))
    assert table["annotator"].to_pylist() == ["1", "b@x.org", "4", "1", "2"]
    assert table["task_id"].to_pylist() == [41, 41, 41, 43, 43]
    assert table["joy"].to_pylist() == [3, 3, 3, None, None]  # the input's own
    assert table["emollms_joy"].to_pylist() == [0.9, 0.5, 0.5, 1.0, 1.0]
    assert table["joy_changed"].to_pylist() == [True, False, False, None, True]
    assert table["emotions"].to_pylist() == [["love", "joy"], ["joy", "love"], None, None, None]
    assert table["emotions_changed"].to_pylist() == [
        False,
        False,
        True,
        None,
        None,
    ]  # in any order
    assert table["text"].to_pylist()[-1] == "lone \ufffd sign"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_corrections_are_read_by_the_tables_of_the_package(suffix: str, tmp_path: Path, monkeypatch, capsys) -> None:
    from emollms.cli import _run as run

    out = tmp_path / f"gold.{suffix}"
    monkeypatch.setattr("sys.argv", ["emollms", "annotate", "--corrections", str(exported(tmp_path / "e.json")),
                                     "--out", str(out)])  # fmt: skip
    assert run() == 0, capsys.readouterr().err
    table = read_table(table_file(out, Dialect()))
    assert [float(one) for one in table["emollms_joy"].to_pylist()] == [0.9, 0.5, 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file"), ("{", "no JSON"), ("\xff", "no JSON"), ({}, "no export"), ([7], "no export"),
        ([{"id": 1}], "no export"),
        ([], "nothing was corrected"), (EXPORT[1:2], "nothing was corrected"),
        ([{"data": {}, "annotations": ["x"]}], "task 0 is none"),
        ([{"id": 9, "data": {}, "annotations": {"a": 1}}], "task 9 is none"),
        ([{"data": {}, "annotations": [{"result": ["x"]}]}], "task 0 is none"),
        ([{"data": {}, "annotations": [{"result": [{"value": {"number": "x"}, "from_name": "a"}]}]}], "task 0 is none"),
        ([{"data": {}, "annotations": [{"result": [{"value": {"number": 1}}]}]}], "task 0 is none"),
        ([{"data": {}, "annotations": [{"result": [{"value": 3}]}]}], "task 0 is none"),
    ],
)  # fmt: skip
def test_a_broken_export_is_one_line(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    if isinstance(content, str):
        path.write_bytes(content.encode("latin-1"))
    elif content is not None:
        exported(path, content)
    with pytest.raises((SourceError, UsageError), match=message) as error:
        corrections(path)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, EmollmsError)
    assert error.value.exit_code in (1, 2)


def test_the_configuration_has_the_scale_that_scores_are_on(annotated: tuple[emollms.Annotator, pa.Table]) -> None:
    questions = annotated[0].questions
    assert 'min="0" max="1"' in label_studio_config(questions)
    contempt = own_score("contempt", -3, 5)
    assert 'min="-3" max="5"' in label_studio_config([contempt], "native")
    assert 'min="0" max="1"' in label_studio_config([contempt])
