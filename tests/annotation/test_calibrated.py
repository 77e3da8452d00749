"""A calibration from its fit on validation rows to the intervals of annotated texts."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

import emollms
from emollms.annotation.answers import told
from emollms.annotation.questions import questions
from emollms.dataset.reader import Dataset, Row
from emollms.errors import UsageError
from emollms.evaluation.beliefs import Belief
from emollms.evaluation.calibrate import calibrate, fit_calibration
from emollms.evaluation.calibration import Calibration, TaskCalibration
from emollms.evaluation.conformal import Conformal
from emollms.evaluation.predictors import Predictor
from emollms.inference.predictions import Prediction
from emollms.storage import CALIBRATION, weights_hash
from emollms.tasks import Task, get_task
from emollms.training.tiny import make_tiny

TEXTS = ["I cannot stop smiling", "It rained all day", "They lost my parcel again"]
FEW: dict[str, Any] = {"limit": 20, "task": ("V-reg", "V-oc", "E-c")}


@pytest.fixture(scope="module")
def model(tiny: Path, sample_aaid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny model, tuned on V-reg and SST as its record says, with its calibration."""
    folder = copytree(tiny, tmp_path_factory.mktemp("calibrated") / "tiny")
    (folder / "run.json").write_text(json.dumps({"rows": {"V-reg": {}, "SST": {}}}))
    calibrate(sample_aaid, model=str(folder), **FEW)
    return folder


def test_annotate_finds_what_calibrate_left_with_the_model(model: Path) -> None:
    with emollms.Annotator.from_pretrained(str(model), task=["valence", "V-oc", "emotions", "SST"]) as annotator:
        found = annotator(TEXTS)
    for row in found:
        valence, classes, emotions = row["valence"], row["V-oc"], row["emotions"]
        assert 0 <= valence.low <= valence.value <= valence.high <= 1  # type: ignore[operator]
        assert -3 <= classes.low <= classes.value <= classes.high <= 3  # type: ignore[operator]
        assert classes.confidence == pytest.approx(max((classes.probabilities or {}).values()), abs=0.001)
        assert set(emotions.low) <= set(emotions.high)  # type: ignore[arg-type]
        assert all(0 < one.confidence < 1 for one in (valence, classes))  # type: ignore[operator]
        assert 0 <= emotions.confidence < 1  # type: ignore[operator]  # of 20 rows, none may have been right
        assert (row["SST"].confidence, row["SST"].low, row["SST"].high) == (None, None, None)


def test_the_file(model: Path, sample_aaid: Path) -> None:
    fitted = Calibration.read(model / CALIBRATION)
    assert list(fitted.tasks) == ["V-reg", "V-oc", "E-c"]
    assert fitted.uncalibrated == ["SST", "EI-reg", "EI-oc"]
    assert (fitted.model, fitted.model_hash) == ("tiny", weights_hash(model)), "and not whose machine it was"
    assert fitted.data_hash == Dataset(sample_aaid).manifest.content_hash
    assert fitted.tasks["V-reg"].temperature is None
    assert fitted.tasks["V-oc"].temperature
    assert set(fitted.tasks["E-c"].thresholds or {}) <= set(get_task("E-c").labels)  # type: ignore[attr-defined]
    assert all(one.conformal and one.conformal.coverage == 0.9 for one in fitted.tasks.values())


def test_a_calibration_is_not_of_the_weights(tiny: Path, tmp_path: Path) -> None:
    folder = copytree(tiny, tmp_path / "tiny")
    before = weights_hash(folder)
    (folder / CALIBRATION).write_text("{}")
    assert weights_hash(folder) == before


def test_that_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    other = make_tiny("smollm2", tmp_path / "other", seed=8)
    with (
        emollms.Annotator.from_pretrained(str(other), task="valence", calibration=model / CALIBRATION) as annotator,
        pytest.raises(UsageError, match=r"fitted for \(sha256:.*not for \(sha256:.*emollms calibrate"),
    ):
        annotator(TEXTS)
    (other / CALIBRATION).write_bytes((model / CALIBRATION).read_bytes())
    with (
        emollms.Annotator.from_pretrained(str(other), task="valence") as annotator,
        pytest.raises(UsageError, match="the calibration was fitted for"),
    ):
        annotator(TEXTS)


