"""Encoder-decoder models: the prompt is read once, each candidate by the decoder."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from emollms.inference.batch_ops import MAX_LOGITS, cache_name, paths_of, right_padded, root_scores, scores_along
from emollms.inference.token_trie import TokenPath, TrieNode


class EncoderDecoderRunner:
    """An encoder-decoder model.

    Args:
        model: the model, on its device.
        pad: any token; padding is masked.
        start: what the decoder starts with.
    """

    def __init__(self, model: Any, pad: int, start: Sequence[int]) -> None:
        self.model, self.pad, self.first = model, pad, tuple(start)
        self.cache = cache_name(inspect.signature(model.forward).parameters)

    def start(self, shared: Sequence[Sequence[int]], rests: Sequence[Sequence[int]]) -> "EncoderDecoderState":
        """Read prompts; an encoder looks both ways, so nothing that they share can be kept."""
        whole = [[*first, *rest] for first, rest in zip(shared, rests, strict=True)]
        ids = right_padded(whole, self.pad, self.model.device)
        mask = right_padded([[1] * len(tokens) for tokens in whole], 0, self.model.device)
        encoded = self.model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        return EncoderDecoderState(self, encoded, mask)


class EncoderDecoderState:
    """A batch of prompts that the encoder has read."""

    def __init__(self, runner: EncoderDecoderRunner, encoded: torch.Tensor, mask: torch.Tensor) -> None:
        self.runner, self.encoded, self.mask = runner, encoded, mask
        self.device = runner.model.device
        self.cache: Any = None
        self.logits = torch.empty(0)
        self._decode(torch.tensor([runner.first] * len(mask), device=self.device))

    def _decode(self, ids: torch.Tensor) -> None:
        output = self.runner.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=self.encoded), attention_mask=self.mask,
            decoder_input_ids=ids, use_cache=True, **{self.runner.cache: self.cache},
        )  # fmt: skip
        self.cache, self.logits = getattr(output, self.runner.cache), output.logits[:, -1]

    def step(self, tokens: Sequence[int]) -> None:
        """Append one token to each row."""
        self._decode(torch.tensor(tokens, device=self.device)[:, None])

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows only."""
        index = torch.tensor(rows, device=self.device)
        self.cache.batch_select_indices(index)
        self.encoded, self.mask, self.logits = self.encoded[index], self.mask[index], self.logits[index]

    def expand(self, wanted: Sequence[Sequence[TrieNode]]) -> list[list[list[float]]]:
        """For each row and each of its nodes the log-probabilities of the node's children."""
        found = root_scores(self.logits, wanted)
        paths = paths_of(wanted)
        longest = max((len(path) for _, path in paths), default=1) + len(self.runner.first)
        size = max(1, MAX_LOGITS // (longest * self.logits.shape[-1]))
        for first in range(0, len(paths), size):
            some = paths[first : first + size]
            found |= scores_along(self._along(some), some, wanted, len(self.runner.first))
        return [[found[row, node.path] for node in some] for row, some in enumerate(wanted)]

    def _along(self, paths: list[tuple[int, TokenPath]]) -> torch.Tensor:
        """Logits at each token of each path, after the decoder's start."""
        index = torch.tensor([row for row, _ in paths], device=self.device)
        start = self.runner.first
        output = self.runner.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=self.encoded[index]), attention_mask=self.mask[index],
            decoder_input_ids=right_padded([(*start, *path) for _, path in paths], self.runner.pad, self.device),
            use_cache=False,
        )  # fmt: skip
        logits: torch.Tensor = output.logits
        return logits
