"""The profile `paper` gives the published data sets, row by row."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emollms.dataset.specs import DATA_SETS
from emollms.tasks import RegressionTask, get_task

pytestmark = pytest.mark.corpora
VADER = ("V-A", "V-M", "V-NYT", "V-T")
SHOWN = re.compile(
    r"Human: \nTask: .+? (?:Tweet|Text): (?P<text>.*?)(?: Emotion E: (?P<emotion>\w+)\.)?"
    r" (?:Intensity Score|Intensity Class|Sentiment score|Sentiment Class|This tweet contains emotions): "
    r"\n\nAssistant:\n",
    re.DOTALL,
)


def published(reference: Path, task: str) -> list[dict[str, str]]:
    """The rows of a task in the published AEB: text, emotion and gold."""
    name = "V-A_V-M_V-NYT_V-T" if task in VADER else {"EmoBank": "Emobank"}.get(task, task)
    lines = (reference / "outputs" / "Emobloom-7b" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    if task in VADER:
        lines = lines[VADER.index(task) * 1000 :][:1000]
    rows = [json.loads(line) for line in lines]
    return [{**SHOWN.fullmatch(row["input"]).groupdict(), "gold": row["gold"]} for row in rows]


@pytest.mark.parametrize("task", DATA_SETS["aeb"].tasks)
def test_every_row_of_the_benchmark(task: str, paper_aeb: Path, reference_dir: Path) -> None:
    rows = pq.read_table(paper_aeb / "data" / task).to_pylist()
    expected = published(reference_dir, task)
    assert [row["text"] for row in rows] == [row["text"] for row in expected]
    assert [row["gold"] for row in rows] == [row["gold"] for row in expected]
    if get_task(task).names_emotion:
        assert [row["emotion"] for row in rows] == [row["emotion"] for row in expected]


def test_counts_of_the_benchmark(paper_aeb: Path) -> None:
    assert sum(pq.read_metadata(path).num_rows for path in paper_aeb.glob("data/*/*.parquet")) == 30_808
    rows = pq.read_table(paper_aeb / "data" / "V-A").to_pylist()
    assert max(len(row["text"]) for row in rows) == 3_140


def test_scores_are_the_golds_on_one_scale(paper_aeb: Path) -> None:
    for task in (get_task(name) for name in DATA_SETS["aeb"].tasks):
        if isinstance(task, RegressionTask):
            for row in pq.read_table(paper_aeb / "data" / task.name).to_pylist():
                assert task.from_unit(row["score"]) == pytest.approx(float(row["gold"]), abs=1e-9)
                assert row["completion"] == f"{row['score']:.3f}"


def test_counts_of_the_training_data(real_repo: Callable[..., Path]) -> None:
    aaid, counts = real_repo("aaid", "paper"), Counter()
    for path in aaid.glob("data/*/*.parquet"):
        counts[path.parent.name, path.stem[:-6]] += pq.read_metadata(path).num_rows
    assert counts == {
        ("EI-reg", "train"): 71_020,
        ("EI-oc", "train"): 71_020,
        ("V-reg", "train"): 11_810,
        ("V-oc", "train"): 11_810,
        ("E-c", "train"): 68_380,
        ("EI-reg", "validation"): 14_640,
        ("EI-oc", "validation"): 14_640,
        ("V-reg", "validation"): 4_490,
        ("V-oc", "validation"): 4_490,
        ("E-c", "validation"): 8_860,
    }
    assert sum(counts.values()) == 234_040 + 47_120
    table = pq.read_table(aaid / "data" / "E-c", columns=["source_id", "wording"])
    assert set(Counter(table["source_id"].to_pylist()).values()) == {10}
    assert set(table["wording"].to_pylist()) == set(range(10))
