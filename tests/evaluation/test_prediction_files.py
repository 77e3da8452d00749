"""`emollms evaluate --predictions` takes the files that people have, and says what is missing in them."""

import csv
import gzip
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emollms.cli import app, main
from emollms.dataset.reader import Dataset
from emollms.errors import EmollmsError, SourceError, UsageError
from emollms.evaluation.answer_rows import BenchmarkRows
from emollms.evaluation.prediction_files import read_answers
from emollms.evaluation.predictors import FilePredictor
from emollms.evaluation.scoring import gold_label
from emollms.prompts.answers import answer
from emollms.tasks import PLUTCHIK_PLUS, OrdinalTask, get_task

Evaluate = Callable[..., tuple[int, str, dict[str, Any]]]
Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(scope="module")
def data(sample_aeb: Path) -> Dataset:
    return Dataset(sample_aeb)


@pytest.fixture
def evaluate(
    sample_aeb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Evaluate:
    """The command; gives its exit code, what it says, and the scores of its tasks."""

    def call(path: Path, *words: str) -> tuple[int, str, dict[str, Any]]:
        out = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        command = ["emollms", "evaluate", "--predictions", path, "--data", sample_aeb, "--out", out, *words]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        with pytest.raises(SystemExit) as done:
            main()
        scores = json.loads((out / "scores.json").read_bytes())["tasks"] if (out / "scores.json").exists() else {}
        return int(done.value.code or 0), capsys.readouterr().err, scores

    return call


def english(data: Dataset, task: str) -> Rows:
    return [row for row in data.rows(task, "test") if row["language"] == "en"]


def right(name: str, row: Mapping[str, Any]) -> str:
    task, gold = get_task(name), gold_label(get_task(name), row)
    return answer(task, int(str(gold).split(".")[0]) if isinstance(task, OrdinalTask) else gold, row["emotion"])


def as_csv(rows: Rows, delimiter: str = ",") -> str:
    written = StringIO(newline="")
    writer = csv.DictWriter(written, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def write(path: Path, content: str) -> Path:
    path.write_bytes(gzip.compress(content.encode(), mtime=0) if path.suffix == ".gz" else content.encode())
    return path


def lines(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


WRITERS: dict[str, Callable[[Rows], str]] = {
    "answer.jsonl": lambda rows: lines([{"id": r["id"], "answer": r["said"]} for r in rows]),
    "prediction.jsonl.gz": lambda rows: lines([{"id": r["id"], "prediction": r["said"], "gold": 1} for r in rows]),
    "output.json": lambda rows: json.dumps([{"id": r["id"], "output": r["said"]} for r in rows], indent=1),
    "by-id.json": lambda rows: json.dumps({r["id"]: r["said"] for r in rows}),
    "by-id-objects.json.gz": lambda rows: json.dumps({r["id"]: {"answer": r["said"], "n": 1} for r in rows}),
    "plain.csv": lambda rows: as_csv([{"text": "a, b", "answer": r["said"], "id": r["id"]} for r in rows]),
    "plain.tsv.gz": lambda rows: as_csv([{"id": r["id"], "output": r["said"]} for r in rows], "\t"),
    "task-and-row.csv": lambda rows: as_csv([{"task": r["task"], "row": r["row"], "answer": r["said"]} for r in rows]),
    "task-and-row.jsonl": lambda rows: lines([{"task": r["task"].lower(), "row": r["row"], "answer": r["said"]}
                                              for r in rows]),
    "alone.jsonl": lambda rows: lines([r["said"] for r in rows]),
    "alone-under-a-name.jsonl": lambda rows: lines([{"prediction": r["said"], "row-like": 3} for r in rows]),
    "alone.json": lambda rows: json.dumps([r["said"] for r in rows]),
    "alone.csv": lambda rows: as_csv([{"text": "a\nb", "answer": r["said"]} for r in rows]),
    "alone.txt": lambda rows: "\n".join(r["said"] for r in rows),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("task", ["SST", "TDT", "E-c"])
def test_every_form_gives_the_same_scores(
    name: str, task: str, data: Dataset, evaluate: Evaluate, tmp_path: Path
) -> None:
    rows = [
        {"id": row["id"], "task": task, "row": number, "said": right(task, row) if row["language"] == "en" else "0"}
        for number, row in enumerate(data.rows(task, "test"))
    ]
    spoken = {row["id"] for row in english(data, task)}
    asked = [row for row in rows if row["id"] in spoken]
    code, err, scores = evaluate(write(tmp_path / name, WRITERS[name](asked)), "--task", task)
    assert code == 0, err
    assert (scores[task]["invalid"]["n"], scores[task]["n"]) == (0, len(asked))
    assert scores[task]["metrics"][scores[task]["main"]]["value"] == pytest.approx(1.0)


def test_answers_alone_to_the_whole_benchmark(data: Dataset, evaluate: Evaluate, tmp_path: Path) -> None:
    said = {row["id"]: right(task.name, row) for task in data.tasks("test") for row in english(data, task.name)}
    code, err, scores = evaluate(write(tmp_path / "all.txt.gz", "\n".join(said.values())))
    assert code == 0, err
    assert scores == evaluate(write(tmp_path / "by-id.json", json.dumps(said)))[2]
    assert [task["invalid"]["n"] for task in scores.values()] == [0] * len(data.tasks("test"))


def test_answers_alone_are_in_one_language(data: Dataset, tmp_path: Path) -> None:
    spanish = [row for row in data.rows("V-oc", "test") if row["language"] == "es"]
    path = write(tmp_path / "a.txt", "0\n" * len(spanish))
    assert list(read_answers(path, BenchmarkRows.of(data, ("V-oc",), "es"))) == [row["id"] for row in spanish]
    with pytest.raises(UsageError, match="unknown language of the data set 'fr'"):
        read_answers(path, BenchmarkRows.of(data, ("V-oc",), "fr"))


def test_options_about_files_go_with_a_file(sample_aeb: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--baseline", "mean", "--data", str(sample_aeb), "--out", str(tmp_path / "x"), "--no-quotes"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, UsageError)
    assert "they go with --predictions" in str(result.exception)


def test_numbers_and_lists_of_labels(data: Dataset, tmp_path: Path) -> None:
    ids = {task: [row["id"] for row in english(data, task)] for task in ("SST", "TDT", "E-c", "GoEmotions")}
    said = [
        (ids["SST"][0], 0.25), (ids["SST"][1], 1), (ids["SST"][2], 1e-7), (ids["TDT"][0], -1.0), (ids["TDT"][1], "NA"),
        (ids["E-c"][0], ["joy", "love"]), (ids["E-c"][1], []), (ids["GoEmotions"][0], []), (ids["TDT"][2], None),
    ]  # fmt: skip
    path = write(tmp_path / "a.jsonl", lines([{"id": row_id, "prediction": value} for row_id, value in said]))
    found = read_answers(path, BenchmarkRows.of(data))
    assert [one.answer for one in found.values()] == [
        "0.25", "1", "0.0000001", "-1", "NA", "joy, love", "neutral or no emotion", "",
    ]  # fmt: skip
    assert ids["TDT"][2] not in found, "null is no answer"


HEADERS = {"reg": "Intensity Score", "oc": "Intensity Class"}


def submission(rows: Rows, task: str) -> str:
    """What a participant sends in for a task; tweets have quotes that close nowhere."""
    table = []
    for row in rows:
        base = {"ID": row["source_id"], "Tweet": f'"{row["text"][:20]}'}
        if task == "E-c":
            table.append(base | {label: str(int(label in row["labels"])) for label in PLUTCHIK_PLUS})
        else:
            said = row.get("said") or right(task, row)
            table.append(base | {"Affect Dimension": row["emotion"] or "valence", HEADERS[task.split("-")[1]]: said})
    return "\r\n".join("\t".join(cells) for cells in [list(table[0]), *(list(row.values()) for row in table)]) + "\r\n"


@pytest.mark.parametrize("task", ["EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"])
def test_submissions_to_semeval_are_matched_by_tweet_and_emotion(
    task: str, data: Dataset, evaluate: Evaluate, tmp_path: Path
) -> None:
    rows = english(data, task)
    if task.endswith("-oc"):
        rows = [row | {"said": right(task, row).split(":")[0] if n % 2 else ""} for n, row in enumerate(rows)]
    mystery = [{**rows[0], "source_id": "2018-En-mystery-00001", "text": "Ana feels angry."}]
    one = write(tmp_path / "sent.txt", submission([*reversed(rows), *mystery], task))
    code, err, scores = evaluate(one)
    assert code == 0, err
    assert "1 rows of the mystery set, which has no gold, are left out" in err
    assert f"sent.txt answers 1 of 14 tasks, {task}; the others are left out" in err
    assert (list(scores), scores[task]["invalid"]["n"]) == ([task], 0)
    assert scores[task]["metrics"][scores[task]["main"]]["value"] == pytest.approx(1.0)


def test_a_folder_of_submissions_is_one(data: Dataset, evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    for emotion in ("anger", "fear", "joy", "sadness"):
        rows = [row for row in english(data, "EI-reg") if row["emotion"] == emotion]
        write(tmp_path / "team" / f"EI-reg_en_{emotion}_pred.txt", submission(rows, "EI-reg"))
    code, err, scores = evaluate(tmp_path / "team")
    assert code == 0, err
    assert (scores["EI-reg"]["invalid"]["n"], scores["EI-reg"]["value"]) == (0, pytest.approx(1.0))
    (tmp_path / "team" / "notes.txt").write_text("ours\n")
    code, err, _ = evaluate(tmp_path / "team")
    assert (code, "is a folder, and neither that of a run" in err, len(err.splitlines())) == (2, True, 1)


def test_the_terminal_says_what_is_missing(data: Dataset, evaluate: Evaluate, tmp_path: Path) -> None:
    sst, tdt, labels = (english(data, task) for task in ("SST", "TDT", "E-c"))
    said = [{"id": row["id"], "answer": "a film"} for row in sst]
    said += [{"id": row["id"], "answer": right("TDT", row)} for row in tdt[:-2]]
    said += [{"id": row["id"], "answer": None} for row in tdt[-2:]] + [{"id": labels[0]["id"], "answer": "happily"}]
    code, err, _ = evaluate(write(tmp_path / "a.jsonl", lines(said)))
    assert code == 0
    told = [line for line in err.splitlines() if "done in" not in line]
    assert told[0].endswith("a.jsonl answers 3 of 14 tasks, E-c, SST, TDT; the others are left out")
    assert told[1:-1] == [
        f"E-c: {len(labels) - 1} of {len(labels)} rows have no answer",
        "E-c: all answers are invalid (unknown label 1)",
        f"SST: all answers are invalid (no number {len(sst)})",
        f"TDT: 2 of {len(tdt)} rows have no answer",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"id": "ID", "answer": "1", "prediction": "1"}\n', r"a\.jsonl:1: a row with both answer and pred"),
        ("a.csv", "id,label\nID,1\n", r"a\.csv:2: a row with none of answer, prediction, output: 'id, label'"),
        ("a.csv", "id,answer\nID,joy, love\n", r"a\.csv:2: 3 cells, the header has 2"),
        ("a.csv", "id;answer\nID;1\n", r"a\.csv:1: the header has a semicolon.*--delimiter semicolon"),
        ("a.csv", 'id,answer\nID,"1\n', r"a\.csv:2: the quote that opens here never closes"),
        ("a.json", '[{"id": "ID",\n"answer": {"joy": 1}}]', r"a\.json:1: no answer: .*give a text, a number"),
        ("a.jsonl", '{"id": "ID", "answer": true}\n', r"a\.jsonl:1: no answer: 'True'"),
        ("a.jsonl", '{"id": "ID", "answer": [1, 0]}\n', r"a\.jsonl:1: no answer"),
        ("a.jsonl", '{"id": null, "answer": "1"}\n', r"a\.jsonl:1: no id: 'None'"),
        ("a.jsonl", '{"id": "ID", "answer": "1"}\n{"answer": "2"}\n', r"a\.jsonl:2: some rows name a row"),
        ("a.jsonl", '{"id": "ID", "answer": "1"}\n{"id": "ID", "answer": "1"}\n{"id": "ID", "answer": "2"}\n',
         r"a\.jsonl:3: 1 id has two answers, the first one also at .*a\.jsonl:1: 'ID'"),
        ("a.jsonl", '{"id": "ID", "answer": "1"\n', r"a\.jsonl:1: no JSON"),
        ("a.jsonl", '{"id": "ID", "answer": "1", "probabilities": [0.5]}\n', r"a\.jsonl:1: no probabilities"),
        ("a.csv", "task,row,answer\nSST,999,1\n", r"a\.csv:2: no row of SST: '999'|a\.csv:2: no row of SST: \"'999'\""),
        ("a.csv", "task,row,answer\nSST,1.0,1\n", r"a\.csv:2: no row of SST"),
        ("a.csv", "task,row,answer\nSTS,1,1\n", r"a\.csv:2: no task of the data set: .*STS.*it has EI-reg"),
        ("a.jsonl", '{"doc": {"text": "x"}, "resps": [["1"]]}\n', r"a\.jsonl:1: a sample whose doc has no id"),
        ("a.jsonl", '{"doc": {"id": "ID"}, "filtered_resps": [["-1.5", "False"], ["-2", "True"]], "resps": []}\n',
         r"a\.jsonl:1: a sample without a generated answer; log a task of output_type generate_until"),
        ("a.txt", "ID\tTweet\t" + "\t".join(PLUTCHIK_PLUS) + "\nt\tx" + "\t2" * 11 + "\n",
         r"a\.txt:2: anger is neither 0 nor 1: '2'"),
        ("a.txt", "ID\tTweet\tAffect Dimension\tScore\nt\tx\tjoy\t1\n", r"a\.txt:2: no column Intensity Score"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_line_with_its_place(
    name: str, content: str, message: str, data: Dataset, tmp_path: Path
) -> None:
    content = content.replace('"ID"', json.dumps(english(data, "SST")[0]["id"]))
    message = message.replace("'ID'", repr(english(data, "SST")[0]["id"]))
    with pytest.raises(SourceError, match=message) as raised:
        read_answers(write(tmp_path / name, content), BenchmarkRows.of(data))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,answer\n1,0.5\n2,0.5\n", r"2 of 2 ids are not in the data set, the first one '1'"),
        ("a.json", '{"predictions": ["0.5"]}', r"1 of 1 ids are not in the data set, the first one 'predictions'"),
        ("a.txt", "ID\tTweet\tAffect Dimension\tIntensity Score\nt-1\tx\tjoy\t1\n", r"the first one 't-1 \(joy\)'"),
        ("a.txt", "0.5\n0.4\n", r"a\.txt has 2 answers without ids, and the 14 tasks of the data set have 266 rows"),
        ("a.jsonl", "", r"a\.jsonl is empty"),
        ("a.jsonl", '{"id": "x", "answer": null}\n', r"1 of 1 ids are not in the data set"),
        ("a.xml", "<answer/>", r"a\.xml is a file here, but its suffix is none that is read; read are CSV"),
        ("b/a.csv", None, r"there is no file .*b/a\.csv"),
    ],
)  # fmt: skip
def test_files_that_belong_elsewhere(
    name: str, content: str | None, message: str, data: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / name if content is None else write(tmp_path / name, content)
    with pytest.raises(UsageError, match=message):
        read_answers(path, BenchmarkRows.of(data, language="en"))


def test_the_same_answer_twice_is_one(data: Dataset, tmp_path: Path) -> None:
    said = {"id": english(data, "SST")[0]["id"], "answer": "0.5"}
    path = write(tmp_path / "a.jsonl", lines([said | {"seconds": 1.5}, said | {"seconds": "quick"}]))
    assert [one.seconds for one in read_answers(path, BenchmarkRows.of(data)).values()] == [1.5]


def test_answers_that_are_all_null(data: Dataset, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps({row["id"]: None for row in english(data, "SST")}))
    with pytest.raises(UsageError, match=r"each of its \d+ answers is null"):
        read_answers(path, BenchmarkRows.of(data))


def test_one_answer_too_few_is_told_with_the_counts(data: Dataset, evaluate: Evaluate, tmp_path: Path) -> None:
    rows = english(data, "SST")
    path = write(tmp_path / "a.txt", "0.5\n" * (len(rows) - 1))
    code, err, _ = evaluate(path, "--task", "SST")
    assert code == 2
    assert f"a.txt has {len(rows) - 1} answers without ids, and task SST has {len(rows)} rows; give one answer a" in err
    assert len(err.splitlines()) == 1


def test_options_of_tables_are_taken(data: Dataset, evaluate: Evaluate, tmp_path: Path) -> None:
    rows = [{"id": row["id"], "answer": f"{right('TDT', row)}", "note": "é"} for row in english(data, "TDT")]
    (tmp_path / "a.csv").write_bytes(as_csv(rows, ";").encode("cp1252"))
    code, err, _ = evaluate(tmp_path / "a.csv")
    assert (code, "is not utf-8" in err) == (1, True)
    code, err, scores = evaluate(tmp_path / "a.csv", "--delimiter", "semicolon", "--encoding", "cp1252")
    assert code == 0, err
    assert scores["TDT"]["invalid"]["n"] == 0


def test_a_folder_of_a_run_or_of_logs_has_its_name(data: Dataset, tmp_path: Path) -> None:
    row_id, rows = english(data, "SST")[0]["id"], BenchmarkRows.of(data)
    (tmp_path / "mine").mkdir()
    write(tmp_path / "mine" / "predictions.jsonl", lines([{"id": row_id, "answer": "0.5"}]))
    (tmp_path / "logs" / "model").mkdir(parents=True)
    sample = {"doc": {"id": row_id}, "resps": [["0.5\nBecause"]], "filtered_resps": [" 0.5\nBecause"], "filter": "none"}
    log = write(tmp_path / "logs" / "model" / "samples_emollms_sst_2026.jsonl", lines([sample]))
    for path, name in ((tmp_path / "mine", "mine"), (tmp_path / "logs", "logs"), (log, "model"),
                       (tmp_path / "mine" / "predictions.jsonl", "mine")):  # fmt: skip
        source = FilePredictor(path, rows.task_of, rows=rows)
        assert (source.name, read_answers(path, rows)[row_id].answer) == (name, "0.5")
    write(log.with_name("samples_emollms_sst_2027.jsonl"), lines([sample | {"filtered_resps": ["0.6"]}]))
    with pytest.raises(EmollmsError, match=r"samples_emollms_sst_2027\.jsonl:1: 1 id has two answers, the first one"):
        read_answers(tmp_path / "logs", rows)


@pytest.mark.corpora
def test_the_published_answers_and_gold_files_fit(paper_aeb: Path, corpora_dir: Path, reference_dir: Path) -> None:
    rows = BenchmarkRows.of(Dataset(paper_aeb))
    counts = {"E-c": 3259, "Emobank": 3000, "V-A_V-M_V-NYT_V-T": 4000, "EI-oc": 4068}
    for name, count in counts.items():
        assert len(read_answers(reference_dir / "outputs" / "Emobloom-7b" / f"{name}.jsonl", rows)) == count
    english = corpora_dir / "semeval2018_task1" / "English"
    assert len(read_answers(english / "EI-reg" / "test-gold", rows)) == 4068
    assert len(read_answers(english / "E-c" / "2018-E-c-En-test-gold.txt", rows)) == 3259
