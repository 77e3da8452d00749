import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from evaluation import interrupted
from filelock import FileLock

from emollms.dataset.reader import Dataset, sample
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.calibrate import fit_calibration
from emollms.evaluation.calibration import Calibration, TaskCalibration
from emollms.evaluation.model_predictor import ModelPredictor
from emollms.evaluation.parsing import parse_predictions
from emollms.evaluation.predictors import BaselinePredictor, FilePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.evaluation.run_folder import LOCK
from emollms.evaluation.scoring import score
from emollms.hardware import Precision
from emollms.inference import engines
from emollms.inference.batching import WINDOW
from emollms.inference.decoding import expected_class
from emollms.inference.engine import EngineResult
from emollms.inference.predictions import Prediction, PredictionFile, read_predictions
from emollms.prompts.answers import ParsedAnswer
from emollms.tasks import get_task

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = EvaluationOptions(tasks=("EI-oc", "V-reg", "E-c"), limit=6)
KILL = """
import os, signal, sys
from pathlib import Path
import torch
from emollms.evaluation import model_predictor
from emollms.dataset.reader import Dataset
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.hardware import Precision
from emollms.inference.predictions import PredictionFile

torch.set_num_threads(1)
add, left = PredictionFile.add, int(sys.argv[4])

def add_and_die(self, predictions):
    global left
    add(self, predictions)
    left -= 1
    if not left:
        os.write(self._stream.fileno(), b'{"id": "torn')
        os.kill(os.getpid(), signal.SIGKILL)

PredictionFile.add = add_and_die
model, data, out = sys.argv[1:4]
options = EvaluationOptions(tasks=("EI-oc", "V-reg", "E-c"), limit=6)
run_benchmark(model_predictor.ModelPredictor(model), Dataset(data), Path(out), options)
"""


def run(source: Any, data: Path, out: Path, options: EvaluationOptions = FEW, **more: Any) -> dict[str, Any]:
    run_benchmark(source, Dataset(data), out, options, **more)
    found: dict[str, Any] = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    return found


def answers_of(line: bytes) -> tuple[str, Mapping[str, float] | None]:
    found = json.loads(line)
    return found["answer"], found.get("probabilities")


def answers(out: Path) -> dict[str, tuple[str, Mapping[str, float] | None]]:
    return {name: (one.answer, one.probabilities) for name, one in read_predictions(out / "predictions.jsonl").items()}


