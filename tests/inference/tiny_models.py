"""Random models of the families that the published models come from, with opinions."""

from functools import cache
from typing import Any

import torch

from emollms.training.tiny import TEXTS, prompts, tiny_model
from emollms.training.tiny import tiny_tokenizer as tokenizer

__all__ = ["CAUSAL", "CHATML", "FAMILIES", "TEXTS", "model", "prompts", "tokenizer"]

CHATML = (
    "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
CAUSAL = ("llama", "gpt2", "opt", "bloom", "qwen2")
FAMILIES = (*CAUSAL, "t5", "bart")


@cache
def model(family: str, dtype: torch.dtype = torch.float32) -> Any:
    made = tiny_model(family).to(dtype)
    with torch.no_grad():  # a fresh model is almost indifferent; this one has opinions
        for weights in made.parameters():
            if weights.dim() > 1:
                weights.mul_(4.0)
    return made
