"""Scores of simple baselines on the AEB and AEB-multilingual, for their cards: writes `cards/baselines.json`.

EMOLLMS_CORPORA=~/corpora python benchmarks/baselines.py --out out/baselines

Of AEB-multilingual it also asks emosmol, the model of the package, about some rows of each task and language. The data
sets and the runs stay in `--out`: what is there already is used, and a run that was killed is resumed.
"""

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import Any

from emollms.dataset.baselines import MEAN, rows_hash
from emollms.dataset.build import build_repo
from emollms.dataset.reader import Dataset, asked_rows
from emollms.dataset.specs import ALL_LANGUAGES, DATA_SETS, Settings
from emollms.evaluation.evaluate import evaluate
from emollms.evaluation.model_predictor import model_predictor
from emollms.evaluation.task_metrics import TASK_METRICS
from emollms.evaluation.task_scores import Figure
from emollms.inference.decoding import likely_labels
from emollms.inference.predictions import Prediction, PredictionFile
from emollms.prompts.answers import answer
from emollms.tasks import MultiLabelTask, get_task

BASELINES = {"mean": "constant", "majority": "constant", "vader": "VADER", "textblob": "TextBlob"}
"""The baselines, and the columns that they are in: the first two answer different tasks."""
MODEL = "emosmol"
ROWS = 50
"""Rows of each task and language that the model is asked about."""
OUT = Path(__file__).parents[1] / "cards" / "baselines.json"
ABOUT = (
    "By `emollms evaluate --baseline mean|majority|vader|textblob` on these test rows, with 95 % intervals. The "
    "constant is the mean score, the most common class or the most common set of labels of the emotion asked for; its "
    "correlation is undefined, and counts as 0. VADER (Hutto and Gilbert, 2014) and TextBlob are lexicons, which "
    "answer tasks of polarity."
)
LANGUAGES_ABOUT = (
    "Scores on these test rows, with 95 % intervals, each language by itself, in the metric by which the source of "
    "the task ranks systems. The constant is the most common set of labels of a language; tasks of scores and "
    "classes, whose metric is a correlation, have none. VADER and TextBlob are lexicons of English: in other "
    "languages they know little but emoji and loan words. emosmol, the small model of the package, was tuned on "
    f"English tweets alone. It was asked about {ROWS} rows of each task and language (all, where there are fewer); "
    "BRIGHTER-E-c it answers as it does E-c, with those of its labels that BRIGHTER has. By `emollms evaluate` with "
    f"`--baseline majority|vader|textblob`, and with `--model emosmol --limit {ROWS}`."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/baselines"), help="for data sets and runs")
    folder = parser.parse_args().out
    for data_set in ("aeb", "aeb-multilingual"):
        if not (folder / data_set).is_dir():
            build_repo(Settings(DATA_SETS[data_set]), folder / data_set)
    content = english(Dataset(folder / "aeb"), folder / "english")
    content["languages"] = by_language(Dataset(folder / "aeb-multilingual"), folder / "languages")
    OUT.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def english(data: Dataset, folder: Path) -> dict[str, Any]:
    """The main metric of each task of the AEB, by baseline."""
    scores: dict[str, dict[str, str]] = {}
    for baseline, column in BASELINES.items():
        done = evaluate(data.folder, folder / baseline, baseline=baseline)
        for task, entry in done.tasks.items():
            scores.setdefault(task, {})[column] = shown(entry.main_metric)
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
    done.append((MODEL, evaluate(data.folder, folder / MODEL, MODEL, task=tasks, limit=ROWS, progress=True)))
    answers = answers_to_brighter(data, folder / "brighter.jsonl")
    brighter = {"task": "BRIGHTER-E-c", "limit": ROWS, "name": MODEL}
    done.append((MODEL, evaluate(data.folder, folder / f"{MODEL}-brighter", predictions=answers, **brighter)))
    scores: dict[str, dict[str, dict[str, str]]] = {}
    for column, one in done:
        for task, entry in one.tasks.items():
            metric = entry.source_metric
            known = {code: shown(figure) for code, figure in metric.languages.items() if figure.interval}
            if len(known) > 1 and len(known) == len(metric.languages):
                known = {MEAN: shown(metric), **known}
            if known:
                scores.setdefault(task, {})[column] = known
    metrics = {task: TASK_METRICS[task].source_metric.title for task in scores}
    names = list(dict.fromkeys(column for column, _ in done))
    return {"about": LANGUAGES_ABOUT, "metrics": metrics, "names": names, "rows": hashes(data), "scores": scores}


def answers_to_brighter(data: Dataset, path: Path) -> Path:
    """Answers of the model to BRIGHTER-E-c, for which it has no outputs: those to E-c, with the labels of BRIGHTER."""
    asked, own = get_task("BRIGHTER-E-c"), get_task("E-c")
    assert isinstance(asked, MultiLabelTask)
    rows = asked_rows(data.rows(asked.name, "test"), ALL_LANGUAGES, ROWS)
    predictor = model_predictor(MODEL)
    with closing(predictor), PredictionFile(path) as file:
        missing = [row for row in rows if row["id"] not in file.known]
        for one in predictor.predict(own, missing, ()):
            shares = {label: share for label, share in (one.probabilities or {}).items() if label in asked.labels}
            said = answer(asked, likely_labels(asked, shares, predictor.thresholds(own)))
            file.add([Prediction(one.id, said, seconds=one.seconds)])
    return path


def shown(figure: Figure) -> str:
    """A value with its interval, three decimals each."""
    found = figure.interval
    return f"{figure.value:.3f} ({found.low:.3f} to {found.high:.3f})" if found else "undefined"


def hashes(data: Dataset) -> dict[str, str]:
    """A hash of the test rows of each task."""
    counts = data.manifest.counts
    return {
        one.task: rows_hash([data.folder / file.path for file in data.manifest.files_of(one.task, "test")])
        for one in counts
    }


if __name__ == "__main__":
    main()
