"""Scores of simple baselines on the AEB, for its card: writes `cards/baselines.json`.

EMOLLMS_CORPORA=~/corpora python benchmarks/baselines.py
"""

import json
import tempfile
from pathlib import Path

from emollms.dataset.baselines import rows_hash
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.evaluation.predictors import BaselinePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.evaluation.task_metrics import TASK_METRICS

BASELINES = {"mean": "constant", "majority": "constant", "vader": "VADER", "textblob": "TextBlob"}
"""The baselines, and the columns that they are in: the first two answer different tasks."""
OUT = Path(__file__).parents[1] / "cards" / "baselines.json"
ABOUT = (
    "By `emollms evaluate --baseline mean|majority|vader|textblob` on these test rows: a constant (the mean score, the "
    "most common class or set of labels, of the emotion asked for), the VADER lexicon (Hutto and Gilbert, 2014) and "
    "TextBlob, which answer tasks of polarity. The correlation of a constant is undefined, and counts as 0."
)


def main() -> None:
    scores: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        aeb = Path(name) / "aeb"
        manifest = build_repo(Settings(DATA_SETS["aeb"]), aeb).manifest
        data = Dataset(aeb)
        for baseline, column in BASELINES.items():
            source = BaselinePredictor(baseline, lambda task: data.rows(task, "train"))
            done = run_benchmark(source, data, Path(name) / baseline, EvaluationOptions())
            for task, entry in done.scores["tasks"].items():
                main = entry["metrics"][entry["main"]]
                scores.setdefault(task, {})[column] = "undefined" if main["low"] is None else f"{main['value']:.3f}"
        rows = {count.task: rows_hash(sorted(aeb.glob(f"data/{count.task}/test-*"))) for count in manifest.counts}
    content = {
        "about": ABOUT,
        "metrics": {task: scheme.main.title for task, scheme in TASK_METRICS.items()},
        "names": list(dict.fromkeys(BASELINES.values())),
        "rows": rows,
        "scores": {task: scores[task] for task in rows},
    }
    OUT.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
