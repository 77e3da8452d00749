"""A checkpoint that does not fill its model exactly, or holds no numbers, is refused by whatever would use it."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_corpus import settings
from transformers import AutoModelForCausalLM, AutoTokenizer

from emollms.cli import main
from emollms.dataset.build import build_repo
from emollms.errors import EmollmsError, UsageError
from emollms.inference.decoding import decode
from emollms.inference.engine import EngineError
from emollms.inference.loading import load, load_and_read, open_model
from emollms.inference.weights import load_whole
from emollms.tasks import get_task
from emollms.training.tiny import KINDS, make_tiny

LAYER = "model.layers.1.mlp.up_proj.weight"


def change(folder: Path, file: str = "model.safetensors", **changed: object) -> None:
    """Put tensors into a file, by name; None takes one out."""
    tensors = load_file(folder / file)
    for name, tensor in changed.items():
        key = name.replace("__", ".")
        if tensor is None:
            del tensors[key]
        else:
            tensors[key] = tensor
    save_file(tensors, folder / file, metadata={"format": "pt"})


def missing(folder):
    change(folder, **{LAYER: None})


def left_over(folder):
    change(folder, **{"model.layers.2.mlp.up_proj.weight": torch.ones(64, 32)})


def other_shape(folder):
    change(folder, **{LAYER: torch.ones(48, 32)})


def fewer_layers(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))


def nan(folder):
    weights = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    weights[699, 3] = float("nan")  # of a token that no prompt has
    change(folder, **{"model.embed_tokens.weight": weights})


def infinite(folder):
    change(folder, **{"model.norm.weight": torch.full((32,), float("inf"))})


def huge(folder):
    """Finite weights whose products are not."""
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor * 1e20 for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"})


def cut_off(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


HARMS = [
    (missing, rf"do not fill their model: 1 tensor is missing, such as {LAYER}; save or download them again"),
    (left_over, r"do not fill their model: 1 tensor is left over, such as model\.layers\.2\.mlp\.up_proj\.weight"),
    (other_shape, rf"do not fill their model: 1 tensor is of another shape, such as {LAYER} \(48×32, not 64×32\)"),
    (fewer_layers, r"do not fill their model: 9 tensors are left over, such as model\.layers\.1\."),
    (nan, r"the model gives no numbers \(NaN or infinite weights, such as model\.embed_tokens\.weight of "),
    (infinite, r"the model gives no numbers \(NaN or infinite weights, such as model\.norm\.weight of "),
    (huge, r"the model gives no numbers \(NaN or infinite logits\)"),
    (cut_off, r"(cannot load|does not load)"),
]


@pytest.mark.parametrize(("harm", "message"), HARMS, ids=[harm.__name__ for harm, _ in HARMS])
@pytest.mark.parametrize("use", [lambda folder: load(str(folder)), load_and_read], ids=["score", "publish"])
def test_what_is_not_whole_is_refused_in_one_line(tmp_path, capfd, use, harm, message):
    harm(make_tiny("llama", tmp_path / "model"))
    with pytest.raises(EmollmsError, match=message) as told:
        use(tmp_path / "model")
    assert "\n" not in str(told.value)
    assert "LOAD REPORT" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_library_writes_is_whole(tmp_path, kind):
    load_and_read(make_tiny(kind, tmp_path / "model"))


def tied(folder: Path) -> Path:
    make_tiny("llama", folder)
    config = json.loads((folder / "config.json").read_text()) | {"tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    change(folder, **{"lm_head.weight": None})
    return folder


def test_tied_weights_are_no_gap(tmp_path):
    load_and_read(tied(tmp_path / "model"))


def test_both_tied_weights_missing_are_one(tmp_path):
    change(tied(tmp_path / "model"), **{"model.embed_tokens.weight": None})
    with pytest.raises(EmollmsError, match=r"missing, such as (lm_head|model\.embed_tokens)\.weight"):
        load_and_read(tmp_path / "model")


def test_an_untied_head_that_is_missing_is_a_gap(tmp_path):
    change(make_tiny("llama", tmp_path / "model"), **{"lm_head.weight": None})
    with pytest.raises(EmollmsError, match=r"1 tensor is missing, such as lm_head\.weight"):
        load_and_read(tmp_path / "model")


def test_what_transformers_ignores_by_design_is_not_left_over(tmp_path):
    change(make_tiny("gpt2", tmp_path / "model"), **{"transformer.h.0.attn.bias": torch.ones(1, 1, 512, 512)})
    change(make_tiny("llama", tmp_path / "llama"), **{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)})
    load_and_read(tmp_path / "model")
    load_and_read(tmp_path / "llama")


def test_a_shard_that_is_missing_is_told(tmp_path):
    model = load_whole(str(make_tiny("llama", tmp_path / "model")))
    (tmp_path / "model" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "model", max_shard_size="50KB")
    sorted((tmp_path / "model").glob("*.safetensors"))[1].unlink()
    with pytest.raises(EmollmsError, match=r"does not load: .*model-00002-of"):
        load_and_read(tmp_path / "model")


@pytest.fixture
def adapter(tmp_path) -> Path:
    """An adapter made elsewhere: without a tokenizer, beside its base."""
    base = AutoModelForCausalLM.from_pretrained(make_tiny("llama", tmp_path / "base"))
    torch.manual_seed(5)
    options = {"r": 4, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False}
    get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options)).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


FILE = "adapter_model.safetensors"
TENSOR = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


def test_an_adapter_without_a_tokenizer_takes_that_of_its_base(adapter, tmp_path):
    engine, plain = load(str(adapter)), load(str(tmp_path / "base"))
    prompts, said = ["How are you?"], [["0.5", "0.25"]]
    assert engine.encoder.tokenizer.get_vocab() == plain.encoder.tokenizer.get_vocab()
    assert next(engine.score(prompts, said)).value != next(plain.score(prompts, said)).value
    load_and_read(adapter)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_adapter_is_merged_into_its_base(adapter, tmp_path, dtype):
    name = "layers.0.self_attn.q_proj"
    parts = load_file(adapter / FILE)
    down, up = (parts[TENSOR.replace("lora_A", letter)] for letter in ("lora_A", "lora_B"))
    before = load_file(tmp_path / "base/model.safetensors")[f"model.{name}.weight"]
    scale = 8 / 4  # lora_alpha of PEFT, by r
    layer = open_model(str(adapter), None, dtype).model.get_submodule(name)
    assert type(layer) is torch.nn.Linear
    # Base, product and sum are rounded; where they nearly cancel, by the size of the terms.
    assert torch.allclose(layer.weight.float(), before + scale * up @ down, rtol=0.01, atol=0.004)


def test_a_tokenizer_of_its_own_counts(adapter, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    tokenizer.save_pretrained(adapter)
    assert load(str(adapter)).encoder.template == "chat"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({TENSOR: None}, r"do not fill their model: 1 tensor is missing, such as model\.layers\.0\.self_attn\.q_proj"),
        ({TENSOR.replace("q_proj", "o_proj"): torch.ones(4, 32)}, r"1 tensor is left over, such as .*o_proj\.lora_A"),
        ({TENSOR: torch.ones(8, 32)}, r"size mismatch"),
        ({TENSOR: torch.full((4, 32), float("nan"))}, r"gives no numbers .* such as .*q_proj\.lora_A"),
    ],
    ids=["missing", "left over", "other shape", "nan"],
)
def test_an_adapter_that_is_not_whole_is_refused(adapter, changed, message):
    change(adapter, FILE, **changed)
    for use in (load, lambda folder: load_and_read(Path(folder))):
        with pytest.raises(EmollmsError, match=message) as told:
            use(str(adapter))
        assert "\n" not in str(told.value)


def test_an_adapter_says_what_it_lacks(adapter, tmp_path):
    settings = json.loads((adapter / "adapter_config.json").read_text())
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(UsageError, match=r"base model .*base of the adapter .* is not there; name where it is"):
        load(str(adapter))
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": None}))
    with pytest.raises(UsageError, match=r"adapter_config\.json names no base_model_name_or_path"):
        load(str(adapter))


def test_a_prompt_that_was_tuned_is_no_adapter_of_layers(tmp_path):
    base = AutoModelForCausalLM.from_pretrained(make_tiny("llama", tmp_path / "base"))
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    get_peft_model(base, config).save_pretrained(tmp_path / "prompt")
    with pytest.raises(UsageError, match=r"is an adapter of the kind PROMPT_TUNING, which adds tokens to a prompt"):
        load(str(tmp_path / "prompt"))


def test_a_tokenizer_of_another_model_is_told(tmp_path):
    folder = make_tiny("llama", tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["sunny"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(EmollmsError, match=r"gives token 700, and the model knows 700; it is the tokenizer of another"):
        load_and_read(folder)


def test_a_text_that_brings_out_no_numbers_is_told(tmp_path):
    engine = load(str(make_tiny("llama", tmp_path / "model")))
    with torch.no_grad():  # of one token alone, so that the first look at the model sees nothing
        engine.model.model.embed_tokens.weight[engine.encoder.tokenizer("0").input_ids[-1]] = float("nan")
    rows = [{"id": "a", "prompt": "How angry? 0", "emotion": "anger", "language": "en"}]
    for mode, what in (("expected_value", "NaN probabilities for the row a"), ("greedy", "NaN logits")):
        with pytest.raises(EngineError, match=rf"the model gives no numbers \({what}\); tune .* again"):
            list(decode(engine, get_task("EI-reg"), rows, mode))


@pytest.mark.parametrize(("harm", "code", "message"), [(nan, 1, HARMS[4][1]), (missing, 1, HARMS[0][1])])
def test_the_command_says_it_in_one_line(tmp_path, monkeypatch, capsys, harm, code, message):
    harm(make_tiny("llama", tmp_path / "model"))
    benchmark, out = tmp_path / "aeb", tmp_path / "scores"
    build_repo(settings("aeb", "sample"), benchmark, validate=False)
    command = ["emollms", "evaluate", "--model", str(tmp_path / "model"), "--data", str(benchmark), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", [*command, "--task", "V-reg", "--limit", "2"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == code
    assert re.search(message, told)
    assert not (out / "scores.json").exists()
