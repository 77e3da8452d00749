"""A model as GGUF: it loads again, and goes on as the model does."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaConfig, PreTrainedTokenizerFast

from emollms.annotation.annotator import Annotator
from emollms.errors import EmollmsError, UsageError
from emollms.hub import gguf
from emollms.hub.gguf import convert, packaged_converter
from emollms.inference.decoding import decode
from emollms.inference.loading import SAMPLES, compare_gguf
from emollms.inference.transformers_engine import TransformersEngine
from hub.client import TestHub
from hub.tiny_release import adapter_run, record

SPECIALS = ("<unk>", "<s>", "</s>")


@pytest.fixture(scope="module")
def converter() -> Path:
    """The packaged converter, where it can be had."""
    try:
        return packaged_converter()
    except UsageError as error:
        pytest.skip(str(error))


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """Letters and bytes, as the tokenizer of Llama 2 is built; the converter knows other kinds by their fingerprint."""
    bare = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    bare.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bare.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokens = [*SPECIALS, *(f"<0x{number:02X}>" for number in range(256))]
    bare.train_from_iterator(SAMPLES, trainers.BpeTrainer(vocab_size=1, special_tokens=tokens, show_progress=False))
    bare.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = json.loads(bare.to_str())
    made["added_tokens"] = made["added_tokens"][: len(SPECIALS)]
    names = dict(zip(("unk_token", "bos_token", "eos_token"), SPECIALS, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(made)), **names)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model that is sure of itself."""
    folder = tmp_path_factory.mktemp("gguf") / "model"
    tokenizer = llama_tokenizer()
    torch.manual_seed(3)
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), intermediate_size=128, max_position_embeddings=2048, **size)
    made = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(4.0 if weights.dim() > 1 else 1.0)
    made.save_pretrained(folder, max_shard_size="100KB")
    tokenizer.save_pretrained(folder)
    made.generation_config.save_pretrained(folder)
    record(made).write(folder)
    return folder


def greedy(tokenizer: PreTrainedTokenizerFast, model: AutoModelForCausalLM) -> list[str]:
    """How a model goes on."""
    said = []
    for text in SAMPLES:
        ids = tokenizer(text, return_tensors="pt").input_ids
        mask = torch.ones_like(ids)
        found = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=12, pad_token_id=0)
        said.append(tokenizer.decode(found[0]))
    return said


@pytest.mark.parametrize("kind", ["f32", pytest.param("q8_0", marks=pytest.mark.slow)])
def test_it_gives_the_same_greedy_answers(kind: str, converter: Path, model: Path, tmp_path: Path) -> None:
    made = convert(model, kind, tmp_path)
    assert made.name == f"model-{kind}.gguf"
    file = {"gguf_file": made.name}
    back = AutoModelForCausalLM.from_pretrained(
        tmp_path, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32, **file
    )
    here = greedy(AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model))
    assert greedy(AutoTokenizer.from_pretrained(tmp_path, **file), back) == here


@pytest.mark.slow
def test_it_annotates_as_the_model_does(converter: Path, model: Path, tmp_path: Path) -> None:
    """In eight bits: within .02."""
    made = convert(model, "q8_0", tmp_path)
    options = {"quantization_config": GgufConfig(dequantize=True), "dtype": torch.float32}
    back = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=made.name, **options)
    engine = TransformersEngine(back, AutoTokenizer.from_pretrained(tmp_path, gguf_file=made.name), made.name)
    with Annotator.from_pretrained(str(model), task="valence,emotions", fresh=True) as annotator:
        answers = annotator(list(SAMPLES))
    for question in annotator.questions:
        rows = [{"id": text, "prompt": question.prompt(text), "emotion": question.emotion} for text in SAMPLES]
        said = {one.id: one for one in decode(engine, question.task, rows)}
        for text, row in zip(SAMPLES, answers, strict=True):
            assert row[question.name].probabilities == pytest.approx(said[text].probabilities, abs=0.02)


