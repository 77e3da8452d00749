"""Many candidates on a server that tells the likeliest next tokens: a tree of text, whatever the tokens are."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from emollms.inference.token_trie import Node, build

Ask = Callable[[str], Mapping[str, float]]
"""The beginning of an answer → the likeliest next tokens as text, with their log-probabilities."""

UNSEEN = -100.0
"""The score of what no server named among the likeliest."""


def score(candidates: Sequence[str], ask: Ask, tolerance: float) -> list[float]:
    """The log-probability of each candidate.

    Ways to cut a text into tokens are added up.

    Args:
        candidates: the candidates.
        ask: asks the server.
        tolerance: see `Engine.score`.
    """
    root = build([[ord(character) for character in text] for text in candidates])
    found = [UNSEEN] * len(candidates)
    waiting = {root: 0.0}
    while waiting:
        total = _sum(waiting.values())
        opened = [
            node
            for node, mass in waiting.items()
            if node.children and math.exp(mass - total) * _part(node, root) > tolerance
        ]
        if not opened:
            break
        for node in opened:
            _open(node, waiting, ask)
    for node, mass in waiting.items():
        _spread(node, mass, mass - math.log(max(1, node.leaves - len(node.ends))), found)
    return found


def _part(node: Node, root: Node) -> float:
    """How much of the candidates begins so; one alone counts whole, for it may not be what the beginning leads to."""
    return node.leaves / root.leaves if node.leaves > 1 else 1.0


def _open(node: Node, waiting: dict[Node, float], ask: Ask) -> None:
    mass = waiting.pop(node)
    if node.ends:  # a candidate that others go on from: it keeps what led to it
        waiting[Node(ends=node.ends, leaves=len(node.ends))] = mass
    for token, next_score in ask("".join(map(chr, node.path))).items():
        if reached := _descend(node, token):
            waiting[reached] = _sum([waiting.get(reached, -math.inf), mass + next_score])


def _descend(node: Node, token: str) -> Node | None:
    """Where `token` leads; a token that goes on after the end of a candidate leads to that end."""
    for character in token:
        if not node.children:
            break
        after = node.children.get(ord(character))
        if after is None:
            return None
        node = after
    return node if token else None


def _sum(scores: Iterable[float]) -> float:
    """The logarithm of a sum of probabilities."""
    values = [score for score in scores if score > -math.inf]
    most = max(values, default=0.0)
    return most + math.log(math.fsum(math.exp(value - most) for value in values)) if values else -math.inf


def _spread(node: Node, here: float, below: float, found: list[float]) -> None:
    for end in node.ends:
        found[end] = here
    for child in node.children.values():
        _spread(child, below, below, found)
