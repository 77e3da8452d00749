"""A tiny random model that gives short answers, readable ones among them, different from row to row."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from inference.tiny_models import model, prompts, tokenizer

from emollms.prompts.template import frame

ANSWERS = (
    "0.125", "0.375", "0.625", "0.875", "1: low", "2: moderate", "0: no", "3: high", "-1: negative", "anger, disgust",
    "joy, optimism", "neutral", "neutral or no emotion", "fear", "I cannot tell", "\n0.5", "0.25\nbecause",
)  # fmt: skip
LOUD = 30.0


def save(folder: Path) -> Path:
    """Write model and tokenizer into `folder`: the model says one of `ANSWERS`, and then stops."""
    words, talker = deepcopy(tokenizer("llama")), deepcopy(model("llama"))
    words.add_tokens(list(ANSWERS))
    said = words.convert_tokens_to_ids(list(ANSWERS))
    talker.resize_token_embeddings(len(words), mean_resizing=False)
    torch.manual_seed(6)
    with torch.no_grad():
        # The first number of the state says whether an answer was given; after that, the end is by far the likeliest.
        for layer in talker.model.layers:
            layer.self_attn.o_proj.weight[0] = layer.mlp.down_proj.weight[0] = 0.0
        talker.model.embed_tokens.weight[:, 0] = 0.0
        talker.model.embed_tokens.weight[said, 0] = LOUD
        # What all prompts have in common has no say in which answer is given.
        common = torch.nn.functional.normalize(_states(talker, words).mean(0), dim=0)
        chosen = torch.randn(len(said), len(common))
        chosen[:, 0] = 0.0
        talker.lm_head.weight[:] = 0.0
        talker.lm_head.weight[said] = chosen - (chosen @ common)[:, None] * common
        talker.lm_head.weight[2, 0] = LOUD
    talker.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _states(talker: Any, words: Any) -> torch.Tensor:
    """The last states after some prompts."""
    texts = [frame(prompt) for task in ("EI-reg", "V-oc", "E-c") for prompt in prompts(task)]
    ids = [torch.tensor([words(text).input_ids]) for text in texts]
    return torch.stack([talker.model(one).last_hidden_state[0, -1] for one in ids])
