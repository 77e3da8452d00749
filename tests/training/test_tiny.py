import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from emollms.errors import UsageError
from emollms.prompts.framing import model_input
from emollms.training.arguments import FAMILIES, architecture
from emollms.training.dry_run import kind_of
from emollms.training.recipe import find_recipes, load_recipe
from emollms.training.tiny import ENCODERS, KINDS, family_of, make_tiny, prompts, tiny_tokenizer

# What stands around "Hi" as a model of the kind reads it, in its own template; digits of 0.5; pad and end.
TOKENIZERS = {
    "bart": ("<s>Human: \nHi\n\nAssistant:\n</s>", "<pad>", "</s>"),
    "bloom": ("Human: \nHi\n\nAssistant:\n", "<pad>", "</s>"),
    "gemma3_text": ("<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<pad>", "<eos>"),
    "gpt2": ("Human: \nHi\n\nAssistant:\n", None, "<|endoftext|>"),
    "llama": ("<s>Human: \nHi\n\nAssistant:\n", None, "</s>"),
    "llama-chat": ("<s>[INST] Hi [/INST]", None, "</s>"),
    "llama3": (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        None,
        "<|eot_id|>",
    ),
    "mt5": ("Human: \nHi\n\nAssistant:\n</s>", "<pad>", "</s>"),
    "opt": ("</s>Human: \nHi\n\nAssistant:\n", "<pad>", "</s>"),
    "qwen3": (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|endoftext|>", "<|im_end|>",
    ),
    "smollm2": ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", "<|im_end|>"),
    "smollm3": (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_end|>", "<|im_end|>",
    ),
    "t5": ("Human: \nHi\n\nAssistant:\n</s>", "<pad>", "</s>"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_special_tokens_are_those_of_the_family(kind: str):
    coder = tiny_tokenizer(kind)
    read, pad, end = TOKENIZERS[kind]
    assert coder.decode(coder(model_input(coder, "Hi")).input_ids) == read
    assert (coder.pad_token, coder.eos_token) == (pad, end)


def test_every_family_that_can_be_tuned_has_a_tiny_model_of_its_architecture():
    assert {family_of(kind) for kind in (*KINDS, *ENCODERS)} == set(FAMILIES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_read_back_as_what_it_is(kind: str, tmp_path):
    folder = make_tiny(kind, tmp_path / "tiny")
    config, coder = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert config.model_type == family_of(kind)
    is_seq2seq = architecture(config.model_type) == "seq2seq"
    assert config.is_encoder_decoder == is_seq2seq
    model = (AutoModelForSeq2SeqLM if is_seq2seq else AutoModelForCausalLM).from_pretrained(folder)
    text = prompts()[5]
    assert coder(text).input_ids == tiny_tokenizer(kind)(text).input_ids
    assert coder.decode(coder(text, add_special_tokens=False).input_ids) == text
    ids = torch.tensor([coder(text).input_ids])
    model(input_ids=ids, labels=ids).loss.backward()
    assert all(weights.grad is not None for weights in model.parameters())


def test_the_seed_decides_the_weights(tmp_path):
    one, same, other = (
        make_tiny("llama", tmp_path / str(number), seed) / "model.safetensors" for number, seed in enumerate((1, 1, 2))
    )
    assert one.read_bytes() == same.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_an_unknown_kind_suggests_the_near_one(tmp_path):
    with pytest.raises(UsageError, match="unknown tiny model 'lama'; did you mean llama"):
        make_tiny("lama", tmp_path)


def test_the_tiny_model_of_a_recipe_is_of_its_family_and_chats_where_its_base_does():
    kinds = {name: kind_of(load_recipe(name)) for name in find_recipes()}
    for name, kind in kinds.items():
        assert family_of(kind) == load_recipe(name).values["family"]
    assert kinds["emollama-7b"] == "llama"
    assert kinds["emollama-chat-13b"] == "llama-chat"
    assert kinds["emosmol-135m"] == kinds["smollm2-1.7b-lora"] == "smollm2"
    assert kinds["llama-3.1-8b-qlora"] == "llama3"
    assert kinds["llama-3.2-1b"] == "llama"
