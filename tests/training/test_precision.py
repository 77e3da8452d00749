"""What a recipe leaves to the machine: precision, weights and attention; and what of it a resumed run keeps."""

import json
import os

import pytest
import torch

from emollms.errors import EmollmsError, UsageError
from emollms.hardware import Precision
from emollms.training import precision as rules
from emollms.training.precision import Resolved
from emollms.training.recipe import find_recipes, load_recipe
from emollms.training.recipe_args import parse
from emollms.training.run import run_training

LEAST = "family: llama\nmodel_name_or_path: base\n"
ADAPTER = "use_peft: true\n"
PAPER = [name for name, path in find_recipes().items() if path.parent.name == "paper"]
OTHERS = [name for name in find_recipes() if name not in PAPER]


@pytest.fixture
def machine(monkeypatch):
    """Sets what the machine is found to be good at; gives how often it was asked."""

    def set_precision(name, speed=0.02):
        asked = []
        found = Precision(name, f"bfloat16 is {speed} times as fast as float32 here")
        monkeypatch.setattr(rules, "training_precision", lambda device: asked.append(device) or found)
        return asked

    return set_precision


@pytest.fixture
def settle(tmp_path):
    """Parses a recipe; gives precision, bf16, fp16, type of the weights and attention."""

    def parsed(text="", *overrides, device="cpu", kept=lambda: None):
        (tmp_path / "mine.yaml").write_text(LEAST + text)
        return parse(load_recipe(str(tmp_path / "mine.yaml"), overrides), tmp_path / "out", device=device, kept=kept)

    return parsed


def outcome(found):
    training, model = found.training, found.model
    return found.resolved.precision, training.bf16, training.fp16, model.dtype, model.attn_implementation


