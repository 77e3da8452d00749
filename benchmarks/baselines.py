"""Scores of simple baselines on the AEB, for its card: writes `cards/baselines.json`.

EMOLLMS_CORPORA=~/corpora python benchmarks/baselines.py
"""

import json
import tempfile
from pathlib import Path

from emollms.evaluation.data import open_data
from emollms.evaluation.run import Options, evaluate
from emollms.evaluation.schemes import SCHEMES
from emollms.evaluation.sources import BASELINE_NAMES, BaselineSource
from emollms.repository.build import build
from emollms.repository.specs import DATA_SETS, Settings

BASELINES = ("majority", "vader", "textblob")
OUT = Path(__file__).parents[1] / "cards" / "baselines.json"
ABOUT = (
    "By `emollms evaluate --baseline NAME` on this data set: the most frequent class, the VADER word list (Hutto and "
    "Gilbert, 2014) and TextBlob. Baselines that do not answer a task have no score there."
)


def main() -> None:
    scores: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        aeb = Path(name) / "aeb"
        manifest = build(Settings(DATA_SETS["aeb"]), aeb).manifest
        data = open_data(str(aeb))
        for baseline in BASELINES:
            source = BaselineSource(baseline, lambda task: data.rows(task, "train"))
            done = evaluate(source, data, Path(name) / baseline, Options())
            for task, entry in done.scores["tasks"].items():
                scores.setdefault(task, {})[BASELINE_NAMES[baseline]] = f"{entry['value']:.3f}"
    rows = {count.task: count.rows for count in manifest.counts}
    content = {
        "about": ABOUT,
        "profile": "release",
        "metrics": {task: scheme.main.title for task, scheme in SCHEMES.items()},
        "names": [BASELINE_NAMES[name] for name in BASELINES],
        "rows": {task: rows[task] for task in rows if task in scores},
        "scores": {task: scores[task] for task in rows if task in scores},
    }
    OUT.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