def test_an_ensemble_has_a_calibration_of_its_own(model: Path, sample_aaid: Path, tmp_path: Path) -> None:
    """In any order; a part of it has not, and neither has the ensemble that of a part."""
    out = tmp_path / "ensemble.json"
    fitted = calibrate(sample_aaid, out, str(model), baseline="vader", limit=20)
    assert (fitted.model, fitted.model_hash, len(fitted.predictors)) == ("tiny + VADER", None, 2)
    assert {"V-reg", "EI-reg"} <= set(fitted.tasks), "EI-reg is answered by the model alone"
    reordered = fitted.model_copy(update={"predictors": fitted.predictors[::-1]})
    both: dict[str, Any] = {"task": "valence", "baseline": "vader"}
    for one in (fitted, reordered):
        with emollms.Annotator.from_pretrained(str(model), calibration=one, **both) as annotator:
            assert annotator(TEXTS[0])["valence"].low is not None
    with emollms.Annotator.from_pretrained(str(model), **both) as annotator:
        assert annotator(TEXTS[0])["valence"].low is None
    for options in ({"task": "valence", "calibration": out}, {**both, "calibration": model / CALIBRATION}):
        with (
            emollms.Annotator.from_pretrained(str(model), **options) as annotator,
            pytest.raises(UsageError, match="the calibration was fitted for"),
        ):
            annotator(TEXTS)


def test_a_lexicon(sample_aaid: Path, tmp_path: Path) -> None:
    fitted = calibrate(sample_aaid, tmp_path / "vader.json", baseline="vader", coverage=0.8)
    assert (fitted.model, list(fitted.tasks), fitted.uncalibrated) == ("VADER", ["V-reg", "V-oc"], [])
    assert fitted.tasks["V-oc"].temperature is None, "it gives no probabilities"
    asked: dict[str, Any] = {"baseline": "vader", "task": ["valence", "V-oc"], "calibration": tmp_path / "vader.json"}
    with emollms.Annotator.from_pretrained(**asked) as annotator:
        found = annotator(TEXTS[0])
    width = fitted.tasks["V-reg"].conformal.width  # type: ignore[union-attr]
    valence = found["valence"]
    assert valence.low == pytest.approx(max(0.0, float(valence.value) - width), abs=0.0011)  # type: ignore[arg-type]
    assert found["V-oc"].low <= found["V-oc"].value <= found["V-oc"].high  # type: ignore[operator]


class AnswersAlone(Predictor):
    """A server without log-probabilities."""

    kind = "endpoint"
    name = "served"

    def settings(self) -> dict[str, Any]:
        return {"model": "served"}

    def predict(self, task: Task, rows: Sequence[Row], known: Collection[str]) -> Iterator[Prediction]:
        said = {"V-oc": "1: slightly positive", "E-c": "joy, optimism", "V-reg": "0.6"}
        for number, row in enumerate(rows):
            yield Prediction(str(row["id"]), said[task.name] if number % 5 else "I would rather not say")


def test_answers_alone(sample_aaid: Path, tmp_path: Path) -> None:
    """Invalid ones are left out, as they are not told either."""
    fitted = fit_calibration([AnswersAlone()], Dataset(sample_aaid), tmp_path / "alone.json", tasks=FEW["task"])
    for name in ("V-oc", "E-c"):
        one = fitted.tasks[name]
        assert (one.temperature, one.thresholds) == (None, None)
        assert 0 < one.rows < len(Dataset(sample_aaid).rows(name, "validation"))
        shares = {"1": 1.0} if name == "V-oc" else {"joy": 1.0, "optimism": 1.0}
        found = one.apply(get_task(name), None, shares, 0.5)
        assert 0 < (found.confidence or 0) < 1, "and not the 1 that an answer says of itself"


def test_where_it_is_kept(model: Path, sample_aaid: Path) -> None:
    for options in ({"model": "me/model"}, {"baseline": "vader"}, {"model": [str(model), str(model)]}):
        with pytest.raises(UsageError, match="name a file with --out"):
            calibrate(sample_aaid, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--coverage 1 is no probability"):
        calibrate(sample_aaid, model=str(model), coverage=1.0)


def test_ends_are_rounded_outwards() -> None:
    """On either scale; a gold score at the end of an interval stays in it."""
    (valence,) = questions(["V-A"])
    conformal = Conformal(coverage=0.9, rows=9, error=0.1, width=0.12345, confidence=[0.5] * 10)
    fitted = TaskCalibration(rows=9, error_after=0.1, conformal=conformal)
    unit = told(valence, Belief(0.5, None, False), fitted, 0.5)
    assert (unit.low, unit.value, unit.high, unit.confidence) == (0.376, 0.5, 0.624, 0.5)
    native = told(valence, Belief(0.5, None, False), fitted, 0.5, scale="native")
    assert (native.low, native.value, native.high) == (-0.988, 0.0, 0.988)
    exact = told(valence, Belief(0.5, None, False), fitted.model_copy(update={"conformal": conformal.model_copy(
        update={"width": 0.1})}), 0.5)  # fmt: skip
    assert (exact.low, exact.high) == (0.4, 0.6)