@pytest.mark.parametrize(
    ("text", "fast", "slow"),
    [
        ("", ("bfloat16", True, False, "float32", "eager"), ("float32", False, False, "float32", None)),
        ("precision: auto\n", ("bfloat16", True, False, "float32", "eager"),
         ("float32", False, False, "float32", None)),
        (ADAPTER, ("bfloat16", True, False, "bfloat16", "eager"), ("float32", False, False, "float32", None)),
        (ADAPTER + "load_in_4bit: true\n", ("bfloat16", True, False, "bfloat16", "eager"),
         ("float32", False, False, "float32", None)),
        ("dtype: float32\n" + ADAPTER, ("bfloat16", True, False, "float32", "eager"),
         ("float32", False, False, "float32", None)),
        ("attn_implementation: sdpa\n", ("bfloat16", True, False, "float32", "sdpa"),
         ("float32", False, False, "float32", "sdpa")),
        ("attn_implementation: auto\ndtype: auto\n", ("bfloat16", True, False, "float32", "eager"),
         ("float32", False, False, "float32", None)),
        ("fp16: true\n", ("bfloat16", True, False, "float32", "eager"), ("float32", False, False, "float32", None)),
        ("precision: float16\n", ("bfloat16", True, False, "float32", "eager"),
         ("float32", False, False, "float32", None)),
    ],
)  # fmt: skip
def test_what_is_left_open_follows_the_machine(machine, settle, text, fast, slow):
    machine("bfloat16", 9)
    assert outcome(settle(text)) == fast
    machine("float32")
    found = settle(text)
    assert outcome(found) == slow
    assert found.resolved.precision_reason == "bfloat16 is 0.02 times as fast as float32 here"


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("bf16: true\n", ("bfloat16", True, False, "float32", "eager"), "set by the recipe, bf16: true"),
        ("bf16: false\n", ("float32", False, False, "float32", None), "set by the recipe, bf16: false"),
        ("precision: bfloat16\n", ("bfloat16", True, False, "float32", "eager"), "set by the recipe"),
        ("precision: float32\n" + ADAPTER, ("float32", False, False, "float32", None), "set by the recipe"),
        ("dtype: bfloat16\n" + ADAPTER, ("bfloat16", True, False, "bfloat16", "eager"),
         "set by the recipe, dtype: bfloat16"),
        ("dtype: bfloat16\nbf16: false\n" + ADAPTER, ("bfloat16", False, False, "bfloat16", "eager"),
         "set by the recipe, dtype: bfloat16"),
    ],
)  # fmt: skip
def test_what_a_recipe_sets_counts_and_nothing_is_measured(machine, settle, text, expected, reason):
    asked = machine("float32")
    found = settle(text)
    assert (outcome(found), found.resolved.precision_reason) == (expected, reason)
    assert asked == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bf16: true\nprecision: float32\n", r"mine\.yaml:3: bf16 and precision: float32 are both set; keep one"),
        ("precision: bfloat16\nfp16: false\n", r"mine\.yaml:4: fp16 and precision: bfloat16 are both set"),
        ("bf16: true\nfp16: true\n", r"mine\.yaml:4: bf16 and fp16 are both set; keep one"),
        ("precision: float32\ndtype: bfloat16\n", r"mine\.yaml:4: dtype: bfloat16 and a precision of float32 contra"),
        ("dtype: float16\n", r"mine\.yaml:3: weights in float16 cannot be trained"),
        ("precision: float8\n", r"mine\.yaml:3: precision: input should be 'auto', 'float32', 'bfloat16' or 'float16'"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_one_line(machine, settle, monkeypatch, text, message):
    machine("float32")
    # a GPU that takes float16: what concerns CPUs alone is not looked at
    monkeypatch.setattr("emollms.training.recipe_args._fitted", lambda values, device: (dict(values), ()))
    with pytest.raises(UsageError, match=message) as caught:
        settle(text)
    assert "\n" not in str(caught.value)


def test_a_precision_on_the_command_line_needs_what_the_file_sets_to_be_left_out(machine, settle):
    machine("float32")
    with pytest.raises(UsageError, match=r"--set bf16=null. unsets bf16"):
        settle("bf16: true\n", "precision=float32")
    assert outcome(settle("bf16: true\n", "precision=float32", "bf16=null"))[0] == "float32"


def test_the_precision_of_accelerate_is_that_of_the_run(machine, settle, monkeypatch):
    machine("float32")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert settle().training.mixed_precision == "no"
    assert os.environ["ACCELERATE_MIXED_PRECISION"] == "no"
    assert settle("precision: bfloat16\n").training.mixed_precision == "bf16"


@pytest.mark.parametrize("name", OTHERS)
def test_recipes_leave_precision_and_weights_to_the_machine(machine, name, tmp_path):
    for found, expected in (("bfloat16", True), ("float32", False)):
        machine(found)
        parsed = parse(load_recipe(name), tmp_path, device="cpu")
        assert (parsed.training.bf16, parsed.training.fp16) == (expected, False)
        adapter = parsed.peft is not None
        assert parsed.model.dtype == ("bfloat16" if expected and adapter else "float32")


@pytest.mark.parametrize("name", PAPER)
def test_recipes_of_the_paper_keep_their_settings(machine, name, tmp_path):
    asked = machine("float32")
    parsed = parse(load_recipe(name), tmp_path, device="cpu")
    assert (parsed.training.bf16, parsed.model.dtype) == (True, "bfloat16")
    assert asked == []


def test_a_run_says_what_was_chosen_and_why(aaid, write_recipe, tmp_path, machine):
    machine("float32")
    path = str(write_recipe(max_steps=1, bf16=None))
    run = run_training(load_recipe(path), aaid, tmp_path / "run").manifest
    assert (run.hardware.precision, run.hardware.attention) == ("float32", "sdpa")
    written = json.loads((tmp_path / "run" / "run.json").read_text())["hardware"]
    assert written["precision_reason"] == "bfloat16 is 0.02 times as fast as float32 here"
    machine("bfloat16", 9)
    run = run_training(load_recipe(path), aaid, tmp_path / "fast").manifest
    assert (run.hardware.precision, run.hardware.attention) == ("bfloat16", "eager")


class KilledError(Exception):
    """What ends a run in the middle."""


def kill_at(step):
    def tell(what, done, total):
        if done == step:
            raise KilledError

    return tell


@pytest.mark.parametrize("step", [1, 3])
def test_a_resumed_run_keeps_its_precision_on_another_machine(aaid, write_recipe, tmp_path, machine, step):
    machine("float32")
    path = str(write_recipe(bf16=None, save_strategy="steps", save_steps=2))
    whole = run_training(load_recipe(path), aaid, tmp_path / "whole").manifest
    with pytest.raises(KilledError):
        run_training(load_recipe(path), aaid, tmp_path / "run", on_progress=kill_at(step))
    asked = machine("bfloat16", 9)
    resumed = run_training(load_recipe(path), aaid, tmp_path / "run").manifest
    assert asked == []
    assert resumed.hardware.precision == "float32"
    assert resumed.hardware.precision_reason == "bfloat16 is 0.02 times as fast as float32 here"
    assert resumed.losses == whole.losses
    assert run_training(load_recipe(path), aaid, tmp_path / "run").already


def test_other_settings_are_decided_anew(aaid, write_recipe, tmp_path, machine):
    machine("float32")
    path = str(write_recipe(bf16=None, max_steps=2))
    with pytest.raises(KilledError):
        run_training(load_recipe(path), aaid, tmp_path / "run", on_progress=kill_at(1))
    machine("bfloat16", 9)
    run = run_training(load_recipe(path, ["seed=4"]), aaid, tmp_path / "run").manifest  # it had saved nothing yet
    assert run.hardware.precision == "bfloat16"


def test_damaged_settings_are_one_line(aaid, write_recipe, tmp_path):
    path = str(write_recipe(max_steps=1))
    run_training(load_recipe(path), aaid, tmp_path / "run")
    for content in ("{", "[]", "null", '{"recipe": 1}'):
        (tmp_path / "run" / "settings.json").write_text(content)
        with pytest.raises(EmollmsError, match=r"settings\.json is damaged; choose another --out"):
            run_training(load_recipe(path), aaid, tmp_path / "run")


def test_settings_of_an_older_version_are_those_of_a_run(aaid, write_recipe, tmp_path):
    path = str(write_recipe(max_steps=1))
    run_training(load_recipe(path), aaid, tmp_path / "run")
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    del settings["resolved"]
    (tmp_path / "run" / "settings.json").write_text(json.dumps(settings))
    assert run_training(load_recipe(path), aaid, tmp_path / "run").already


def test_what_was_kept_is_taken_as_it_is(machine, settle):
    asked = machine("bfloat16", 9)
    kept = Resolved(precision="float32", precision_reason="there", attention="sdpa", max_steps=7)
    found = settle("minutes: 5\n", kept=lambda: kept)
    assert outcome(found) == ("float32", False, False, "float32", "sdpa")
    assert (found.training.max_steps, asked) == (7, [])


def test_adapters_of_a_quantised_model_are_in_float32_where_bfloat16_is_slow(machine, settle):
    from emollms.training.trainer import _in_single_precision

    model = torch.nn.Linear(2, 2).to(torch.bfloat16)
    model.bias.requires_grad = False
    _in_single_precision(model)
    assert (model.weight.dtype, model.bias.dtype) == (torch.float32, torch.bfloat16)
