"""The answers of the two released models as predictions, evaluated.

    python tests/evaluation/published_answers.py AEB OUT

AEB is the benchmark of the profile `paper`, whose rows are those of the files. The figures by the strict and by the
lenient rule are printed as two tables. Nothing of this belongs into the repository: the answers are about texts that
may not be passed on.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evaluation.reference_rows import BLOOM, CHAT_13B, Answers, answers

from emollms.dataset.reader import TEST, Dataset
from emollms.evaluation.predictors import FilePredictor
from emollms.evaluation.run import EvaluationOptions, run_benchmark
from emollms.inference.decoding import Decode
from emollms.inference.predictions import Prediction, PredictionFile
from emollms.tasks import benchmark_tasks

CLASSES = {"EI-oc": range(4), "V-oc": range(3, -4, -1), "SST5": range(5)}
"""The order of the files' probabilities; those of TDT lack a class."""


def evaluate_published(
    reference: Path, model: str, aeb: Path, out: Path, mode: Decode = Decode.sample, tasks: Sequence[str] = ()
) -> Path:
    """Evaluate the answers of a model into a folder below `out`, and give it.

    Args:
        reference: the folder of the answers.
        model: whose answers.
        aeb: the benchmark.
        out: where the folder is made.
        mode: `sample` scores what the model said, as the paper does; `expected_value` its probabilities.
        tasks: names of tasks; all by default.
    """
    data = Dataset(aeb)
    rows = {task.name: data.rows(task.name, TEST) for task in benchmark_tasks() if task.name in tasks or not tasks}
    path = out / "answers" / f"{model}.jsonl"
    if not path.exists():
        with PredictionFile(path) as file:
            for task, own in rows.items():
                file.add(as_predictions(answers(reference, model, task), own))
    known = {row["id"]: task for task, own in rows.items() for row in own}
    name = model if mode == "sample" else f"{model}, {mode}"
    folder = out / name.replace(", ", "-")
    run_benchmark(FilePredictor(path, known, name), data, folder, EvaluationOptions(decode=mode))
    return folder


def as_predictions(said: Answers, rows: Sequence[Any]) -> Iterator[Prediction]:
    """The answers as the files have them."""
    for text, probabilities, row in zip(said.texts, said.probabilities, rows, strict=True):
        shares = None
        if probabilities and said.task.name in CLASSES:
            shares = dict(zip(map(str, CLASSES[said.task.name]), probabilities, strict=True))
        yield Prediction(row["id"], text, shares)


def tables(folders: Sequence[Path]) -> str:
    """The figures by the strict and by the lenient rule, a column for each run."""
    runs = [json.loads((folder / "scores.json").read_text(encoding="utf-8")) for folder in folders]
    lines = []
    for parse in ("strict", "lenient"):
        lines += ["", f"| {parse} |" + "".join(f" {run['name']} |" for run in runs), "| --- |" + " ---: |" * len(runs)]
        for task, entry in runs[0]["tasks"].items():
            own = [run["tasks"][task]["by_parse"][parse] for run in runs]
            for metric in entry["metrics"]:
                lines.append(f"| {task} {metric} |" + "".join(f" {one['metrics'][metric]:.3f} |" for one in own))
            lines.append(f"| {task} invalid |" + "".join(f" {one['invalid']} |" for one in own))
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aeb", type=Path, metavar="AEB", help="the AEB of the profile paper")
    parser.add_argument("out", type=Path, metavar="OUT")
    given = parser.parse_args()
    published = Path(os.environ.get("EMOLLMS_CORPORA", "corpora")).resolve().parent / "reference"
    models = [evaluate_published(published, model, given.aeb.resolve(), given.out) for model in (CHAT_13B, BLOOM)]
    print(
        *models,
        evaluate_published(published, CHAT_13B, given.aeb.resolve(), given.out, Decode.expected_value),
        sep="\n",
    )
    print(tables(models))
