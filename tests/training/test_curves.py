import json
import struct

import pytest
from training.finished_run import curves, record

from emollms.training.record import HEIGHT, WIDTH, draw_curves, specification


def size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def points(spec, panel=0):
    return spec["hconcat"][panel]["layer"][-1]["data"]["values"]


@pytest.mark.parametrize(
    ("steps", "every", "tasks", "evaluations"),
    [(1, 1, ("V-reg",), 1), (3, 1, (), 1), (100, 5, ("EI-reg", "E-c"), 8), (5000, 1, tuple("abcdefghijk"), 30)],
)
def test_few_and_many_points_give_a_picture(tmp_path, steps, every, tasks, evaluations):
    path = tmp_path / "curves.png"
    draw_curves(record(steps=steps, best_step=steps, **curves(steps, every, tasks, evaluations)), path)
    width, height = size(path)
    assert width > (1 + bool(tasks)) * 2 * WIDTH
    assert height > 2 * HEIGHT
    assert [one.name for one in tmp_path.iterdir()] == ["curves.png"]


def test_a_run_without_any_numbers(tmp_path):
    draw_curves(record(), tmp_path / "curves.png")
    assert size(tmp_path / "curves.png")[0] > 2 * WIDTH


def test_every_point_is_drawn():
    run = record(name="my-run", steps=100, best_step=80, **curves(100, 5))
    spec = specification(run)
    assert spec["title"]["text"] == "my-run"
    assert spec["title"]["subtitle"] == "base, lora, 1 epochs, 100 steps, 1 minutes"
    drawn = {(one["curve"], one["step"]): one["value"] for one in points(spec)}
    assert all(drawn["training", one.step] == pytest.approx(one.loss, abs=1e-5) for one in run.losses)
    assert all(drawn["validation", one.step] == pytest.approx(one.loss, abs=1e-5) for one in run.evaluations)
    scores = {(one["curve"], one["step"]): one["value"] for one in points(spec, 1)}
    for one in run.evaluations:
        assert scores["mean", one.step] == pytest.approx(one.metric, abs=1e-5)
        assert all(scores[task, one.step] == pytest.approx(score, abs=1e-5) for task, score in one.tasks.items())
    assert "var(--" not in json.dumps(spec)


def test_the_step_that_was_kept_is_marked_only_where_it_was_chosen():
    chosen = specification(record(selection="metric", best_step=80, steps=100, **curves(100, 5)))
    assert [panel["layer"][0]["data"]["values"] for panel in chosen["hconcat"]] == [[{"step": 80}]] * 2
    last = specification(record(selection="last", best_step=100, steps=100, **curves(100, 5)))
    assert [len(panel["layer"]) for panel in last["hconcat"]] == [1, 1]


def test_one_task_needs_no_mean():
    assert {one["curve"] for one in points(specification(record(**curves(100, 5, ("V-reg",)))), 1)} == {"V-reg"}


def test_losses_that_are_not_finite_are_left_out(tmp_path):
    broken = curves(100, 5)
    for name, number, loss in (("losses", 3, float("nan")), ("evaluations", 0, float("inf"))):
        broken[name][number] = broken[name][number].model_copy(update={"loss": loss})
    drawn = [one for one in points(specification(record(**broken))) if one["curve"] == "training"]
    assert len(drawn) == 19
    draw_curves(record(**broken), tmp_path / "curves.png")
