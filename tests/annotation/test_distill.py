"""Distillation: soft targets, gold that wins, texts that are left out, the run to a classifier, and resuming."""

import json
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from forks import Forks
from transformers import AutoModelForSequenceClassification

import emollms
from emollms.annotation import teacher as teacher_module
from emollms.annotation.columns import affect_table
from emollms.annotation.teacher import TABLE, soft_targets
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.errors import UsageError
from emollms.inference.heads import Heads
from emollms.tasks import get_task
from emollms.training.arguments import TuningArguments
from emollms.training.head_trainer import HeadsLoss
from emollms.training.manifest import TaughtTexts, TeacherRecord
from emollms.training.result import TrainingRun
from emollms.training.soft_targets import SoftTargets, mixed
from emollms.training.tiny import make_tiny

WORDS = ["lovely", "awful", "train", "rain", "cake", "smile", "hate", "great", "never", "sad", "win", "lost"]
TEXTS = [f"the {WORDS[n % 12]} {WORDS[n * 5 % 11]} came at {n} and was {WORDS[n * 7 % 12]}" for n in range(150)]
SMALL = {
    "minutes": None, "max_steps": 6, "per_device_train_batch_size": 4, "freeze_layers": 0, "features": "frozen",
    "precision": "float32", "eval_steps": 2, "save_steps": 2, "selection_rows": 8, "max_length": 64, "warmup_steps": 0,
    "logging_steps": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def aaid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "aaid"
    build_repo(Settings(DATA_SETS["aaid"], corpora=("sample",)), out, validate=False)
    return out


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny("smollm2", tmp_path_factory.mktemp("base") / "model")


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write(tmp_path / "texts.jsonl", TEXTS)


def distill(base: Path, texts: Path, out: Path, **given: Any) -> TrainingRun:
    settings = {"model_name_or_path": str(base), **SMALL, **given.pop("set", {})}
    return emollms.distill("emosmol-135m-heads", texts=texts, out=out, set=settings, **{"baseline": "vader"} | given)


def targets(task: str, count: int, **options: Any) -> tuple[list[Any], np.ndarray[Any, Any]]:
    """The answers of an annotator, and the targets that are made of them."""
    with emollms.Annotator.from_pretrained(**options, task=task, fresh=True) as annotator:
        question = annotator.questions[0]
        rows = annotator(TEXTS[:count])
        return [row[question.name] for row in rows], soft_targets(
            question, affect_table(annotator.questions, rows, probabilities=True)
        )


def test_a_score_is_its_own_target() -> None:
    answers, found = targets("V-reg", 12, baseline="vader")
    assert found.shape == (12, 1)
    assert found[:, 0] == pytest.approx([one.value for one in answers])
    assert len(set(found[:, 0])) > 3


def test_a_class_without_a_distribution_is_certain() -> None:
    answers, found = targets("V-oc", 12, baseline="vader")
    assert [one.value for one in answers] == (found.sum(axis=1) - 3).tolist()
    assert set(np.unique(found)) <= {0.0, 1.0}


def test_classes_are_cumulative_and_labels_uncut(tiny: Path) -> None:
    answers, found = targets("V-oc", 6, model=str(tiny))
    for one, row in zip(answers, found, strict=True):
        shares = [one.probabilities[str(number)] for number in range(-3, 4)]
        at_least = [sum(shares[place:]) / sum(shares) for place in range(1, 7)]
        assert row == pytest.approx(at_least, abs=1e-6)
        assert ((row > 0.01) & (row < 0.99)).any(), "the teacher is not certain"
    answers, found = targets("E-c", 6, model=str(tiny))
    labels = get_task("E-c").labels
    assert found == pytest.approx(np.array([[one.probabilities[label] for label in labels] for one in answers]))


def test_withheld_and_missing_answers_have_no_target(tiny: Path) -> None:
    with emollms.Annotator.from_pretrained(str(tiny), task=["V-oc", "V-reg"], fresh=True, min_confidence=1.0) as made:
        rows = made([TEXTS[0], None, TEXTS[1]])
        table = affect_table(made.questions, rows, probabilities=True)
        assert np.isnan(soft_targets(made.questions[0], table)).all()
        assert np.isnan(soft_targets(made.questions[1], table)[:, 0]).tolist() == [False, True, False]


def soft(
    tasks: list[str], texts: list[str], values: list[list[float]], weight: float = 1.0, alpha: float = 0.0
) -> SoftTargets:
    numbers = dict.fromkeys(("rows", "no_text", "repeated", "held_out", "no_answer", "validation", "train"), 0)
    record = TeacherRecord(
        names=[], predictors=[], questions=[], calibrated=False, min_confidence=None, weight=weight, alpha=alpha,
        texts=TaughtTexts(name="", sha256="", **numbers),
    )  # fmt: skip
    return SoftTargets(Heads.of([get_task(name) for name in tasks]), texts, np.array(values, np.float32), record)


def test_gold_wins_and_the_teacher_fills_in() -> None:
    heads = Heads.of([get_task("V-reg"), get_task("TDT")])
    gold = np.array([[0.9, np.nan, np.nan], [0.1, np.nan, np.nan]], np.float32)
    said = soft(["TDT", "V-reg"], ["So good!! @friend", "meh"], [[0.7, 0.6, 0.2], [0.5, 0.4, 0.3]], weight=0.25)
    texts, found, weights = mixed(heads, ["so good", ("so good", "the cake")], gold, said)
    assert texts == ["so good", ("so good", "the cake"), "meh"]
    assert np.nan_to_num(found, nan=-1) == pytest.approx(np.array([[0.9, 0.7, 0.6], [0.1, -1, -1], [0.3, 0.5, 0.4]]))
    assert weights == pytest.approx(np.array([[1, 0.25, 0.25], [1, 1, 1], [0.25, 0.25, 0.25]]))


def test_alpha_mixes_the_two_losses() -> None:
    """The loss of the mixed target has the gradient of (1 - alpha) of that of gold and alpha of that of the teacher."""
    heads = Heads.of([get_task("V-reg"), get_task("TDT")])
    gold = np.array([[0.9, 1.0, 0.0], [0.2, np.nan, np.nan], [0.4, 1.0, 1.0]], np.float32)
    said = soft(["TDT", "V-reg"], ["b", "a", "d"], [[0.5, 0.4, 0.3], [0.7, 0.6, np.nan], [0.1, 0.1, 0.1]], alpha=0.25)
    texts, mixture, weights = mixed(heads, ["a", "b", "c"], gold, said)
    assert texts == ["a", "b", "c", "d"]
    wanted = [[0.9, 0.925, 0.15], [0.225, 0.5, 0.4], [0.4, 1.0, 1.0], [0.1, 0.1, 0.1]]
    assert mixture == pytest.approx(np.array(wanted), abs=1e-6)
    assert (weights == 1).all()
    loss = HeadsLoss(heads, TuningArguments(family="llama"))

    def gradient(targets: Any) -> torch.Tensor:
        logits = torch.tensor([[0.3, -1.0, 0.5]], requires_grad=True)
        loss(logits, torch.tensor(np.array([targets]), dtype=torch.float32)).backward()
        assert logits.grad is not None
        return logits.grad

    _, kept, _ = mixed(heads, ["a"], gold[:1], soft(["TDT", "V-reg"], ["a"], [[0.7, 0.6, 0.5]], alpha=0.25))
    teacher = [0.5, 0.7, 0.6]
    assert torch.allclose(gradient(kept[0]), 0.75 * gradient(gold[0]) + 0.25 * gradient(teacher), atol=1e-6)


def test_an_output_that_nobody_speaks_of() -> None:
    heads = Heads.of([get_task("V-reg"), get_task("TDT")])
    with pytest.raises(UsageError, match="nothing says what TDT>=0 should be"):
        mixed(heads, [], np.zeros((0, 3), np.float32), soft(["V-reg"], ["meh"], [[0.5]]))


def test_weights_are_those_of_the_loss() -> None:
    loss = HeadsLoss(Heads.of([get_task("TDT")]), TuningArguments(family="llama"))
    logits, wanted = torch.tensor([[0.3, -1.0]]), torch.tensor([[0.8, 0.25]])
    entropy = -(wanted * torch.sigmoid(logits).log() + (1 - wanted) * (1 - torch.sigmoid(logits)).log())[0]
    found = loss(logits, wanted, torch.tensor([[1.0, 0.5]]))
    assert found.item() == pytest.approx((entropy[0] + 0.5 * entropy[1]).item() / 2, rel=1e-5)
    logits = wanted.logit().requires_grad_()
    loss(logits, wanted).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6, "soft targets are where their entropy is least"


def test_texts_of_validation_and_test_are_left_out(base: Path, aaid: Path, tmp_path: Path) -> None:
    held = list(dict.fromkeys(row["text"] for row in Dataset(aaid).rows("V-reg", "validation")))
    long = max(held[2:], key=len)
    gold = next(iter(Dataset(aaid).rows("V-reg", "train")))["text"]
    new = TEXTS[:30]
    given = [*new, new[3].upper(), held[0], f"RT @someone {held[1]}", f"{long} ok", " ", gold]
    lines: list[str] = []
    run = distill(
        base, write(tmp_path / "in.jsonl", given), tmp_path / "run", data=aaid, task="V-reg,V-oc",
        set={"tasks": ["V-reg", "V-oc"], "validation_fraction": 1}, warn=lines.append,
    )  # fmt: skip
    texts = run.manifest.teacher.texts
    assert (texts.rows, texts.no_text, texts.repeated, texts.held_out) == (36, 1, 1, 3)
    assert (texts.train, texts.validation, texts.no_answer) == (31, 0, 0)
    asked = pq.read_table(run.folder / TABLE)["text"].to_pylist()
    assert asked == [*new, gold], "what is left out is not asked about"
    line = "31 to train on, 1 without a text, 1 repeated, 3 left out, being in validation or test rows of the data"
    assert f"{tmp_path / 'in.jsonl'}: 36 rows: {line}" in lines
    rows = run.manifest.rows
    assert {name: one.taught for name, one in rows.items()} == {"V-reg": 31, "V-oc": 31}
    assert rows["V-reg"].train > 0
    assert rows["V-reg"].validation == 8


def test_a_task_of_the_teacher_beside_gold_of_others(base: Path, aaid: Path, texts: Path, tmp_path: Path) -> None:
    run = distill(base, texts, tmp_path / "run", data=aaid, task="sentiment", set={"tasks": "V-reg"}, weight=0.5)
    record = run.manifest
    assert record.data is not None
    assert {name: (one.train > 0, one.taught) for name, one in record.rows.items()} == {
        "V-reg": (True, 0), "SST5": (False, 150),
    }  # fmt: skip
    said = record.teacher
    assert (said.names, said.questions, said.weight) == (["VADER"], ["SST5"], 0.5)
    assert said.predictors == [{"baseline": "vader"}]
    config = json.loads((run.model / "config.json").read_text())
    heads = Heads.read(config, "model")
    assert heads is not None
    assert heads.tasks == ("V-reg", "SST5")


def test_a_teacher_alone(base: Path, tiny: Path, texts: Path, tmp_path: Path) -> None:
    run = distill(
        base, texts, tmp_path / "run", baseline=None, teacher=[str(tiny)], task="E-c", fresh=True, set={"max_steps": 2}
    )
    record = run.manifest
    assert record.data is None
    assert record.sources == []
    said = record.teacher.texts
    assert said.train + said.validation == 150
    assert 5 <= said.validation <= 25, "about a tenth"
    assert record.rows["E-c"].taught == said.train
    assert record.evaluations[-1].tasks["E-c"] >= 0
    heads = Heads.read(json.loads((run.model / "config.json").read_text()), "model")
    assert heads is not None
    assert set(heads.record.thresholds["E-c"]) == set(get_task("E-c").labels)
    more = distill(base, write(tmp_path / "more.jsonl", TEXTS[:75]), tmp_path / "more", set={"max_steps": 2})
    assert more.manifest.teacher.texts.validation < said.validation, "what validates does not depend on the other texts"
    assert more.manifest.data is None


def test_the_ensemble_of_a_model_and_a_lexicon_is_taught(base: Path, tiny: Path, texts: Path, tmp_path: Path) -> None:
    run = distill(base, texts, tmp_path / "run", teacher=str(tiny), task="V-reg", set={"max_steps": 2})
    record = run.manifest.teacher
    assert record.names == [tiny.name, "VADER"]
    assert str(record.predictors[0]["revision"]).startswith("sha256:")
    annotator = emollms.Annotator.from_pretrained(str(tiny), baseline="vader", task="V-reg")
    table = pq.read_table(run.folder / TABLE)
    assert table["V-reg"].to_pylist()[:5] == [row["V-reg"].value for row in annotator(TEXTS[:5])]


KILLED = """
import os, signal, sys
from pathlib import Path
where, at, texts, base, out = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
import emollms
from emollms.annotation import run, store
count = 0

def counted(*_):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)

def dying(function):
    def call(*args, **more):
        result = function(*args, **more)
        counted()
        return result
    return call

def on_progress(label, done, total):
    if where == "step" and done == at and total == 6:
        os.kill(os.getpid(), signal.SIGKILL)

if where == "answers":
    store.AnswerStore.add = dying(store.AnswerStore.add)
if where == "table":
    run.write_json = dying(run.write_json)
settings = {{"model_name_or_path": base, **{small!r}}}
emollms.distill(
    "emosmol-135m-heads", texts=texts, out=out, baseline="vader", set=settings, progress=on_progress
)
"""


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return distill(base, write(folder / "texts.jsonl", TEXTS), folder / "run", fresh=True).folder


def test_a_one_pass_classifier_teaches(whole: Path) -> None:
    answers, found = targets("SST5", 4, model=str(whole / "model"))
    for one, row in zip(answers, found, strict=True):
        shares = [one.probabilities[str(number)] for number in get_task("SST5").classes]
        assert row == pytest.approx([sum(shares[place:]) / sum(shares) for place in range(1, len(shares))], abs=1e-6)


@pytest.mark.parametrize(("where", "at"), [("answers", 2), ("table", 2), ("step", 3)])
def test_a_killed_run_ends_as_one_that_was_not(
    where: str, at: int, annotate_forks: Forks, base: Path, whole: Path, texts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    script = KILLED.format(small=SMALL)
    done = annotate_forks.run(script, where, at, texts, base, out, folder=tmp_path / "printed")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (out / "run.json").exists()
    lines: list[str] = []
    resumed = distill(base, texts, out, resume=True, warn=lines.append)
    assert resumed.manifest.resumed == int(where == "step")
    assert ("resuming from checkpoint-2" in lines) == (where == "step")
    assert (out / TABLE).read_bytes() == (whole / TABLE).read_bytes()
    assert torch.equal(weights(resumed.model), weights(whole / "model"))


def weights(model: Path) -> torch.Tensor:
    found = AutoModelForSequenceClassification.from_pretrained(model).state_dict()
    return torch.cat([one.flatten() for one in found.values()])


def test_another_teacher_or_other_texts_are_another_run(
    base: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    first = distill(base, texts, out)

    def no_annotation(*_: object, **__: object) -> None:
        raise AssertionError("the teacher is asked")

    monkeypatch.setattr(teacher_module, "annotate_file", no_annotation)
    again = distill(base, texts, out)
    assert again.already
    assert again.manifest == first.manifest
    for change, said in [
        ({"baseline": "textblob"}, "teacher.predictors"),
        ({"weight": 2.0}, r"teacher.weight: 1.0, not 2.0"),
        ({"alpha": 0.5}, r"teacher.alpha: 0.0, not 0.5"),
        ({"task": "valence"}, "teacher.questions.sentiment"),
        ({"min_confidence": 0.5}, "teacher.min_confidence"),
    ]:
        with pytest.raises(UsageError, match=f"holds a run with other settings .*{said}"):
            distill(base, texts, out, **change)
    with pytest.raises(UsageError, match=r"teacher\.texts"):
        distill(base, write(tmp_path / "others.jsonl", TEXTS[:149]), out)
    (out / "run.json").unlink()
    assert distill(base, texts, out).manifest.teacher == first.manifest.teacher, "known answers are not asked again"


def test_minutes_begin_when_the_teacher_is_done(
    base: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emollms.training import run

    clock, begun, targets = [0.0], [], teacher_module.Teacher.targets

    def slow(*given: Any) -> SoftTargets:
        clock[0] += 1000.0
        return targets(*given)

    def no_trial(*given: Any) -> None:
        begun.append(given[4])
        raise UsageError("the trial begins")

    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(teacher_module.Teacher, "targets", slow)
    monkeypatch.setattr(run, "time_steps", no_trial)
    before = time.monotonic()
    with pytest.raises(UsageError, match="the trial begins"):
        distill(base, texts, tmp_path / "run", set={"minutes": 0.2, "max_steps": -1})
    assert begun[0] - before > 1000.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weight": 0}, "--weight 0: give a number above 0"),
        ({"weight": float("nan")}, "--weight nan"),
        ({"alpha": -0.1}, "--alpha -0.1: give 0 to 1"),
        ({"alpha": float("nan")}, "--alpha nan"),
        ({"baseline": None}, "name who teaches: --teacher"),
        ({"task": "E-c"}, "VADER has no answer to 'E-c'"),
        ({"task": "valense"}, "unknown question 'valense'; did you mean valence"),
        ({"text_column": "body"}, "has no column 'body'"),
        ({"texts": "nope.csv"}, "there is no file nope.csv"),
        ({"resume": True}, "holds no run to resume"),
        ({"set": {"processes": 2, "accelerate": "multi_gpu"}}, "trains in one process"),
    ],
)
def test_wrong_calls(given: dict[str, Any], said: str, base: Path, texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(UsageError, match=said) as error:
        distill(base, **{"texts": texts, "out": out, **given})
    assert "\n" not in str(error.value)
    assert not out.exists()


def test_a_recipe_that_writes_answers_has_no_soft_targets(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"emosmol-135m has `objective: expected_value`.* emosmol-135m-heads"):
        emollms.distill("emosmol-135m", texts=texts, out=tmp_path / "run", baseline="vader")


def test_half_a_task_and_texts_of_validation_alone(
    base: Path, tiny: Path, texts: Path, aaid: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--task anger: a classifier answers all of EI-reg, also fear, joy, sad"):
        distill(base, texts, tmp_path / "run", baseline=None, teacher=str(tiny), task="anger")
    held = sorted({row["text"] for row in Dataset(aaid).rows("V-reg", "validation")})[:3]
    with pytest.raises(UsageError, match=r"has no text to train on: 3 rows: 3 left out, being in validation"):
        distill(base, write(tmp_path / "held.jsonl", held), tmp_path / "other", data=aaid, task="V-reg")
