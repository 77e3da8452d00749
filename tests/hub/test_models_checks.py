"""What is refused of a model before anything leaves the machine."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from emollms.errors import EmollmsError, UsageError
from emollms.hub.model import ModelOptions, local_model, model_releases
from emollms.hub.sensitive import check_sensitive
from hub.tiny_release import adapter_run, change, merged

Edit = Callable[[Path], object]
KEY = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
SHARD = "model-00002-of-"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model with a chat template, in shards."""
    return merged(tmp_path_factory.mktemp("made") / "model", kind="qwen2", model={"family": "qwen2"})


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(made, tmp_path / "model")


def shard(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.name.startswith(SHARD))


def pickled(folder: Path) -> None:
    torch.save({"a": torch.zeros(1)}, shard(folder))


def torn(folder: Path) -> None:
    path = shard(folder)
    path.write_bytes(path.read_bytes()[:-1])


def moved(folder: Path) -> None:
    """The index says that a weight is in another shard."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    places = index["weight_map"]
    name = next(name for name, place in places.items() if list(places.values()).count(place) > 1)
    places[name] = next(place for place in places.values() if place != places[name])
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


REFUSED: dict[str, tuple[Edit, str]] = {
    "weights as pickle": (
        lambda d: (d / "pytorch_model.bin").write_bytes(b"1"),
        r"a pickle, .*: pytorch_model.bin; save",
    ),
    "a checkpoint": (lambda d: (d / "best.ckpt").write_bytes(b"1"), r"a pickle, .*: best.ckpt"),
    "a pickle by another name": (pickled, "is no safetensors file; save the weights again"),
    "a script": (lambda d: (d / "modeling_mine.py").write_text("1"), r"holds code, .*: modeling_mine.py"),
    "code of its own": (
        lambda d: change(d / "config.json", auto_map={"AutoModel": "modeling_mine.Mine"}),
        r"config.json asks for code of the model's own \(auto_map\)",
    ),
    "code of the tokenizer's own": (
        lambda d: change(d / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tok.Mine", None]}),
        r"tokenizer_config.json asks for code of the model's own \(auto_map\)",
    ),
    "no tokenizer": (lambda d: (d / "tokenizer.json").unlink(), "lacks tokenizer.json; save tokenizer"),
    "no settings of the tokenizer": (lambda d: (d / "tokenizer_config.json").unlink(), "lacks tokenizer_config.json"),
    "no chat template": (
        lambda d: (d / "chat_template.jinja").unlink(),
        "lacks chat_template.jinja, and the model was",
    ),
    "no generation settings": (lambda d: (d / "generation_config.json").unlink(), "lacks generation_config.json"),
    "a shard is missing": (lambda d: shard(d).unlink(), rf"lacks weights: {SHARD}"),
    "a shard is torn": (torn, r"has [\d,]+ bytes, not [\d,]+; save or copy it again"),
    "a shard of something else": (moved, r"does not hold what model.safetensors.index.json says, such as "),
    "weights of another model": (
        lambda d: shutil.copy(shard(d), d / "model.safetensors"),
        "weights that are not of this model: model.safetensors",
    ),
    "a file too many": (
        lambda d: (d / "notes.txt").write_text("x"),
        "holds files that do not belong to a model: notes.txt; move",
    ),
    "a hidden file": (lambda d: (d / ".env").write_text("x"), r"holds files that do not belong to a model: \.env"),
    "a link": (lambda d: (d / "LICENSE").symlink_to("/etc/hosts"), "holds a link, not a file: LICENSE"),
    "a broken configuration": (lambda d: (d / "config.json").write_text("{"), r"config.json is no JSON"),
    "a damaged record": (lambda d: (d / "run.json").write_text("{"), r"run.json is damaged"),
    "another family": (
        lambda d: change(d / "config.json", model_type="opt"),
        "is of family opt, and run.json says qwen2",
    ),
}


@pytest.mark.parametrize(("edit", "message"), REFUSED.values(), ids=REFUSED)
def test_what_must_not_go_out(edit: Edit, message: str, model: Path) -> None:
    local_model(model)
    edit(model)
    with pytest.raises(EmollmsError, match=message):
        local_model(model)


def test_weights_that_are_too_few(model: Path) -> None:
    record = json.loads((model / "run.json").read_text())
    record["model"]["parameters"] += 1_000_000
    (model / "run.json").write_text(json.dumps(record))
    with pytest.raises(EmollmsError, match=r"holds [\d,]+ weights, and run.json says 1,[\d,]+; save the model again"):
        local_model(model)


def test_there_must_be_a_model(tmp_path: Path, model: Path) -> None:
    with pytest.raises(UsageError, match="is no folder; give a merged model, or a finished run"):
        local_model(tmp_path / "nowhere")
    (model / "run.json").unlink()
    with pytest.raises(UsageError, match=r"holds no finished run: run.json is missing"):
        local_model(model)


@pytest.mark.parametrize("name", ["run.json", "chat_template.jinja", "tokenizer.json", "config.json"])
def test_secrets_are_refused_wherever_they_are(name: str, model: Path) -> None:
    path = model / name
    if name.endswith(".jinja"):
        path.write_text(path.read_text() + f"{{# {KEY} #}}")
    else:
        found = json.loads(path.read_text())
        place = found["recipe"]["values"] if name == "run.json" else found
        place["hub_token"] = KEY
        path.write_text(json.dumps(found, indent=1))
    with pytest.raises(EmollmsError, match=rf"secrets, such as tokens or keys, in {name} \(1\)") as caught:
        model_releases(model, "me/model", ModelOptions(license="mit"))
    assert KEY not in str(caught.value)


def test_files_that_nobody_can_look_into(model: Path) -> None:
    (model / "LICENSE").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EmollmsError, match="LICENSE is not UTF-8 text and cannot be checked for secrets"):
        check_sensitive(local_model(model).files)


def test_a_release_has_what_is_needed_and_no_more(model: Path) -> None:
    (model / "README.md").write_text("what some tool wrote")
    (model / "training_args.bin").write_bytes(b"1")
    release = model_releases(model, "me/model", ModelOptions(license="mit"))("1.2.3")
    assert set(release.files) == {path.name for path in model.iterdir()} - {"training_args.bin"}
    assert "what some tool wrote" not in release.files["README.md"].read().decode()
    assert [note for note in release.notes if "is left out: the card is made from run.json" in note]
    assert release.tag == "v1.2.3"


def test_the_record_does_not_tell_whose_machine_it_was(model: Path) -> None:
    """The made-up run was made in a home folder."""
    assert "/home/jane/" in (model / "run.json").read_text()
    found = local_model(model)
    record = json.loads(found.files["run.json"].read())
    assert "jane" not in json.dumps(record)
    assert record["command"] == ["emollms", "train", "emo-tiny", "--data", "aaid", "--out", "emo"]
    assert record["recipe"]["values"]["output_dir"] == "runs"
    assert record["recipe"]["values"]["model_name_or_path"] == "example/tiny-base"
    assert (record["data"]["target"], record["started"]) == ("out/aaid", "2026-01-02T03:04:05+00:00")
    assert found.notes == ("run.json goes out without the folders of this machine",)


class TestAdapters:
    def test_the_base_is_named_as_the_hub_knows_it(self, tmp_path: Path) -> None:
        run = adapter_run(tmp_path / "run", tmp_path / "base", "example/tiny-base")
        for folder in (run, run / "model"):
            release = model_releases(folder, "me/adapter", ModelOptions(license="mit"))("1.0.0")
            config = json.loads(release.files["adapter_config.json"].read())
            assert config["base_model_name_or_path"] == "example/tiny-base"
            assert {"adapter_model.safetensors", "tokenizer.json", "generation_config.json"} < set(release.files)
        (run / "model" / "run.json").unlink()
        assert local_model(run / "model").relation == "adapter"

    def test_a_base_that_nobody_else_has(self, tmp_path: Path) -> None:
        run = adapter_run(tmp_path / "run", tmp_path / "base", None)
        with pytest.raises(EmollmsError, match=r"names the base model .*/base, which only this machine has; merge"):
            local_model(run)

    def test_code_that_peft_would_import(self, tmp_path: Path) -> None:
        run = adapter_run(tmp_path / "run", tmp_path / "base", "example/tiny-base")
        mapping = {"base_model_class": "Mine", "parent_library": "theirs.models"}
        change(run / "model" / "adapter_config.json", auto_mapping=mapping)
        with pytest.raises(EmollmsError, match=r"code of the model's own \(auto_mapping to theirs\)"):
            local_model(run)

    def test_weights_must_be_all_there(self, tmp_path: Path) -> None:
        run = adapter_run(tmp_path / "run", tmp_path / "base", "example/tiny-base")
        (run / "model" / "adapter_model.safetensors").rename(run / "model" / "model.safetensors")
        with pytest.raises(EmollmsError, match=r"lacks weights: adapter_model.safetensors"):
            local_model(run)
