"""The settings as they are read from the libraries' source, against the classes themselves."""

from dataclasses import fields

import pytest
from trl.trainer.model_config import ModelConfig
from trl.trainer.sft_config import SFTConfig

from emollms.errors import UsageError
from emollms.training import fields as module
from emollms.training.fields import check_keys, library_fields
from emollms.training.recipe import find_recipes, load_recipe
from emollms.training.recipe_args import Seq2SeqConfig


@pytest.mark.parametrize(("kind", "config"), [("causal", SFTConfig), ("seq2seq", Seq2SeqConfig)])
def test_the_fields_are_those_of_the_classes(kind: str, config: type) -> None:
    assert set(library_fields(kind)) == {one.name for cls in (config, ModelConfig) for one in fields(cls)}
    assert library_fields(kind)["learning_rate"] == "float"


def test_a_class_says_more_than_its_base() -> None:
    hints = {one.name: one.type for one in fields(SFTConfig)}
    assert library_fields("causal")["use_liger_kernel"] == "bool"
    assert hints["use_liger_kernel"] in (bool, "bool")


@pytest.mark.parametrize("name", find_recipes())
def test_recipes_of_the_package_pass(name: str) -> None:
    check_keys(load_recipe(name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "learnin_rate=1",
            "--set learnin_rate=1: unknown key 'learnin_rate'; did you mean learning_rate or head_learning_rate?",
        ),
        ("nonsense=1", "keys are the fields of TuningArguments of this package, SFTConfig and ModelConfig of TRL"),
        ("learning_rate=true", "learning_rate: true is not a valid value"),
        ("max_length=12.5", "max_length: input should be a valid integer"),
        ("task_weights=[V-reg]", "task_weights: input should be a valid dictionary"),
        ("generation_num_beams=2", "generation_num_beams is for encoder-decoders"),
        ("family=lama", "unknown family 'lama'"),
        ("model_name_or_path=null", "model_name_or_path is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: str, message: str) -> None:
    with pytest.raises(UsageError) as told:
        check_keys(load_recipe("emosmol-135m", [change]))
    assert str(told.value).startswith(f"--set {change}: ")
    assert message in str(told.value)


@pytest.mark.parametrize(
    "change", ["tasks=V-reg", "tf32=null", "seed=7", "optim=adafactor", "learning_rate=1", "bf16=no"]
)
def test_what_the_full_check_takes_passes(change: str) -> None:
    check_keys(load_recipe("emosmol-135m", [change]))


def test_without_the_libraries_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert library_fields("causal") == {}
    check_keys(load_recipe("emosmol-135m", ["learnin_rate=1"]))
