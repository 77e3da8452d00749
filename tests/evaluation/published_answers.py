"""The answers of the two released models as predictions, evaluated.

    python tests/evaluation/published_answers.py AEB OUT

AEB is the benchmark of the profile `paper`, whose rows are those of the files. Scores on a corpus's native range are
put on 0..1, where models answer now. Nothing of this belongs into the repository: the answers are about texts that may
not be passed on.
"""

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reference_rows import BLOOM, CHAT_13B, SCALES, Answers, answers

from emollms.evaluation.data import TEST, open_data
from emollms.evaluation.run import Options, evaluate
from emollms.evaluation.sources import FileSource
from emollms.inference.decoding import Mode
from emollms.inference.predictions import Prediction, PredictionFile
from emollms.prompts.answers import Reading, read_answer
from emollms.tasks import RegressionTask, benchmark_tasks

CLASSES = {"EI-oc": range(4), "V-oc": range(3, -4, -1), "SST5": range(5)}
"""The order of the files' probabilities; those of TDT lack a class."""


def evaluate_published(
    reference: Path, model: str, aeb: Path, out: Path, mode: Mode = "sample", tasks: Sequence[str] = ()
) -> Path:
    """Evaluate the answers of a model into a folder below `out`, and give it.

    Args:
        reference: the folder of the answers.
        model: whose answers.
        aeb: the benchmark.
        out: where the folder is made.
        mode: `sample` scores what the model said, as the paper does; `expectation` its probabilities.
        tasks: names of tasks; all by default.
    """
    data = open_data(str(aeb))
    rows = {task.name: data.rows(task.name, TEST) for task in benchmark_tasks() if task.name in tasks or not tasks}
    path = out / "answers" / f"{model}.jsonl"
    if not path.exists():
        with PredictionFile(path) as file:
            for task, own in rows.items():
                file.add(as_predictions(answers(reference, model, task), own))
    known = {row["id"]: task for task, own in rows.items() for row in own}
    name = model if mode == "sample" else f"{model}, {mode}"
    folder = out / name.replace(", ", "-")
    evaluate(FileSource(path, known, name), data, folder, Options(mode=mode))
    return folder


def as_predictions(said: Answers, rows: Sequence[Any]) -> Iterator[Prediction]:
    """The answers, those that could be read on 0..1; those that could not stay so."""
    for text, reading, probabilities, row in zip(said.texts, said.readings, said.probabilities, rows, strict=True):
        task, answer = said.task, text
        if isinstance(task, RegressionTask) and task.name in SCALES:
            answer = on_one_scale(task, text, reading)
            assert (read_answer(task, answer, row["emotion"]).value is None) == (reading.value is None)
        shares = None
        if probabilities and task.name in CLASSES:
            shares = dict(zip(map(str, CLASSES[task.name]), probabilities, strict=True))
        yield Prediction(row["id"], answer, shares)


def on_one_scale(task: RegressionTask, text: str, reading: Reading) -> str:
    """An answer on the task's native scale as one on 0..1; one that could not be read cannot be read there either."""
    number = re.match(r"-?\d+(?:\.\d+)?$", text.strip()) if reading.value is None else None
    if reading.value is not None or number:
        return f"{task.to_unit(float(number[0] if number else str(reading.value))):.6f}"
    return f"{text} (of {task.low:g} to {task.high:g})" if text.strip() else text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aeb", type=Path, metavar="AEB", help="the AEB of the profile paper")
    parser.add_argument("out", type=Path, metavar="OUT")
    given = parser.parse_args()
    published = Path(os.environ.get("EMOLLMS_CORPORA", "corpora")).resolve().parent / "reference"
    for model in (CHAT_13B, BLOOM):
        print(evaluate_published(published, model, given.aeb.resolve(), given.out))
    print(evaluate_published(published, CHAT_13B, given.aeb.resolve(), given.out, "expectation"))
