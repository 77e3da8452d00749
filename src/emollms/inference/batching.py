"""Which rows go through the model together: those with the same instruction, of like length, within a budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Ids = Sequence[int]


@dataclass(frozen=True)
class Batch:
    """Rows that go through the model together.

    Args:
        prefix: how many tokens at the beginning they share; these are computed once.
        rows: their numbers, longest first.
    """

    prefix: int
    rows: tuple[int, ...]


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


def plan(
    ids: Sequence[Ids], budget: Budget, after: int = 0, width: int = 1, share: bool = True, grows: bool = False
) -> Iterator[Batch]:
    """Batches that hold each row once.

    Args:
        ids: the tokens of each row.
        budget: the limits.
        after: how many tokens a row may get besides.
        width: how many numbers over the vocabulary a row needs.
        share: whether shared beginnings are computed once.
        grows: whether those further tokens come one at a time; then they cost memory, but are not read at once.
    """
    limit = budget.window or max(map(len, ids), default=0) + after
    alone = [row for row, tokens in enumerate(ids) if len(tokens) + after > limit]
    together = [row for row, tokens in enumerate(ids) if len(tokens) + after <= limit]
    yield from (Batch(0, (row,)) for row in alone)
    for prefix, rows in prefix_groups(ids, together) if share else [(0, together)]:
        rows = sorted(rows, key=lambda row: -len(ids[row]))
        most = max(1, budget.logits // width)
        while rows:
            longest = len(ids[rows[0]])
            each = longest - prefix + (0 if grows else after)
            # A shared beginning costs memory in each row, but no time.
            fits = min(budget.tokens // each, 4 * budget.tokens // (longest + after), most)
            count = max(1, fits)
            yield Batch(prefix, tuple(rows[:count]))
            rows = rows[count:]


def prefix_groups(
    ids: Sequence[Ids], rows: Sequence[int], smallest: int = 8, saving: int = 16
) -> list[tuple[int, list[int]]]:
    """Rows by what they begin with: the length of the shared beginning, and the rows.

    Args:
        ids: the tokens of each row.
        rows: the rows to group.
        smallest: the fewest rows that get a group of their own,
        saving: and by how many tokens their beginning must be longer than what they share with others.
    """
    return _split(ids, sorted(rows, key=lambda row: list(ids[row])), smallest, saving) if rows else []


def _split(ids: Sequence[Ids], rows: list[int], smallest: int, saving: int) -> list[tuple[int, list[int]]]:
    # In sorted rows, what the first and the last share is shared by all. At least one token stays for each row.
    shared = min(_common(ids[rows[0]], ids[rows[-1]]), min(len(ids[row]) for row in rows) - 1)
    by_next: dict[int, list[int]] = {}
    for row in rows:
        by_next.setdefault(ids[row][shared], []).append(row)
    if len(by_next) == 1:
        return [(shared, rows)]
    groups: list[tuple[int, list[int]]] = []
    rest: list[int] = []
    for some in by_next.values():
        for length, members in _split(ids, some, smallest, saving) if len(some) >= smallest else [(shared, some)]:
            if length - shared >= saving:
                groups.append((length, members))
            else:
                rest += members
    return [*groups, (shared, rest)] if rest else groups


def _common(first: Ids, second: Ids) -> int:
    """How many tokens two sequences begin with in common."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count
