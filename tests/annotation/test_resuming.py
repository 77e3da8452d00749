"""Killed at any moment, a run resumes, and its output is that of a run that was not."""

import json
import random
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from forks import Forks

import emollms
from emollms.annotation.annotator import Annotator
from emollms.annotation.asking import Item

DRIVER = """
import os, signal, sys
from pathlib import Path
at, path, out, model = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
from emollms.annotation import run, store
import emollms.storage
count = 0

def dying(function):
    def call(*args, **more):
        global count
        count += 1
        if count == at and at % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **more)
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

store.AnswerStore.add = dying(store.AnswerStore.add)
run.write_whole = dying(run.write_whole)
run.write_json = dying(run.write_json)
run.write_parts = dying(run.write_parts)
import emollms
from emollms.annotation.inputs import open_input
from emollms.tables.files import Dialect
kept = Path(out).parent / "store.sqlite"
annotator = emollms.Annotator.from_pretrained(model, task=["valence", "emotions"], store=kept)
source = open_input(path, "text", None, Dialect(), Path(out).parent)
run.annotate_file(annotator, source.table, Path(out), digest=source.digest, window=48)
print(count)
"""


def drive(forks: Forks, at: int, path: Path, out: Path, model: Path) -> subprocess.CompletedProcess[str]:
    out.parent.mkdir(exist_ok=True)
    return forks.run(DRIVER, at, path, out, model, folder=path.parent / "printed")


def some_texts(count: int, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    words = ["happy", "sad", "the", "rain", "again", "train", "late", "smile", "never", "always", "😀", "why"]
    return [" ".join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(count)]


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(20, marks=pytest.mark.slow)])
def test_killed_runs_end_with_the_same_bytes(kills: int, annotate_forks: Forks, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", some_texts(120))
    whole = drive(annotate_forks, 0, path, tmp_path / "whole" / "out.parquet", tiny)
    assert whole.returncode == 0, whole.stderr
    events = int(whole.stdout)
    draw = random.Random(kills)
    out = tmp_path / "killed" / "out.parquet"
    for _ in range(kills):
        done = drive(annotate_forks, draw.randint(1, events), path, out, tiny)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
    assert drive(annotate_forks, 0, path, out, tiny).returncode == 0
    assert out.read_bytes() == (tmp_path / "whole" / "out.parquet").read_bytes()
    assert sorted(left.name for left in out.parent.iterdir() if not left.name.startswith("store")) == [
        "out.parquet",
        "out.parquet.json",
    ]


def test_equal_questions_are_asked_once_and_new_ones_alone(tiny: Path, tmp_path: Path) -> None:
    store = tmp_path / "answers.sqlite"
    with emollms.Annotator.from_pretrained(str(tiny), task="valence", store=store) as first:
        first(["so good", "so bad", "so good", None, " "])
        assert (first.counts.questions, first.counts.asked) == (2, 2)
    with emollms.Annotator.from_pretrained(str(tiny), task=["valence", "joy"], store=store) as second:
        known = second(["so good", "so bad", "new"])
        assert (second.counts.questions, second.counts.asked) == (6, 4)
    with emollms.Annotator.from_pretrained(str(tiny), task=["valence", "joy"], store=store, fresh=True) as fresh:
        asked = fresh(["so good", "so bad", "new"])
        assert fresh.counts.asked == 6
    for one, other in zip(known, asked, strict=True):
        assert one.valence == pytest.approx(other.valence, abs=0.001)
        assert one.joy == pytest.approx(other.joy, abs=0.001)


def test_other_weights_are_another_model(tiny: Path, tmp_path: Path) -> None:
    from emollms.training.tiny import make_tiny

    other = make_tiny("smollm2", tmp_path / "other")
    (other / "generation_config.json").write_text('{"max_new_tokens": 3}', encoding="utf-8")
    store = tmp_path / "answers.sqlite"
    for model in (tiny, other):
        with Annotator.from_pretrained(str(model), task="valence", store=store) as annotator:
            annotator(["so good"])
            assert annotator.counts.asked == 1


def test_a_long_text_is_cut_and_its_parts_combined(tiny: Path) -> None:
    text = "It was fine. " * 400
    with Annotator.from_pretrained(str(tiny), task=["valence", "SST5", "emotions"]) as annotator:
        whole = annotator.annotate([Item(text)])[0]
        parts = annotator.segments(annotator.questions[0], text)
        single = annotator(parts)
    assert whole["valence"].note == f"cut into {len(parts)} parts"
    mean = sum(len(part) * one.valence for part, one in zip(parts, single, strict=True)) / len(text)
    assert whole.valence == pytest.approx(mean, abs=0.001)
    shares = whole["emotions"].probabilities
    assert shares["joy"] == max(one["emotions"].probabilities["joy"] for one in single)
    assert sum(whole["SST5"].probabilities.values()) == pytest.approx(1, abs=0.001)


def test_an_ensemble_is_the_mean_of_its_distributions(tiny: Path) -> None:
    texts = ["so good", "so bad"]
    model = Annotator.from_pretrained(str(tiny), task="valence")(texts)
    lexicon = Annotator.from_pretrained(baseline="vader", task="valence")(texts)
    both = Annotator.from_pretrained(str(tiny), baseline="vader", task="valence")(texts)
    for one, other, mean in zip(model, lexicon, both, strict=True):
        assert mean.valence == pytest.approx((one.valence + other.valence) / 2, abs=0.001)


def test_the_record_beside_the_output(annotate_forks: Forks, tiny: Path, tmp_path: Path) -> None:
    done = drive(annotate_forks, 0, write(tmp_path / "in.jsonl", ["good"]), tmp_path / "out" / "out.parquet", tiny)
    assert done.returncode == 0
    record = json.loads((tmp_path / "out" / "out.parquet.json").read_text(encoding="utf-8"))
    assert record["predictors"][0]["revision"].startswith("sha256:")
    assert set(record["questions"]) == {"valence", "emotions"}
    assert pq.read_table(tmp_path / "out" / "out.parquet").num_rows == 1
