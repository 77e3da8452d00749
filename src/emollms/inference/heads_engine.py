"""The engine of classifiers: texts in, a number for every output; each text of a call is read once."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from emollms.inference.engine import NO_NUMBERS, EngineError
from emollms.inference.heads import Activation, Text

CPU_TOKENS = 512
"""Tokens of a batch on a CPU: products of as many rows run at full speed, and their activations stay in the cache."""
GPU_TOKENS = 65_536


class Read(NamedTuple):
    """What a model says of one text.

    Args:
        text: its position among the texts of the call.
        outputs: of shape (outputs,), after the activation.
        seconds: how long it took; texts of a batch share its time equally.
    """

    text: int
    outputs: NDArray[np.float32]
    seconds: float


class TorchClassifier:
    """A sequence classifier of transformers.

    Args:
        model: the model, on its device; or an `OnnxModel` of it.
        tokenizer: its tokenizer; it adds whatever the model was tuned to find around a text.
        batch_tokens: the most tokens of a batch, padding included; None for what suits the device.
        activation: what is done to the model's logits.
    """

    def __init__(
        self, model: Any, tokenizer: Any, batch_tokens: int | None = None, activation: Activation = "sigmoid"
    ) -> None:
        self.model, self.tokenizer, self.activation = model.eval(), tokenizer, activation
        device_tokens = CPU_TOKENS if model.device.type == "cpu" else GPU_TOKENS
        self.batch_tokens = batch_tokens or device_tokens

    @property
    def max_tokens(self) -> int:
        """The most tokens of a text."""
        return max_tokens(self.model.config, self.tokenizer)

    def encode(self, texts: Sequence[Text]) -> list[list[int]]:
        """The tokens of texts, cut where they are too long."""
        return encode(self.tokenizer, texts, self.max_tokens)

    def lengths(self, texts: Sequence[Text]) -> list[int]:
        """The tokens of whole texts."""
        return list(map(len, encode(self.tokenizer, texts, None)))

    def read(self, texts: Sequence[Text]) -> Iterator[Read]:
        """The outputs for each text, in the order of their lengths.

        Raises:
            EngineError: the model gives NaN.
        """
        ids = self.encode(texts)
        size = self.batch_tokens
        for batch in batches([len(one) for one in ids], size):
            begin = time.perf_counter()
            found = self.run([ids[number] for number in batch])
            if not np.isfinite(found).all():
                raise EngineError(f"{NO_NUMBERS} (NaN outputs); tune it again")
            seconds = (time.perf_counter() - begin) / len(batch)
            for number, outputs in zip(batch, found, strict=True):
                yield Read(number, outputs, seconds)

    def close(self) -> None:
        """Let go of the model."""
        del self.model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def inputs(self, ids: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """What the model is given for one batch of tokens."""
        given = padded(self.tokenizer, ids)
        has_types = getattr(self.model.config, "type_vocab_size", 0) > 1  # BERT and its kin
        if has_types and "token_type_ids" in self.tokenizer.model_input_names:
            given["token_type_ids"] = _token_types(given, self.tokenizer.sep_token_id)
        return given

    @torch.inference_mode()
    def run(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """The outputs for one batch of tokens, of shape (texts, outputs)."""
        given = {name: one.to(self.model.device) for name, one in self.inputs(ids).items()}
        try:
            logits = self.model(**given).logits
        except torch.OutOfMemoryError:
            if len(ids) == 1:
                raise
            half = len(ids) // 2
            return np.concatenate([self.run(ids[:half]), self.run(ids[half:])])
        return np.asarray(_ACTIVATIONS[self.activation](logits.float()).cpu().numpy(), dtype=np.float32)


def _token_types(given: Mapping[str, torch.Tensor], separator: int) -> torch.Tensor:
    """Of shape (texts, longest): 1 for the second of two texts, which follows the first separator."""
    separators = (given["input_ids"] == separator).long() * given["attention_mask"]
    return (separators.cumsum(-1) - separators).clamp(max=1) * given["attention_mask"]


_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "softmax": lambda logits: torch.softmax(logits, -1),
    "none": lambda logits: logits,
}
_OFFSET = ("camembert", "data2vec-text", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl",
           "xmod")  # fmt: skip
"""Families whose first position is the one after that of the padding token, so that they have fewer for a text."""


def read_out_before_padding(model: Any, tokenizer: Any) -> None:
    """Let a model know the token that its tokenizer pads with: a decoder is read out at the last one before it."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.get_text_config().pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id


def max_tokens(config: Any, tokenizer: Any) -> int:
    """The most tokens of a text: those of the model's positions, or fewer where its tokenizer says so."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or 10**9
    if config.model_type in _OFFSET:
        positions -= config.pad_token_id + 1
    return int(min(positions, tokenizer.model_max_length))


def encode(tokenizer: Any, texts: Sequence[Text], longest: int | None) -> list[list[int]]:
    """The tokens of texts, cut to the longest that is allowed; of two texts the longer one is cut."""
    firsts = [one if isinstance(one, str) else one[0] for one in texts]
    seconds = None if not texts or isinstance(texts[0], str) else [one[1] for one in texts]
    if not firsts:
        return []
    cut = longest is not None
    found: list[list[int]] = tokenizer(firsts, seconds, truncation=cut, max_length=longest, verbose=False).input_ids
    return found


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Texts of like length together, the longest first: memory that does not suffice shows at once.

    Args:
        lengths: of the texts, in tokens.
        tokens: the most of a batch, padding included; one text may have more.
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def padded(tokenizer: Any, ids: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Tokens as tensors of shape (texts, longest), padded on the right, with their attention mask."""
    longest = max(map(len, ids))
    pad = tokenizer.pad_token_id
    # Built by hand: the tokenizer's own padding follows its `padding_side`, and positions must not depend on the batch.
    tokens = torch.full((len(ids), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, one in enumerate(ids):
        tokens[row, : len(one)] = torch.tensor(one)
        mask[row, : len(one)] = 1
    return {"input_ids": tokens, "attention_mask": mask}
