from hypothesis import given
from hypothesis import strategies as st

from emollms.inference.batching import Budget, plan, prefix_groups

IDS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=60)


@given(ids=IDS, tokens=st.integers(1, 200), after=st.integers(0, 9), share=st.booleans(), grows=st.booleans())
def test_each_row_is_in_one_batch_within_the_budget(ids, tokens, after, share, grows):
    batches = list(plan(ids, Budget(tokens=tokens, logits=10), after, 2, share, grows))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(ids)))
    for batch in batches:
        longest = max(len(ids[row]) for row in batch.rows) - batch.prefix + after
        assert len(batch.rows) == 1 or len(batch.rows) * (longest - grows * after) <= tokens
        assert len(batch.rows) <= 5
        assert len({tuple(ids[row][: batch.prefix]) for row in batch.rows}) == 1
        assert all(len(ids[row]) > batch.prefix for row in batch.rows)
        assert share or batch.prefix == 0


def test_each_instruction_is_a_group():
    first, second = list(range(100, 150)), [*range(100, 105), *range(200, 260)]
    ids = [[*(first if row % 2 else second), row, row + 1] for row in range(40)]
    assert sorted(prefix_groups(ids, range(40)))[0] == (50, list(range(1, 40, 2)))
    assert sorted(prefix_groups(ids, range(40)))[1] == (65, list(range(0, 40, 2)))


def test_equal_rows_keep_a_token_each():
    assert prefix_groups([[1, 2, 3]] * 9, range(9)) == [(2, list(range(9)))]
    assert prefix_groups([], []) == []


def test_rows_longer_than_the_window_go_alone():
    ids = [[1] * 5, [1] * 30, [1] * 6, [1] * 31]
    batches = list(plan(ids, Budget(tokens=1000, logits=100, window=20)))
    assert [batch.rows for batch in batches] == [(1,), (3,), (2, 0)]
    assert [batch.prefix for batch in batches][:2] == [0, 0]
