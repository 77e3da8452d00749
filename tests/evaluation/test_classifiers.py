"""Classifiers that answer every question in one pass, evaluated and calibrated like any other model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from evaluation import interrupted
from inference import tiny_models
from inference.tiny_classifiers import TASKS, THRESHOLDS, heads_of, save_heads
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, pipeline

import emollms
from emollms import hardware
from emollms.annotation.annotator import Annotator
from emollms.annotation.asking import Item
from emollms.dataset.reader import Dataset
from emollms.errors import EmollmsError, UsageError
from emollms.evaluation.classifier_predictor import ClassifierPredictor
from emollms.evaluation.model_predictor import ModelPredictor, model_predictor
from emollms.evaluation.predictors import identity
from emollms.inference.decoding import likely_labels
from emollms.inference.heads_engine import TorchClassifier
from emollms.inference.predictions import read_predictions
from emollms.storage import write_json
from emollms.tasks import get_task
from emollms.training.arguments import TuningArguments
from emollms.training.data import examples_of, held_out_texts, validation_rows
from emollms.training.tiny import make_tiny_classifier

MOODS = {"id2label": {0: "negative", 1: "neutral", 2: "positive"}}
MAP = """
activation: softmax
questions:
  V-reg: {expected: {negative: 0, neutral: 0.5, positive: 1}}
  TDT: {-1: negative, 0: neutral, 1: positive}
  E-c: {joy: positive, sadness: negative}
