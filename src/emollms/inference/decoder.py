"""Decoder-only models: shared prefixes of prompts are read once, and tries of candidates go through in one pass."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache

from emollms.inference import token_trie
from emollms.inference.batch_ops import (
    MAX_LOGITS,
    cache_name,
    left_mask,
    left_padded,
    paths_of,
    pick,
    right_padded,
    root_scores,
    scores_along,
)
from emollms.inference.token_trie import TokenPath, TrieNode

Tokens = tuple[int, ...]
Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer, rows × heads × tokens × dimensions."""


class PrefixCache:
    """Keys and values of shared instruction prefixes; those used last are kept for the next batches.

    Args:
        runner: the model.
        room: how many tokens are kept, besides those of the batch.
    """

    def __init__(self, runner: "DecoderRunner", room: int) -> None:
        self.runner, self.room = runner, room
        self._kept: dict[Tokens, Layers] = {}

    def read(self, shared: Sequence[Sequence[int]]) -> None:
        """Compute the keys and values of these prefixes where they are not kept yet."""
        wanted = [tokens for tokens in dict.fromkeys(map(tuple, shared)) if tokens]
        for tokens in wanted:
            # Each by itself: read together, their last bits would depend on which of them earlier batches had left
            # here, and a resumed run skips batches. Those used last come last.
            self._kept[tokens] = self._kept.pop(tokens) if tokens in self._kept else self._read_alone(tokens)
        for tokens in list(self._kept)[: len(self._kept) - len(wanted)]:
            if sum(map(len, self._kept)) > self.room:
                del self._kept[tokens]

    def cache(self, shared: Sequence[Sequence[int]]) -> Any:
        """A cache with a row for each of `shared`, which were read, padded at the left; else an empty one."""
        rows = [tuple(tokens) for tokens in shared]
        wanted = list(dict.fromkeys(rows))
        if not any(wanted):
            return DynamicCache()
        if len(wanted) == 1:
            # Views: the first pass over the batch copies them beside its own keys.
            pairs = self._kept[wanted[0]]
            return DynamicCache([(_repeated(keys, len(rows)), _repeated(values, len(rows))) for keys, values in pairs])
        index = torch.tensor([wanted.index(tokens) for tokens in rows], device=self.runner.model.device)
        width = max(map(len, wanted))
        kept = [self._kept[tokens] if tokens else _empty(next(iter(self._kept.values()))) for tokens in wanted]
        return DynamicCache([(keys[index], values[index]) for keys, values in _stacked_layers(kept, width)])

    def _read_alone(self, tokens: Tokens) -> Layers:
        runner, cache = self.runner, DynamicCache()
        device = runner.model.device
        ids, mask = left_padded([tokens], runner.pad, device), left_mask([tokens], device)
        runner.forward(ids, mask, mask.cumsum(-1) - 1, cache, 1)
        return _layers(cache)


class DecoderRunner:
    """A decoder-only model.

    Args:
        model: the model, on its device.
        pad: any token; padding is masked.
        part: how many tokens of prompts are read at once, if they are not those of one row.
        room: how many tokens of shared prefixes are kept between batches.
    """

    def __init__(self, model: Any, pad: int, part: int, room: int) -> None:
        self.model, self.pad, self.part = model, pad, part
        self.takes = frozenset(inspect.signature(model.forward).parameters)
        self.window: int | None = getattr(model.config.get_text_config(), "sliding_window", None)
        self.prefixes = PrefixCache(self, room)
        self.packs = False
        self.packs = self._can_pack()

    def start(self, shared: Sequence[Sequence[int]], rests: Sequence[Sequence[int]]) -> "DecoderState":
        """Read prompts after what they share with others; longest rest first, so that rows of a part pad the least."""
        self.prefixes.read(shared)
        states = []
        for part in _parts(rests, self.part):
            begun = shared[part]
            # Padding is at the left: then the last column of every row is its next token, in each later step too.
            states.append(DecoderState(self, self.prefixes.cache(begun), left_mask(begun, self.model.device)))
            states[-1].read(rests[part])
        return states[0] if len(states) == 1 else _together(states)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any, keep: int) -> Any:
        """Logits at the last `keep` positions (0: at all); the cache grows."""
        options: dict[str, Any] = {
            "input_ids": ids,
            "attention_mask": mask,
            cache_name(self.takes): cache,
            "use_cache": True,
        }
        if "position_ids" in self.takes:
            options["position_ids"] = positions
        if "logits_to_keep" in self.takes:
            options["logits_to_keep"] = keep
        return self.model(**options).logits[:, -keep:]

    def _can_pack(self) -> bool:
        """Whether a trie can go through in one row, tried on a small one: some models ignore such masks."""
        tokens = [token % self.model.config.get_text_config().vocab_size for token in range(3, 23)]
        tree = token_trie.build_trie([tokens[3:7], [*tokens[3:5], *tokens[8:10]], tokens[9:13]])
        wanted = [list(tree.inner()), list(tree.inner())[:3]]
        try:
            state = self.start(((), ()), [tokens[:11], tokens[4:10]])
            packed = state.expand_packed(wanted)
            plain = self.start(((), ()), [tokens[:11], tokens[4:10]]).expand_rows(wanted)
        except (RuntimeError, TypeError, ValueError, IndexError):
            return False
        # A wrong mask is off by far more than half precision rounds.
        allowed = 1e-3 if self.model.dtype in (torch.float32, torch.float64) else 0.1
        return all(abs(one - other) < allowed for one, other in zip(_flat(packed), _flat(plain), strict=True))


