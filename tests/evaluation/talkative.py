"""A tiny random model that gives short answers, readable ones among them, each row its own."""

from copy import deepcopy
from pathlib import Path

import torch
from inference.tiny_models import model, tokenizer

ANSWERS = (
    "0.125", "0.375", "0.625", "0.875", "1: low", "2: moderate", "0: no", "3: high", "-1: negative", "anger, disgust",
    "joy, optimism", "neutral", "neutral or no emotion", "fear", "I cannot tell", "\n0.5", "0.25\nbecause",
)  # fmt: skip
LOUD = 30.0


def save(folder: Path) -> Path:
    """Write model and tokenizer into `folder`: the model says one of `ANSWERS`, and then stops."""
    words, talker = deepcopy(tokenizer("llama")), deepcopy(model("llama"))
    size = len(words)
    words.add_tokens(list(ANSWERS))
    talker.resize_token_embeddings(len(words))
    torch.manual_seed(11)
    with torch.no_grad():
        # The first number of the state says whether an answer was given; after that, the end is by far the likeliest.
        for layer in talker.model.layers:
            layer.self_attn.o_proj.weight[0] = layer.mlp.down_proj.weight[0] = 0.0
        talker.model.embed_tokens.weight[:, 0] = 0.0
        talker.model.embed_tokens.weight[size:, 0] = LOUD
        talker.lm_head.weight[:] = 0.0
        talker.lm_head.weight[size:, 1:] = torch.randn(len(ANSWERS), talker.config.hidden_size - 1)
        talker.lm_head.weight[2, 0] = LOUD
    talker.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
