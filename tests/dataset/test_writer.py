"""Tables on disk: the content hash depends on the rows alone, and shards join up."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from emollms.dataset import writer
from emollms.dataset.writer import ContentHash, RowGroups, TableWriter

SCHEMA = pa.schema(
    [("id", pa.string()), ("score", pa.float64()), ("label", pa.int64()), ("labels", pa.list_(pa.string()))]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.text(max_size=5),
            "score": st.none() | st.floats(allow_nan=False).map(lambda score: score + 0.0),  # one zero, not two
            "label": st.none() | st.integers(-3, 3),
            "labels": st.none() | st.lists(st.text(max_size=3), max_size=3),
        }
    ),
    max_size=12,
)


def content(rows: list[dict[str, object]], cut: int) -> str:
    digest = ContentHash(SCHEMA)
    for part in (rows[:cut], rows[cut:]):
        digest.update(pa.RecordBatch.from_pylist(part, SCHEMA))
    return digest.hexdigest()


@settings(deadline=None)
@given(ROWS, st.integers(0, 12))
def test_hash_does_not_depend_on_batches(rows: list[dict[str, object]], cut: int) -> None:
    assert content(rows, cut) == content(rows, 0)


@settings(deadline=None)
@given(ROWS, st.integers(0, 12))
def test_hash_of_a_slice_is_that_of_its_rows(rows: list[dict[str, object]], cut: int) -> None:
    whole, copied = ContentHash(SCHEMA), ContentHash(SCHEMA)
    whole.update(pa.RecordBatch.from_pylist(rows, SCHEMA).slice(cut))
    copied.update(pa.RecordBatch.from_pylist(rows[cut:], SCHEMA))
    assert whole.hexdigest() == copied.hexdigest()


@settings(deadline=None)
@given(ROWS, ROWS)
def test_hash_tells_rows_apart(one: list[dict[str, object]], other: list[dict[str, object]]) -> None:
    assert (content(one, 0) == content(other, 0)) == (one == other)


def test_shards_hold_all_rows_in_order(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "test", SCHEMA, shard_rows=4) as table:
        for start in range(0, 10, 2):
            rows = [{"id": str(n), "score": 0.5, "label": None, "labels": []} for n in (start, start + 1)]
            table.write(pa.RecordBatch.from_pylist(rows, SCHEMA))
    assert [path.name for path in table.files] == ["test-00000.parquet", "test-00001.parquet", "test-00002.parquet"]
    assert pq.read_table(tmp_path)["id"].to_pylist() == [str(n) for n in range(10)]


def test_a_table_without_rows_can_be_read(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "test", SCHEMA) as table:
        pass
    assert pq.read_table(table.files[0]).schema == SCHEMA


def groups(rows: pa.Table, batch: int) -> list[list[str]]:
    """The ids of each row group, where rows come in batches of this size."""
    cut = RowGroups(rows.schema)
    complete = [group for part in rows.to_batches(batch) for group in cut.add(part)]
    return [group["id"].to_pylist() for group in (*complete, *cut.rest())]


def numbered(*numbers: range) -> pa.Table:
    return pa.table({"id": [f"corpus/task/{number}/-/0" for part in numbers for number in part]})


def test_row_groups_do_not_depend_on_batches() -> None:
    rows = numbered(range(60_000))
    cut = groups(rows, 60_000)
    assert cut == groups(rows, 7) == groups(rows, 4_999)
    assert [name for group in cut for name in group] == rows["id"].to_pylist()
    sizes = [len(group) for group in cut]
    assert all(writer.LEAST <= size <= writer.MOST for size in sizes[:-1])
    assert len(sizes) > 5
    assert len(set(sizes)) > 3


def test_rows_in_the_middle_leave_most_row_groups_as_they_are() -> None:
    before = groups(numbered(range(30_000), range(31_000, 100_000)), 5_000)
    after = groups(numbered(range(100_000)), 5_000)
    new = [group for group in after if group not in before]
    assert sum(map(len, new)) < 25_000
    assert any("corpus/task/30500/-/0" in group for group in new)


def test_rows_that_say_nothing_are_cut_at_the_limit() -> None:
    assert [len(group) for group in groups(pa.table({"id": ["a"] * 50_000}), 999)] == [8_000] * 6 + [2_000]


def test_a_file_is_the_same_whatever_the_batches(tmp_path: Path) -> None:
    rows = numbered(range(20_000))
    for name, batch in (("one", 20_000), ("two", 777)):
        with TableWriter(tmp_path / name, rows.schema) as table:
            for part in rows.to_batches(batch):
                table.write(part)
    assert (tmp_path / "one-00000.parquet").read_bytes() == (tmp_path / "two-00000.parquet").read_bytes()
