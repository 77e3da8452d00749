"""Two workers of a local Ray answer as one process does."""

from pathlib import Path

import pyarrow as pa
import pytest

import emollms

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("local_ray")
def test_two_workers_answer_as_one_process(tiny: Path) -> None:
    import ray.data

    from emollms.annotation.ray import annotate_dataset

    texts = [f"text {n % 50} {'good' * (n % 7)}" if n % 11 else None for n in range(200)]
    table = pa.table({"n": range(200), "body": pa.array(texts, pa.string())})
    options = {"task": ["valence", "emotions"], "fresh": True}
    with emollms.Annotator.from_pretrained(str(tiny), **options) as annotator:
        whole = annotator(table, text_column="body").to_arrow()
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    blocks = ray.data.from_arrow([table.slice(start, 25) for start in range(0, 200, 25)])
    found = annotate_dataset(blocks, str(tiny), text_column="body", concurrency=2, batch_size=25, **options)
    parts = [part if isinstance(part, pa.Table) else pa.Table.from_pandas(part, preserve_index=False)
             for part in found.iter_batches(batch_format="pyarrow", batch_size=None)]  # fmt: skip
    both = pa.concat_tables(parts, promote_options="permissive")
    assert both.column_names == whole.column_names
    assert both["n"].to_pylist() == list(range(200))
    for name in whole.column_names:
        for one, other in zip(whole[name].to_pylist(), both[name].to_pylist(), strict=True):
            assert other == (pytest.approx(one, abs=0.001) if isinstance(one, float) else one), name
