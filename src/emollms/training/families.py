"""Which families of models can be tuned, and how: by the `model_type` of a model's configuration."""

from typing import Literal

from emollms.errors import unknown

Architecture = Literal["causal", "seq2seq"]

FAMILIES: dict[str, Architecture] = {
    "bart": "seq2seq",
    "bloom": "causal",
    "gemma3_text": "causal",
    "gpt2": "causal",
    "gpt_neox": "causal",
    "llama": "causal",
    "mistral": "causal",
    "mt5": "seq2seq",
    "olmo2": "causal",
    "opt": "causal",
    "qwen2": "causal",
    "qwen3": "causal",
    "smollm3": "causal",
    "t5": "seq2seq",
    "umt5": "seq2seq",
}
"""Each has a tiny random model, `emollms.training.tiny`, on which its recipes and the tests are tried."""


def architecture(family: str) -> Architecture:
    """Whether models of a family are decoders or encoder-decoders.

    Raises:
        UsageError: no recipe can be for such a family.
    """
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    return FAMILIES[family]
