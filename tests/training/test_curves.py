import json
import struct
import sys

import pytest
from training.finished_run import curves, record

from emollms.errors import UsageError
from emollms.training import curves as module
from emollms.training.curve_marks import BINS, RAW, spread
from emollms.training.curves import draw_curves, smooth, specification


def texts(spec):
    """All that is written in the picture by hand."""
    found = []
    for panel in spec["hconcat"]:
        for layer in panel["layer"]:
            word = layer["mark"].get("text") or layer["encoding"].get("text", {}).get("value")
            found += [word] if word else []
    return found


def layers(spec, kind, panel=0):
    return [layer for layer in spec["hconcat"][panel]["layer"] if layer["mark"]["type"] == kind]


def size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize(
    ("steps", "every", "tasks", "looks"),
    [(1, 1, ("V-reg",), 1), (3, 1, (), 1), (100, 5, ("EI-reg", "E-c"), 8), (5000, 1, tuple("abcdefghijk"), 30)],
)
def test_few_and_many_points_give_a_picture(tmp_path, steps, every, tasks, looks):
    path = tmp_path / "curves.png"
    draw_curves(record(steps=steps, best_step=steps, **curves(steps, every, tasks, looks)), path)
    width, height = size(path)
    assert width > 2 * module.WIDE
    assert height > 2 * module.HEIGHT
    assert [one.name for one in tmp_path.iterdir()] == ["curves.png"]


def test_a_run_without_any_numbers(tmp_path):
    draw_curves(record(), tmp_path / "curves.png")
    assert size(tmp_path / "curves.png")[0] > 2 * module.WIDE


def test_nothing_is_left_out():
    spec = specification(record(name="my-run", steps=100, best_step=80, **curves(100, 5)))
    assert spec["title"]["text"] == "my-run"
    assert spec["title"]["subtitle"] == "base  ·  LoRA  ·  1 epoch  ·  100 steps  ·  1 k tokens  ·  60 s"
    words = texts(spec)
    assert words.count("best: step 80") == 2
    assert {"training", "validation"} <= set(words)
    assert [word for word in words if word.startswith(("EI-reg", "V-reg", "E-c", "mean"))] == [
        "E-c 0.57",
        "EI-reg 0.79",
        "V-reg 0.68",
        "mean 0.68",
    ]
    raw = layers(spec, "line")[0]["data"]["values"]
    assert len(raw) == 20
    assert "var(--" not in json.dumps(spec)


def test_the_best_step_is_marked_only_where_it_was_chosen():
    spec = specification(record(selection="last", best_step=100, **curves(100, 5)))
    assert not any("best" in word for word in texts(spec))


def test_one_task_needs_no_mean():
    words = texts(specification(record(**curves(100, 5, ("V-reg",)))))
    assert not any(word.startswith("mean") for word in words)


def test_without_scores_there_is_one_wide_picture():
    spec = specification(record(losses=curves(100, 5)["losses"]))
    assert [panel["width"] for panel in spec["hconcat"]] == [module.WIDE]
    assert "validation" not in texts(spec)


def test_many_points_become_a_range_that_holds_them_all():
    run = record(steps=9000, **curves(9000, 1))
    area = layers(specification(run), "area")[0]["data"]["values"]
    assert len(area) <= BINS < RAW < len(run.losses)
    assert min(one["value"] for one in area) == min(one.loss for one in run.losses)
    assert max(one["to"] for one in area) == max(one.loss for one in run.losses)


def test_losses_that_fall_far_are_on_a_logarithmic_scale():
    far = curves(100, 1)
    spec = specification(record(**far))
    assert "type" not in layers(spec, "line")[0]["encoding"]["y"]["scale"]
    for one in far["losses"]:
        one.loss = one.loss**6
    y = layers(specification(record(**far)), "line")[0]["encoding"]["y"]
    assert y["scale"]["type"] == "log"
    assert y["axis"]["values"]


def test_losses_that_are_no_numbers_are_left_out(tmp_path):
    broken = curves(100, 5)
    broken["losses"][3].loss = float("nan")
    broken["evaluations"][0].loss = float("inf")
    spec = specification(record(**broken))
    assert len(layers(spec, "line")[0]["data"]["values"]) == 19
    draw_curves(record(**broken), tmp_path / "curves.png")


def test_smoothing():
    curve = [(step, float(value)) for step, value in enumerate([0, 3, 0, 3, 0, 3])]
    assert smooth(curve, share=0.01) == curve
    assert [value for _, value in smooth(curve, share=0.4)] == [1.5, 1.0, 2.0, 1.0, 2.0, 1.5]
    assert [step for step, _ in smooth(curve, share=0.4)] == list(range(6))
    assert smooth([]) == []


@pytest.mark.parametrize(
    ("values", "gap", "places"),
    [
        ([], 1, []),
        ([5], 1, [5]),
        ([0.5, 5, 9], 1, [0.5, 5, 9]),
        ([5, 5], 1, [4.5, 5.5]),
        ([5.2, 5, 5.4], 1, [5.2, 4.2, 6.2]),
        ([10, 10, 10], 1, [8, 9, 10]),
        ([-3, 0], 1, [0, 1]),
        ([5] * 11, 4, list(range(11))),
        ([4, 4.5, 6, 6.5], 1, [3.75, 4.75, 5.75, 6.75]),
    ],
)
def test_labels_keep_their_distance_and_stay_near(values, gap, places):
    assert spread(values, gap, 0, 10) == pytest.approx(places)


def test_without_the_package_that_draws(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match="pip install vl-convert-python"):
        draw_curves(record(), tmp_path / "curves.png")
