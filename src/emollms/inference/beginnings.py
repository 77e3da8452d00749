"""What prompts begin with, read once: the keys and values of instructions, for whichever rows go on from them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache

from emollms.inference.states import left_mask, left_padded

if TYPE_CHECKING:
    from emollms.inference.causal import CausalRunner

Tokens = tuple[int, ...]
Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer, rows × heads × tokens × dimensions."""


class Beginnings:
    """Keys and values of beginnings; those of the last batch are kept for the next.

    Args:
        runner: the model.
    """

    def __init__(self, runner: "CausalRunner") -> None:
        self.runner = runner
        self._kept: dict[Tokens, Layers] = {}

    def read(self, shared: Sequence[Sequence[int]]) -> None:
        """Make sure of the keys and values of these, and forget all others."""
        wanted = [one for one in dict.fromkeys(map(tuple, shared)) if one]
        known = {one: self._kept[one] for one in wanted if one in self._kept}
        self._kept = known | self._new([one for one in wanted if one not in known])

    def cache(self, shared: Sequence[Sequence[int]]) -> Any:
        """A cache with a row for each of `shared`, which were read, padded at the left; else an empty one."""
        rows = [tuple(one) for one in shared]
        wanted = list(dict.fromkeys(rows))
        if not any(wanted):
            return DynamicCache()
        if len(wanted) == 1:
            # Views: the first pass over the batch copies them beside its own keys.
            pairs = self._kept[wanted[0]]
            return DynamicCache([(_repeated(keys, len(rows)), _repeated(values, len(rows))) for keys, values in pairs])
        places = torch.tensor([wanted.index(one) for one in rows], device=self.runner.model.device)
        width = max(map(len, wanted))
        kept = [self._kept[one] if one else _nothing(next(iter(self._kept.values()))) for one in wanted]
        return DynamicCache(
            [
                (
                    stacked([keys for keys, _ in pairs], width)[places],
                    stacked([values for _, values in pairs], width)[places],
                )
                for pairs in zip(*kept, strict=True)
            ]
        )

    def _new(self, wanted: Sequence[Tokens]) -> dict[Tokens, Layers]:
        # Each by itself: read together, their last bits would depend on which of them the batch before had left here,
        # and a resumed run skips batches.
        return {one: self._read_alone(one) for one in wanted}

    def _read_alone(self, tokens: Tokens) -> Layers:
        runner, cache = self.runner, DynamicCache()
        device = runner.model.device
        ids, mask = left_padded([tokens], runner.pad, device), left_mask([tokens], device)
        runner.forward(ids, mask, mask.cumsum(-1) - 1, cache, 1)
        layers: Any = cache.layers
        return [(layer.keys, layer.values) for layer in layers]


def _repeated(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    return tensor.expand(rows, -1, -1, -1)


def _nothing(layers: Layers) -> Layers:
    return [(keys[:, :, :0], values[:, :, :0]) for keys, values in layers]


def stacked(tensors: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    """Tensors of some rows each as one, filled up with zeros at the left of their tokens."""
    return torch.cat([pad(one, (0, 0, width - one.shape[-2], 0)) for one in tensors])
