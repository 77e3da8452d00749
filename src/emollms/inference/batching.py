"""Which rows go through the model together: of like length, within a budget, each instruction prefix read once.

The prompts alone decide, never which answers are known or how fast the machine is: a resumed run has the same batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

Ids = Sequence[int]
Row = TypeVar("Row")

WINDOW = 4096
"""Rows that batches are planned among. A window is planned from all of its rows, whether their answers are known or
not, so that a run that was interrupted forms the same batches when it is resumed; and no more rows than these are
tokenized at a time."""

_ON_CPU, ON_GPU, _FEWEST, _MOST = 4096, 32768, 1024, 1 << 18
"""Tokens at once: on a CPU; on an accelerator that does not tell its free memory; and the bounds where one does."""


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together.

    Args:
        rows: their numbers, longest rest first.
        shared: for each, the length of its prefix that is read once for all rows that have it.
    """

    rows: tuple[int, ...]
    shared: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much goes through the model at once.

    Args:
        tokens: the most tokens, padding included.
        logits: the most numbers over the vocabulary that are held at once.
        window: rows longer than this go alone and share nothing; None for no such limit.
    """

    tokens: int
    logits: int
    window: int | None = None


def windows(rows: Sequence[Row], size: int = WINDOW) -> Iterator[Sequence[Row]]:
    """`rows` in parts of `size`, in order; the last one may be shorter."""
    return (rows[first : first + size] for first in range(0, len(rows), size))


def plan(
    ids: Sequence[Ids], budget: Budget, after: int = 0, width: int = 1, share: bool = True, grows: bool = False
) -> Iterator[Batch]:
    """Batches that together hold each row once.

    Args:
        ids: the tokens of each row.
        budget: the limits.
        after: how many tokens a row may get besides.
        width: how many numbers over the vocabulary a row needs.
        share: whether shared prefixes are computed once.
        grows: whether those further tokens come one at a time; then they cost memory, but are not read at once.
    """
    # A sliding window counts columns of the cache, padding between prefix and rest included.
    limit = budget.window or max(map(len, ids), default=0) + after
    alone = [row for row, tokens in enumerate(ids) if len(tokens) + after > limit]
    together = [row for row, tokens in enumerate(ids) if len(tokens) + after <= limit]
    yield from (Batch((row,), (0,)) for row in alone)
    groups = prefix_groups(ids, together) if share else [(0, together)]
    shared = {row: length for length, rows in groups for row in rows}
    rest = {row: len(ids[row]) - shared[row] for row in together}
    # By length, so that rows of a batch pad little; then by prefix, so that a batch reads few; then by tokens, so that
    # the order of the rows decides nothing.
    todo = sorted(together, key=lambda row: (-rest[row], -shared[row], list(ids[row])))
    while todo:
        count = _fitting(ids, todo, shared, budget, after, width, grows)
        yield Batch(tuple(todo[:count]), tuple(shared[row] for row in todo[:count]))
        todo = todo[count:]


def _fitting(
    ids: Sequence[Ids],
    rows: Sequence[int],
    shared: Mapping[int, int],
    budget: Budget,
    after: int,
    width: int,
    grows: bool,
) -> int:
    """How many of `rows`, from the first on, go through together; at least one."""
    longest = len(ids[rows[0]]) - shared[rows[0]]
    each = longest + (0 if grows else after)
    most = min(len(rows), max(1, budget.logits // width), max(1, budget.tokens // each))
    prefixes: set[tuple[int, ...]] = set()
    read, widest = 0, 0
    for count, row in enumerate(rows[:most]):
        prefix = tuple(ids[row][: shared[row]])
        read += 0 if prefix in prefixes else len(prefix)
        prefixes.add(prefix)
        widest = max(widest, len(prefix))
        whole = widest + longest + after
        # A shared prefix costs memory in each row (keys and values are copied), but no time; hence the factor.
        fits = read <= budget.tokens and (count + 1) * whole <= 4 * budget.tokens
        if count and not (fits and whole <= (budget.window or whole)):
            return count
    return most


def prefix_groups(ids: Sequence[Ids], rows: Sequence[int], saving: int = 16) -> list[tuple[int, list[int]]]:
    """Rows by their prefix: the length of what they share, and the rows.

    Args:
        ids: the tokens of each row.
        rows: the rows to group.
        saving: how many tokens a group of its own must save.
    """
    return _split(ids, sorted(rows, key=lambda row: list(ids[row])), saving) if rows else []


def _split(ids: Sequence[Ids], rows: list[int], saving: int) -> list[tuple[int, list[int]]]:
    # In sorted rows, what the first and the last share is shared by all. One token stays for each row: its logits are
    # what an answer starts from.
    shared = min(common_prefix(ids[rows[0]], ids[rows[-1]]), min(len(ids[row]) for row in rows) - 1)
    by_next: dict[int, list[int]] = {}
    for row in rows:
        by_next.setdefault(ids[row][shared], []).append(row)
    if len(by_next) == 1:
        return [(shared, rows)]
    groups: list[tuple[int, list[int]]] = []
    rest: list[int] = []
    for some in by_next.values():
        for length, members in _split(ids, some, saving) if len(some) > 1 else [(shared, some)]:
            # The longer prefix is read once, from the start, and saves each member what it shares beyond ours.
            if len(members) * (length - shared) >= length + saving:
                groups.append((length, members))
            else:
                rest += members
    return [*groups, (shared, rest)] if rest else groups


def common_prefix(first: Ids, second: Ids) -> int:
    """The length of the longest common prefix."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def fitting_tokens(device: "torch.device", config: Any, dtype: "torch.dtype") -> int:
    """How many tokens may go through a model at once.

    Args:
        device: where it is.
        config: its configuration, that of the text part.
        dtype: its numbers.

    Returns:
        On CUDA what half of the free memory holds, as a power of two: a run that is resumed, with some megabytes more
        or less, then has the same batches. Too many is no harm, since batches that run out of memory are halved.
    """
    if device.type != "cuda":
        return _ON_CPU if device.type == "cpu" else ON_GPU
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    heads = getattr(config, "num_attention_heads", 1)
    cached = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    # Keys and values of the rows of a batch, for which `plan` allows four times its tokens; then what a layer holds.
    each = 4 * 2 * config.num_hidden_layers * cached * width + 8 * config.hidden_size + 3 * inner
    tokens = free // 2 // (each * dtype.itemsize)
    return int(min(_MOST, max(_FEWEST, 1 << max(0, tokens.bit_length() - 1))))
