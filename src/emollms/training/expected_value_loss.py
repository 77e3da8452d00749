"""The expected value of a number over the tokens that spell it, and its squared error, as a training loss.

This is the loss of regression-aware fine-tuning (RAFT; Lukasik et al., ICLR 2025), for any way in which a tokenizer
splits numbers. The valid answers of a regression task, 0.000 to 1.000, form a tree of tokens, the one that
`expected_value` decoding walks. At each node on the path of the gold answer, the model's probabilities of the valid
next tokens are a distribution over what the number can still become. A token off the path is worth the mean of the
numbers that begin with it; the token on the path is worth the expected value one token further on. Computed from the
last token to the first, this is the expected value of the answer. It needs no forward
pass but that of the cross entropy; the model's own expectation off the path would need one for each branch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from emollms.inference import token_trie
from emollms.inference.decoding import SCORES
from emollms.inference.encoding import PromptEncoder
from emollms.training.tokenize import IGNORED, NO_NODE


@dataclass(frozen=True)
class NumberTable:
    """The nodes of number trees at which there is a choice, as tensors of shape (nodes, widest).

    Args:
        tokens: the tokens that may follow.
        means: the mean of the numbers, on 0..1, that begin with each of them.
        legal: which positions hold a token.
    """

    tokens: torch.Tensor
    means: torch.Tensor
    legal: torch.Tensor

    def to(self, device: torch.device) -> "NumberTable":
        """The table on a device."""
        return NumberTable(self.tokens.to(device), self.means.to(device), self.legal.to(device))


class NumberTrees:
    """Finds the nodes of the gold answers of regression rows.

    Args:
        encoder: prompts as tokens of the model.
    """

    def __init__(self, encoder: PromptEncoder) -> None:
        self.encoder = encoder
        self._nodes: dict[token_trie.TrieNode, int] = {}

    def copy(self) -> "NumberTrees":
        """An independent copy: nodes that are added to one are not in the other."""
        other = NumberTrees(self.encoder)
        other._nodes = dict(self._nodes)
        return other

    def path(self, prompt: str, labels: Sequence[int]) -> list[int]:
        """The node at which each label is chosen; `NO_NODE` where only one token is valid.

        Args:
            prompt: the row's prompt.
            labels: the tokens of its answer, as `encode` gives them.
        """
        node = self.encoder.candidates(self.encoder.tail(prompt), SCORES).tree
        found = []
        for token in labels:
            found.append(self._number(node) if len(node.children) > 1 and token in node.children else NO_NODE)
            node = node.children.get(token, node)
        return found

    def _number(self, node: token_trie.TrieNode) -> int:
        return self._nodes.setdefault(node, len(self._nodes))

    def table(self) -> NumberTable:
        """The table of all nodes so far."""
        rows = [[(token, _mean(child)) for token, child in node.children.items()] for node in self._nodes]
        widest = max(map(len, rows), default=1)
        padded = [[*row, *[(0, 0.0)] * (widest - len(row))] for row in rows] or [[(0, 0.0)]]
        return NumberTable(
            tokens=torch.tensor([[token for token, _ in row] for row in padded]),
            means=torch.tensor([[mean for _, mean in row] for row in padded]),
            legal=torch.tensor([[place < len(row) for place in range(widest)] for row in rows or [[]]]),
        )


def _mean(node: token_trie.TrieNode) -> float:
    ends = list(_ends(node))
    return sum(float(SCORES[end]) for end in ends) / len(ends)


def _ends(node: token_trie.TrieNode) -> Iterable[int]:
    yield from node.ends
    for child in node.children.values():
        yield from _ends(child)


def expected_values(
    logits: torch.Tensor, labels: torch.Tensor, nodes: torch.Tensor, gold: torch.Tensor, table: NumberTable
) -> torch.Tensor:
    """The expected value of each row's answer.

    Args:
        logits: of the answer's tokens, shape (rows, tokens, vocabulary).
        labels: the answer's tokens, shape (rows, tokens).
        nodes: the nodes at which they are chosen, shape (rows, tokens).
        gold: the gold number on 0..1, shape (rows,); any finite number in rows of other tasks.
        table: the table of the nodes.

    Returns:
        Shape (rows,); rows without a node keep `gold`.
    """
    value = gold.float()
    # Backwards, since the value of a token on the path is the expected value of what follows it.
    for place in range(labels.shape[1] - 1, -1, -1):
        here = nodes[:, place]
        chosen = here.clamp(min=0)
        tokens, legal = table.tokens[chosen], table.legal[chosen]
        scores = logits[:, place].float().gather(1, tokens).masked_fill(~legal, float("-inf"))
        # Without regression rows the table is one invalid token, so all scores are -inf and their softmax is NaN. Zeros
        # keep it out: `torch.where` below drops the value, and yet its gradient would be NaN.
        scores = torch.where((here >= 0)[:, None], scores, torch.zeros_like(scores))
        on_path = tokens == labels[:, place].clamp(min=0)[:, None]
        values = torch.where(on_path & legal, value[:, None], table.means[chosen])
        expected = (functional.softmax(scores, dim=-1) * values).sum(-1)
        value = torch.where(here >= 0, expected, value)
    return value


def squared_error(
    logits: torch.Tensor, labels: torch.Tensor, nodes: torch.Tensor, gold: torch.Tensor, table: NumberTable
) -> torch.Tensor:
    """The sum over regression rows of (expected value - `gold`)², a scalar; arguments as for `expected_values`."""
    has = (nodes >= 0).any(-1) & (labels != IGNORED).any(-1)
    expected = expected_values(logits, labels, nodes, gold, table)
    return ((expected - gold.float()) ** 2 * has).sum()
