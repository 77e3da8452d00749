"""The same answers wherever a model is asked: library, card, evaluation, server, demo, adapter and merged model."""

import importlib.util
import itertools
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from annotation.serving import serving
from hub.made_up_model import CARD
from hub.test_cards_code import REPO, blocks
from hub.tiny_release import adapter_run, merged
from tiny_corpus import settings

import emollms
from emollms.annotation.annotator import Annotator
from emollms.annotation.answers import Answer
from emollms.annotation.questions import questions
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.evaluation.predictors import ModelPredictor
from emollms.hub.model_card import EXAMPLE, render_model_card
from emollms.inference.predictions import Prediction, read_predictions
from emollms.prompts.answers import parse_answer
from emollms.tasks import get_task
from emollms.training.manifest import read_run

ROOT = Path(__file__).parents[2]
NEAR = 0.001
NAMES = {"V-oc": "V-oc", "E-c": "emotions"}
TASKS = ("EI-reg", "V-oc", "E-c")  # what the tiny models were tuned on, says their record
COUNTS = pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
Told = dict[str, Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merged(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="module")
def aeb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "aeb"
    build_repo(settings("aeb", "sample", tasks=TASKS), out)
    return out


def texts(count: int) -> list[str]:
    draw = random.Random(count)
    words = ["happy", "sad", "the", "RAIN", "again", "train!", "late", "smile", "never", "لا", "😀", "why?", "é"]
    return [" ".join(draw.choices(words, k=draw.randint(1, 12))) for _ in range(count)]


def told(answer: Answer) -> Told:
    return {"value": answer.value, "probabilities": answer.probabilities}


def annotated(model: Path, some: list[str]) -> list[dict[str, Told]]:
    with Annotator.from_pretrained(str(model), fresh=True) as annotator:
        return [{name: told(one) for name, one in row.items()} for row in annotator(some)]


def check_same(found: Told, expected: Told, near: float = NEAR) -> None:
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=near)
    value = expected["value"]
    if isinstance(value, float):
        assert found["value"] == pytest.approx(value, abs=near)
    else:
        assert found["value"] == (list(value) if isinstance(found["value"], list) else value)


def check_all(found: list[dict[str, Told]], expected: list[dict[str, Told]]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        for name in other:
            check_same(one[name], other[name])


@COUNTS
def test_one_by_one_and_over_http(count: int, base: Path) -> None:
    some = texts(count)
    expected = annotated(base, some)
    with Annotator.from_pretrained(str(base), fresh=True) as alone:
        check_all([{name: told(one) for name, one in alone(text).items()} for text in some[:20]], expected[:20])
    with serving(Annotator.from_pretrained(str(base), fresh=True)) as served:
        check_all(served.annotate(*some).json()["answers"], expected)


@COUNTS
def test_a_merged_model(count: int, base: Path, tmp_path: Path) -> None:
    run = adapter_run(tmp_path / "run", base, None) / "model"
    emollms.merge(run, out=tmp_path / "merged")
    some = texts(count)
    check_all(annotated(tmp_path / "merged", some), annotated(run, some))
    with pytest.raises(AssertionError):  # so that the adapter is not left out on both sides
        check_all(annotated(base, some[:3]), annotated(run, some[:3]))


@COUNTS
def test_evaluation(count: int, base: Path, aeb: Path, tmp_path: Path) -> None:
    emollms.evaluate(data=aeb, out=tmp_path / "scores", model=str(base), limit=count)
    (path,) = (tmp_path / "scores").rglob("predictions.jsonl")
    said = read_predictions(path)
    rows = [(task, row) for task in TASKS for row in Dataset(aeb).rows(task, "test") if row["id"] in said]
    assert len(rows) == len(said) >= min(count, 20)
    predictor = ModelPredictor(str(base))
    for task, row in rows:
        name = row["emotion"] or NAMES[task]
        (asked,) = (one for n in range(10) for one in questions([name], n) if one.prompt(row["text"]) == row["prompt"])
        found = Annotator([predictor], [asked])(row["text"])[name]
        check_same(shown(task, said[row["id"]], row["emotion"]), told(found))


def shown(task: str, found: Prediction, emotion: str | None) -> Told:
    value = parse_answer(get_task(task), found.answer, emotion).value
    return {"value": value, "probabilities": found.probabilities}


@COUNTS
def test_the_demo(count: int, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    shutil.copy(ROOT / "cards" / "space" / "app.py", tmp_path)
    about = {"model": str(base), "revision": None, "tasks": TASKS, "title": "Demo"}
    (tmp_path / "space.json").write_text(json.dumps(about), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("space_app", tmp_path / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    monkeypatch.setattr(app, "shown", lambda task, emotion, said: said)
    some = texts(count)[: 20 if count == 20 else 60]
    for text, row in zip(some, annotated(base, some), strict=True):
        for chosen, task in app.TASKS.items():
            for emotion in task.emotions or [None]:
                found = app.ask(text, chosen, emotion)
                check_same(shown(task.name, found, emotion), row[emotion or NAMES[task.name]])


def test_the_snippet_of_the_card(base: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / f"{REPO}@v1.0.0"
    place.parent.mkdir(parents=True)
    place.symlink_to(base)
    first, _ = itertools.islice(blocks(render_model_card(read_run(base), [], **CARD)), 2)
    exec(compile(first, "<card>", "exec"), {})
    with Annotator.from_pretrained(str(base), fresh=True) as annotator:
        assert capsys.readouterr().out.strip() == repr(annotator(EXAMPLE))
