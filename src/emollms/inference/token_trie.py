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
        self.mass: dict[Node, float] = {root: 0.0}  # log-probability of each node that was reached
        self.closed = {root: None}  # those of them that were not opened, in order

    def first(self) -> list[Node]:
        """All nodes where all are to be told apart, else those that most candidates go through, or one alone."""
        if self.tolerance == 0:
            return list(self.root.inner())
        most = [node for node in self.root.inner() if 2 * node.leaves > self.root.leaves]
        single = [child for child in self.root.children.values() if child.leaves == 1 and child.children]
        return most + [link for child in single if child not in most for link in _chain(child)]

    def next(self) -> list[Node]:
        """The nodes at which so much is open still that the tolerance asks to go on."""
        kept, _ = self._kept()
        limit = self.tolerance * kept[self.root] * self.root.leaves
        return [
            link for node in self.closed if node.children and kept[node] * node.leaves > limit for link in _chain(node)
        ]

    def open(self, nodes: Sequence[Node], found: Sequence[Sequence[float]]) -> None:
        """Take what the model said about the children of `nodes`, parents first."""
        for node, children in zip(nodes, found, strict=True):
            del self.closed[node]
            for child, score in zip(node.children.values(), children, strict=True):
                self.mass[child] = self.mass[node] + score
                self.closed[child] = None

    def scores(self) -> list[float]:
        """The scores; what was not told apart has equal parts.

        Not all that begins like a candidate ends as one. What was not opened is taken to do so as often as what was
        opened at the same depth.
        """
        found = [0.0] * self.root.leaves
        _, rates = self._kept()
        for node, mass in self.mass.items():
            for end in node.ends:
                found[end] = mass
        for node in self.closed:
            if longer := node.leaves - len(node.ends):
                part = self.mass[node] + rates.get(len(node.path), 0.0) - math.log(longer)
                for child in node.children.values():
                    _spread(child, part, found)
        return found

    def _kept(self) -> tuple[dict[Node, float], dict[int, float]]:
        """How much of each node's probability ends as a candidate, and the logarithm of that part by depth.

        The former is relative to the likeliest node that is not opened.
        """
        most = max((self.mass[node] for node in self.closed), default=0.0)
        kept: dict[Node, float] = {}
        rates: dict[int, float] = {}
        levels: dict[int, list[Node]] = {}
        for node in self.mass:
            levels.setdefault(len(node.path), []).append(node)
        for depth, nodes in sorted(levels.items(), reverse=True):
            opened = [node for node in nodes if node not in self.closed]
            kept |= {node: math.fsum(kept[child] for child in node.children.values()) for node in opened}
            whole = math.fsum(math.exp(min(700.0, self.mass[node] - most)) for node in opened)
            part = math.fsum(kept[node] for node in opened)
            rates[depth] = math.log(part / whole) if part > 0 and whole > 0 else 0.0
            for node in nodes:
                if node in self.closed:
                    kept[node] = math.exp(self.mass[node] - most + (rates[depth] if node.children else 0.0))
        return kept, rates


def _spread(node: Node, part: float, found: list[float]) -> None:
    """Give each candidate at or below `node` the same score."""
    for end in node.ends:
        found[end] = part
    for child in node.children.values():
        _spread(child, part, found)


def _chain(node: Node) -> list[Node]:
    """`node`, and the nodes after it for as long as only one token can follow."""
    links = [node]
    while len(links[-1].children) == 1:
        (only,) = links[-1].children.values()
        if not only.children:
            break
        links.append(only)
    return links
