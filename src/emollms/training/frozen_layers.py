"""Lower layers that are not trained: each text goes through them once, and each step begins above them.

What the last of them gives is kept in main memory in bfloat16, which has the range of float32: two bytes for each token
and unit of width, 0.3 GB for AAID's texts and SmolLM2-135M. The model stays whole, with all its weights in its
checkpoints; in a step that has kept features, the frozen layers pass them on instead of computing them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from emollms.errors import UsageError
from emollms.inference.heads_engine import batches, padded
from emollms.progress import OnProgress, silent

Features = dict[int, torch.Tensor]
"""What the last frozen layer gives for each token of a text, of shape (tokens, width), by number of the text."""
_BATCH_TOKENS = 1024


class _FrozenLayersRead(Exception):  # noqa: N818
    """Ends a pass through the backbone: what the layers above would give is not wanted."""


class FrozenLayers:
    """The lower layers of a model.

    Args:
        model: a sequence classifier; its embeddings and these layers no longer require gradients.
        count: how many layers; None for all of them.

    Raises:
        UsageError: it has fewer.
    """

    def __init__(self, model: Any, count: int | None) -> None:
        layers = layers_of(model)
        self.count = len(layers) if count is None else count
        if self.count > len(layers):
            raise UsageError(f"freeze_layers: the model has {len(layers)} layers, not {self.count}")
        self.model = model
        self._features: torch.Tensor | None = None
        self._seen: torch.Tensor | None = None
        self._computing = False
        frozen = list(layers[: self.count])
        above = {id(one) for layer in layers[self.count :] for one in layer.parameters()}
        for name, weights in model.named_parameters():
            if "embed" in name and id(weights) not in above:
                weights.requires_grad_(False)
        for layer in frozen:
            layer.requires_grad_(False)
            self._wrap(layer, is_last=layer is frozen[-1])

    def _wrap(self, layer: nn.Module, is_last: bool) -> None:
        """Let a layer pass on what is kept; without it, it computes as before.

        The method of the instance is replaced, and not the module: names of weights stay as they are.
        """
        forward = layer.forward
        gives_tuple = False

        def passing(hidden: torch.Tensor, *arguments: Any, **options: Any) -> Any:
            nonlocal gives_tuple
            if self._features is None:
                found = forward(hidden, *arguments, **options)
                gives_tuple = isinstance(found, tuple)
                if is_last and self._computing:
                    self._seen = found[0] if isinstance(found, tuple) else found
                    raise _FrozenLayersRead
                return found
            passed = self._features.to(hidden.dtype) if is_last else hidden
            return (passed, None) if gives_tuple else passed

        layer.forward = passing

    @contextmanager
    def passing(self, features: torch.Tensor) -> Iterator[None]:
        """Use kept features, of shape (texts, longest, width), in place of the frozen layers."""
        self._features = features
        try:
            yield
        finally:
            self._features = None

    @torch.no_grad()
    def compute(
        self,
        tokenizer: Any,
        ids: Sequence[Sequence[int]],
        texts: Iterable[int],
        precision: Any,
        on_progress: OnProgress = silent,
    ) -> Features:
        """The features of texts.

        Args:
            tokenizer: pads.
            ids: the tokens of all texts.
            texts: those that are wanted, by number.
            precision: makes the context in which the model is computed.
            on_progress: is called with the texts done, and all.
        """
        wanted = list(texts)
        found: Features = {}
        was_training = self.model.training
        self.model.eval()
        self._computing = True
        for batch in batches([len(ids[text]) for text in wanted], _BATCH_TOKENS):
            own = [wanted[number] for number in batch]
            given = padded(tokenizer, [ids[text] for text in own])
            with precision(), suppress(_FrozenLayersRead):
                self.model.base_model(**{name: one.to(self.model.device) for name, one in given.items()})
            assert self._seen is not None
            for text, states in zip(own, self._seen.to(torch.bfloat16).cpu(), strict=True):
                found[text] = states[: len(ids[text])].clone()
            on_progress("texts", len(found), len(wanted))
        self._seen, self._computing = None, False
        self.model.train(was_training)
        return found


def layers_of(model: Any) -> nn.ModuleList:
    """The layers of the backbone: its longest list of modules."""
    lists = [module for module in model.base_model.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len)
