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
from hub.made_up_model import CARD, made_up_run
from hub.test_cards_code import REPO, blocks
from hub.tiny_release import adapter_run, merged
from inference.tiny_classifiers import heads_of, save_heads
from tiny_corpus import settings

import emollms
from emollms.annotation.annotator import Annotator
from emollms.annotation.answers import Answer
from emollms.annotation.questions import questions
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.evaluation.model_predictor import model_predictor
from emollms.hub.model_card import EXAMPLE, render_model_card
from emollms.inference.heads import Heads
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
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-pass classifier, with the record of its run."""
    folder = save_heads(tmp_path_factory.mktemp("heads") / "model", tasks=TASKS, longest=400)
    made_up_run(template="text", objective="heads").write(folder)
    return folder


@pytest.fixture(scope="module", params=["model", "classifier"])
def model(request: pytest.FixtureRequest, base: Path, heads: Path) -> Path:
    """One that writes its answers, and one that gives all of them in one pass."""
    return base if request.param == "model" else heads


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
def test_one_by_one_and_over_http(count: int, model: Path) -> None:
    some = texts(count)
    expected = annotated(model, some)
    with Annotator.from_pretrained(str(model), fresh=True) as alone:
        check_all([{name: told(one) for name, one in alone(text).items()} for text in some[:20]], expected[:20])
    with serving(Annotator.from_pretrained(str(model), fresh=True)) as served:
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
def test_evaluation(count: int, model: Path, aeb: Path, tmp_path: Path) -> None:
    emollms.evaluate(data=aeb, out=tmp_path / "scores", model=str(model), limit=count)
    (path,) = (tmp_path / "scores").rglob("predictions.jsonl")
    said = read_predictions(path)
    rows = [(task, row) for task in TASKS for row in Dataset(aeb).rows(task, "test") if row["id"] in said]
    assert len(rows) == len(said) >= min(count, 20)
    predictor = model_predictor(str(model))
    for task, row in rows:
        name = row["emotion"] or NAMES[task]
        (asked,) = (one for n in range(10) for one in questions([name], n) if one.prompt(row["text"]) == row["prompt"])
        found = Annotator([predictor], [asked])(row["text"])[name]
        check_same(shown(task, said[row["id"]], row["emotion"]), told(found))


def shown(task: str, found: Prediction, emotion: str | None) -> Told:
    value = parse_answer(get_task(task), found.answer, emotion).value
    return {"value": value, "probabilities": found.probabilities}


@COUNTS
def test_the_demo(count: int, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    shutil.copy(ROOT / "cards" / "space" / "app.py", tmp_path)
    about = {"model": str(model), "revision": None, "tasks": TASKS, "title": "Demo"}
    (tmp_path / "space.json").write_text(json.dumps(about), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("space_app", tmp_path / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    monkeypatch.setattr(app, "shown", lambda task, emotion, said: said)
    some = texts(count)[: 20 if count == 20 else 60]
    for text, row in zip(some, annotated(model, some), strict=True):
        for chosen, task in app.TASKS.items():
            for emotion in task.emotions or [None]:
                found = app.ask(text, chosen, emotion)
                check_same(shown(task.name, found, emotion), row[emotion or NAMES[task.name]])


def snippets(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heads: Heads | None = None) -> list[str]:
    """The code of the card of a model, whose repository is its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for place in (tmp_path / REPO, tmp_path / f"{REPO}@v1.0.0"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(model)
    return blocks(render_model_card(read_run(model), [], heads=heads, **CARD))


def test_the_snippet_of_the_card(base: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = itertools.islice(snippets(base, tmp_path, monkeypatch), 2)
    exec(compile(first, "<card>", "exec"), {})
    with Annotator.from_pretrained(str(base), fresh=True) as annotator:
        assert capsys.readouterr().out.strip() == repr(annotator(EXAMPLE))


def test_the_snippets_of_the_card_of_a_classifier(heads: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    first, second = snippets(heads, tmp_path, monkeypatch, heads_of(TASKS))
    exec(compile(first, "<card>", "exec"), {})
    with Annotator.from_pretrained(str(heads), fresh=True) as annotator:
        row = annotator(EXAMPLE)
        assert capsys.readouterr().out.strip() == repr(annotator(EXAMPLE))
    names: dict[str, Any] = {}
    exec(compile(second, "<card>", "exec"), names)
    shares = {one["label"]: one["score"] for one in names["outputs"]}
    for emotion in get_task("EI-reg").emotions:
        assert row[emotion].value == pytest.approx(shares[f"EI-reg/{emotion}"], abs=NEAR)
    for label, share in row["emotions"].probabilities.items():
        assert share == pytest.approx(shares[f"E-c/{label}"], abs=NEAR)
    assert row["V-oc"].probabilities["3"] == pytest.approx(
        min(share for name, share in shares.items() if name.startswith("V-oc")), abs=NEAR
    )


def test_a_merged_classifier(heads: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(heads, run / "model")
    made_up_run(template="text", objective="heads").write(run)
    emollms.merge(run, out=tmp_path / "merged")
    some = texts(20)
    check_all(annotated(tmp_path / "merged", some), annotated(heads, some))