@pytest.fixture(scope="module")
def expected(talkative: Path, sample_aeb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "expectation"
    run(ModelPredictor(str(talkative)), sample_aeb, out)
    return out


def test_a_run_tells_what_was_asked_of_whom(expected: Path, talkative: Path, sample_aeb: Path) -> None:
    scores = json.loads((expected / "scores.json").read_text(encoding="utf-8"))
    assert (scores["format"], scores["name"], scores["kind"]) == (1, "talkative", "model")
    facts = scores["run"]
    assert facts["engine"]["engine"] == "transformers"
    assert facts["engine"]["revision"] == facts["settings"]["source"]["weights"]
    assert facts["data"]["path"] == str(sample_aeb.resolve())
    assert facts["data"]["content_hash"] == Dataset(sample_aeb).manifest.content_hash
    assert facts["versions"]["torch"]
    assert facts["hardware"]["cores"] >= 1
    assert facts["engine"]["dtype"] == "float32"
    assert "must not depend on how rows are batched" in facts["engine"]["settings"]["dtype_reason"]
    assert facts["engine"]["settings"]["attention"] == "sdpa"
    assert facts["rows"] == 18 == len(answers(expected))
    assert facts["seconds"] > 0
    assert list(scores["tasks"]) == ["EI-oc", "V-reg", "E-c"]
    assert scores["tasks"]["EI-oc"]["sample"] == {"rows": 6, "of": 44, "seed": 0}
    assert not (expected / LOCK).exists()
    assert "NaN" not in (expected / "scores.json").read_text(encoding="utf-8")


def test_a_killed_run_goes_on_and_answers_the_same(
    expected: Path, talkative: Path, sample_aeb: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    killed = subprocess.run(
        [sys.executable, "-c", KILL, str(talkative), str(sample_aeb), str(out), "9"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    assert not (out / "scores.json").exists()
    before = (out / "predictions.jsonl").read_bytes().rpartition(b"\n")[0]
    assert before.count(b"\n") == 8
    notes: list[str] = []
    scores = run(ModelPredictor(str(talkative)), sample_aeb, out, warn=notes.append)
    assert any("the last line was torn" in note for note in notes)
    assert any("9 of 18 rows are answered; resuming" in note for note in notes)
    assert not any("last digits" in note for note in notes), "it is the same machine"
    assert (out / "predictions.jsonl").read_bytes().startswith(before)
    assert answers(out) == answers(expected)
    assert scores["tasks"] == json.loads((expected / "scores.json").read_text(encoding="utf-8"))["tasks"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(interrupted.MANY, marks=pytest.mark.slow),
        interrupted.FEW,
        pytest.param(replace(interrupted.MANY, mode="greedy", stops=(40,)), marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_cut_off_anywhere_ends_with_the_same_bytes(
    case: interrupted.Case, talkative: Path, sample_aeb: Path, tmp_path: Path
) -> None:
    interrupted.compare(talkative, sample_aeb, tmp_path, case)


@interrupted.BEYOND_AVX2
def test_the_same_with_avx2_alone(talkative: Path, sample_aeb: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evaluation.interrupted", *map(str, (talkative, sample_aeb, tmp_path))]
    environment = os.environ | interrupted.AVX2 | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_batches_without_a_missing_row_are_not_computed(
    talkative: Path, sample_aeb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emollms.inference.transformers_engine import TransformersEngine

    read: list[tuple[int, ...]] = []
    before = TransformersEngine._read

    def spy(self: TransformersEngine, ids: Any, batch: Any) -> Any:
        read.append(batch.rows)
        return before(self, ids, batch)

    monkeypatch.setattr(TransformersEngine, "_read", spy)
    whole = interrupted.run(talkative, sample_aeb, tmp_path / "whole", interrupted.MANY)
    batches, read[:] = list(read), []
    assert len(batches) > 6
    lines = (whole / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    missing = len(batches[0]) + 1  # the second row of the second batch
    (whole / "scores.json").unlink()
    (whole / "predictions.jsonl").write_bytes(b"".join(lines[:missing] + lines[missing + 1 :]))
    interrupted.run(talkative, sample_aeb, whole, interrupted.MANY)
    assert read == [batches[1]], "the batch with the missing row is computed whole, and no other"
    again = (whole / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    assert again[:-1] == lines[:missing] + lines[missing + 1 :]
    assert answers(whole)[json.loads(lines[missing])["id"]] == answers_of(lines[missing])


def test_no_more_than_a_window_goes_to_an_engine_at_a_time() -> None:
    handed: list[int] = []

    class Counts:
        def generate(self, prompts: Any, sampling: Any, skip: Any = ()) -> Any:
            handed.append(len(prompts))
            return (EngineResult(row, "0.5", 0.0) for row in range(len(prompts)) if row not in skip)

    source = ModelPredictor("none", decode="greedy", _opened=Counts())  # type: ignore[arg-type]
    rows = [{"id": f"{number}", "prompt": f"{number:05}"} for number in range(2 * WINDOW + 1)]
    assert len(list(source.predict(get_task("V-reg"), rows, ()))) == len(rows)
    assert handed == [WINDOW, WINDOW, 1]
    known = frozenset(f"{number}" for number in range(WINDOW + 5))
    assert len(list(source.predict(get_task("V-reg"), rows, known))) == WINDOW - 4
    assert handed == [WINDOW, WINDOW, 1, WINDOW, 1], "a window whose rows are all known is passed over"


def test_a_run_resumed_on_another_machine_says_so(
    expected: Path, talkative: Path, sample_aeb: Path, tmp_path: Path
) -> None:
    out = copytree(expected, tmp_path / "run")
    (out / "scores.json").unlink()
    file = out / "predictions.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    record["engine"]["settings"]["threads"] = 64
    (out / "run.json").write_text(json.dumps(record), encoding="utf-8")
    notes: list[str] = []
    run(ModelPredictor(str(talkative)), sample_aeb, out, warn=notes.append)
    assert (
        f"{out} was begun with threads 64, now 1: the last digits of its answers may differ from a whole run's" in notes
    )


def test_a_finished_run_is_not_run_again(
    expected: Path, talkative: Path, sample_aeb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(engines, "open_engine", fail)
    before = (expected / "scores.json").read_bytes()
    done = run_benchmark(ModelPredictor(str(talkative)), Dataset(sample_aeb), expected, FEW)
    assert done.model_dump(mode="json") == json.loads(before)
    assert (expected / "scores.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decode": "greedy"}, r'decode: "expected_value", not "greedy"'),
        ({"limit": 5}, "limit: 6, not 5"),
        ({"seed": 1}, "seed: 0, not 1"),
        ({"policy": "drop"}, r'policy: "official", not "drop"'),
        ({"tasks": ("E-c",)}, "tasks: "),
        ({"language": "es"}, r'language: "en", not "es"'),
    ],
)
def test_another_run_is_not_mixed_in(
    expected: Path, talkative: Path, sample_aeb: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=rf"holds a run with other settings .*{message}.*choose another --out"):
        run(ModelPredictor(str(talkative)), sample_aeb, expected, replace(FEW, **options))


def test_a_run_of_an_earlier_version_is_resumed(
    expected: Path, talkative: Path, sample_aeb: Path, tmp_path: Path
) -> None:
    out = copytree(expected, tmp_path / "run")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    record["settings"]["decode"] = "expectation"
    (out / "run.json").write_text(json.dumps(record), encoding="utf-8")
    scores = json.loads((expected / "scores.json").read_text(encoding="utf-8"))
    assert run(ModelPredictor(str(talkative)), sample_aeb, out) == scores


def test_another_model_is_not_mixed_in(expected: Path, talkative: Path, sample_aeb: Path, tmp_path: Path) -> None:
    changed = copytree(talkative, tmp_path / "talkative")
    (changed / "generation_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"source\.weights"):
        run(ModelPredictor(str(changed)), sample_aeb, expected)
    unfinished = copytree(expected, tmp_path / "run")
    (unfinished / "scores.json").unlink()
    lines = (unfinished / "predictions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (unfinished / "predictions.jsonl").write_text("".join(lines[:3]), encoding="utf-8")
    record = json.loads((unfinished / "run.json").read_text(encoding="utf-8"))
    record["engine"]["template"] = "chat"
    (unfinished / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(UsageError, match=r'begun with another model \(template: "chat", not "frame"\)'):
        run(ModelPredictor(str(talkative)), sample_aeb, unfinished)


def test_a_resumed_run_keeps_the_precision_with_which_it_began(
    talkative: Path, sample_aeb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun where `auto` is bfloat16, as on most GPUs; resumed where it is float32."""
    there = Precision("bfloat16", "bfloat16 is 9 times as fast as float32 here")
    monkeypatch.setattr("emollms.inference.loading.inference_precision", lambda device: there)
    whole = run(ModelPredictor(str(talkative)), sample_aeb, tmp_path / "whole")
    assert whole["run"]["engine"]["settings"]["dtype_reason"] == there.reason
    unfinished = copytree(tmp_path / "whole", tmp_path / "run")
    (unfinished / "scores.json").unlink()
    lines = (unfinished / "predictions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (unfinished / "predictions.jsonl").write_text("".join(lines[:3]), encoding="utf-8")
    monkeypatch.undo()
    resumed = run(ModelPredictor(str(talkative)), sample_aeb, unfinished)
    assert resumed["run"]["engine"]["dtype"] == "bfloat16"
    assert answers(unfinished) == answers(tmp_path / "whole")


def test_a_run_without_an_answer_begins_anew(talkative: Path, sample_aeb: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown dtype"):
        run(ModelPredictor(str(talkative), dtype="float7"), sample_aeb, tmp_path / "run")
    assert not (tmp_path / "run").exists(), "a run that was refused leaves nothing behind"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}", encoding="utf-8")
    scores = run(
        ModelPredictor(str(talkative), decode="greedy"), sample_aeb, tmp_path / "run", replace(FEW, decode="greedy")
    )
    task = scores["tasks"]["E-c"]
    assert task["scored_by"] == "answer"
    assert "calibration" not in task


def test_folders_of_others_and_of_runs_that_go_on_are_left_alone(sample_aeb: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    options = EvaluationOptions(tasks=("SST",))
    with pytest.raises(UsageError, match="holds no run of ours"):
        run(BaselinePredictor("mean"), sample_aeb, tmp_path, options)
    with pytest.raises(UsageError, match=r"thesis\.txt is a file"):
        run(BaselinePredictor("mean"), sample_aeb, tmp_path / "thesis.txt", options)
    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / LOCK), pytest.raises(UsageError, match="another run is writing"):
        run(BaselinePredictor("mean"), sample_aeb, out, options)


def test_the_sample_is_stated_balanced_and_part_of_larger_ones(sample_aeb: Path) -> None:
    rows = [row for row in Dataset(sample_aeb).rows("EI-oc", "test") if row["language"] == "en"]
    eight, six = sample(rows, 8), sample(rows, 6)
    assert sorted(row["emotion"] for row in eight) == sorted(["anger", "fear", "joy", "sadness"] * 2)
    assert [row for row in rows if row in eight] == eight
    assert all(row in eight for row in six)
    assert sample(list(reversed(rows)), 8) == eight[::-1]
    assert sample(rows, 8, seed=1) != eight
    assert sample(rows, 1000) == sample(rows, None) == rows


def test_expected_classes_and_thresholds_are_scored(expected: Path, sample_aeb: Path) -> None:
    scores = json.loads((expected / "scores.json").read_text(encoding="utf-8"))["tasks"]
    rules = {name: task["scored_by"] for name, task in scores.items()}
    assert rules == {"EI-oc": "expected class", "V-reg": "answer", "E-c": "likeliest labels"}
    assert "calibration" not in scores["V-reg"]
    bins = scores["EI-oc"]["calibration"]["bins"]
    assert sum(bar["n"] for bar in bins) == 6
    assert 0 <= scores["EI-oc"]["calibration"]["error"] <= 1
    task, found = get_task("EI-oc"), read_predictions(expected / "predictions.jsonl")
    rows = [row for row in Dataset(sample_aeb).rows("EI-oc", "test") if row["id"] in found]
    said = [expected_class(found[row["id"]].probabilities or {}) for row in rows]
    again = score(
        task,
        [row["score"] for row in rows],
        [ParsedAnswer(value, None) for value in said],
        [row["emotion"] for row in rows],
    )
    assert scores["EI-oc"]["value"] == pytest.approx(again.value)


def test_the_likeliest_class_is_scored_where_accuracy_is_published() -> None:
    row = {"id": "a", "emotion": None, "score": 1.0, "labels": []}
    said = Prediction("a", "0: neutral", {"-1": 0.4, "0": 0.15, "1": 0.45})
    assert parse_predictions(get_task("TDT"), [row], {"a": said}).parsed == [ParsedAnswer(1, None)]
    assert parse_predictions(get_task("TDT"), [row], {"a": said}, "greedy").parsed == [ParsedAnswer(0, None)]
    ordinal = Prediction("a", "3: very positive emotional state can be inferred", {"2": 0.5, "3": 0.5})
    read = parse_predictions(get_task("V-oc"), [row], {"a": ordinal})
    assert (read.scored_by, read.parsed[0].value) == ("expected class", pytest.approx(2.5))
    labels = Prediction("a", "anger", {"joy": 0.4, "love": 0.2})
    fitted = TaskCalibration(thresholds={"joy": 0.3}, rows=1, error_before=0.1, error_after=0.1)
    assert parse_predictions(get_task("E-c"), [row], {"a": labels}, fitted=fitted).parsed == [
        ParsedAnswer(("joy",), None)
    ]
    assert parse_predictions(get_task("E-c"), [row], {"a": labels}).parsed == [ParsedAnswer((), None)]


def test_a_file_of_predictions_gives_the_scores_of_its_run(expected: Path, sample_aeb: Path, tmp_path: Path) -> None:
    scores = run(file_source(expected / "predictions.jsonl", sample_aeb), sample_aeb, tmp_path / "again")
    assert scores["kind"] == "predictions"
    assert scores["name"] == "expectation"
    assert scores["tasks"] == json.loads((expected / "scores.json").read_text(encoding="utf-8"))["tasks"]
    assert answers(tmp_path / "again") == answers(expected)


def file_source(path: Path, data: Path) -> FilePredictor:
    opened = Dataset(data)
    return FilePredictor(path, {row["id"]: t.name for t in opened.tasks("test") for row in opened.rows(t.name, "test")})


def write(path: Path, *rows: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_missing_answers_count_as_invalid_and_answers_are_only_read(sample_aeb: Path, tmp_path: Path) -> None:
    rows = [row for row in Dataset(sample_aeb).rows("TDT", "test") if row["language"] == "en"]
    said = ["1: positive", "__import__('os').abort()", "<script>alert()</script>", "NaN"]
    path = write(
        tmp_path / "theirs.jsonl",
        *({"id": row["id"], "answer": text} for row, text in zip(rows, said, strict=False)),
    )
    scores = run(file_source(path, sample_aeb), sample_aeb, tmp_path / "out", EvaluationOptions())
    assert scores["name"] == "theirs"
    assert list(scores["tasks"]) == ["TDT"], "tasks without an answer are left out"
    invalid = scores["tasks"]["TDT"]["invalid"]
    assert invalid["n"] == len(rows) - 1
    assert invalid["reasons"]["no answer"] == len(rows) - 4
    named = run(file_source(path, sample_aeb), sample_aeb, tmp_path / "named", EvaluationOptions(tasks=("SST",)))
    assert named["tasks"]["SST"]["invalid"]["rate"] == 1


def test_answers_in_the_order_of_the_rows_need_no_ids(sample_aeb: Path, tmp_path: Path) -> None:
    rows = Dataset(sample_aeb).rows("TDT", "test")
    said = [f"{int(row['score'])}: {row['text']}" for row in rows]
    by_id = write(
        tmp_path / "a.jsonl", *({"id": row["id"], "answer": text} for row, text in zip(rows, said, strict=True))
    )
    by_row = write(
        tmp_path / "b.jsonl", *({"task": "TDT", "row": number, "answer": text} for number, text in enumerate(said))
    )
    found = [
        run(file_source(path, sample_aeb), sample_aeb, tmp_path / path.stem, EvaluationOptions())
        for path in (by_id, by_row)
    ]
    assert found[0]["tasks"] == found[1]["tasks"]
    assert answers(tmp_path / "a") == answers(tmp_path / "b")
    for row, message in (({"task": "TDT", "row": len(rows)}, "no row of TDT"), ({"task": "X", "row": 0}, "no task of")):
        with pytest.raises(EmollmsError, match=rf"c\.jsonl:1: {message}"):
            file_source(write(tmp_path / "c.jsonl", {**row, "answer": "0"}), sample_aeb)


def test_predictions_that_belong_elsewhere_are_refused(sample_aeb: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"id": "sample/TDT/nobody/-/0", "answer": "0: neutral"})
    with pytest.raises(UsageError, match="1 of 1 ids are not in the data set, the first one 'sample/TDT/nobody/-/0'"):
        file_source(path, sample_aeb)
    with pytest.raises(UsageError, match=r"there is no file .*b\.jsonl"):
        file_source(tmp_path / "b.jsonl", sample_aeb)
    with pytest.raises(UsageError, match=r"c\.jsonl is empty; give JSON Lines with id and answer"):
        file_source(write(tmp_path / "c.jsonl"), sample_aeb)
    row = Dataset(sample_aeb).rows("TDT", "test")[0]
    write(path, {"id": row["id"], "answer": "0: neutral", "probabilities": {"happy": 1.0}})
    with pytest.raises(UsageError, match="a probability of 'happy', which is nothing in task TDT"):
        run(file_source(path, sample_aeb), sample_aeb, tmp_path / "out", EvaluationOptions(language=row["language"]))


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("vader", ["V-reg", "V-oc", "SST", "SST5", "TDT", "V-A", "V-M", "V-NYT", "V-T"]),
        ("textblob", ["V-reg", "V-oc", "SST", "SST5", "TDT", "V-A", "V-M", "V-NYT", "V-T"]),
        ("mean", ["EI-reg", "V-reg", "EmoBank", "SST", "V-A", "V-M", "V-NYT", "V-T"]),
        ("majority", ["EI-oc", "V-oc", "E-c", "GoEmotions", "SST5", "TDT"]),
    ],
)
def test_baselines_answer_the_tasks_that_they_can(
    name: str, tasks: list[str], sample_aeb: Path, tmp_path: Path
) -> None:
    scores = run(BaselinePredictor(name), sample_aeb, tmp_path / "run", EvaluationOptions())
    assert list(scores["tasks"]) == tasks
    assert all(task["invalid"]["n"] == 0 for task in scores["tasks"].values())
    assert scores["run"]["settings"]["decode"] is None
    assert scores["run"]["engine"] is None
    other = "E-c" if name != "majority" else "SST"
    with pytest.raises(UsageError, match=f"baseline {name} has no answer to task {other}"):
        run(BaselinePredictor(name), sample_aeb, tmp_path / "other", EvaluationOptions(tasks=(other,)))


def test_published_figures_of_vader(paper_aeb: Path, tmp_path: Path) -> None:
    scores = run(BaselinePredictor("vader"), paper_aeb, tmp_path / "run", EvaluationOptions(tasks=("TDT", "V-T")))
    assert scores["tasks"]["TDT"]["value"] == pytest.approx(0.509, abs=5e-4)
    assert scores["tasks"]["V-T"]["value"] == pytest.approx(0.862, abs=5e-4)


def test_a_calibration_is_fitted_on_validation_rows_and_used(
    talkative: Path, sample_aaid: Path, sample_aeb: Path, tmp_path: Path
) -> None:
    file = tmp_path / "fits" / "talkative.json"
    told: list[tuple[str, int, int]] = []
    fit_calibration(
        [ModelPredictor(str(talkative))],
        Dataset(sample_aaid),
        file,
        limit=8,
        on_progress=lambda *now: told.append(now),
    )
    fitted = Calibration.read(file)
    assert told[-1] == ("E-c", 40, 40)
    assert list(fitted.tasks) == ["EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"]
    assert fitted.uncalibrated == []
    assert all(task.rows == 8 for task in fitted.tasks.values())
    assert fitted.data_hash == Dataset(sample_aaid).manifest.content_hash
    moved = copytree(talkative, tmp_path / "elsewhere")
    options = replace(FEW, calibration=fitted, tasks=("EI-oc", "E-c"))
    tasks = run(ModelPredictor(str(moved)), sample_aeb, tmp_path / "run", options)["tasks"]
    assert tasks["EI-oc"]["calibration"]["temperature"] == fitted.tasks["EI-oc"].temperature
    assert tasks["E-c"]["calibration"]["thresholds"] == fitted.tasks["E-c"].thresholds
    (moved / "generation_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="the calibration was fitted for"):
        run(ModelPredictor(str(moved)), sample_aeb, tmp_path / "other", options)
    asked = fitted.model_copy(update={"settings": {"template": "chat"}})
    with pytest.raises(UsageError, match="fitted with --template chat"):
        run(ModelPredictor(str(talkative)), sample_aeb, tmp_path / "chat", replace(options, calibration=asked))


def test_nothing_is_fitted_on_test_rows(talkative: Path, sample_aeb: Path, sample_aaid: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no rows in split validation; it has these splits: test"):
        fit_calibration([ModelPredictor(str(talkative))], Dataset(sample_aeb), tmp_path / "fit.json")
    with pytest.raises(UsageError, match="has no rows in split test; it has these splits: train, validation"):
        run(BaselinePredictor("mean"), sample_aaid, tmp_path / "run", EvaluationOptions())
    with pytest.raises(UsageError, match="VADER: no answer to E-c; name other tasks"):
        fit_calibration([BaselinePredictor("vader")], Dataset(sample_aaid), tmp_path / "fit.json", tasks=("E-c",))


def test_one_language_at_a_time(sample_aeb: Path, tmp_path: Path) -> None:
    spanish = run(BaselinePredictor("mean"), sample_aeb, tmp_path / "es", EvaluationOptions(language="es"))
    english = run(BaselinePredictor("mean"), sample_aeb, tmp_path / "en", EvaluationOptions())
    assert spanish["run"]["settings"]["language"] == "es"
    assert english["run"]["settings"]["language"] == "en"
    assert spanish["tasks"]["V-reg"]["n"] != english["tasks"]["V-reg"]["n"]
    with pytest.raises(UsageError, match="unknown language of the data set 'fr'"):
        run(BaselinePredictor("mean"), sample_aeb, tmp_path / "fr", EvaluationOptions(language="fr"))


def test_rows_that_the_manifest_does_not_name_are_refused(sample_aeb: Path, tmp_path: Path) -> None:
    changed = copytree(sample_aeb, tmp_path / "aeb")
    file = changed / "data" / "SST" / "test-00000.parquet"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(EmollmsError, match="is not the file that the manifest names"):
        run(BaselinePredictor("mean"), changed, tmp_path / "run", EvaluationOptions(tasks=("SST",)))


def test_a_failing_source_leaves_what_it_answered(
    sample_aeb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = PredictionFile.add

    def fail(self: PredictionFile, predictions: Any) -> None:
        add(self, predictions)
        if len(self.known) == 5:
            raise EmollmsError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(PredictionFile, "add", fail)
        with pytest.raises(EmollmsError, match="the disk is full"):
            run(BaselinePredictor("mean"), sample_aeb, tmp_path / "run", EvaluationOptions())
    assert len(answers(tmp_path / "run")) == 5
    scores = run(BaselinePredictor("mean"), sample_aeb, tmp_path / "run", EvaluationOptions())
    assert scores["run"]["rows"] == len(answers(tmp_path / "run"))
