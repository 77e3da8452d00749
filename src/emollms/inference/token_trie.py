"""Candidates as a trie: what they share is scored once, and what cannot matter is not scored.

`score_trie` asks a model about tokens. `prefix_search` asks a server that names the likeliest next tokens as text.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

TokenPath = tuple[int, ...]


@dataclass(eq=False)
class TrieNode:
    """A prefix that some candidates share.

    Args:
        path: its tokens.
        children: what may follow, by token.
        ends: candidates that end here.
        leaves: how many candidates end here or below.
    """

    path: TokenPath = ()
    children: dict[int, "TrieNode"] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    leaves: int = 0

    def inner(self) -> Iterator["TrieNode"]:
        """This node and those below it that have children, parents first."""
        if self.children:
            yield self
            for child in self.children.values():
                yield from child.inner()


Expand = Callable[[list[list[TrieNode]]], list[list[list[float]]]]
"""Nodes to open, by row → for each row and node the log-probabilities of its children, in their order."""

Likeliest = Callable[[str], Mapping[str, float]]
"""The start of an answer → the likeliest next tokens as text, with their log-probabilities."""

UNSEEN = -100.0
"""The log-probability of what no server named among the likeliest."""


def build_trie(candidates: Sequence[Sequence[int]]) -> TrieNode:
    """The trie of `candidates`, each a sequence of tokens."""
    root = TrieNode(leaves=len(candidates))
    for number, tokens in enumerate(candidates):
        node = root
        for token in tokens:
            node = node.children.setdefault(token, TrieNode((*node.path, token)))
            node.leaves += 1
        node.ends.append(number)
    return root


def score_trie(roots: Sequence[TrieNode], expand: Expand, tolerance: float) -> list[list[float]]:
    """The log-probability of each candidate of each row.

    Args:
        roots: the trie of each row.
        expand: asks the model.
        tolerance: see `Engine.score`.
    """
    searches = [_TrieSearch(root, tolerance) for root in roots]
    wanted = [search.first() for search in searches]
    # All rows of a batch take each step together, even where one needs no more: a step is one pass of the model.
    while any(wanted):
        for search, nodes, found in zip(searches, wanted, expand(wanted), strict=True):
            search.open(nodes, found)
        wanted = [search.next() for search in searches]
    return [search.scores() for search in searches]


class _TrieSearch:
    """One row: which nodes were opened, and how probable each prefix is."""

    def __init__(self, root: TrieNode, tolerance: float) -> None:
        self.root, self.tolerance = root, tolerance
        self.mass: dict[TrieNode, float] = {root: 0.0}  # log-probability of each node that was reached
        self.closed = {root: None}  # those of them that were not opened; a dict, because a set has no order

    def first(self) -> list[TrieNode]:
        """All nodes where all are to be told apart, else those that most candidates go through, or one alone."""
        if self.tolerance == 0:
            return list(self.root.inner())
        # `0` and `.` are on the way to nearly all scores: opened at once, they cost no step of their own.
        most = [node for node in self.root.inner() if 2 * node.leaves > self.root.leaves]
        # The one answer that goes another way, `1.000`, would need a step a token later.
        single = [child for child in self.root.children.values() if child.leaves == 1 and child.children]
        return most + [link for child in single if child not in most for link in _chain(child)]

    def next(self) -> list[TrieNode]:
        """The nodes below which more is open than the tolerance allows."""
        kept, _ = self._kept()
        # kept · leaves, since an error at a node spreads over as much of the scale as the node has leaves: much
        # probability on one digit's last place matters less than little probability on ten tenths.
        limit = self.tolerance * kept[self.root] * self.root.leaves
        return [
            link for node in self.closed if node.children and kept[node] * node.leaves > limit for link in _chain(node)
        ]

    def open(self, nodes: Sequence[TrieNode], found: Sequence[Sequence[float]]) -> None:
        """Take the model's log-probabilities of the children of `nodes`, parents first."""
        for node, children in zip(nodes, found, strict=True):
            del self.closed[node]
            for child, score in zip(node.children.values(), children, strict=True):
                self.mass[child] = self.mass[node] + score
                self.closed[child] = None

    def scores(self) -> list[float]:
        """The log-probabilities; candidates that were not told apart get equal parts.

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
                    _spread(child, part, part, found)
        return found

    def _kept(self) -> tuple[dict[TrieNode, float], dict[int, float]]:
        """How much of each node's probability ends as a candidate, and the logarithm of that fraction by depth.

        The former is relative to the likeliest node that is not opened.
        """
        # Relative, so that exp() does not underflow: on a model that was not tuned all legal answers are improbable.
        most = max((self.mass[node] for node in self.closed), default=0.0)
        kept: dict[TrieNode, float] = {}
        rates: dict[int, float] = {}
        levels: dict[int, list[TrieNode]] = {}
        for node in self.mass:
            levels.setdefault(len(node.path), []).append(node)
        for depth, nodes in sorted(levels.items(), reverse=True):
            opened = [node for node in nodes if node not in self.closed]
            kept |= {node: math.fsum(kept[child] for child in node.children.values()) for node in opened}
            # An opened node may be e^700 times as probable as `most`, where nearly nothing of it ends as a candidate.
            whole = math.fsum(math.exp(min(700.0, self.mass[node] - most)) for node in opened)
            part = math.fsum(kept[node] for node in opened)
            rates[depth] = math.log(part / whole) if part > 0 and whole > 0 else 0.0
            for node in nodes:
                if node in self.closed:
                    kept[node] = math.exp(self.mass[node] - most + (rates[depth] if node.children else 0.0))
        return kept, rates


def _chain(node: TrieNode) -> list[TrieNode]:
    """`node`, and the nodes after it for as long as only one token can follow: they cost one step together."""
    links = [node]
    while len(links[-1].children) == 1:
        (only,) = links[-1].children.values()
        if not only.children:
            break
        links.append(only)
    return links


def _spread(node: TrieNode, here: float, below: float, found: list[float]) -> None:
    """Give each candidate that ends at `node` the score `here`, and each that ends further down `below`."""
    for end in node.ends:
        found[end] = here
    for child in node.children.values():
        _spread(child, below, below, found)


def prefix_search(candidates: Sequence[str], likeliest: Likeliest, tolerance: float) -> list[float]:
    """The log-probability of each candidate, summed over the ways to cut it into tokens.

    Args:
        candidates: the candidates.
        likeliest: asks the server what may follow the start of an answer.
        tolerance: see `Engine.score`.
    """
    # A trie of characters: which tokens a server has is not known, so one of its tokens may lead several levels down.
    root = build_trie([[ord(character) for character in text] for text in candidates])
    found = [UNSEEN] * len(candidates)
    open_mass = {root: 0.0}
    while open_mass:
        total = _log_sum(open_mass.values())
        chosen = [
            node
            for node, mass in open_mass.items()
            if node.children and math.exp(mass - total) * _fraction(node, root) > tolerance
        ]
        if not chosen:
            break
        for node in chosen:
            _open_text(node, open_mass, likeliest)
    for node, mass in open_mass.items():
        _spread(node, mass, mass - math.log(max(1, node.leaves - len(node.ends))), found)
    return found


def _fraction(node: TrieNode, root: TrieNode) -> float:
    """How many of the candidates begin so; one alone counts as all, since its prefix may lead to what is none."""
    return node.leaves / root.leaves if node.leaves > 1 else 1.0


def _open_text(node: TrieNode, open_mass: dict[TrieNode, float], likeliest: Likeliest) -> None:
    mass = open_mass.pop(node)
    if node.ends:  # a candidate that is the start of others: it keeps what led to it
        open_mass[TrieNode(ends=node.ends, leaves=len(node.ends))] = mass
    for token, next_score in likeliest("".join(map(chr, node.path))).items():
        if reached := _descend(node, token):
            open_mass[reached] = _log_sum([open_mass.get(reached, -math.inf), mass + next_score])


def _descend(node: TrieNode, token: str) -> TrieNode | None:
    """Where `token` leads; one that is longer than the rest of a candidate leads to the candidate's end."""
    for character in token:
        if not node.children:
            break
        after = node.children.get(ord(character))
        if after is None:
            return None
        node = after
    return node if token else None


def _log_sum(scores: Iterable[float]) -> float:
    """The logarithm of a sum of probabilities."""
    values = [score for score in scores if score > -math.inf]
    most = max(values, default=0.0)
    return most + math.log(math.fsum(math.exp(value - most) for value in values)) if values else -math.inf
