"""Candidates as a tree of tokens: what they share is looked at once, and what cannot matter is not looked at."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

Path = tuple[int, ...]


@dataclass(eq=False)
class Node:
    """A beginning that some candidates share.

    Args:
        path: its tokens.
        children: what may follow, by token.
        ends: candidates that end here.
        leaves: how many candidates end here or further on.
    """

    path: Path = ()
    children: dict[int, "Node"] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    leaves: int = 0

    def inner(self) -> Iterator["Node"]:
        """This node and those below it after which some candidate goes on, parents first."""
        if self.children:
            yield self
            for child in self.children.values():
                yield from child.inner()


Expand = Callable[[list[list[Node]]], list[list[list[float]]]]
"""Nodes to open, by row → for each row and node the log-probabilities of its children, in their order."""


def build(candidates: Sequence[Sequence[int]]) -> Node:
    """The tree of `candidates`, each a sequence of tokens."""
    root = Node(leaves=len(candidates))
    for number, tokens in enumerate(candidates):
        node = root
        for token in tokens:
            node = node.children.setdefault(token, Node((*node.path, token)))
            node.leaves += 1
        node.ends.append(number)
    return root


def score(roots: Sequence[Node], expand: Expand, tolerance: float) -> list[list[float]]:
    """The log-probability of each candidate of each row.

    Args:
        roots: the tree of each row.
        expand: what asks the model.
        tolerance: see `Engine.score`.
    """
    searches = [_Search(root, tolerance) for root in roots]
    wanted = [search.first() for search in searches]
    while any(wanted):
        for search, nodes, found in zip(searches, wanted, expand(wanted), strict=True):
            search.open(nodes, found)
        wanted = [search.next() for search in searches]
    return [search.scores() for search in searches]


class _Search:
    """One row: which nodes were opened, and how probable each beginning is."""

    def __init__(self, root: Node, tolerance: float) -> None:
        self.root, self.tolerance = root, tolerance
        self.closed: dict[Node, float] = {root: 0.0}  # nodes reached and not opened, with their log-probability
        self.found = [0.0] * root.leaves

    def first(self) -> list[Node]:
        """All nodes where all are to be told apart, else those that most candidates go through."""
        if self.tolerance == 0:
            return list(self.root.inner())
        return [node for node in self.root.inner() if 2 * node.leaves > self.root.leaves] if self.root.children else []

    def next(self) -> list[Node]:
        """The nodes at which so much is open still that the tolerance asks to go on."""
        most = max(self.closed.values(), default=0.0)
        total = most + math.log(sum(math.exp(mass - most) for mass in self.closed.values())) if self.closed else 0.0
        return [
            link
            for node, mass in self.closed.items()
            if node.children and math.exp(mass - total) * node.leaves / self.root.leaves > self.tolerance
            for link in _chain(node)
        ]

    def open(self, nodes: Sequence[Node], found: Sequence[Sequence[float]]) -> None:
        """Take what the model said about the children of `nodes`, parents first."""
        for node, children in zip(nodes, found, strict=True):
            mass = self.closed.pop(node)
            for end in node.ends:
                self.found[end] = mass
            for child, score in zip(node.children.values(), children, strict=True):
                self.closed[child] = mass + score

    def scores(self) -> list[float]:
        """The scores; what was not told apart has equal parts."""
        for node, mass in self.closed.items():
            self._spread(node, mass, mass - math.log(max(1, node.leaves - len(node.ends))))
        return self.found

    def _spread(self, node: Node, here: float, below: float) -> None:
        for end in node.ends:
            self.found[end] = here
        for child in node.children.values():
            self._spread(child, below, below)


def _chain(node: Node) -> list[Node]:
    """`node`, and the nodes after it for as long as only one token can follow."""
    links = [node]
    while len(links[-1].children) == 1:
        (only,) = links[-1].children.values()
        if not only.children:
            break
        links.append(only)
    return links
