"""Two workers of a local Ray answer as one process does."""

import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

import emollms

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow


def test_two_workers_answer_as_one_process(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray.data

    from emollms.annotation.ray import annotate_dataset

    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}.items():  # no token in HOME
        monkeypatch.setenv(name, value)
    folder = tempfile.mkdtemp(prefix="ray")  # that of the test is too long for the names of sockets
    texts = [f"text {n % 50} {'good' * (n % 7)}" if n % 11 else None for n in range(200)]
    table = pa.table({"n": range(200), "body": pa.array(texts, pa.string())})
    options = {"task": ["valence", "emotions"], "fresh": True}
    with emollms.Annotator.from_pretrained(str(tiny), **options) as annotator:
        whole = annotator(table, text_column="body").to_arrow()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
    try:
        ray.data.DataContext.get_current().execution_options.preserve_order = True
        blocks = ray.data.from_arrow([table.slice(start, 25) for start in range(0, 200, 25)])
        found = annotate_dataset(blocks, str(tiny), text_column="body", concurrency=2, batch_size=25, **options)
        parts = [pa.Table.from_pandas(part, preserve_index=False) if not isinstance(part, pa.Table) else part
                 for part in found.iter_batches(batch_format="pyarrow", batch_size=None)]  # fmt: skip
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    both = pa.concat_tables(parts, promote_options="permissive")
    assert both.column_names == whole.column_names
    assert both["n"].to_pylist() == list(range(200))
    for name in whole.column_names:
        for one, other in zip(whole[name].to_pylist(), both[name].to_pylist(), strict=True):
            assert other == (pytest.approx(one, abs=0.001) if isinstance(one, float) else one), name
