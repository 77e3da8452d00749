"""Several models scored as one: the mean of what they believe, the same that `annotate` tells."""

import json
import math
from pathlib import Path

import pytest
from inference.tiny_classifiers import THRESHOLDS, save_heads

import emollms
from emollms.dataset.reader import Dataset
from emollms.errors import UsageError
from emollms.evaluation.answer_set_writer import write_answer_set
from emollms.evaluation.calibrate import calibrate
from emollms.evaluation.run_folder import PREDICTIONS, RUN
from emollms.inference.decoding import likely_labels
from emollms.inference.predictions import Prediction, PredictionFile, read_predictions
from emollms.tasks import get_task

TASKS = ("V-reg", "V-oc", "E-c")
FEW = {"limit": 6, "task": TASKS}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two classifiers that differ, of which the second has outputs for two of the three tasks."""
    folder = tmp_path_factory.mktemp("pair")
    return str(save_heads(folder / "one", longest=400)), str(
        save_heads(folder / "two", "qwen3", ("V-reg", "E-c"), longest=400)
    )


def said(sample_aeb: Path, out: Path, model: object, **options: object) -> dict[str, Prediction]:
    emollms.evaluate(sample_aeb, out, model, **FEW | options)  # type: ignore[arg-type]
    return read_predictions(out / PREDICTIONS)


def test_it_answers_with_the_mean_of_its_models(pair, sample_aeb, tmp_path):
    together = said(sample_aeb, tmp_path / "both", pair)
    one = said(sample_aeb, tmp_path / "one", pair[0])
    two = said(sample_aeb, tmp_path / "two", pair[1], task=("V-reg", "E-c"))
    task_of = {row["id"]: task for task in TASKS for row in Dataset(sample_aeb).rows(task, "test")}
    assert together.keys() == one.keys()
    for row_id, found in together.items():
        if task_of[row_id] == "V-oc":  # which the second cannot answer
            assert found.probabilities == pytest.approx(one[row_id].probabilities)
        elif task_of[row_id] == "V-reg":
            mean = (float(one[row_id].answer) + float(two[row_id].answer)) / 2
            assert float(found.answer) == pytest.approx(mean, abs=0.001)
        else:
            shares = {
                name: (one[row_id].probabilities[name] + two[row_id].probabilities[name]) / 2
                for name in found.probabilities
            }
            assert found.probabilities == pytest.approx(shares, abs=2e-6)
            limits = THRESHOLDS["E-c"]  # those of both, so their mean
            expected = likely_labels(get_task("E-c"), shares, limits)
            assert set(found.answer.split(", ")) == set(expected or ["neutral or no emotion"])
    engine = json.loads((tmp_path / "both" / RUN).read_text())["engine"]
    assert [one["model"] for one in engine["settings"]["models"]] == list(pair)


def test_annotate_tells_the_same(pair, sample_aeb, tmp_path):
    together = said(sample_aeb, tmp_path / "both", pair, task="V-reg,E-c")
    rows = {row["id"]: row for task in ("V-reg", "E-c") for row in Dataset(sample_aeb).rows(task, "test")}
    with emollms.Annotator.from_pretrained(list(pair), task="V-reg,E-c", fresh=True) as annotator:
        for row_id, found in together.items():
            told = annotator(rows[row_id]["text"])["V-reg" if rows[row_id]["score"] is not None else "E-c"]
            if isinstance(told.value, tuple):
                assert found.answer == (", ".join(told.value) or "neutral or no emotion")
                assert told.probabilities == pytest.approx(found.probabilities, abs=1e-4)
            else:
                assert told.value == pytest.approx(float(found.answer), abs=0.001)


def test_a_run_that_was_cut_off_is_resumed_with_the_same_models_alone(pair, sample_aeb, tmp_path, monkeypatch):
    whole = said(sample_aeb, tmp_path / "whole", pair)
    add = PredictionFile.add

    def add_three(self: PredictionFile, predictions: list[Prediction]) -> None:
        if len(self.known) >= 3:
            raise KeyboardInterrupt
        add(self, predictions)

    with monkeypatch.context() as patch:
        patch.setattr(PredictionFile, "add", add_three)
        with pytest.raises(KeyboardInterrupt):
            said(sample_aeb, tmp_path / "cut", pair)
    with pytest.raises(UsageError, match="holds a run with other settings"):
        said(sample_aeb, tmp_path / "cut", pair[0])
    resumed = said(sample_aeb, tmp_path / "cut", pair)
    assert {key: one.answer for key, one in resumed.items()} == {key: one.answer for key, one in whole.items()}


def test_its_answers_are_published_without_the_folders_of_its_models(pair, sample_aeb, tmp_path):
    before = emollms.evaluate(sample_aeb, tmp_path / "run", pair, baseline="vader", **FEW)
    (tmp_path / "set").mkdir()
    write_answer_set(tmp_path / "run", Dataset(sample_aeb), (), tmp_path / "set")
    shown = "".join(path.read_text() for path in (tmp_path / "set").rglob("*.json"))
    assert "one + two + VADER" in shown
    assert str(Path(pair[0]).parent) not in shown
    assert emollms.evaluate(sample_aeb, tmp_path / "again", predictions=tmp_path / "set").tasks == before.tasks


def test_its_calibration_is_that_of_these_models(pair, sample_aeb, sample_aaid, tmp_path):
    both = tmp_path / "both.json"
    calibrate(sample_aaid, both, pair, task="V-oc,E-c", limit=20)
    calibrated = emollms.evaluate(sample_aeb, tmp_path / "run", pair, calibration=both, **FEW)
    assert calibrated.tasks["E-c"].calibration.thresholds == calibrate(
        sample_aaid, tmp_path / "again.json", pair[::-1], task="E-c", limit=20
    ).tasks["E-c"].thresholds  # fmt: skip
    calibrate(sample_aaid, tmp_path / "one.json", pair[0], task="E-c", limit=20)
    with pytest.raises(UsageError, match="the calibration was fitted for"):
        emollms.evaluate(sample_aeb, tmp_path / "other", pair, calibration=tmp_path / "one.json", **FEW)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decode": "greedy"}, "--decode greedy gives words, which have no mean; ensembles go with expected_value"),
        ({"endpoint": "http://localhost:1"}, "--endpoint goes with one --model"),
        ({"map": "labels.yaml"}, "--map goes with one --model"),
        ({"task": "SST"}, "none of one \\+ two has an answer to SST"),
    ],
)
def test_what_does_not_go_with_several(options, message, pair, sample_aeb, tmp_path):
    (tmp_path / "labels.yaml").write_text("questions: {}")
    options = {name: str(tmp_path / value) if name == "map" else value for name, value in options.items()}
    with pytest.raises(UsageError, match=message):
        emollms.evaluate(sample_aeb, tmp_path / "run", pair, **FEW | options)


def test_a_lexicon_joins(pair, sample_aeb, tmp_path):
    """And is left out of a task that it has no answer to."""
    together = said(sample_aeb, tmp_path / "both", pair[0], baseline="vader", task="V-reg,E-c")
    one, two = said(sample_aeb, tmp_path / "one", pair[0], task="V-reg,E-c"), said(
        sample_aeb, tmp_path / "two", None, baseline="vader", task="V-reg"
    )  # fmt: skip
    for row_id, found in together.items():
        if row_id in two:
            mean = (float(one[row_id].answer) + float(two[row_id].answer)) / 2
            assert float(found.answer) == pytest.approx(mean, abs=0.001)
        else:
            assert found.answer == one[row_id].answer


def test_scores_of_a_prompted_model_join(pair, talkative, sample_aeb, tmp_path):
    """A model that writes its answers: its class probabilities are averaged with those of a classifier."""
    together = said(sample_aeb, tmp_path / "both", [pair[0], str(talkative)], task="V-oc")
    one, two = said(sample_aeb, tmp_path / "one", pair[0], task="V-oc"), said(
        sample_aeb, tmp_path / "two", str(talkative), task="V-oc"
    )  # fmt: skip
    for row_id, found in together.items():
        for name, share in found.probabilities.items():
            mean = math.fsum(own[row_id].probabilities[name] for own in (one, two)) / 2
            assert share == pytest.approx(mean, abs=2e-6)
