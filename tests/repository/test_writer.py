"""Tables on disk: the content hash depends on the rows alone, and shards join up."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from emollms.repository.writer import ContentHash, TableWriter

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


@given(ROWS, st.integers(0, 12))
def test_hash_does_not_depend_on_batches(rows: list[dict[str, object]], cut: int) -> None:
    assert content(rows, cut) == content(rows, 0)


@given(ROWS, st.integers(0, 12))
def test_hash_of_a_slice_is_that_of_its_rows(rows: list[dict[str, object]], cut: int) -> None:
    whole, copied = ContentHash(SCHEMA), ContentHash(SCHEMA)
    whole.update(pa.RecordBatch.from_pylist(rows, SCHEMA).slice(cut))
    copied.update(pa.RecordBatch.from_pylist(rows[cut:], SCHEMA))
    assert whole.hexdigest() == copied.hexdigest()


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