@pytest.mark.slow
def test_the_same_bytes_every_time(converter: Path, model: Path, tmp_path: Path) -> None:
    """By the converter that is fetched, and by the same one as a user names it."""
    made = []
    for name, script in (("one", None), ("two", converter / gguf.SCRIPT)):
        (tmp_path / name).mkdir()
        made.append(convert(model, "bf16", tmp_path / name, script).read_bytes())
    assert made[0] == made[1]


def test_another_model_is_noticed(converter: Path, model: Path, tmp_path: Path) -> None:
    made = convert(model, "f32", tmp_path)
    other = shutil.copytree(model, tmp_path / "other")
    changed = AutoModelForCausalLM.from_pretrained(model)
    with torch.no_grad():
        changed.model.layers[0].mlp.up_proj.weight.neg_()
        changed.lm_head.weight.neg_()
    changed.save_pretrained(other, max_shard_size="100KB")
    with pytest.raises(
        EmollmsError, match=r"model-f32.gguf predicts other tokens than the model after \d+ of \d+ tokens"
    ):
        compare_gguf(other, made)
    made.write_bytes(made.read_bytes()[:1000])
    with pytest.raises(EmollmsError, match=r"model-f32.gguf does not load again: "):
        compare_gguf(model, made)


def test_what_cannot_be_converted(converter: Path, model: Path, tmp_path: Path) -> None:
    run = adapter_run(tmp_path / "run", tmp_path / "base", "example/tiny-base")
    with pytest.raises(UsageError, match=r"holds an adapter; merge it with `emollms merge`"):
        convert(run, "f32", tmp_path)
    with pytest.raises(UsageError, match=r"there is no converter .*nowhere.py; name convert_hf_to_gguf.py of a llama"):
        convert(model, "f32", tmp_path, tmp_path / "nowhere.py")
    with_code = shutil.copytree(model, tmp_path / "code")
    (with_code / "modeling.py").write_text("print('gotcha')")
    with pytest.raises(EmollmsError, match=r"holds code, .*modeling.py"):
        convert(with_code, "f32", tmp_path)
    odd = shutil.copytree(model, tmp_path / "odd")
    config = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(config | {"architectures": ["OddForCausalLM"]}))
    with pytest.raises(EmollmsError, match=r"convert_hf_to_gguf.py cannot convert .*OddForCausalLM is not supported"):
        convert(odd, "f32", tmp_path)


def test_a_converter_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMOLLMS_CACHE", str(tmp_path))
    refused = subprocess.CompletedProcess([], 1, "", "ERROR: no matching distribution\n")
    monkeypatch.setattr(gguf.subprocess, "run", lambda *args, **options: refused)
    with pytest.raises(
        UsageError, match=r"cannot fetch the converter .* \(ERROR: no matching distribution\); name that"
    ):
        packaged_converter()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_is_published_with_the_model(converter: Path, hub: TestHub, model: Path) -> None:
    options = ("--repo", hub.repo, "--license", "mit", "--gguf", "q8_0", "--yes")
    hub.emollms("publish", "model", model, *options, models=True)
    state = hub.state(kind="models")
    assert state["files"]["model-q8_0.gguf"]["lfs"]
    if not hub.xet:  # how it was sent makes no difference, and converting takes long
        said = hub.emollms("publish", "model", model, *options, models=True).err
        assert "was published already, unchanged: emo-tiny v1.0.0" in said
        assert hub.state(kind="models") == state
    script = (
        "import sys; from transformers import AutoTokenizer as T\n"
        "print(T.from_pretrained(sys.argv[1], revision='v1.0.0', gguf_file='model-q8_0.gguf')('The score').input_ids)"
    )
    expected = AutoTokenizer.from_pretrained(model)("The score").input_ids
    assert hub.run(script, hub.repo, models=True).out == f"{expected}\n"
