"""Scores of simple baselines on the AEB and AEB-multilingual, for their cards: writes `cards/baselines.json`.

EMOLLMS_CORPORA=~/corpora python benchmarks/baselines.py

Of AEB-multilingual it also asks emosmol, the model of the package, about 200 rows of each task and language.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from emollms.dataset.baselines import rows_hash
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset
from emollms.dataset.specs import DATA_SETS, Settings
from emollms.evaluation.evaluate import evaluate
from emollms.evaluation.task_metrics import TASK_METRICS
from emollms.tasks import MultiLabelTask

BASELINES = {"mean": "constant", "majority": "constant", "vader": "VADER", "textblob": "TextBlob"}
"""The baselines, and the columns that they are in: the first two answer different tasks."""
OUT = Path(__file__).parents[1] / "cards" / "baselines.json"
ABOUT = (
    "By `emollms evaluate --baseline mean|majority|vader|textblob` on these test rows: a constant (the mean score, the "
    "most common class or set of labels, of the emotion asked for), the VADER lexicon (Hutto and Gilbert, 2014) and "
    "TextBlob, which answer tasks of polarity. The correlation of a constant is undefined, and counts as 0."
)


LANGUAGES_ABOUT = (
    "By `emollms evaluate --baseline majority|vader|textblob` on these test rows, each language by itself, in the "
    "metric by which the source of a task ranks systems. A constant is the most common set of labels of the language; "
    "the correlations of constants are undefined, and left out. VADER and TextBlob are lexicons of English: in other "
    "languages they know little but emoji and loan words. emosmol, the small model of the package, was tuned on "
    "English tweets alone; it was asked about 200 rows of each task and language (BRIGHTER-E-c by its outputs for E-c)."
)
MAP = """activation: sigmoid
questions:
  BRIGHTER-E-c: {anger: E-c/anger, disgust: E-c/disgust, fear: E-c/fear, joy: E-c/joy, sadness: E-c/sadness,
    surprise: E-c/surprise}
"""
"""The outputs of emosmol that answer BRIGHTER-E-c."""
ROWS_OF_A_LANGUAGE = 200


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for data_set in ("aeb", "aeb-multilingual"):
            build_repo(Settings(DATA_SETS[data_set]), folder / data_set)
        content = english(Dataset(folder / "aeb"), folder)
        content["languages"] = by_language(Dataset(folder / "aeb-multilingual"), folder / "languages")
    OUT.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def english(data: Dataset, folder: Path) -> dict[str, Any]:
    """The main metric of each task of the AEB, by baseline."""
    scores: dict[str, dict[str, str]] = {}
    for baseline, column in BASELINES.items():
        done = evaluate(data.folder, folder / baseline, baseline=baseline)
        for task, entry in done.tasks.items():
            main = entry.main_metric
            scores.setdefault(task, {})[column] = "undefined" if main.low is None else f"{main.value:.3f}"
    rows = hashes(data)
    return {
        "about": ABOUT,
        "metrics": {task: scheme.main.title for task, scheme in TASK_METRICS.items()},
        "names": list(dict.fromkeys(BASELINES.values())),
        "rows": rows,
        "scores": {task: scores[task] for task in rows},
    }


def by_language(data: Dataset, folder: Path) -> dict[str, Any]:
    """The metric of the source of each task of AEB-multilingual, by baseline, and by language."""
    labels = [task.name for task in data.tasks("test") if isinstance(task, MultiLabelTask)]
    done = [("constant", evaluate(data.folder, folder / "majority", baseline="majority", task=labels))]
    for name in ("vader", "textblob"):
        done.append((BASELINES[name], evaluate(data.folder, folder / name, baseline=name)))
    tasks = [task.name for task in data.tasks("test") if not task.name.startswith("BRIGHTER")]
    limit = {"limit": ROWS_OF_A_LANGUAGE}
    done.append(("emosmol", evaluate(data.folder, folder / "emosmol", "emosmol", task=tasks, **limit)))
    (folder / "map.yaml").write_text(MAP, encoding="utf-8")
    mapped = {"map": folder / "map.yaml", "task": "BRIGHTER-E-c", **limit}
    done.append(("emosmol", evaluate(data.folder, folder / "emosmol-brighter", "emosmol", **mapped)))
    scores: dict[str, dict[str, dict[str, str]]] = {}
    for column, one in done:
        for task, entry in one.tasks.items():
            known = {code: figure for code, figure in entry.source_metric.languages.items() if figure.interval}
            if known:
                shown = {code: f"{figure.value:.3f}" for code, figure in known.items()}
                scores.setdefault(task, {})[column] = shown
    metrics = {task: TASK_METRICS[task].source_metric.title for task in scores}
    return {"about": LANGUAGES_ABOUT, "metrics": metrics, "rows": hashes(data), "scores": scores}


def hashes(data: Dataset) -> dict[str, str]:
    """A hash of the test rows of each task."""
    counts = data.manifest.counts
    return {
        one.task: rows_hash([data.folder / file.path for file in data.manifest.files_of(one.task, "test")])
        for one in counts
    }


if __name__ == "__main__":
    main()
