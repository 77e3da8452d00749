"""Rows as tokens and as batches: the prompt as inference reads it, then the answer and the token that ends it.

Prompts end where answers begin, so that logits are needed at the last positions of a batch only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from emollms.inference.encoding import PromptEncoder
from emollms.prompts.framing import model_input

IGNORED = -100
"""The label of a token without a loss; that of torch's cross entropy."""
NO_NODE = -1
"""The node of a token that is no choice between numbers; see `emollms.training.expected_value_loss`."""
_ANSWER = "0.5"

Rows = Sequence[Mapping[str, Any]]
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Encoded:
    """A row as a model is trained on it.

    Args:
        ids: the input: prompt and answer for a decoder, the prompt for an encoder.
        labels: the answer and its end token; for a decoder these are the last tokens of `ids`.
    """

    ids: list[int]
    labels: list[int]


def encode(encoder: PromptEncoder, prompts: Sequence[str], answers: Sequence[str]) -> list[Encoded]:
    """The tokens of rows; those before an answer are the ones that inference reads.

    Args:
        encoder: prompts as tokens of the model.
        prompts: prompts as rows hold them.
        answers: the answer to each.
    """
    framed = [model_input(encoder.tokenizer, prompt, encoder.template) for prompt in prompts]
    before = encoder.contexts(framed)
    if encoder.seq2seq:
        targets = encoder.tokenizer(text_target=list(answers)).input_ids
        return [Encoded(ids, list(target)) for ids, target in zip(before, targets, strict=True)]
    end = end_of_answer(encoder)
    whole = encoder.contexts([text + answer for text, answer in zip(framed, answers, strict=True)])
    return [_causal(ids, start, end) for ids, start in zip(whole, before, strict=True)]


def _causal(ids: list[int], before: list[int], end: int) -> Encoded:
    # Some tokenizers merge the end of a prompt with the start of its answer ("▁" and "0" to "▁0"): prompt and answer
    # are tokenized together, and labels begin where that departs from the prompt alone; see `Candidates.replaced`.
    shared = 0
    while shared < len(before) and shared < len(ids) and before[shared] == ids[shared]:
        shared += 1
    return Encoded([*ids, end], [*ids[shared:], end])


def end_of_answer(encoder: PromptEncoder) -> int:
    """The token that ends an answer of a decoder: the end of a turn in a chat, else the tokenizer's `eos_token`.

    Generation stops at it, since it is one of `encoder.ends`.
    """
    if encoder.template == "chat":
        # What a chat template puts after an answer differs by family, so a conversation is rendered to find out.
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _ANSWER}]
        after = str(encoder.tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(_ANSWER)[2]
        for token in encoder.tokenizer(after, add_special_tokens=False).input_ids:
            if token in encoder.ends:
                return int(token)
    return int(encoder.tokenizer.eos_token_id)


@dataclass(frozen=True)
class CausalCollator:
    """Batches for decoders: padded on the left, so that all answers end in the last position.

    The labels are as wide as the longest answer plus one position, whose label is ignored: the logits of that
    position predict the answer's first token.

    Args:
        pad: any token; padding is masked.
    """

    pad: int

    def __call__(self, rows: Rows) -> Batch:
        """Tensors `input_ids`, `attention_mask` and `position_ids` of shape (rows, length), and the targets."""
        ids = _padded([row["input_ids"] for row in rows], self.pad, left=True)
        mask = _padded([[1] * len(row["input_ids"]) for row in rows], 0, left=True)
        # Left padding must not shift the positions that a prompt has at inference.
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **_targets(rows, 1, left=True)}


@dataclass(frozen=True)
class Seq2SeqCollator:
    """Batches for encoder-decoders: padded on the right; the decoder reads the labels, shifted by one position.

    Args:
        pad: the model's padding token.
        start: the token with which the decoder begins.
    """

    pad: int
    start: int

    def __call__(self, rows: Rows) -> Batch:
        """Tensors `input_ids` and `attention_mask`, `decoder_input_ids`, and the targets."""
        targets = _targets(rows, 0, left=False)
        read = torch.full_like(targets["labels"], self.start)
        read[:, 1:] = targets["labels"][:, :-1]
        return {
            "input_ids": _padded([row["input_ids"] for row in rows], self.pad, left=False),
            "attention_mask": _padded([[1] * len(row["input_ids"]) for row in rows], 0, left=False),
            "decoder_input_ids": read.masked_fill(read == IGNORED, self.pad),
            **targets,
        }


def _targets(rows: Rows, before: int, left: bool) -> Batch:
    """`labels` and `nodes` of shape (rows, longest answer + `before`), and `gold` of shape (rows,)."""
    return {
        "labels": _padded([[IGNORED] * before + list(row["labels"]) for row in rows], IGNORED, left),
        "nodes": _padded([[NO_NODE] * before + list(row["nodes"]) for row in rows], NO_NODE, left),
        "gold": torch.tensor([row["gold"] for row in rows], dtype=torch.float32),
    }


def _padded(rows: Sequence[Sequence[int]], filler: int, left: bool) -> torch.Tensor:
    width = max(map(len, rows))
    padded = torch.full((len(rows), width), filler)
    for number, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(len(row))
        padded[number, place] = torch.tensor(row)
    return padded
