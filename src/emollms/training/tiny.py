"""Tiny random models of each family: what checks and tests take for the real ones."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from emollms.errors import unknown
from emollms.training.tiny_tokenizers import HABITS, tiny_tokenizer

POSITIONS = 512
"""What the models take that have a limit of their own."""
_SHAPE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_LLAMA: dict[str, Any] = {
    **_SHAPE,
    "intermediate_size": 64,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}
_BART: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "decoder_start_token_id": 2,
    "max_position_embeddings": POSITIONS,
}  # fmt: skip
_CONFIGS: Mapping[str, Callable[..., Any]] = {
    "bart": lambda **size: hf.BartConfig(**_BART, **size),
    "bloom": lambda **size: hf.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **size),
    "gemma3_text": lambda **size: hf.Gemma3TextConfig(
        **_LLAMA, head_dim=8, sliding_window=64, layer_types=["sliding_attention", "full_attention"], **size
    ),
    "gpt2": lambda **size: hf.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=POSITIONS, **size),
    "gpt_neox": lambda **size: hf.GPTNeoXConfig(
        **_SHAPE, intermediate_size=64, max_position_embeddings=POSITIONS, **size
    ),
    "llama": lambda **size: hf.LlamaConfig(**_LLAMA, **size),
    "mistral": lambda **size: hf.MistralConfig(**_LLAMA, sliding_window=None, **size),
    "mt5": lambda **size: hf.MT5Config(**_T5, **size),
    "olmo2": lambda **size: hf.Olmo2Config(**_LLAMA, **size),
    "opt": lambda **size: hf.OPTConfig(
        **_SHAPE, ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=POSITIONS, **size
    ),
    "qwen2": lambda **size: hf.Qwen2Config(**_LLAMA, **size),
    "qwen3": lambda **size: hf.Qwen3Config(**_LLAMA, head_dim=8, **size),
    "smollm3": lambda **size: hf.SmolLM3Config(**_LLAMA, no_rope_layers=[1, 0], **size),
    "t5": lambda **size: hf.T5Config(**_T5, **size),
    "umt5": lambda **size: hf.UMT5Config(**_T5, **size),
}
KINDS = tuple(HABITS)
_FAMILIES = {"llama-chat": "llama", "llama3": "llama", "smollm2": "llama"}


def family_of(kind: str) -> str:
    """The family, as a configuration's `model_type`, of a kind of tiny model.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("tiny model", kind, KINDS)
    return _FAMILIES.get(kind, kind)


def tiny_model(kind: str, seed: int = 7) -> Any:
    """A random model of a kind in float32, with two layers of 32 numbers and the vocabulary of `tiny_tokenizer`."""
    family, tokenizer = family_of(kind), tiny_tokenizer(kind)
    tokens = {"bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    torch.manual_seed(seed)
    config = _CONFIGS[family](vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **tokens)
    loader: Any = hf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else hf.AutoModelForCausalLM
    model = loader.from_config(config).eval()
    if kind == "gemma3_text":  # as its chat models have it
        turn = tokenizer.convert_tokens_to_ids("<end_of_turn>")
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, turn]
    if family == "bart":
        model.generation_config.forced_bos_token_id = tokenizer.bos_token_id
    return model


def make_tiny(kind: str, folder: Path, seed: int = 7) -> Path:
    """Write a tiny random model and its tokenizer, as `from_pretrained` reads them.

    Args:
        kind: a family, such as `llama`, `opt` or `t5`, or another name of `KINDS`.
        folder: where they go; made where it is not there yet.
        seed: of the weights.

    Returns:
        The folder.

    Raises:
        UsageError: there is no such kind.
    """
    tiny_model(kind, seed).save_pretrained(folder)
    tiny_tokenizer(kind).save_pretrained(folder)
    return folder
