"""The mean of several runs: its weights, thresholds, record, and what cannot be averaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from inference.tiny_classifiers import TASKS, heads_of
from safetensors.torch import load_file, save_file
from training.finished_run import finished
from training.test_merge_heads import finished as finished_classifier
from transformers import AutoTokenizer

import emollms
from emollms.cli import main
from emollms.errors import UsageError
from emollms.storage import write_json
from emollms.training.manifest import read_run
from emollms.training.merge import write_merged
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training

LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}


def another(run: Path, name: str, **changed) -> Path:
    """A second run like this one, whose weights went elsewhere."""
    copied = run.parent / name
    shutil.copytree(run, copied)
    file = next(copied.glob("model/*.safetensors"))
    noise = torch.Generator().manual_seed(len(name))
    weights = {key: one + 0.1 * torch.randn(one.shape, generator=noise) for key, one in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    read_run(run).model_copy(update=changed).write(copied)
    return copied


def weights(folder: Path) -> dict[str, np.ndarray]:
    return {key: one.float().numpy() for key, one in load_file(folder / "model.safetensors").items()}


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_the_mean_of_three_runs(kind: str, tmp_path):
    run = finished(tmp_path, kind)
    runs = [run, another(run, "second"), another(run, "the third")]
    done = write_merged(runs, tmp_path / "mean")
    assert done.difference == 0
    single = [weights(one / "model") for one in runs]
    found = weights(tmp_path / "mean")
    assert found.keys() == single[0].keys()
    for key, one in found.items():
        np.testing.assert_allclose(one, np.mean([each[key] for each in single], axis=0), atol=1e-6)
    assert write_merged(runs, tmp_path / "mean").already
    with pytest.raises(UsageError, match="already exists and is not this run's model"):
        write_merged(runs[:2], tmp_path / "mean")


@pytest.mark.parametrize("options", [LORA, LORA | {"use_dora": True}], ids=["LoRA", "DoRA"])
def test_adapters_are_merged_before_they_are_averaged(options: dict[str, object], tmp_path):
    """The mean of A1 B1 and A2 B2 is not that of A times that of B."""
    run = finished(tmp_path, "llama", **options)
    runs = [run, another(run, "second")]
    write_merged(runs, tmp_path / "mean")
    alone = []
    for number, one in enumerate(runs):
        write_merged([one], tmp_path / str(number))
        alone.append(weights(tmp_path / str(number)))
    for key, one in weights(tmp_path / "mean").items():
        np.testing.assert_allclose(one, (alone[0][key] + alone[1][key]) / 2, atol=1e-6)


def test_the_mean_is_rounded_once(tmp_path):
    run = finished(tmp_path, "llama")
    runs = [run, *(another(run, f"run {'x' * number}") for number in range(6))]
    write_merged(runs, tmp_path / "mean", dtype="bfloat16")
    single = [load_file(one / "model" / "model.safetensors") for one in runs]
    found, differing = load_file(tmp_path / "mean" / "model.safetensors"), []
    for key, one in found.items():
        rounded = torch.stack([each[key].bfloat16().double() for each in single]).mean(0).bfloat16()
        differing.append((one != rounded).flatten())
    # Sums in float32 and in float64 fall on two sides of the middle between two numbers, but rarely.
    assert torch.cat(differing).float().mean() < 0.01


def test_thresholds_of_classifiers_are_averaged(tmp_path):
    run = finished_classifier(tmp_path, "smollm2", lora=False)
    second, third = another(run, "second"), another(run, "the third")
    configs = [json.loads((one / "model" / "config.json").read_text()) for one in (run, second, third)]
    configs[1]["emollms"]["thresholds"] = {"E-c": {"joy": 0.2, "anger": 0.44}}
    configs[2]["emollms"]["thresholds"] = {}
    for one, config in zip((run, second, third), configs, strict=True):
        write_json(one / "model" / "config.json", config)
    write_merged([run, second, third], tmp_path / "mean")
    found = json.loads((tmp_path / "mean" / "config.json").read_text())
    own = configs[0]["emollms"]["thresholds"]["E-c"]
    labels = own.keys() | {"joy", "anger"}
    given = [own, configs[1]["emollms"]["thresholds"]["E-c"], {}]
    wanted = {label: sum(one.get(label, 0.5) for one in given) / 3 for label in labels}
    assert found["emollms"]["thresholds"]["E-c"] == pytest.approx(wanted)
    assert found["id2label"] == configs[0]["id2label"]
    text = "not my day"
    before, after = (AutoTokenizer.from_pretrained(one) for one in (run / "model", tmp_path / "mean"))
    assert before(text).input_ids == after(text).input_ids


def test_the_record_names_all_runs(tmp_path):
    run = finished(tmp_path, "llama")
    command = ["emollms", "train", "tiny", "--set", "data_seed=2"]
    second = another(run, "second", command=command, seconds=90.0, tokens=1500, best_step=60)
    write_merged([run, second], tmp_path / "mean")
    found = read_run(tmp_path / "mean")
    assert found.model_copy(update={"averaged_with": []}) == read_run(run)
    (other,) = found.averaged_with
    assert (other.command, other.seconds, other.tokens, other.best_step) == (command, 90.0, 1500, 60)
    with pytest.raises(UsageError, match="is the mean of 2 runs already; give all runs at once"):
        write_merged([tmp_path / "mean", another(run, "the third")], tmp_path / "more")


def test_a_checkpoint_among_them_leaves_no_record(aaid, write_recipe, tmp_path):
    saves = {"save_strategy": "steps", "save_steps": 20}
    run_training(load_recipe(str(write_recipe(**saves))), aaid, tmp_path / "run")
    (last,) = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1:]
    told: list[str] = []
    write_merged([tmp_path / "run", last], tmp_path / "mean", warn=told.append)
    assert any("has no run.json" in line for line in told)
    assert not (tmp_path / "mean" / "run.json").exists()


def test_other_settings_are_told_and_the_order_is_not(tmp_path):
    run = finished(tmp_path, "llama")
    recipe = read_run(run).recipe
    reordered = recipe.model_copy(update={"values": {"data_seed": 2}})
    told: list[str] = []
    write_merged([run, another(run, "second", recipe=reordered)], tmp_path / "mean", warn=told.append)
    assert told == []
    faster = recipe.model_copy(update={"values": {"data_seed": 2, "learning_rate": 0.1}})
    data = read_run(run).data.model_copy(update={"content_hash": "1" * 64})
    third = another(run, "the third", recipe=faster, data=data)
    write_merged([run, third], tmp_path / "other", warn=told.append)
    assert told == [f"{third / 'model'} was trained with another learning_rate, data than {run / 'model'}"]


def _other_validation(run: Path, folder: Path) -> tuple[Path, str]:
    recipe = read_run(run).recipe.model_copy(update={"values": {"validation_fraction": 0.3}})
    return another(run, "second", recipe=recipe), "was trained with another validation_fraction than"


def _other_base(run: Path, folder: Path) -> tuple[Path, str]:
    about = read_run(run).model.model_copy(update={"name": "other", "revision": "sha256:" + "0" * 64})
    return another(run, "second", model=about), "were tuned from other models"


def _other_template(run: Path, folder: Path) -> tuple[Path, str]:
    return another(run, "second", template="chat"), "are asked in other templates"


def _other_tokens(run: Path, folder: Path) -> tuple[Path, str]:
    second = another(run, "second")
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    tokenizer.add_tokens(["train"])
    tokenizer.save_pretrained(second / "model")
    return second, "tokenize texts differently"


def _longer(run: Path, folder: Path) -> tuple[Path, str]:
    second = another(run, "second")
    file = second / "model" / "model.safetensors"
    config = json.loads((second / "model" / "config.json").read_text())
    write_json(second / "model" / "config.json", config | {"num_hidden_layers": 1})
    kept = {key: one for key, one in load_file(file).items() if "layers.1." not in key}
    save_file(kept, file, {"format": "pt"})
    return second, r"tensors of other names or shapes, such as model\.layers\.1\."


@pytest.mark.parametrize("make", [_other_validation, _other_base, _other_template, _other_tokens, _longer])
def test_runs_that_have_no_useful_mean(make, tmp_path):
    run = finished(tmp_path, "llama-chat")
    second, problem = make(run, tmp_path)
    with pytest.raises(UsageError, match=problem) as told:
        write_merged([run, second], tmp_path / "mean")
    assert "\n" not in str(told.value)
    assert not list(tmp_path.glob("*mean*"))


def test_classifiers_that_answer_other_questions(tmp_path):
    run = finished_classifier(tmp_path, "smollm2", lora=False)
    second = another(run, "second")
    config = json.loads((second / "model" / "config.json").read_text())
    write_json(second / "model" / "config.json", config | heads_of(tuple(reversed(TASKS))).config())
    with pytest.raises(UsageError, match="answer other questions"):
        write_merged([run, second], tmp_path / "mean")


@pytest.mark.parametrize(
    "lora", [pytest.param(False, id="all weights"), pytest.param(True, id="adapter", marks=pytest.mark.slow)]
)
def test_data_seed_is_the_order_of_the_rows(lora: bool, aaid, write_recipe, tmp_path):
    adapter = {"use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear"} if lora else {}
    recipe = str(write_recipe(**adapter))
    for seed in (None, 1, 2):
        run_training(load_recipe(recipe, [f"data_seed={'null' if seed is None else seed}"]), aaid, tmp_path / str(seed))
    losses = [[one.loss for one in read_run(tmp_path / name).losses] for name in ("None", "1", "2")]
    assert losses[1] != losses[2]
    own = read_run(tmp_path / "None").seed
    run_training(load_recipe(recipe, [f"data_seed={own}"]), aaid, tmp_path / "own")
    assert [one.loss for one in read_run(tmp_path / "own").losses] == losses[0]


def test_the_command_averages_and_tells_what_it_was_given_twice(tmp_path, capsys, monkeypatch):
    run = finished(tmp_path, "llama")
    second = another(run, "second")

    def call(*runs: Path) -> tuple[object, str]:
        monkeypatch.setattr("sys.argv", ["emollms", "merge", *map(str, runs), "--out", str(tmp_path / "mean")])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code, capsys.readouterr().err

    capsys.readouterr()  # the bars of making the runs
    code, told = call(run, second, run)
    assert (code, told) == (2, f"error: {run} is given twice; give each run once\n")
    assert call(run, second)[0] == 0
    assert weights(tmp_path / "mean").keys() == weights(run / "model").keys()


def test_no_run_at_all(tmp_path):
    with pytest.raises(UsageError, match="no run to merge"):
        emollms.merge([], out=tmp_path / "mean")
