"""The recipes that come with the package: found, complete, right, and working."""

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from emollms.cli import app
from emollms.errors import UsageError
from emollms.training.arguments import FAMILIES
from emollms.training.dry_run import check_recipes
from emollms.training.recipe import accelerate_settings, find_recipes, load_recipe

ROOT = Path(__file__).parents[2] / "recipes"
FILES = sorted(path for path in ROOT.rglob("*.y*ml") if path.parent.name != "accelerate")
PAPER = {
    "emollama-7b": ("meta-llama/Llama-2-7b-hf", 2048),
    "emollama-chat-7b": ("meta-llama/Llama-2-7b-chat-hf", 2048),
    "emollama-chat-13b": ("meta-llama/Llama-2-13b-chat-hf", 2048),
    "emoopt-13b": ("facebook/opt-13b", 2048),
    "emobloom-7b": ("bigscience/bloomz-7b1-mt", 2048),
    "emot5-large": ("google-t5/t5-large", 512),
    "emobart-large": ("facebook/bart-large", 1024),
}


def recipe_file(folder: Path, text: str, name: str = "mine.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_every_file_is_a_recipe():
    assert len(FILES) >= 15
    assert sorted(find_recipes().values()) == FILES


def one_of_each_family() -> list[Path]:
    return list({load_recipe(str(path)).values["family"]: path for path in FILES}.values())


@pytest.mark.parametrize(
    "files",
    [pytest.param(one_of_each_family(), id="of each family"), pytest.param(FILES, id="all", marks=pytest.mark.slow)],
)
def test_recipes_work_on_a_tiny_model(files: list[Path]):
    checked = list(check_recipes([str(path) for path in files]))
    assert [one.name for one in checked] == [str(path) for path in files]
    assert {one.name: one.problem for one in checked if one.problem} == {}
    assert {one.method for one in checked} == {"full", "lora", "qlora"}


@pytest.mark.parametrize("name", find_recipes())
def test_a_recipe_says_what_it_is_and_how_to_run_it(name: str):
    recipe = load_recipe(name)
    lines = recipe.path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(rf"# emollms train {re.escape(name)} --data \S+ --out \S+", lines[0])
    assert lines[1] == "#"
    assert all(len(line) <= 120 for line in lines)
    values = recipe.values
    assert {"seed", "family", "parameters", "about", "shape", "model_name_or_path", "learning_rate"} <= set(values)
    assert values["family"] in FAMILIES
    assert values.get("accelerate") in (None, "zero2", "fsdp2", *accelerate_settings())
    assert recipe.sha256 == hashlib.sha256(recipe.path.read_bytes()).hexdigest()


def test_every_setting_of_accelerate_is_named_by_a_recipe():
    assert set(accelerate_settings()) <= {load_recipe(name).values.get("accelerate") for name in find_recipes()}


@pytest.mark.parametrize("name", PAPER)
def test_the_released_models_are_trained_as_in_the_paper(name: str):
    values = load_recipe(name).values
    model, length = PAPER[name]
    assert values["model_name_or_path"] == model
    assert values["max_length"] == length
    batch = values["per_device_train_batch_size"] * values["gradient_accumulation_steps"] * values["processes"]
    assert (batch, values["processes"], values["num_train_epochs"]) == (256, 2, 3)
    assert (values["learning_rate"], values["warmup_steps"], values["optim"]) == (1e-6, 0.05, "adamw_torch")
    assert (values["wordings"], values["objective"], values["template"]) == ("all", "cross_entropy", "frame")
    assert values["early_stopping_patience"] > 0
    assert values["eval_strategy"] != "no"
    assert str(values["accelerate"]).startswith("zero")
    assert not values.get("use_peft")


def test_newer_models_cover_sizes_and_methods():
    newer = [load_recipe(name).values for name in find_recipes() if name not in PAPER]
    sizes = [values["parameters"] for values in newer]
    assert min(sizes) < 0.2e9
    assert max(sizes) > 14e9
    assert {values["family"] for values in newer} >= {"llama", "qwen3", "smollm3", "gemma3_text", "mt5"}


@pytest.mark.parametrize("name", ["emosmol-135m", "paper/emot5-large", "modern/qwen3-8b-qlora"])
def test_a_recipe_is_found_by_name_and_by_path(name: str):
    assert load_recipe(name).path == (ROOT / name).with_suffix(".yaml")
    assert load_recipe(name).name == name.split("/")[-1]


def test_an_unknown_recipe_suggests_the_near_one(tmp_path):
    with pytest.raises(UsageError, match="unknown recipe 'emosmol-135'; did you mean emosmol-135m"):
        load_recipe("emosmol-135")
    with pytest.raises(UsageError, match=r"no such file: \S+emosmol-135.yaml; the package has a recipe emosmol-135m"):
        load_recipe(str(tmp_path / "emosmol-135.yaml"))


def test_overrides_are_yaml_and_the_last_one_counts():
    recipe = load_recipe(
        "emosmol-135m", ["tasks=[V-reg]", "seed=1", "seed = 2", "learning_rate=5e-5", "eval_strategy=no"]
    )
    assert recipe.values["tasks"] == ["V-reg"]
    assert recipe.values["seed"] == 2
    assert recipe.values["learning_rate"] == 5e-5
    assert recipe.values["eval_strategy"] == "no"
    assert recipe.sha256 == load_recipe("emosmol-135m").sha256
    assert recipe.overrides[0] == "tasks=[V-reg]"
    assert recipe.where("seed") == "--set seed = 2"
    assert re.fullmatch(r".*emosmol-135m\.yaml:\d+", recipe.where("family"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", r"--set 'seed' is not of the form key=value"),
        ("=3", r"--set '=3' is not of the form key=value"),
        ("tasks=[V-reg", r"--set 'tasks=\[V-reg': the value is malformed YAML: expected ',' or ']'"),
    ],
)
def test_a_broken_override_is_one_line(override: str, message: str):
    with pytest.raises(UsageError, match=message) as caught:
        load_recipe("emosmol-135m", [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("family: llama\nseed: [1\n", r"mine\.yaml:3: malformed YAML: expected ',' or ']'"),
        ("family: llama\nabout: a: b\n", r"mine\.yaml:2: malformed YAML: mapping values are not allowed here"),
        ("- family\n", r"mine\.yaml: not a recipe; write one `key: value` a line"),
        ("", r"mine\.yaml: not a recipe"),
        ("seed: 1\nfamily: t5\nseed: 2\n", r"mine\.yaml:3: seed is already set in line 1; keep one"),
        ("seed: 1\n2: 3\n", r"mine\.yaml:2: the key '2' is not the name of a setting"),
        ("seed: \x07\n", r"mine\.yaml: malformed YAML: unacceptable character"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(text: str, message: str, tmp_path):
    with pytest.raises(UsageError, match=message) as caught:
        load_recipe(recipe_file(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("about: Gefühle\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"cannot read the recipe \S+latin.yaml: 'utf-8' codec"):
        load_recipe(str(tmp_path / "latin.yaml"))


def test_words_and_numbers_are_what_people_mean():
    loaded = load_recipe("emosmol-135m", ["languages=[no, en]", "learning_rate=1E-6", "report_to=none", "bf16=true"])
    assert loaded.values["languages"] == ["no", "en"]
    assert loaded.values["learning_rate"] == 1e-6
    assert loaded.values["report_to"] == "none"
    assert loaded.values["bf16"] is True


def test_the_command_lists_all_with_memory_and_time():
    done = CliRunner().invoke(app, ["recipes"])
    assert done.exit_code == 0
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert header == ["name", "model", "method", "size", "memory", "H100", "2 cores", "about"]
    assert [row[0] for row in rows] == list(find_recipes())
    row = next(row for row in rows if row[0] == "emollama-7b")
    assert row[1:4] == ["meta-llama/Llama-2-7b-hf", "full", "6.74 B"]
    assert re.fullmatch(r"2 × \d+ GB", row[4])
    assert re.fullmatch(r"2 × \d+ (min|h)", row[5])
    assert next(row for row in rows if row[0] == "emosmol-135m")[6] == "60 min"
    assert done.stdout == CliRunner().invoke(app, ["recipes", "list"]).stdout


def test_the_command_prints_a_recipe():
    done = CliRunner().invoke(app, ["recipes", "show", "emot5-large"])
    assert done.stdout == (ROOT / "paper" / "emot5-large.yaml").read_text()
    assert yaml.safe_load(done.stdout)["family"] == "t5"


def test_the_command_tells_which_recipe_fails_and_why(tmp_path):
    good = (ROOT / "emosmol-135m.yaml").read_text()
    bad = recipe_file(tmp_path, good.replace("warmup_steps", "warmup_step"), "bad.yaml")
    silent = recipe_file(tmp_path, good.replace("seed: 42", ""), "silent.yaml")
    lost = recipe_file(tmp_path, good + "accelerate: zero4\n", "lost.yaml")
    odd = recipe_file(tmp_path, good + "use_peft: true\nlora_target_modules: [nothing_like_it]\n", "odd.yaml")
    done = CliRunner().invoke(app, ["recipes", "check", bad, silent, lost, odd, "emosmol-135m"])
    assert done.exit_code == 1
    results = [line.split("\t")[2] for line in done.stdout.splitlines()[1:]]
    assert results == ["failed", "failed", "failed", "failed", "ok"]
    assert re.search(r"bad\.yaml:\d+: unknown key 'warmup_step'; did you mean warmup_steps", done.stderr)
    assert re.search(r"silent\.yaml: seed is missing", done.stderr)
    assert re.search(r"unknown accelerate settings 'zero4'; did you mean zero", done.stderr)
    assert re.search(r"odd\.yaml:\d+: lora_target_modules: unknown name 'nothing_like_it'", done.stderr)
    assert "1 of 5 recipes work" in done.stderr


@pytest.mark.skipif(find_spec("deepspeed") is not None, reason="deepspeed is here")
def test_a_recipe_for_deepspeed_says_what_is_missing(tmp_path):
    done = CliRunner().invoke(app, ["train", "emoopt-13b", "--data", str(tmp_path), "--out", str(tmp_path / "run")])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "zero3-offload needs deepspeed; install it with: pip install 'emollms[gpu]'"
