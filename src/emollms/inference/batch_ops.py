"""What decoder-only and encoder-decoder models share: a batch whose answers are being decoded."""

from collections.abc import Container, Sequence
from typing import Protocol

import torch

from emollms.inference.token_trie import TokenPath, TrieNode

MAX_LOGITS = 1 << 26
"""How many numbers over the vocabulary are held at once: 256 MiB in float32."""


class DecodingState(Protocol):
    """A batch of prompts that a model has read.

    Args:
        logits: for each row, the scores of its next token.
    """

    logits: torch.Tensor

    def step(self, tokens: Sequence[int]) -> None:
        """Append one token to each row."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows only."""
        ...

    def expand(self, wanted: Sequence[Sequence[TrieNode]]) -> list[list[list[float]]]:
        """For each row and each of its nodes the log-probabilities of the node's children."""
        ...


class ModelRunner(Protocol):
    """A model that reads prompts."""

    def start(self, shared: Sequence[Sequence[int]], rests: Sequence[Sequence[int]]) -> DecodingState:
        """Read prompts: of each, what it shares with others as a prefix, and the rest."""
        ...


def cache_name(parameters: Container[str]) -> str:
    """What a model that takes `parameters` calls its cache; transformers 5.24 changed the name."""
    return "cache" if "cache" in parameters else "past_key_values"


Picks = list[tuple[int, int, list[int]]]
"""First and second index into a table of logits, and tokens there."""

Scores = dict[tuple[int, TokenPath], list[float]]
"""Row and path of a node → the log-probabilities of its children, in their order."""


def pick(logits: torch.Tensor, picks: Picks) -> list[list[float]]:
    """Log-probabilities of tokens in a table of logits, rows × positions × vocabulary."""
    if not picks:
        return []
    norms = torch.logsumexp(logits.float(), -1)
    first = torch.tensor([one for one, _, tokens in picks for _ in tokens], device=logits.device)
    second = torch.tensor([two for _, two, tokens in picks for _ in tokens], device=logits.device)
    third = torch.tensor([token for _, _, tokens in picks for token in tokens], device=logits.device)
    found = iter((logits[first, second, third].float() - norms[first, second]).tolist())
    return [[next(found) for _ in tokens] for _, _, tokens in picks]


def right_padded(sequences: Sequence[Sequence[int]], pad: int, device: torch.device) -> torch.Tensor:
    """Sequences as one table, filled up with `pad` at their right."""
    width = max(map(len, sequences))
    return torch.tensor([[*tokens, *[pad] * (width - len(tokens))] for tokens in sequences], device=device)


def left_padded(sequences: Sequence[Sequence[int]], pad: int, device: torch.device) -> torch.Tensor:
    """Sequences as one table, filled up with `pad` at their left; all may be empty."""
    width = max(map(len, sequences))
    table = [[*[pad] * (width - len(tokens)), *tokens] for tokens in sequences]
    return torch.tensor(table, dtype=torch.long, device=device)


def left_mask(sequences: Sequence[Sequence[int]], device: torch.device) -> torch.Tensor:
    """1 where `left_padded` has a token of a sequence, else 0."""
    return left_padded([[1] * len(tokens) for tokens in sequences], 0, device)


def paths_of(wanted: Sequence[Sequence[TrieNode]]) -> list[tuple[int, TokenPath]]:
    """The fewest token sequences, with their row, that go through all wanted nodes."""
    paths: list[tuple[int, TokenPath]] = []
    for row, nodes in enumerate(wanted):
        ordered = sorted(node.path for node in nodes if node.path)
        # Sorted, what extends a path follows it at once, so a path that the next one extends needs no row of its own.
        paths += [
            (row, path) for path, after in zip(ordered, [*ordered[1:], ()], strict=False) if after[: len(path)] != path
        ]
    return paths


def scores_along(
    logits: torch.Tensor, paths: Sequence[tuple[int, TokenPath]], wanted: Sequence[Sequence[TrieNode]], first: int = 0
) -> Scores:
    """What follows the wanted nodes that lie on some paths.

    Args:
        logits: paths × tokens × vocabulary; the scores of what follows each token.
        paths: the row of each path, and its tokens.
        wanted: nodes, by row.
        first: where in the table the paths begin.
    """
    positions = {
        (row, path[:end]): (number, first + end - 1)
        for number, (row, path) in enumerate(paths)
        for end in range(1, len(path) + 1)
    }
    here = [(row, node) for row, nodes in enumerate(wanted) for node in nodes if (row, node.path) in positions]
    found = pick(logits, [(*positions[row, node.path], list(node.children)) for row, node in here])
    return {(row, node.path): scores for (row, node), scores in zip(here, found, strict=True)}


def root_scores(logits: torch.Tensor, wanted: Sequence[Sequence[TrieNode]]) -> Scores:
    """What the answers may begin with: the children of roots, by row and path."""
    rows = [(row, node) for row, nodes in enumerate(wanted) for node in nodes if not node.path]
    found = pick(logits[:, None], [(row, 0, list(node.children)) for row, node in rows])
    return {(row, ()): scores for (row, _), scores in zip(rows, found, strict=True)}