class DecoderState:
    """A batch of prompts in the cache.

    Attributes:
        mask: rows × tokens of prompts and answers in the cache; 0 for padding.
        lengths: for each row, how many tokens it has, without padding: the position of the next one.
        columns: for each row, where in the cache the nodes of its trie are that went through in that row.
        logits: see `DecodingState`.
    """

    def __init__(self, runner: DecoderRunner, cache: Any, mask: torch.Tensor) -> None:
        self.runner, self.cache, self.mask = runner, cache, mask
        self.device = runner.model.device
        self.lengths = mask.sum(-1)
        self.columns: list[dict[TokenPath, int]] = [{} for _ in mask]
        self.logits = torch.empty(0)

    def read(self, rests: Sequence[Sequence[int]]) -> None:
        """Take in the prompts."""
        ids, real = left_padded(rests, self.runner.pad, self.device), left_mask(rests, self.device)
        self.mask = torch.cat([self.mask, real], -1)
        # Padding lies between prefix and rest too, so positions are counted, not taken from columns.
        positions = (self.lengths[:, None] + real.cumsum(-1) - 1).clamp(min=0)
        self.logits = self.runner.forward(ids, self.mask, positions, self.cache, 1)[:, -1]
        self.lengths = self.lengths + real.sum(-1)

    def step(self, tokens: Sequence[int]) -> None:
        """Append one token to each row."""
        ids = torch.tensor(tokens, device=self.device)[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(ids)], -1)
        self.logits = self.runner.forward(ids, self.mask, self.lengths[:, None], self.cache, 1)[:, -1]
        self.lengths = self.lengths + 1

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows only."""
        index = torch.tensor(rows, device=self.device)
        self.cache.batch_select_indices(index)
        self.mask, self.lengths, self.logits = self.mask[index], self.lengths[index], self.logits[index]

    def expand(self, wanted: Sequence[Sequence[TrieNode]]) -> list[list[list[float]]]:
        """For each row and each of its nodes the log-probabilities of the node's children."""
        # A mask of our own is passed on as it is, without a sliding window: right only where all is within it.
        window = self.runner.window
        fits = window is None or self.mask.shape[-1] + sum(map(len, wanted)) <= window
        return self.expand_packed(wanted) if self.runner.packs and fits else self.expand_rows(wanted)

    def expand_packed(self, wanted: Sequence[Sequence[TrieNode]]) -> list[list[list[float]]]:
        """All nodes of a row one after the other in that row, in one pass without copies of the prompt's cache."""
        found = root_scores(self.logits, wanted)
        nodes = [[node for node in some if node.path] for some in wanted]
        if width := max(map(len, nodes)):
            ids = right_padded([[node.path[-1] for node in some] for some in nodes], self.runner.pad, self.device)
            # Siblings have the same position: each is what would come next if the others were not there.
            depths = right_padded([[len(node.path) - 1 for node in some] for some in nodes], 0, self.device)
            mask, positions = self._tree_mask(nodes, width), self.lengths[:, None] + depths
            logits = self.runner.forward(ids, mask, positions, self.cache, width)
            places = [(row, column, node) for row, some in enumerate(nodes) for column, node in enumerate(some)]
            scores = pick(logits, [(row, column, list(node.children)) for row, column, node in places])
            found |= {(row, node.path): score for (row, _, node), score in zip(places, scores, strict=True)}
        return [[found[row, node.path] for node in some] for row, some in enumerate(wanted)]

    def _tree_mask(self, nodes: list[list[TrieNode]], width: int) -> torch.Tensor:
        """Rows × 1 × new tokens × all tokens: 0 where a token attends to another, else the lowest number.

        Each node attends to the prompt, to its ancestors, and to itself. Nodes of earlier passes stay in the cache: an
        ancestor may have gone through then, so `columns` remembers where it is.
        """
        before = self.cache.get_seq_length()
        attends = torch.zeros((len(nodes), width, before + width), dtype=torch.bool)
        for row, some in enumerate(nodes):
            columns = self.columns[row]
            for place, node in enumerate(some):
                columns[node.path] = before + place
                attends[row, place, [columns[node.path[:end]] for end in range(1, len(node.path) + 1)]] = True
        attends = attends.to(self.device)
        attends[:, :, : self.mask.shape[-1]] = self.mask[:, None].bool()
        # Added to the scores of attention: a mask in four dimensions is passed on as it is, and must be of this form
        # for eager attention as for sdpa. The lowest number, since rows of -inf alone would become NaN.
        dtype = self.runner.model.dtype
        lowest = torch.finfo(dtype).min
        return torch.zeros(attends.shape, dtype=dtype, device=self.device).masked_fill(~attends, lowest)[:, None]

    def expand_rows(self, wanted: Sequence[Sequence[TrieNode]]) -> list[list[list[float]]]:
        """Each path in a row of its own, with a copy of the prompt's cache: for models that ignore the tree mask."""
        found = root_scores(self.logits, wanted)
        paths = paths_of(wanted)
        longest = max((len(path) for _, path in paths), default=1)
        size = max(1, MAX_LOGITS // (longest * self.runner.model.config.get_text_config().vocab_size))
        for first in range(0, len(paths), size):
            some = paths[first : first + size]
            logits = self._along([row for row, _ in some], [path for _, path in some])
            found |= scores_along(logits, some, wanted)
        return [[found[row, node.path] for node in some] for row, some in enumerate(wanted)]

    def _along(self, rows: list[int], paths: list[TokenPath]) -> torch.Tensor:
        """Logits at each token of each path, after the prompt of its row."""
        index = torch.tensor(rows, device=self.device)
        width = self.mask.shape[-1]  # nodes that went through packed may follow the prompts in the cache
        layers = self.cache.layers
        cache = DynamicCache([(one.keys[index, :, :width], one.values[index, :, :width]) for one in layers])
        ids = right_padded(paths, self.runner.pad, self.device)
        real = right_padded([[1] * len(path) for path in paths], 0, self.device)
        mask = torch.cat([self.mask[index], real], -1)
        positions = self.lengths[index, None] + (real.cumsum(-1) - 1).clamp(min=0)
        logits: torch.Tensor = self.runner.forward(ids, mask, positions, cache, 0)
        return logits


def _parts(rests: Sequence[Sequence[int]], tokens: int) -> Iterator[slice]:
    """Rows that are read together, neighbours of like length.

    By the length of their first row alone, so that the same rows form the same parts in every run.
    """
    first = 0
    while first < len(rests):
        end = first + max(1, tokens // len(rests[first]))
        yield slice(first, end)
        first = end


def _together(states: Sequence[DecoderState]) -> DecoderState:
    """Parts of a batch as one, filled up at their left."""
    width = max(state.mask.shape[-1] for state in states)
    cache = DynamicCache(_stacked_layers([_layers(state.cache) for state in states], width))
    mask = torch.cat([pad(state.mask, (width - state.mask.shape[-1], 0)) for state in states])
    whole = DecoderState(states[0].runner, cache, mask)
    whole.logits = torch.cat([state.logits for state in states])
    return whole


def _layers(cache: Any) -> Layers:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _stacked_layers(caches: Sequence[Layers], width: int) -> Layers:
    """Caches of some rows each as one, filled up with zeros at the left to `width` tokens."""
    return [
        (_stacked([keys for keys, _ in pairs], width), _stacked([values for _, values in pairs], width))
        for pairs in zip(*caches, strict=True)
    ]


def _stacked(tensors: Sequence[torch.Tensor], width: int) -> torch.Tensor:
    return torch.cat([pad(one, (0, 0, width - one.shape[-2], 0)) for one in tensors])


def _repeated(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    return tensor.expand(rows, -1, -1, -1)


def _empty(layers: Layers) -> Layers:
    return [(keys[:, :, :0], values[:, :, :0]) for keys, values in layers]


def _flat(scores: list[list[list[float]]]) -> list[float]:
    return [score for nodes in scores for children in nodes for score in children]
