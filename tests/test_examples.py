"""The programs in examples/ run, on the model and the corpus that come with the package."""

import subprocess
import sys
from pathlib import Path

import pandas
import pytest

import emollms

EXAMPLES = Path(__file__).parents[1] / "examples"
REVIEWS = pandas.DataFrame({"id": [1, 2, 3], "body": ["What a lovely evening!", "Cold food, rude waiter.", None]})


def run(name: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_is_tested() -> None:
    tested = {"annotate_reviews.py", "clean_training_data.py", "compare_baselines.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


@pytest.mark.slow  # loads the model that comes with the package
def test_annotate_reviews(tmp_path: Path) -> None:
    REVIEWS.to_csv(tmp_path / "reviews.csv", index=False)
    printed = run("annotate_reviews.py", tmp_path, "reviews.csv", "body", "scores.csv")
    assert "scores.csv: 3 rows, of which 1 without a score" in printed
    scores = pandas.read_csv(tmp_path / "scores.csv")
    assert scores["id"].tolist() == [1, 2, 3]
    assert scores["valence"][0] > scores["valence"][1]


@pytest.mark.slow  # two evaluations with their intervals
def test_compare_baselines(tmp_path: Path) -> None:
    printed = run("compare_baselines.py", tmp_path, "out")
    vader = emollms.evaluate(data=tmp_path / "out" / "aeb", out=tmp_path / "again", baseline="vader").to_pandas()
    assert vader.to_string().splitlines()[1].split()[-1] in printed
    for score in vader["value"]:
        assert f"{score:.6f}" in printed


def test_clean_training_data(sample_aeb: Path, tmp_path: Path) -> None:
    known = pandas.read_parquet(sample_aeb / "data" / "V-reg" / "test-00000.parquet")["text"][0]
    posts = pandas.DataFrame(
        {"id": [1, 2], "text": [known + "!!", "Nothing in the benchmark says anything like this."]}
    )
    posts.to_csv(tmp_path / "posts.csv", index=False)
    run("clean_training_data.py", tmp_path, "posts.csv", str(sample_aeb), "kept.csv")
    assert pandas.read_csv(tmp_path / "kept.csv")["id"].tolist() == [2]
