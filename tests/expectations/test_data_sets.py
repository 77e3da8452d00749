"""Data sets on the Hub whose files are tables of users."""

from hub.client import TestHub
from hub.fixtures import hub, hub_server

__all__ = ["hub", "hub_server"]

SEA = "the sea was calm and we sat on the rocks all evening"


def test_csv_on_the_hub_is_read_as_exactly(hub: TestHub) -> None:
    hub.run("import sys, huggingface_hub; huggingface_hub.create_repo(sys.argv[1], repo_type='dataset')", hub.repo)
    hub.push({"data/train.csv": f"text,label\nNA,007\n{SEA},1\n", "data/test.csv": f"text,label\n{SEA}!,1\n"})
    done = hub.emollms("dedup", hub.repo, "--out", hub.folder / "clean")
    assert sorted(done.out.splitlines()[1:]) == ["test\t1\t1", "train\t2\t1"]
    script = "import sys, pyarrow.parquet as p; print(p.read_table(sys.argv[1]).to_pylist())"
    kept = hub.run(script, hub.folder / "clean" / "data" / "train-00000.parquet").out
    assert kept == "[{'text': 'NA', 'label': '007', 'cluster': None}]\n"
    hub.push({"data/train.csv": f"text,label\n{SEA}, too,1\n"})
    done = hub.emollms("dedup", hub.repo, "--out", hub.folder / "again", code=1)
    assert done.err.count("\n") == 1
    assert "/data/train.csv:2: 3 cells, the header has 2" in done.err
