"""Rows to batches: prompts end where answers begin, so that logits are needed at the last places only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from emollms.training.expected_value_loss import NO_NODE
from emollms.training.tokenize import IGNORED

Rows = Sequence[Mapping[str, Any]]
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class CausalCollator:
    """For decoders: padded at the left, so that all answers end in the last place.

    The labels are as wide as the longest answer and one more place, whose label is never learnt: the logits of that
    place tell the answer's first token.

    Args:
        pad: any token; padding is masked.
    """

    pad: int

    def __call__(self, rows: Rows) -> Batch:
        """Tensors `input_ids`, `attention_mask` and `position_ids` of shape (rows, length), and `targets(rows)`."""
        ids = _padded([row["input_ids"] for row in rows], self.pad, left=True)
        mask = _padded([[1] * len(row["input_ids"]) for row in rows], 0, left=True)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **_targets(rows, 1, left=True)}


@dataclass(frozen=True)
class Seq2SeqCollator:
    """For encoder-decoders: padded at the right; decoders read their labels, shifted by one place.

    Args:
        pad: the model's padding token.
        start: the token that decoders begin with.
    """

    pad: int
    start: int

    def __call__(self, rows: Rows) -> Batch:
        """Tensors `input_ids` and `attention_mask`, `decoder_input_ids`, and `targets(rows)`."""
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
    made = torch.full((len(rows), width), filler)
    for number, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(len(row))
        made[number, place] = torch.tensor(row)
    return made
