from hypothesis import given
from hypothesis import strategies as st

from emollms.inference.batching import Budget, plan, prefix_groups

IDS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=60)


@given(ids=IDS, tokens=st.integers(1, 200), after=st.integers(0, 9), share=st.booleans(), grows=st.booleans())
def test_each_row_is_in_one_batch_within_the_budget(ids, tokens, after, share, grows):
    batches = list(plan(ids, Budget(tokens=tokens, logits=10), after, 2, share, grows))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(ids)))
    for batch in batches:
        rests = [len(ids[row]) - shared for row, shared in zip(batch.rows, batch.shared, strict=True)]
        assert min(rests) > 0
        assert rests == sorted(rests, reverse=True)
        assert len(batch.rows) == 1 or len(batch.rows) * (rests[0] + (0 if grows else after)) <= tokens
        assert len(batch.rows) <= 5
        beginnings = {tuple(ids[row][:shared]) for row, shared in zip(batch.rows, batch.shared, strict=True)}
        assert len(batch.rows) == 1 or sum(map(len, beginnings)) <= tokens
        assert share or beginnings == {()}


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
    assert [batch.shared for batch in batches][:2] == [(0,), (0,)]


def test_what_is_read_once_is_less_than_all():
    wordings = [list(range(start, start + 50)) for start in range(100, 1000, 100)]
    ids = [[*wordings[row % 9], *range(2000 + 30 * row, 2012 + 30 * row)] for row in range(18)]
    (batch,) = plan(ids, Budget(tokens=4096, logits=100))
    assert set(batch.shared) == {50}  # two rows of each wording, in one batch of all


def test_a_beginning_that_saves_less_than_it_costs_is_not_read_by_itself():
    instruction = list(range(100, 150))
    twins = [[*instruction, *range(20), 90 + row] for row in range(2)]  # 70 tokens to read, and 20 to save
    others = [[*instruction, 200 + row, 300] for row in range(9)]
    assert prefix_groups([*twins, *others], range(11)) == [(50, list(range(11)))]


@given(ids=IDS, window=st.integers(1, 50))
def test_padding_between_beginning_and_rest_stays_in_the_window(ids, window):
    for batch in plan(ids, Budget(tokens=500, logits=100, window=window)):
        rests = [len(ids[row]) - shared for row, shared in zip(batch.rows, batch.shared, strict=True)]
        assert len(batch.rows) == 1 or max(batch.shared) + max(rests) <= window