"""
FEW = {"limit": 12}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_heads(tmp_path_factory.mktemp("heads") / "model", longest=400)


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier as others publish them."""
    return make_tiny_classifier("xlm-roberta", tmp_path_factory.mktemp("moods") / "moods", **MOODS)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "labels.yaml").write_text(MAP, encoding="utf-8")
    return tmp_path / "labels.yaml"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The texts that classifiers read, as they read them."""
    found: list[Any] = []
    original = TorchClassifier.read

    def watched(self: TorchClassifier, texts: Any) -> Any:
        found.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(TorchClassifier, "read", watched)
    return found


def shares_of(folder: Path, text: Any, function: str) -> dict[str, float]:
    """What a pipeline of transformers says of a text."""
    ask = pipeline("text-classification", model=str(folder), top_k=None, function_to_apply=function)
    (found,) = ask([text]) if isinstance(text, str) else [ask(text)]
    return {one["label"]: one["score"] for one in found}


def test_answers_are_those_of_a_pipeline_and_each_text_is_read_once(heads, sample_aeb, tmp_path, read):
    emollms.evaluate(sample_aeb, tmp_path / "run", str(heads))
    said = read_predictions(tmp_path / "run" / "predictions.jsonl")
    rows = {task: Dataset(sample_aeb).rows(task, "test") for task in TASKS}
    asked = {(row["text"], row["target"]) for own in rows.values() for row in own if row["language"] == "en"}
    assert len(read) == len(asked) < sum(map(len, rows.values())) / 2
    for task, own in rows.items():
        for row in [row for row in own if row["id"] in said][:2]:
            found = said[row["id"]]
            text = {"text": row["text"], "text_pair": row["target"]} if row["target"] else row["text"]
            shares = shares_of(heads, text, "sigmoid")
            if task in ("EI-reg", "V-reg"):
                name = f"EI-reg/{row['emotion']}" if row["emotion"] else task
                assert float(found.answer) == pytest.approx(shares[name], abs=0.001)
                assert found.probabilities is None
            elif task == "E-c":
                limits = {name.removeprefix("E-c/"): share for name, share in shares.items() if name.startswith("E-c/")}
                expected = likely_labels(get_task("E-c"), limits, THRESHOLDS["E-c"])
                assert found.probabilities == pytest.approx(limits, abs=1e-5)
                assert set(found.answer.split(", ")) == set(expected or ["neutral or no emotion"])
            else:
                question = f"{task}/{row['emotion']}" if row["emotion"] else task
                least = [share for name, share in shares.items() if name.startswith(f"{question}>=")]
                top = found.probabilities[str(max(get_task(task).classes))]
                assert top == pytest.approx(min(least), abs=1e-5)
                assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_a_run_that_was_cut_off_is_resumed_to_the_same_bytes(heads, sample_aeb, tmp_path, one_thread):
    interrupted.compare(heads, sample_aeb, tmp_path / "many", interrupted.MANY)
    interrupted.compare(heads, sample_aeb, tmp_path / "few", interrupted.FEW)


@interrupted.BEYOND_AVX2
def test_the_same_with_avx2_alone(heads, sample_aeb, tmp_path):
    command = [sys.executable, "-m", "evaluation.interrupted", *map(str, (heads, sample_aeb, tmp_path))]
    environment = os.environ | interrupted.AVX2 | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("writes", [False, True])
def test_a_number_type_that_is_slow_here_is_told(heads, tmp_path, monkeypatch, writes):
    if writes:
        tiny_models.model("smollm2").save_pretrained(tmp_path)
        tiny_models.tokenizer("smollm2").save_pretrained(tmp_path)
    monkeypatch.setattr(hardware, "bfloat16_speed", lambda device, name: 0.25)
    said: dict[str, list[str]] = {"auto": [], "bfloat16": []}
    for dtype, lines in said.items():
        predictor = model_predictor(str(tmp_path if writes else heads), dtype=dtype, warn=lines.append)
        predictor.start()
        predictor.close()
    assert said == {"auto": [], "bfloat16": ["bfloat16 is 0.25 times as fast as float32 on this machine; take float32"]}


def test_labels_that_are_told_are_those_that_are_scored(heads, sample_aeb, tmp_path):
    scores = emollms.evaluate(sample_aeb, tmp_path / "run", str(heads), task="E-c")
    assert scores.tasks["E-c"].scored_by == "likeliest labels"
    said = read_predictions(tmp_path / "run" / "predictions.jsonl")
    rows = [row for row in Dataset(sample_aeb).rows("E-c", "test") if row["id"] in said]
    assert not any(row.get("unannotated") for row in rows)
    with Annotator.from_pretrained(str(heads), task="emotions", fresh=True) as annotator:
        told = annotator([row["text"] for row in rows])
    answers = [", ".join(one.emotions) or "neutral or no emotion" for one in told]
    assert answers == [said[row["id"]].answer for row in rows]
    at_half = [[name for name, share in one["emotions"].probabilities.items() if share >= 0.5] for one in told]
    assert [list(one.emotions) for one in told] != at_half  # the thresholds matter here


def test_intervals_are_fitted_on_scores_that_have_no_probabilities(heads, sample_aaid, sample_aeb, tmp_path):
    fitted = emollms_calibrate(sample_aaid, tmp_path / "fitted.json", heads)
    assert set(fitted.tasks) == {"EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"}
    assert fitted.tasks["V-reg"].conformal.width > 0
    assert fitted.tasks["E-c"].thresholds != THRESHOLDS["E-c"]
    with Annotator.from_pretrained(str(heads), calibration=tmp_path / "fitted.json", fresh=True) as annotator:
        row = annotator("The choir sang, the roof leaked")
    assert row["valence"].low <= row.valence <= row["valence"].high
    assert 0 < row["valence"].confidence <= 1
    limits = fitted.tasks["E-c"].thresholds
    with Annotator.from_pretrained(str(heads), task="emotions", fresh=True) as annotator:
        raw = annotator("The choir sang, the roof leaked")["emotions"].probabilities
    assert row.emotions == tuple(likely_labels(get_task("E-c"), raw, limits))
    scores = emollms.evaluate(sample_aeb, tmp_path / "run", str(heads), calibration=tmp_path / "fitted.json", **FEW)
    assert scores.tasks["E-c"].calibration.thresholds == limits
    assert scores.tasks["V-oc"].calibration.temperature == fitted.tasks["V-oc"].temperature


def test_texts_that_the_model_was_trained_on_do_not_calibrate_it(heads, sample_aaid, tmp_path):
    """What a model was fitted to, it answers better than anything else: its intervals would be too narrow."""
    folder, told = copytree(heads, tmp_path / "heads"), []
    write_json(folder / "run.json", {"recipe": {"values": {"validation_fraction": 0.4}}})
    fitted = emollms_calibrate(sample_aaid, tmp_path / "fitted.json", folder, task="V-reg", warn=told.append)
    data, tuning = Dataset(sample_aaid), TuningArguments(family="llama", validation_fraction=0.4)
    kept = {row["text"] for row in validation_rows(data, tuning, 0)["V-reg"]}
    trained = set(examples_of(data, "V-reg", tuning, held_out_texts(data, tuning), 0).rows["text"].to_pylist())
    assert kept
    assert not kept & trained
    assert fitted.tasks["V-reg"].rows == len(kept)
    assert told == [f"{folder} was trained on validation texts too; the 40% that it was not trained on are used"]
    assert fitted.settings["validation_fraction"] == 0.4
    write_json(folder / "run.json", {"recipe": {"values": {"validation_fraction": 1e-9}}})
    with pytest.raises(UsageError, match="no validation text is left of V-reg"):
        emollms_calibrate(sample_aaid, tmp_path / "none.json", folder, task="V-reg")
    whole = emollms_calibrate(sample_aaid, tmp_path / "whole.json", heads, task="V-reg")
    assert whole.tasks["V-reg"].rows > len(kept)


def emollms_calibrate(data: Path, out: Path, model: Path, **options: Any) -> Any:
    from emollms.evaluation.calibrate import calibrate

    return calibrate(data, out, str(model), **options)


def test_a_calibration_of_other_weights_or_another_map_is_refused(heads, moods, labels, sample_aaid, tmp_path):
    emollms_calibrate(sample_aaid, tmp_path / "heads.json", heads, task="V-reg")
    emollms_calibrate(sample_aaid, tmp_path / "moods.json", moods, task="V-reg", map=labels)
    other = tmp_path / "other.yaml"
    other.write_text(MAP.replace("neutral: 0.5", "neutral: 0.4"), encoding="utf-8")
    Annotator.from_pretrained(str(moods), map=labels, calibration=tmp_path / "moods.json", task="V-reg")("meh")
    with pytest.raises(UsageError, match="fitted for"):
        Annotator.from_pretrained(str(moods), map=labels, calibration=tmp_path / "heads.json", task="V-reg")("meh")
    with pytest.raises(UsageError, match="fitted for"):
        Annotator.from_pretrained(str(moods), map=other, calibration=tmp_path / "moods.json", task="V-reg")("meh")


def test_a_classifier_of_others_answers_what_its_map_says(moods, labels, sample_aeb, tmp_path):
    scores = emollms.evaluate(sample_aeb, tmp_path / "run", str(moods), map=labels, **FEW)
    assert set(scores.tasks) == {"V-reg", "TDT", "E-c"}
    said = read_predictions(tmp_path / "run" / "predictions.jsonl")
    row = next(row for row in Dataset(sample_aeb).rows("V-reg", "test") if row["id"] in said)
    shares = shares_of(moods, row["text"], "softmax")
    expected = shares["positive"] + 0.5 * shares["neutral"]
    assert float(said[row["id"]].answer) == pytest.approx(expected, abs=0.001)
    with Annotator.from_pretrained(str(moods), map=labels, fresh=True) as annotator:
        told = annotator(row["text"])
        assert [question.name for question in annotator.questions] == ["valence", "emotions", "TDT"]
    assert told.valence == pytest.approx(expected, abs=0.001)
    assert told["emotions"].probabilities["joy"] == pytest.approx(shares["positive"], abs=0.0001)
    labels.write_text(MAP.replace("0.5", "0.4"), encoding="utf-8")
    with pytest.raises(UsageError, match="other settings"):
        emollms.evaluate(sample_aeb, tmp_path / "run", str(moods), map=labels, **FEW)


def test_a_classifier_that_tells_two_texts_apart_by_token_types(labels, tmp_path):
    letters = [f"{begin}{letter}" for begin in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    tokenizer = BertTokenizerFast(vocab={word: number for number, word in enumerate(words)}, model_max_length=512)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        pad_token_id=tokenizer.pad_token_id, initializer_range=0.5, **MOODS,
    )  # fmt: skip
    torch.manual_seed(3)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    predictor = model_predictor(str(tmp_path / "bert"), map=labels, dtype="float32")
    rows = [{"id": "1", "text": "the last bus is gone", "target": "the bus", "emotion": None}]
    rows += [{**rows[0], "id": "2", "text": "meh " * 30}]
    found = {one.id: one.probabilities for one in predictor.predict(get_task("TDT"), rows, ())}
    for row in rows:
        shares = shares_of(tmp_path / "bert", {"text": row["text"], "text_pair": row["target"]}, "softmax")
        expected = {"-1": shares["negative"], "0": shares["neutral"], "1": shares["positive"]}
        assert found[row["id"]] == pytest.approx(expected, abs=1e-4)


def test_another_map_is_another_model_in_the_store(moods, labels, tmp_path):
    one = identity(model_predictor(str(moods), map=labels))
    labels.write_text(MAP.replace("0.5", "0.4"), encoding="utf-8")
    assert identity(model_predictor(str(moods), map=labels)) != one


REFUSED = {
    "labels": ({"map": None}, "a classifier with the labels negative, neutral, positive, and nothing says which"),
    "greedy": ({"decode": "greedy"}, "it reads texts and gives probabilities; leave --decode greedy out"),
    "sample": ({"decode": "sample"}, "leave --decode sample out"),
    "template": ({"template": "chat"}, "leave --template chat out"),
    "engine": ({"engine": "vllm"}, "leave --engine vllm out"),
    "task": ({"task": "SST"}, "moods has no answer to SST; it answers V-reg, TDT, E-c"),
    "no file": ({"map": "none.yaml"}, "none.yaml"),
}


@pytest.mark.parametrize("given", REFUSED)
def test_what_is_not_for_a_classifier_is_refused(given: str, moods, labels, sample_aeb, tmp_path):
    options, message = REFUSED[given]
    with pytest.raises(UsageError, match=message) as failed:
        emollms.evaluate(sample_aeb, tmp_path / "run", str(moods), **{"map": labels, **options})
    assert "\n" not in str(failed.value)
    assert not (tmp_path / "run").exists()


def test_a_map_is_for_one_classifier_that_says_nothing_itself(heads, talkative, moods, labels):
    for model, message in ((heads, "says itself what its outputs answer"), (talkative, "is no classifier")):
        with pytest.raises(UsageError, match=message):
            model_predictor(str(model), map=labels)
    with pytest.raises(UsageError, match="--map goes with one --model"):
        Annotator.from_pretrained([str(moods), str(moods)], map=labels)


@pytest.mark.parametrize("own", [{"labels": "a,b"}, {"score": "contempt"}])
def test_own_questions_are_for_models_that_write(own: dict[str, str], heads, talkative):
    with pytest.raises(UsageError, match="answers only what it was tuned on, EI-reg, EI-oc, V-reg, V-oc, E-c, TDT"):
        Annotator.from_pretrained(str(heads), **own)
    Annotator.from_pretrained([str(heads), str(talkative)], **own)


def test_what_config_json_says_decides(heads, talkative, tmp_path):
    assert isinstance(model_predictor(str(heads)), ClassifierPredictor)
    assert isinstance(model_predictor(str(talkative)), ModelPredictor)
    damaged = save_heads(tmp_path / "damaged", tasks=("V-reg",))
    config = json.loads((damaged / "config.json").read_text())
    for change, message in (
        ({"emollms": {"questions": [{"task": "V-reg", "kind": "scoer"}]}}, "config.json, emollms.questions.0.kind"),
        ({"id2label": {"0": "V-oc"}}, "id2label does not name the outputs"),
    ):
        (damaged / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(EmollmsError, match=message):
            model_predictor(str(damaged))


def test_an_ensemble_tells_labels_by_the_mean_of_thresholds(heads, talkative):
    text = "I will never forgive them for this"
    models = [str(heads), str(talkative)]
    alone = [Annotator.from_pretrained(one, task="emotions", fresh=True)(text)["emotions"] for one in models]
    with Annotator.from_pretrained(models, task="emotions", fresh=True) as annotator:
        both = annotator(text)["emotions"]
    means = {name: (share + alone[1].probabilities[name]) / 2 for name, share in alone[0].probabilities.items()}
    assert both.probabilities == pytest.approx(means, abs=0.0002)
    limits = {name: (THRESHOLDS["E-c"].get(name, 0.5) + 0.5) / 2 for name in means}
    assert both.value == tuple(likely_labels(get_task("E-c"), means, limits))


def test_tokens_are_those_of_a_text_and_not_of_its_questions(heads):
    with Annotator.from_pretrained(str(heads), fresh=True) as annotator:
        tokenizer = annotator.predictors[0]._engine()[0].tokenizer
        items = [Item("a quiet evening with tea"), Item("meh"), Item("meh"), Item(None)]
        assert annotator.count_tokens(items) == sum(len(tokenizer(one.text).input_ids) for one in items[:2])
        assert len(annotator.questions) == 7


def test_long_texts_are_cut_into_parts_that_can_be_read(tmp_path, read):
    text = "".join(f"The choir sang {number} songs, the roof leaked. " for number in range(20))
    model = save_heads(tmp_path / "short", longest=64)
    with Annotator.from_pretrained(str(model), fresh=True) as annotator:
        row = annotator(text)
        tokenizer = annotator.predictors[0]._engine()[0].tokenizer
        assert "cut into" in row["valence"].note
        assert "".join(read) == text
        assert all(len(tokenizer(one).input_ids) <= 64 for one in read)
        assert len(read) > 3
        del read[:]
        annotator.annotate([Item(text, "roof " * 100)])  # a target that leaves no room: both are cut
        assert len(read) == 1


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma3_text", "modernbert", "xlm-roberta", "deberta-v2"])
def test_each_family_reads_a_text_alike_alone_and_among_others(kind: str, tmp_path):
    predictor = model_predictor(str(save_heads(tmp_path / kind, kind)), dtype="float32")
    texts = ["meh", "best day of my life!!", "x " * 200, "cannot wait for Saturday " * 3]
    rows = [{"id": str(number), "text": text, "emotion": None} for number, text in enumerate(texts)]
    task = get_task("E-c")
    together = {one.id: one.probabilities for one in predictor.predict(task, rows, ())}
    for row in rows:
        predictor.prepare([(task, [row])])
        (alone,) = predictor.predict(task, [row], ())
        assert alone.probabilities == pytest.approx(together[row["id"]], abs=1e-4)
    assert together["0"] != pytest.approx(together["1"], abs=0.001)


def test_what_is_kept_of_texts_is_bounded(heads, monkeypatch, read):
    monkeypatch.setattr("emollms.inference.batching.WINDOW", 2)
    monkeypatch.setattr("emollms.evaluation.classifier_predictor.batching.windows",
                        lambda rows: [rows[at : at + 2] for at in range(0, len(rows), 2)])  # fmt: skip
    predictor = model_predictor(str(heads))
    rows = [{"id": str(number), "text": f"text {number}", "emotion": None} for number in range(20)]
    first = {one.id: one for one in predictor.predict(get_task("V-reg"), rows, ())}
    assert len(predictor._read) == 4
    assert len(read) == 20
    list(predictor.predict(get_task("E-c"), rows[-8:], ()))
    assert len(read) == 20
    again = {one.id: one for one in predictor.predict(get_task("V-reg"), rows, ())}
    assert {key: one.answer for key, one in first.items()} == {key: one.answer for key, one in again.items()}
    assert len(read) > 20


def test_a_model_that_gives_no_numbers_is_an_error(tmp_path):
    folder = save_heads(tmp_path / "model", tasks=("V-reg",))
    predictor = model_predictor(str(folder))
    predictor.start()
    with torch.no_grad():
        predictor._engine()[0].model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(EmollmsError, match="the model gives no numbers"):
        list(predictor.predict(get_task("V-reg"), [{"id": "1", "text": "meh", "emotion": None}], ()))
    assert heads_of(("V-reg",)).tasks == ("V-reg",)
