"""The choice of the next token, row by row: what else is in the batch has no say in it."""

import random
from collections.abc import Sequence

import torch

from emollms.inference.engine import Sampling


def dice(seed: int, prompt: str) -> random.Random:
    """The random numbers of one row."""
    return random.Random(f"{seed}\0{prompt}")


def choose(
    logits: torch.Tensor, sampling: Sampling, seen: Sequence[Sequence[int]], dices: Sequence[random.Random]
) -> list[int]:
    """The next token of each row.

    Args:
        logits: rows × vocabulary.
        sampling: how to choose.
        seen: the tokens of each row so far, its prompt included; used by the repetition penalty alone.
        dices: the random numbers of each row; used where the temperature is not 0.
    """
    logits = logits.float()
    if sampling.repetition_penalty != 1:
        logits = _penalised(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return [int(token) for token in logits.argmax(-1).tolist()]
    size = logits.shape[-1]
    scores, tokens = logits.topk(min(sampling.top_k or size, size))  # sorted, the likeliest first
    probabilities = torch.softmax(scores / sampling.temperature, -1)
    # The token that crosses top_p is kept, as in transformers.
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(before >= sampling.top_p, 0.0)
    totals = probabilities.cumsum(-1)
    drawn = torch.tensor([[one.random()] for one in dices], device=totals.device) * totals[:, -1:]
    picked = (totals <= drawn).sum(-1, keepdim=True).clamp(max=totals.shape[-1] - 1)
    return [int(token) for token in tokens.gather(-1, picked).squeeze(-1).tolist()]


def _penalised(logits: torch.Tensor, seen: Sequence[Sequence[int]], penalty: float) -> torch.Tensor:
    logits = logits.clone()
    for row, tokens in enumerate(seen):
        index = torch.tensor(sorted(set(tokens)), device=logits.device)
        scores = logits[row, index]
        logits[row, index] = torch.where(scores < 0, scores * penalty, scores / penalty)
    return logits
