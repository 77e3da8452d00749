"""Evaluation modules can be imported without the extra `evaluate`, and never bring torch."""

import subprocess
import sys

MODULES = (
    "baselines", "bootstrap", "calibration", "gold_vs_predicted", "metrics", "parsing", "predictors", "published",
    "run_folder", "scores", "scoring", "task_metrics",
)  # fmt: skip
HEAVY = {"torch", "sklearn", "scipy", "nltk", "textblob", "vaderSentiment"}


def test_imports_stay_light() -> None:
    names = [f"emollms.evaluation.{module}" for module in MODULES]
    script = f"import sys\nfor name in {names!r}: __import__(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
